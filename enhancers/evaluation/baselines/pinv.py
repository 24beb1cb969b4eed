"""H⁺y, the pseudo-inverse of the degradation: the measurement itself, or its pixels replicated."""

from __future__ import annotations

from collections.abc import Iterator

from enhancers.evaluation.baselines.baseline import Work
from enhancers.image import Pixels
from enhancers.method_interface import Step, final_step


def run(gray: Pixels, work: Work, *, seed: int, device: str) -> Iterator[Step]:
    """Replicate each pixel ``factor`` times along both sides (see `Run`)."""
    yield Step(0.0, note="replicating")
    yield final_step(gray.repeat(work.factor, 0).repeat(work.factor, 1), scale=work.factor)
