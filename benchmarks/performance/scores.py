"""Held-out images for the floors, and mean PSNR and SSIM of the results by modality."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np

from enhancers import metrics
from enhancers.errors import ReadingRoomError
from enhancers.evaluation.cases import PHANTOMS, read_cases
from enhancers.evaluation.problem import TestImage
from enhancers.evaluation.protocols import FOUR
from enhancers.image import Pixels

Score = tuple[float, float]
"""PSNR in dB and SSIM of one image."""
MAX_PSNR = 100.0
"""PSNR of an image that equals its truth, so that means stay finite."""


def validation_cases(folder: Path | None, each: int) -> list[TestImage]:
    """``each`` evenly spread held-out images of every modality; phantoms without a folder.

    Raises
    ------
    ReadingRoomError
        The folder lacks a modality or has too few images of it.
    """
    found = read_cases(folder or PHANTOMS, FOUR, limit=each)
    cases: list[TestImage] = []
    for group in FOUR:
        own = [case for case in found if case.group == group]
        if len(own) < each:
            raise ReadingRoomError(
                f"{group}.npz gives {len(own)} validation images and {each} are needed; "
                "add subjects, or lower --images."
            )
        cases += [replace(case, seed=number) for number, case in enumerate(own)]
    return cases


def score(pixels: Pixels, truth: Pixels) -> Score:
    """PSNR, at most `MAX_PSNR`, and SSIM (Gaussian window, σ = 1.5) for data in [0, 1]."""
    psnr, ssim = metrics.score(pixels, reference=truth, keys=["psnr", "ssim"])
    assert psnr.value is not None
    assert ssim.value is not None
    return min(psnr.value, MAX_PSNR), ssim.value


class ScoreTable:
    """Scores by candidate and modality; every mean is unweighted over the modalities."""

    def __init__(self) -> None:
        self.scores: dict[str, dict[str, list[Score]]] = defaultdict(lambda: defaultdict(list))

    def add(self, name: str, case: TestImage, pixels: Pixels) -> None:
        """Score one result, clipped to [0, 1]."""
        clipped = np.clip(pixels, 0, 1).astype(np.float32)
        self.scores[name][case.group].append(score(clipped, case.truth))

    def mean(self, name: str) -> Score:
        """Mean over modalities of the means over images."""
        psnr, ssim = np.mean(list(self.by_group(name).values()), axis=0)
        return float(psnr), float(ssim)

    def by_group(self, name: str) -> Mapping[str, Score]:
        """Mean of each modality."""
        return {
            group: (float(np.mean([s[0] for s in found])), float(np.mean([s[1] for s in found])))
            for group, found in self.scores[name].items()
        }

    def best(self, prefix: str) -> Score:
        """The highest mean PSNR and the highest mean SSIM among names with this prefix."""
        means = [self.mean(name) for name in self.scores if name.startswith(prefix)]
        return max(m[0] for m in means), max(m[1] for m in means)
