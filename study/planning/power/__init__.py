"""Power and precision of the primary comparison, by simulation, before anyone reads."""
