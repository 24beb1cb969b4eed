"""Load and durability of the study server, by simulated readers and killed processes."""
