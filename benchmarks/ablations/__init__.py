"""Ablations of the pixel network's training: short trainings that differ in one choice each.

All trainings share steps, seed and crops, so that a difference is due to that choice. The shipped
network, which was trained longer, is listed below them.
"""
