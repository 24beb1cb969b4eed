"""A demonstration study for visitors, read by simulated readers."""
