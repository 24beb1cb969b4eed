"""Bicubic interpolation, as in image viewers."""

from __future__ import annotations

from collections.abc import Iterator

from enhancers.evaluation.baselines.baseline import Work
from enhancers.image import Pixels
from enhancers.method_interface import Step, final_step


def enlarged(pixels: Pixels, factor: int) -> Pixels:
    """``pixels``, gray or RGB, ``factor`` times as high and wide, not clipped.

    OpenCV's kernel (Keys 1981 with a = -0.75), pixel centres aligned: a block mean lies at the
    centre of its block.
    """
    import cv2

    size = (pixels.shape[1] * factor, pixels.shape[0] * factor)
    result: Pixels = cv2.resize(pixels, size, interpolation=cv2.INTER_CUBIC)
    return result


def run(gray: Pixels, work: Work, *, seed: int, device: str) -> Iterator[Step]:
    """Enlarge by interpolation (see `Run`)."""
    yield Step(0.0, note="interpolating")
    yield final_step(enlarged(gray, work.factor), scale=work.factor)
