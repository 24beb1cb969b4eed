"""Methods whose network was trained for the task: one call gives the result, nothing is sampled."""
