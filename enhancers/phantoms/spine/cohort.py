"""The volumes of a cohort: 432 of 191 subjects, divided as in Table I of the paper.

The table has 151 volumes without artefacts (networks of stages I and II), 90 more (stage III) and
181 for the test; the ten that it does not account for are for validation. No subject is in two
parts.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from enhancers.files import atomic_path
from enhancers.phantoms.spine import SpineVolume, spine_volume

TRUTH = "truth.csv"


@dataclass(frozen=True)
class Part:
    """A part of the cohort: ``levels`` are the shares of easy, moderate and poor subjects."""

    subjects: int
    volumes: int
    artefacts: bool
    levels: tuple[float, float, float]


PARTS: dict[str, Part] = {
    "clean": Part(67, 151, False, (0.6, 0.4, 0.0)),
    "tuning": Part(40, 90, True, (0.3, 0.4, 0.3)),
    "validation": Part(4, 10, True, (0.3, 0.4, 0.3)),
    "test": Part(80, 181, True, (0.3, 0.4, 0.3)),
}
"""By name; "clean" has no strips, shadows and streaks."""


@dataclass(frozen=True)
class Scan:
    """A volume of the cohort, drawn by `Scan.volume`."""

    name: str
    part: str
    subject: str
    level: str
    artefacts: bool
    seed: int
    scan: int

    def volume(self, size: int = 256) -> SpineVolume:
        """The volume with sides of ``size`` pixels."""
        return spine_volume(
            size=size, seed=self.seed, scan=self.scan, level=self.level, artefacts=self.artefacts
        )


def cohort(seed: int = 0) -> tuple[Scan, ...]:
    """The 432 volumes of a cohort, subject by subject.

    Subjects have two or three scans; a subject is equally easy to image in all of them.
    """
    rng = np.random.default_rng([2, seed])
    scans: list[Scan] = []
    number = 0
    for name, part in PARTS.items():
        counts = np.full(part.subjects, part.volumes // part.subjects)
        counts[: part.volumes - counts.sum()] += 1
        levels = rng.choice(("easy", "moderate", "poor"), part.subjects, p=part.levels)
        for count, level in zip(rng.permutation(counts), levels, strict=True):
            number += 1
            subject = f"S{number:03}"
            scans += [
                Scan(f"{subject}_{scan + 1}", name, subject, str(level), part.artefacts,
                     1000 * seed + number, scan)
                for scan in range(count)
            ]  # fmt: skip
    return tuple(scans)


def write_cohort(out: Path, *, size: int = 256, seed: int = 0) -> Iterator[Path]:
    """Write the cohort: ``PART/SUBJECT/NAME.tif``, truths beside it, and ``truth.csv``.

    A TIFF has five pages of 8 bits, from superficial to deep; ``NAME.truth.png`` is the
    artefact-free image, ``NAME.mask.png`` has the classes 0 to 3. The table has the angles in
    degrees, the number of the optimal depth (1 to 5), part, subject and level.

    Yields
    ------
    Path
        Of each TIFF, and of the table at the end.
    """
    from PIL import Image

    rows = []
    for scan in cohort(seed):
        volume = scan.volume(size)
        folder = out / scan.part / scan.subject
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / f"{scan.name}.tif"
        first, *others = (Image.fromarray(_gray(depth)) for depth in volume.depths)
        first.save(path, save_all=True, append_images=others, compression="tiff_deflate")
        Image.fromarray(_gray(volume.clean)).save(folder / f"{scan.name}.truth.png")
        Image.fromarray(volume.mask).save(folder / f"{scan.name}.mask.png")
        rows.append(
            asdict(scan)
            | {"file": path.relative_to(out).as_posix(), "optimal_depth": volume.optimal + 1}
            | {"uca_t": round(volume.curves.thoracic, 3), "uca_l": round(volume.curves.lumbar, 3)}
        )
        yield path
    with atomic_path(out / TRUTH) as part, part.open("w", encoding="utf-8", newline="") as file:
        table = csv.DictWriter(file, list(rows[0]))
        table.writeheader()
        table.writerows(rows)
    yield out / TRUTH


def _gray(pixels: np.ndarray) -> np.ndarray:
    return np.round(pixels * 255).astype(np.uint8)
