"""Reliability of scores: intraclass correlations, errors of measurement, repeats of a reader."""
