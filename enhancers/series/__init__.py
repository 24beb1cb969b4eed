"""DICOM series: from a folder, archive, DICOMDIR or list of files to volumes in spatial order.

>>> from enhancers.series import find_series, load_slice
>>> found = find_series(folder)  # doctest: +SKIP
>>> image = load_slice(found.pick("2"), 40)  # doctest: +SKIP

Headers are read, and no pixels; nothing about the patient is kept.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from enhancers.errors import ImageReadError, ImageTooLarge
from enhancers.geometry import ImageGeometry, Vector, vector
from enhancers.image import MedicalImage
from enhancers.load import Caps, enough_memory
from enhancers.load.raw import RawSlice, packed, unpacked
from enhancers.load.window import as_source
from enhancers.series.discover import Found, found_files, is_collection
from enhancers.series.facts import FrameFacts, plane
from enhancers.series.files import SourceFile
from enhancers.series.found import DAMAGED, TOO_LARGE, UNREADABLE, Series, SeriesFound, Slice
from enhancers.series.grouping import Member, Volume, volumes
from enhancers.series.headers import NoDicom, NoImage, read_facts
from enhancers.series.images import SeriesImages
from enhancers.series.reader import SliceReader
from enhancers.series.volume import arranged
from enhancers.voxel_grid import STORED

__all__ = [
    "LocalSeries", "Series", "SeriesFound", "SeriesImages", "Slice", "find_series",
    "is_collection", "load_slice",
]  # fmt: skip

DEFAULT_CAPS = Caps()


def find_series(
    source: Path | Sequence[Path],
    caps: Caps = DEFAULT_CAPS,
    progress: Callable[[int], None] | None = None,
) -> SeriesFound:
    """The volumes in a folder, a zip archive, a DICOMDIR, or files.

    Objects are grouped by series and by what makes a volume: frame of reference, size,
    orientation, spacing, image type, echo, b-value and stack; and by time, or whatever else tells
    them apart, where several are at one position. Slices are sorted by their position along the
    normal of their plane, frames of an enhanced object by their functional groups.

    Parameters
    ----------
    source : Path or sequence of Path
        Hidden files below a folder are left out, and links to folders are not followed.
    caps : Caps
        Limits of each file.
    progress : callable, optional
        Called after each file with the number of files that were read.

    Returns
    -------
    SeriesFound
        The same for the same files, whatever their names.

    Raises
    ------
    ImageReadError
        A path does not exist or may not be read, or an archive is refused. Files below a folder
        that cannot be read are counted in `SeriesFound.ignored`.
    """
    paths = [source] if isinstance(source, Path) else list(source)
    ignored: Counter[str] = Counter()
    files: list[SourceFile] = []
    members: list[Member] = []
    known: dict[tuple[str, int], list[SourceFile]] = {}
    with ExitStack() as closing:
        for count, one in enumerate(found_files(paths, caps, ignored, closing)):
            if progress:
                progress(count)
            facts = _facts(one, caps, ignored)
            if not facts:
                continue
            alike = known.setdefault((facts[0].instance, one.file.size), [])
            if _is_copy(one.file, alike, caps):
                ignored["copies of images"] += 1
                continue
            alike.append(one.file)
            members += [Member(len(files), frame) for frame in facts]
            files.append(one.file)
    series = []
    for number, parts in enumerate(volumes(members), 1):
        for place, volume in enumerate(parts, 1):
            key = str(number) if len(parts) == 1 else f"{number}.{place}"
            series.append(_series(key, volume, files))
    return SeriesFound(tuple(series), dict(ignored))


def load_slice(
    series: Series,
    index: int | None = None,
    *,
    window: tuple[float, float] | None = None,
    caps: Caps = DEFAULT_CAPS,
) -> MedicalImage:
    """Read a slice by its index in the sorted order, as `enhancers.load.load`.

    For several slices, `LocalSeries` decides about their window once.

    ``slice_index``, ``slice_count`` and the step of the geometry are those of the series.

    Parameters
    ----------
    series : Series
    index : int or None
        None takes the middle slice.
    window : (low, high) or None
        In source units.
    caps : Caps

    Raises
    ------
    ImageReadError
        The slice cannot be read.
    ParameterError
        There is no such slice.
    """
    with enough_memory():
        return LocalSeries(series, caps).image(index, window)


class LocalSeries(SeriesImages):
    """The slices of a series, read in this process.

    Parameters
    ----------
    series : Series
    caps : Caps
    """

    def __init__(self, series: Series, caps: Caps = DEFAULT_CAPS) -> None:
        super().__init__(series)
        self.caps = caps
        self._reader = SliceReader(caps)
        self._kept: dict[int, tuple[RawSlice, str]] | None = None

    def section(self, plane: str, index: int, time: int | None = None) -> NDArray[Any]:
        """As in the base class; from the first plane on, what was read is kept."""
        if plane != STORED and self._kept is None:
            self._kept = {}
        return super().section(plane, index, time)

    def read(self, index: int) -> tuple[RawSlice, str]:
        """A slice and the digest of its file."""
        if self._kept is None:
            return self._read(index)
        if index not in self._kept:
            raw, digest = self._read(index)
            self._kept[index] = packed(raw, as_source(raw.values)), digest
        kept, digest = self._kept[index]
        return unpacked(kept), digest

    def _file_digest(self, index: int) -> str:
        chosen = self.series.slice(index)
        return self._reader.digest(chosen.file, chosen.frame)

    def _read(self, index: int) -> tuple[RawSlice, str]:
        chosen = self.series.slice(index)
        return self._reader.read(chosen.file, chosen.frame)


def _facts(found: Found, caps: Caps, ignored: Counter[str]) -> list[FrameFacts]:
    try:
        with found.opened() as file:
            return read_facts(file, found.file.size, caps)
    except NoDicom:
        ignored["files that are no DICOM"] += 1
    except NoImage:
        ignored["DICOM files without an image"] += 1
    except ImageTooLarge:
        ignored[TOO_LARGE] += 1
    except ImageReadError:
        ignored[DAMAGED] += 1
    except OSError:
        ignored[UNREADABLE] += 1
    return []


def _is_copy(file: SourceFile, alike: Sequence[SourceFile], caps: Caps) -> bool:
    """Whether a file has the bytes of another one with its identifier, which may be wrong."""
    return bool(alike) and file.read(caps) in (one.read(caps) for one in alike)


def _series(key: str, volume: Volume, files: Sequence[SourceFile]) -> Series:
    frames = [member.facts for member in volume.members]
    geometry = arranged(frames)
    slices = tuple(
        Slice(
            files[volume.members[index].file],
            frames[index].frame,
            geometry.positions[place] if geometry.positions else None,
            geometry.steps[place] if geometry.steps else None,
        )
        for place, index in enumerate(geometry.order)
    )
    first = frames[geometry.order[0]]
    stated = {
        place: window
        for place, index in enumerate(geometry.order)
        if (window := frames[index].window) is not None
    }
    middle = len(slices) // 2
    return Series(
        key=key,
        modality=first.modality,
        rows=first.rows,
        columns=first.columns,
        plane=plane(first.orientation),
        pixel_spacing=first.spacing,
        slice_spacing=geometry.distance,
        thickness=first.thickness,
        parts=volume.parts,
        slices=slices,
        notes=(*volume.notes, *geometry.notes),
        reference=min(stated, key=lambda place: (abs(place - middle), place), default=middle),
        windows_differ=len(set(stated.values())) > 1,
        tiles=first.tile,
        geometry=_geometry([frames[index] for index in geometry.order], geometry.steps),
    )


def _geometry(frames: Sequence[FrameFacts], steps: Sequence[Vector | None]) -> ImageGeometry | None:
    """Where the first of sorted frames lies, with the mean step."""
    first, last = frames[0], frames[-1]
    if first.position is None or last.position is None or first.spacing is None:
        return None
    if len(frames) > 1 and (not steps or None in steps):
        return None
    mean = np.subtract(last.position, first.position) / max(len(frames) - 1, 1)
    step = vector(mean) if len(frames) > 1 else None
    return ImageGeometry.of_dicom(first.position, first.orientation, first.spacing, step)
