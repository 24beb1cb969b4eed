"""A row for every volume and method, computed once and then stored."""

from __future__ import annotations

import hashlib
import json
import math
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import torch

from benchmarks.spine import settings
from benchmarks.spine.methods import Candidate, Made, Tools, angles_of, quick, slow, variants
from enhancers.errors import ReadingRoomError
from enhancers.evaluation import measures
from enhancers.evaluation.problem import TestImage
from enhancers.evaluation.store import Measured, ResultRow, RowStore
from enhancers.image import Pixels, pixels_digest
from enhancers.method import Modality
from enhancers.networks.morphology.enhance import structure_kept
from enhancers.phantoms.spine import Curves, SpineVolume
from enhancers.phantoms.spine.cohort import Scan
from enhancers.source_digest import source_digest

CODE = (
    "enhancers.networks.morphology.enhance", "enhancers.curve_angle", measures.__name__,
    "benchmarks.spine.methods",
)  # fmt: skip
"""The modules that all rows depend on."""
FIDELITY = ("psnr", "ms_ssim")
RATIOS = ("snr", "cnr")


@dataclass(frozen=True)
class Truth:
    """What is true of a volume."""

    subject: str
    level: str
    curves: Curves
    optimal: int


@dataclass(frozen=True, eq=False)
class Run:
    """The volumes to measure and with what.

    ``some`` of them have the variants of the method too, ``few`` the slow methods.
    """

    scans: Sequence[Scan]
    some: Sequence[Scan]
    few: Sequence[Scan]
    side: int
    tools: Tools
    store: RowStore

    def candidates(self, scan: Scan) -> list[Candidate]:
        """The methods of a volume."""
        return [
            *quick(),
            *(variants() if scan in self.some else ()),
            *(slow() if scan in self.few else ()),
        ]

    @property
    def count(self) -> int:
        """The number of rows."""
        return sum(len(self.candidates(scan)) for scan in self.scans)

    def rows(self) -> Iterator[tuple[Truth, ResultRow]]:
        """The rows, volume after volume, so that an interrupted run has complete volumes."""
        for scan in self.scans:
            volume = scan.volume(self.side)
            truth = Truth(scan.subject, scan.level, volume.curves, volume.optimal)
            for candidate in self.candidates(scan):
                yield truth, self._row(scan, volume, candidate)

    def _row(self, scan: Scan, volume: SpineVolume, candidate: Candidate) -> ResultRow:
        row = ResultRow(
            "spine", scan.name, "us", scan.subject, 0.0, candidate.key, candidate.key,
            candidate.key, 0,
        )  # fmt: skip
        try:
            digest = self._digest(volume, candidate)
            known = self.store.get(digest)
            if known is not None:
                return replace(row, measured=known)
            started = time.perf_counter()
            made = candidate.make(volume, self.tools)
            seconds = time.perf_counter() - started
            found = scores(made, volume, candidate.key)
        except ReadingRoomError as error:
            return replace(row, error=str(error))
        self.store.put(digest, Measured(found, (), made.calls, seconds))
        # Read back, so that a second run gives the same.
        return replace(row, measured=self.store.get(digest) or Measured(found), fresh=True)

    def _digest(self, volume: SpineVolume, candidate: Candidate) -> str:
        """SHA-256 over everything that determines a row, except its time."""
        references = [volume.clean, volume.depths[volume.optimal]]
        if candidate.key in settings.COMPARED:
            references += list(volume.depths)
        determining = {
            "references": [pixels_digest(pixels) for pixels in references],
            "mask": hashlib.sha256(volume.mask.tobytes() + volume.body.tobytes()).hexdigest(),
            "kind": type(candidate).__name__,
            "given": candidate.depends(volume, self.tools),
            "segmentation": self.tools.weights_of("segmentation"),
            "code": source_digest(*CODE),
            "torch": torch.__version__,
            "device": self.tools.device,
        }
        return hashlib.sha256(json.dumps(determining, sort_keys=True).encode()).hexdigest()


def scores(made: Made, volume: SpineVolume, key: str) -> dict[str, float | None]:
    """The figures of a result.

    ``psnr`` and ``ms_ssim`` are to the artefact-free image; with ``_best`` to the best depth, and
    with ``_1`` to ``_5`` to each depth, of what is made of all of them. ``snr`` and ``cnr`` are
    equations 12 and 13; ``dice`` is of the structures that are segmented and the true ones.
    """
    # The angles of several samples are not those of their mean.
    found: dict[str, float | None] = {**angles_of(made.classes), **made.figures}
    found["dice"] = structure_kept(volume.mask, made.classes)
    if made.pixels is None:
        return found
    found |= _scores(made.pixels, volume.clean, (*FIDELITY, *RATIOS), volume)
    against = {"best": volume.depths[volume.optimal]}
    if key in settings.COMPARED:
        against |= {str(place): depth for place, depth in enumerate(volume.depths, start=1)}
    for name, depth in against.items():
        each = _scores(made.pixels, depth, FIDELITY, volume)
        found |= {f"{measure}_{name}": value for measure, value in each.items()}
    return found


def _scores(
    pixels: Pixels, reference: Pixels, keys: Sequence[str], volume: SpineVolume
) -> dict[str, float | None]:
    """Measures of an image.

    The signal is every structure of the true mask, the background the rest of the scanned strip.
    """
    structure = volume.mask > 0
    case = TestImage(
        "", Modality.US, reference, structure, background=volume.body & ~structure
    )  # fmt: skip
    return {one.key: one.value for one in measures.score(pixels, case, keys)}


def value_of(row: ResultRow, measure: str) -> float:
    """A figure of a row; NaN where it could not be measured."""
    value = row.measured.scores.get(measure)
    return math.nan if value is None else value
