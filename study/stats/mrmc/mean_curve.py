"""Mean of several readers' empirical curves (ROC, or VGC).

References
----------
W. Chen, F. W. Samuelson, "The average receiver operating characteristic curve in multireader
multicase imaging studies", British Journal of Radiology 87(1040), 2014.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from study.stats.estimate import Floats
from study.stats.mrmc.two_samples import TwoSamples


def empirical_curve(sample: TwoSamples) -> tuple[Floats, Floats]:
    """Shares of the low and of the high sample at or above each score, from (0, 0) to (1, 1)."""
    scores = np.unique(np.concatenate([sample.low, sample.high]))[::-1]
    x, y = (
        1 - np.searchsorted(np.sort(one), scores, "left") / one.size
        for one in (sample.low, sample.high)
    )
    return np.concatenate([[0.0], x]), np.concatenate([[0.0], y])


def mean_curve(samples: Sequence[TwoSamples]) -> tuple[Floats, Floats]:
    """Mean of the curves along lines of slope -1.

    The area under it is the mean of the areas under the curves.

    Parameters
    ----------
    samples : sequence of TwoSamples
        Of each reader, none of them empty.

    Returns
    -------
    x, y : ndarray
        Corners of the curve, from (0, 0) to (1, 1).
    """
    turned = [(x + y, y - x) for x, y in map(empirical_curve, samples)]
    along = np.unique(np.concatenate([one for one, _ in turned]))
    above = np.mean([np.interp(along, one, height) for one, height in turned], axis=0)
    return (along - above) / 2, (along + above) / 2
