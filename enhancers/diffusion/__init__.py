"""The generative methods: one algorithm a file, on whatever prior is loaded."""
