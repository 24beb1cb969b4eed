"""Load and durability of the study server, with simulated readers and killed processes."""
