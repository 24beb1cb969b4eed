"""Held-out images with a known truth, and the scores of what methods make of them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from enhancers.base import load_method
from enhancers.errors import ReadingRoomError
from enhancers.evaluation.cases import HELD_OUT_SEED
from enhancers.image import MedicalImage, Pixels, from_array
from enhancers.method import Modality, ParameterValue
from enhancers.registry import resolve

if TYPE_CHECKING:
    from enhancers.networks.training.corpus import Corpus

GROUPS = {"mr": Modality.MR, "ct": Modality.CT, "us": Modality.US, "xr": Modality.XR}
"""Groups of a corpus that the floors average over, unweighted."""
PHANTOMS = {"mr": "cardiac_mr", "ct": "ct", "us": "echo", "xr": "chest_xray"}
Score = tuple[float, float]
"""PSNR in dB and SSIM of one image."""


@dataclass(frozen=True, eq=False)
class HeldOutImage:
    """A clean image and where it belongs."""

    group: str
    truth: Pixels
    seed: int

    @property
    def modality(self) -> Modality:
        """The modality of its group."""
        return GROUPS[self.group]

    def image(self, pixels: Pixels) -> MedicalImage:
        """Degraded pixels as the methods take them."""
        return from_array(pixels, self.modality)


def validation_cases(folder: Path | None, each: int) -> list[HeldOutImage]:
    """``each`` evenly spread held-out images of every group, or phantoms without a folder.

    Raises
    ------
    ReadingRoomError
        The folder lacks a group or has too few images.
    """
    if folder is None:
        return _phantom_cases(each)
    from enhancers.networks.training.corpus import read_corpus

    corpus = read_corpus(folder, phantoms=0)
    return [case for group in GROUPS for case in _group_cases(corpus, group, each)]


def _group_cases(corpus: Corpus, group: str, each: int) -> list[HeldOutImage]:
    images = corpus.validation.get(group)
    if images is None or len(images) < each:
        found = 0 if images is None else len(images)
        raise ReadingRoomError(
            f"{group}.npz gives {found} validation images and {each} are needed; "
            "add subjects, or lower --images."
        )
    picked = np.linspace(0, len(images) - 1, each).round().astype(int)
    return [
        HeldOutImage(group, images[index].astype(np.float32) / np.float32(255), number)
        for number, index in enumerate(picked)
    ]


def _phantom_cases(each: int) -> list[HeldOutImage]:
    from enhancers.colour import luminance
    from enhancers.phantoms import phantom

    return [
        HeldOutImage(group, luminance(phantom(kind, size=256, seed=HELD_OUT_SEED + n).pixels), n)
        for group, kind in PHANTOMS.items()
        for n in range(each)
    ]


def score(pixels: Pixels, truth: Pixels) -> Score:
    """PSNR and SSIM (Gaussian window, σ = 1.5) for data in [0, 1]."""
    from skimage.metrics import structural_similarity

    error = float(np.mean((pixels.astype(np.float64) - truth) ** 2))
    ssim = structural_similarity(
        pixels, truth, data_range=1.0, gaussian_weights=True, sigma=1.5,
        use_sample_covariance=False,
    )  # fmt: skip
    return -10 * float(np.log10(max(error, 1e-10))), float(ssim)


def enhance(
    case: HeldOutImage, pixels: Pixels, key: str, device: str, seed: int, **given: ParameterValue
) -> Pixels:
    """The result of a method on degraded pixels."""
    image = case.image(pixels)
    params = resolve(key, case.modality, given)
    for step in load_method(key).run(image, params, seed=seed, device=device):
        if step.result is not None:
            return step.result.pixels
    raise AssertionError(f"{key} ended without a result")


class Table:
    """Scores by candidate and group; every mean is unweighted over the groups."""

    def __init__(self) -> None:
        self.scores: dict[str, dict[str, list[Score]]] = defaultdict(lambda: defaultdict(list))

    def add(self, name: str, case: HeldOutImage, pixels: Pixels) -> None:
        """Score one result."""
        self.scores[name][case.group].append(score(np.clip(pixels, 0, 1), case.truth))

    def mean(self, name: str) -> Score:
        """Mean over groups of the means over images."""
        psnr, ssim = np.mean(list(self.by_group(name).values()), axis=0)
        return float(psnr), float(ssim)

    def by_group(self, name: str) -> Mapping[str, Score]:
        """Mean of each group."""
        return {
            group: (float(np.mean([s[0] for s in found])), float(np.mean([s[1] for s in found])))
            for group, found in self.scores[name].items()
        }

    def best(self, prefix: str) -> Score:
        """The highest mean PSNR and the highest mean SSIM among names with this prefix."""
        means = [self.mean(name) for name in self.scores if name.startswith(prefix)]
        return max(m[0] for m in means), max(m[1] for m in means)


def fitted(pixels: Pixels, truth: Pixels) -> Pixels:
    """``pixels`` after one least-squares gain and offset toward ``truth``, clipped to [0, 1]."""
    gain, offset = np.polyfit(pixels.ravel().astype(np.float64), truth.ravel(), 1)
    moved: Pixels = np.clip(gain * pixels + offset, 0, 1).astype(np.float32)
    return moved
