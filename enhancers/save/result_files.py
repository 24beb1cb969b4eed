"""A result in the format that a file's name asks for: one image, or all slices of a volume."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Protocol

import numpy as np

from enhancers.errors import ParameterError
from enhancers.files import atomic_path
from enhancers.image import MedicalImage, Pixels, check_pixels
from enhancers.provenance import Record
from enhancers.save.grid import Grid
from enhancers.save.png import to_png16
from enhancers.save.source_units import in_source_units
from enhancers.save.tiff import tiff_facts, to_tiff_source
from enhancers.save.voxels import voxel_file
from enhancers.stated_facts import StatedFacts

ENDINGS = {
    ".png": "png", ".tif": "tif", ".tiff": "tif", ".nii": "nii", ".nii.gz": "nii.gz",
    ".nrrd": "nrrd", ".mha": "mha", ".dcm": "dcm",
}  # fmt: skip
"""Endings of file names, and the format that each stands for."""

VOXELS = ("nii", "nii.gz", "nrrd", "mha")
"""Formats with voxels in the patient's coordinates."""

_BIG_TIFF = 3_900_000_000


class Sink(Protocol):
    """What takes the slices of a volume in their order."""

    def add(self, facts: ResultFacts, pixels: Pixels) -> None:
        """Write the next slice."""


@dataclass(frozen=True, eq=False)
class ResultFacts:
    """What is known of a result besides its pixels.

    Parameters
    ----------
    image : MedicalImage
        That the result was made of.
    units : str
        Of the result's values (`Record.result_units`).
    """

    image: MedicalImage
    units: str

    @property
    def kept(self) -> bool:
        """Whether the values are in the units of the image."""
        return self.units in ("", self.image.units)

    def values(self, pixels: Pixels) -> Pixels:
        """The values that a file holds: in source units, or gray levels from 0 to 1."""
        check_pixels(pixels)
        return in_source_units(self.image, pixels) if self.kept else pixels

    def stated(self, shape: Sequence[int]) -> StatedFacts:
        """What a file says of the values of a result of this shape."""
        return StatedFacts.of_result(self.image, self.units, shape[0] // self.image.shape[0])


def kind_of(path: Path, known: Sequence[str] = tuple(ENDINGS)) -> str:
    """The format that the ending of a file's name stands for.

    Raises
    ------
    ParameterError
        There is none; it names those that are.
    """
    name = path.name.lower()
    for ending in sorted(known, key=len, reverse=True):
        if name.endswith(ending):
            return ENDINGS[ending]
    raise ParameterError(f"--out {path.name} has no known ending; use one of {', '.join(known)}.")


def encoded(kind: str, facts: ResultFacts, pixels: Pixels) -> bytes:
    """One result as a file of a format, except DICOM, which needs its source.

    Parameters
    ----------
    kind : str
        A value of `ENDINGS` other than "dcm".
    facts : ResultFacts
    pixels : ndarray, float32, shape (H, W) or (H, W, 3), in [0, 1]
    """
    if kind == "png":
        return to_png16(pixels, facts.image.aspect)
    if kind == "tif":
        return to_tiff_source(facts.image, pixels, facts.units or facts.image.units)
    grid = Grid.of_result(facts.image, (pixels.shape[0], pixels.shape[1]))
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"result.{kind}"
        stated = facts.stated(pixels.shape)
        with voxel_file(path, kind, grid, stated, facts.image.is_colour) as writer:
            writer.add(facts.values(pixels))
        return path.read_bytes()


@contextmanager
def volume_file(
    path: Path, kind: str, facts: ResultFacts, shape: tuple[int, int], slices: int
) -> Iterator[Sink]:
    """A file of all slices of a volume, which appears under its name when the block ends.

    Parameters
    ----------
    path : Path
    kind : str
        One of `VOXELS`, or "tif".
    facts : ResultFacts
        Of any slice; all have its window and units.
    shape : (rows, columns)
        Of a result.
    slices : int
    """
    with atomic_path(path) as part:
        if kind == "tif":
            with _tiff_pages(part, facts, shape, slices) as pages:
                yield pages
        else:
            grid = Grid.of_result(facts.image, shape, slices)
            colour = facts.image.is_colour
            with voxel_file(part, kind, grid, facts.stated(shape), colour) as writer:
                yield _Values(writer.add)


@dataclass(frozen=True)
class VolumeTarget:
    """A file of all slices (a target of `enhancers.compare.all_slices`).

    Parameters
    ----------
    path : Path
    kind : str
        As for `volume_file`.
    """

    path: Path
    kind: str

    def open(
        self, facts: ResultFacts, record: Record, shape: tuple[int, int], slices: int
    ) -> AbstractContextManager[Sink]:
        """Begin the file; it is there when the block ends."""
        return volume_file(self.path, self.kind, facts, shape, slices)


@dataclass(frozen=True)
class _Values:
    write: Callable[[Pixels], object]

    def add(self, facts: ResultFacts, pixels: Pixels) -> None:
        self.write(facts.values(pixels))


@contextmanager
def _tiff_pages(
    path: Path, facts: ResultFacts, shape: tuple[int, int], slices: int
) -> Iterator[_Values]:
    import tifffile

    channels = (3,) if facts.image.is_colour else ()
    big = 4 * int(np.prod((*shape, *channels, slices), dtype=object)) > _BIG_TIFF
    with tifffile.TiffWriter(path, bigtiff=big) as file:
        tags = tiff_facts(facts.image, (*shape, *channels), facts.units or facts.image.units)
        yield _Values(partial(file.write, contiguous=False, **tags))
