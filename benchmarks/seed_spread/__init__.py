"""Calibration of the spread between seeds: what it says about the error on held-out images.

The result, `enhancers.compare.seed_spread.CALIBRATION`, is what the page shows next to the spread.
"""
