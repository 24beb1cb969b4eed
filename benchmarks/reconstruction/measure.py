"""From results on disk to distances of distributions, and run times on a quiet machine."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from benchmarks.reconstruction.distances import frechet, kernel_distance, spectral_distance
from benchmarks.reconstruction.features import (
    SIDE,
    Classifier,
    Features,
    corner,
    features_of,
)
from enhancers.evaluation import pictures
from enhancers.evaluation.conditions import degraded_case
from enhancers.evaluation.methods_under_test import MethodUnderTest
from enhancers.evaluation.problem import TestImage
from enhancers.evaluation.protocol import Protocol
from enhancers.evaluation.store import ResultRow
from enhancers.image import Pixels


@dataclass(frozen=True)
class Distances:
    """How far the results of a method are from the truths as a set.

    Parameters
    ----------
    fid, half : float
        Fréchet distance of all patches, and of every other one: it grows as sets become smaller.
    kid, kid_sd : float
        Kernel distance, and its standard deviation over subsets.
    spectrum : float
        `spectral_distance` in dB.
    """

    fid: float
    half: float
    kid: float
    kid_sd: float
    spectrum: float


def distances(
    rows: Sequence[ResultRow],
    cases: Sequence[TestImage],
    folder: Path,
    network: Classifier,
    patches: int,
) -> dict[tuple[str, str], Distances]:
    """By (condition, candidate) the distances of its results from the truths.

    Parameters
    ----------
    rows : sequence of ResultRow
        Without errors; their pictures are in ``folder``.
    cases : sequence of TestImage
    folder : Path
    network : Classifier
    patches : int
        Of each set; they lie at the same places in every one.
    """
    of_case = {case.key: case for case in cases}
    grouped: dict[tuple[str, str], list[ResultRow]] = {}
    for row in rows:
        grouped.setdefault((row.condition, row.candidate), []).append(row)
    found, known = {}, dict[tuple[str, ...], Features]()
    for key, own in grouped.items():
        truths = [of_case[row.case].truth for row in own]
        results = [_picture(pictures.place(folder, row)) for row in own]
        places = _places(truths, patches)
        names = tuple(row.case for row in own)
        if names not in known:
            known[names] = features_of(network, _cut(truths, places))
        ours = features_of(network, _cut(results, places))
        kid, sd = kernel_distance(ours, known[names])
        found[key] = Distances(
            frechet(ours, known[names]),
            frechet(ours[::2], known[names][::2]),
            kid, sd, spectral_distance(results, truths),
        )  # fmt: skip
    return found


def image_distances(
    rows: Sequence[ResultRow], cases: Sequence[TestImage], folder: Path, network: Classifier
) -> list[float]:
    """How far each result is from its truth: as `distances`, but of one image.

    The root mean square, over patches side by side, of the distance between the features of the
    result and of the truth.
    """
    of_case = {case.key: case for case in cases}
    found = []
    for row in rows:
        images = [_picture(pictures.place(folder, row)), of_case[row.case].truth]
        height, width = images[0].shape
        places = [
            (slice(top, top + SIDE), slice(left, left + SIDE))
            for top in range(0, height - SIDE + 1, SIDE)
            for left in range(0, width - SIDE + 1, SIDE)
        ]
        ours, theirs = (features_of(network, [image[at] for at in places]) for image in images)
        found.append(float(np.sqrt(np.square(ours - theirs).sum(axis=1).mean())))
    return found


Places = list[tuple[int, tuple[slice, slice]]]


def _places(truths: Sequence[Pixels], patches: int) -> Places:
    """Which image each patch is of, and where it lies."""
    random = np.random.default_rng(0)
    return [(at % len(truths), corner(truths[at % len(truths)], random)) for at in range(patches)]


def _cut(images: Sequence[Pixels], places: Places) -> list[Pixels]:
    return [images[at][part] for at, part in places]


def _picture(path: Path) -> Pixels:
    import cv2

    stored = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
    assert stored is not None, path
    return np.asarray(stored.astype(np.float32) / np.float32(65535))


@dataclass(frozen=True)
class Latency:
    """Seconds of repeated runs of a method on one image, and its network calls."""

    seconds: tuple[float, ...]
    calls: int


def latencies(
    protocol: Protocol,
    case: TestImage,
    candidates: Sequence[MethodUnderTest],
    repeats: int,
    device: str,
    tell: Callable[[str], None] = lambda text: None,
) -> Mapping[str, Latency]:
    """Run times by candidate on the degraded case, after a run that is not counted."""
    (condition,) = (one for one in protocol.conditions if case.group in one.groups)
    _, degraded = degraded_case(case, condition)
    found = {}
    for one in candidates:
        if one.kind == "input":
            continue
        tell(one.label)
        seconds, calls = [], 0
        for run in range(repeats + 1):
            started = time.perf_counter()
            # Another seed for each run, so that nothing comes from a cache.
            calls = one.enhance(degraded, condition.task, seed=run, device=device).calls
            seconds.append(time.perf_counter() - started)
        found[one.key] = Latency(tuple(seconds[1:]), calls)
    return found
