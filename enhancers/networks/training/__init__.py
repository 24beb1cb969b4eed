"""Training of the embedded networks: images, architectures, training loop, validation, card."""
