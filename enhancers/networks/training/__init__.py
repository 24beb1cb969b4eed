"""Training of the embedded networks: images, architectures, loop, validation and card."""
