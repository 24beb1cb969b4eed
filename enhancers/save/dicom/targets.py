"""Results of all slices as DICOM: one object of several frames, or a folder of objects."""

from __future__ import annotations

import shutil
import tempfile
import zipfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO

from enhancers.errors import ParameterError
from enhancers.files import atomic_file
from enhancers.image import Pixels
from enhancers.provenance import NOTICE, Record
from enhancers.registry import get
from enhancers.save.dicom.facts import DerivedFacts, new_uid
from enhancers.save.dicom.writer import DerivedHead
from enhancers.save.result_files import ResultFacts

_Write = Callable[[str, bytes], Any]

HeadOf = Callable[[int, DerivedFacts, tuple[int, int]], DerivedHead]
"""The head of a derived object: from the index of its (first) slice, facts, and rows and columns.

The header of the source may be hostile, and tells who the patient is: it is for the caller to say
where it is read.
"""


@dataclass(frozen=True)
class Identity:
    """What the objects of one export have in common.

    Parameters
    ----------
    keep_patient : bool
    study_uid, series_uid : str
    """

    keep_patient: bool = False
    study_uid: str = field(default_factory=new_uid)
    series_uid: str = field(default_factory=new_uid)


def derived_facts(
    facts: ResultFacts,
    record: Record,
    shape: tuple[int, int],
    identity: Identity,
    frames: Sequence[int] | None = None,
) -> DerivedFacts:
    """What a derived object says of a result.

    Parameters
    ----------
    facts : ResultFacts
    record : Record
    shape : (rows, columns)
        Of the result.
    identity : Identity
    frames : sequence of int, optional
        Of the source, where it has several.
    """
    image = facts.image
    stated = facts.stated(shape)
    params = ", ".join(f"{name}={value}" for name, value in record.params if value is not None)
    method = get(record.method).label
    made = record.input.degraded
    first = f"The image was degraded by simulation: {made}. " if made else ""
    said = f"{record.project}: {method} ({params}), seed {record.seed}. {first}{NOTICE}"
    return DerivedFacts(
        window=stated.window,
        description=said,
        series_description=f"Reading Room: {'degraded, ' if made else ''}{method}",
        in_source_units=facts.kept,
        scale=shape[0] // image.shape[0],
        colour=image.is_colour,
        lowest=float(image.source.min()),
        frames=None if frames is None else tuple(frames),
        geometry=image.geometry,
        keep_patient=identity.keep_patient,
        study_uid=identity.study_uid,
        series_uid=identity.series_uid,
    )


@dataclass(frozen=True)
class DicomFrames:
    """One object of several frames, like its source (a `Target`).

    Parameters
    ----------
    path : Path
    frames : sequence of int
        Of the source, in the order of the slices.
    head_of : HeadOf
    identity : Identity
    """

    path: Path
    frames: Sequence[int]
    head_of: HeadOf
    identity: Identity = field(default_factory=Identity)

    @contextmanager
    def open(
        self, facts: ResultFacts, record: Record, shape: tuple[int, int], slices: int
    ) -> Iterator[_Frames]:
        """Begin the object; it is there when the block ends."""
        derived = derived_facts(facts, record, shape, self.identity, self.frames)
        head = self.head_of(0, derived, shape)
        with atomic_file(self.path) as file:
            file.write(head.data)
            yield _Frames(file, head)
            file.write(head.padding)


@dataclass
class _Frames:
    file: BinaryIO
    head: DerivedHead
    done: int = 0

    def add(self, facts: ResultFacts, pixels: Pixels) -> None:
        self.file.write(self.head.encode(facts.values(pixels), self.done))
        self.done += 1


@dataclass(frozen=True)
class DicomObjects:
    """An object for every slice, in a folder or a zip archive (a `Target`).

    Parameters
    ----------
    path : Path
        Of the archive, where it ends in .zip; else of the folder, which may not be there yet, or is
        empty.
    frames : sequence of int or None
        For each slice the frame of its source; None where that has one.
    head_of : HeadOf
    identity : Identity
    """

    path: Path
    frames: Sequence[int | None]
    head_of: HeadOf
    identity: Identity = field(default_factory=Identity)

    @contextmanager
    def open(
        self, facts: ResultFacts, record: Record, shape: tuple[int, int], slices: int
    ) -> Iterator[_Objects]:
        """Begin the folder or archive; it is there when the block ends."""
        with _archive(self.path) if self.path.suffix == ".zip" else _folder(self.path) as write:
            yield _Objects(write, self, record, shape)


@contextmanager
def _folder(path: Path) -> Iterator[_Write]:
    check_folder(path)
    # Nobody else can guess, make or enter what the folder is written in.
    private = Path(tempfile.mkdtemp(prefix=".", suffix=".part", dir=path.parent))
    part = private / path.name
    try:
        part.mkdir()
        yield lambda name, data: (part / name).write_bytes(data)
        if path.exists():
            path.rmdir()
        part.replace(path)
    finally:
        shutil.rmtree(private, ignore_errors=True)


@contextmanager
def _archive(path: Path) -> Iterator[_Write]:
    with atomic_file(path) as file, zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        yield archive.writestr


@dataclass
class _Objects:
    write: _Write
    target: DicomObjects
    record: Record
    shape: tuple[int, int]
    done: int = 0

    def add(self, facts: ResultFacts, pixels: Pixels) -> None:
        index, target = self.done, self.target
        frame = target.frames[index]
        frames = None if frame is None else [frame]
        derived = derived_facts(facts, self.record, self.shape, target.identity, frames)
        head = target.head_of(index, derived, self.shape)
        data = head.data + head.encode(facts.values(pixels), 0) + head.padding
        self.write(f"IM{index + 1:05}.dcm", data)
        self.done += 1


def check_folder(path: Path) -> None:
    """Raise ParameterError unless a folder can be made at this path."""
    if path.exists() and not (path.is_dir() and not any(path.iterdir())):
        raise ParameterError(f"--out {path.name} is there already; give a new folder.")
