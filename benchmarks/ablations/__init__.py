"""What each ingredient of the pixel prior gave: short trainings that differ in one thing.

All trainings have the same number of steps, seed and crops, so that a difference is due to the one
thing; the prior that is shipped, trained longer, stands below them.
"""
