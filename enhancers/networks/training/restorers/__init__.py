"""Training of the restorers on pairs of simulated acquisitions and clean images."""
