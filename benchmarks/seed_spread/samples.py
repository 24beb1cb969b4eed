"""Runs of a method over seeds on held-out images, each kept in a file, so that none runs twice."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks.seed_spread.settings import Setting
from enhancers.compare import enhance
from enhancers.degrade import degrade_image
from enhancers.evaluation.problem import TestImage
from enhancers.files import atomic_file
from enhancers.image import Pixels, from_array
from enhancers.networks.load import identity
from enhancers.registry import get, resolve
from enhancers.source_digest import method_digest

SEEDS = 4
SIDE = 96
"""Side of the centre of an image that is used: the networks were trained on smaller crops."""


@dataclass(frozen=True, eq=False)
class Samples:
    """Results of one method on one degraded image, by seed.

    Parameters
    ----------
    subject, group : str
        Whose image it is, and its group.
    truth : ndarray, float32, shape (H, W), in [0, 1]
    results : ndarray, float32, shape (seeds, H, W), in [0, 1]
    sigma : float
        The noise that the method found or was given, in [0, 1] units.
    """

    subject: str
    group: str
    truth: Pixels
    results: NDArray[np.float32]
    sigma: float


def collect(
    setting: Setting, images: list[TestImage], folder: Path, *, seeds: int = SEEDS,
    device: str = "cpu",
) -> Iterator[Samples]:  # fmt: skip
    """The samples of every image and degradation, from their files where they are there."""
    network = identity(_prior(setting))
    code = method_digest(setting.method)
    for image in images:
        if image.group not in setting.groups:
            continue
        for kind, level in setting.degradations:
            words = json.dumps(
                [network, code, setting.method, dict(setting.params), image.key, kind, level,
                 seeds, SIDE], sort_keys=True,
            )  # fmt: skip
            name = hashlib.sha256(words.encode()).hexdigest()[:24]
            path = folder / f"{setting.key}-{image.key}-{level:g}-{name}.npz".replace("/", "_")
            if not path.is_file():
                _store(path, setting, image, kind, level, seeds, device)
            yield _read(path, image)


def _prior(setting: Setting) -> str:
    return str(get(setting.method).parameter("prior").default)


def centre(pixels: Pixels) -> Pixels:
    """The middle of an image, `SIDE` pixels wide or less."""
    top, left = (max(0, (side - SIDE) // 2) for side in pixels.shape[:2])
    return np.ascontiguousarray(pixels[top : top + SIDE, left : left + SIDE])


def _store(
    path: Path, setting: Setting, image: TestImage, kind: str, level: float, seeds: int, device: str
) -> None:
    truth = centre(image.truth)
    degraded = degrade_image(from_array(truth, image.modality), kind, level, seed=image.seed)
    params = dict(setting.params)
    if "noise" in resolve(setting.method, image.modality) and "noise" not in params:
        params["noise"] = "gaussian"
    results = [
        enhance(degraded, setting.method, params=params, seed=seed, device=device)
        for seed in range(seeds)
    ]
    sigma = [figure.value for figure in results[0].figures if figure.name == "sigma"]
    path.parent.mkdir(parents=True, exist_ok=True)
    with atomic_file(path) as file:
        np.savez_compressed(
            file,
            truth=truth,
            results=np.stack([result.pixels for result in results]).astype(np.float32),
            sigma=np.float64(sigma[0] if sigma else 0.0),
        )


def _read(path: Path, image: TestImage) -> Samples:
    with np.load(path, allow_pickle=False) as stored:
        return Samples(
            image.subject, image.group, stored["truth"], stored["results"], float(stored["sigma"])
        )
