"""Training of the networks of the morphology-consistent diffusion, on spine phantoms."""
