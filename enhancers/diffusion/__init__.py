"""The diffusion methods, one algorithm per file, each on any prior of its kind."""
