"""Type-I error and coverage of the primary tests and intervals of a study, by simulation."""
