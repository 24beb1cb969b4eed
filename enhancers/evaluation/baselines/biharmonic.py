"""Missing pixels by biharmonic functions, the smoothest surface through the known ones.

S. B. Damelin and N. S. Hoang, "On surface completion and image inpainting by biharmonic functions:
numerical aspects", International Journal of Mathematics and Mathematical Sciences, 2018, in
scikit-image's implementation, which cannot be interrupted.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from enhancers.evaluation.baselines.baseline import Work
from enhancers.image import Pixels
from enhancers.measured import Known
from enhancers.method_interface import Step, final_step


def filled(gray: Pixels, known: Known) -> Pixels:
    """``gray`` (H, W) with interpolated values, in [0, 1], where ``known`` is False."""
    from skimage.restoration import inpaint_biharmonic

    if known.all():
        return gray
    found = inpaint_biharmonic(np.where(known, gray, 0.0), ~known)
    return np.where(known, gray, found.clip(0.0, 1.0)).astype(np.float32)


def run(gray: Pixels, work: Work, *, seed: int, device: str) -> Iterator[Step]:
    """Interpolate the missing pixels (see `Run`)."""
    yield Step(0.0, note="interpolating")
    yield final_step(filled(gray, work.known_pixels))
