"""The networks the diffusion methods sample from: what exists, loading, training."""
