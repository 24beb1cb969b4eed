"""Restormer: a transformer with attention between channels, trained with an absolute error.

Zamir et al., "Restormer: efficient transformer for high-resolution image restoration", CVPR 2022.
"""

from enhancers.trained.one_call import run, work

__all__ = ["run", "work"]
