"""The tables of the paper on morphology-consistent diffusion, on held-out volumes of spines."""
