"""Several readers and methods: mean scores, areas under curves, sensitivity and specificity."""
