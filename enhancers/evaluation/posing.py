"""From a clean case to what every method is given, by the condition of a protocol."""

from __future__ import annotations

import numpy as np

from enhancers.degrade import degrade, degrade_image
from enhancers.evaluation.cases import cropped
from enhancers.evaluation.problem import Case, Degraded
from enhancers.evaluation.protocols import Condition
from enhancers.image import Pixels


def pose(case: Case, condition: Condition) -> tuple[Case, Degraded]:
    """The case, cropped to whole blocks, and its degraded version; the same bytes every time.

    The level is drawn by the seed of the case, and so is the noise. CT that comes with its units
    is degraded in HU.
    """
    case = cropped(case, condition.factor)
    level = float(np.random.default_rng(case.seed).uniform(condition.low, condition.high))
    worse = case.truth
    if condition.kind != "none":
        worse = degrade_image(case.medical, condition.kind, level, seed=case.seed).pixels
    small, clean = worse, case.truth
    if condition.factor > 1:
        small, clean = (
            degrade(pixels, "downsample", condition.factor, seed=0) for pixels in (worse, clean)
        )
    sigma = None
    if condition.told:
        sigma = level / condition.factor if condition.kind == "gaussian" else _noise(small, clean)
    return case, Degraded(small, case.modality, sigma, condition.factor, condition.kind, level)


def _noise(pixels: Pixels, clean: Pixels) -> float:
    """Root mean square of the noise where nothing was clipped, rounded as one would state it."""
    inside = (pixels > 0) & (pixels < 1)
    if not inside.any() or np.array_equal(pixels, clean):
        return 0.0
    error = pixels[inside].astype(np.float64) - clean[inside]
    return round(min(float(np.sqrt(np.mean(error**2))), 0.5), 4)
