"""The series that were found: their slices in order, and a description in technical terms."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from enhancers.errors import ImageReadError, ParameterError
from enhancers.geometry import ImageGeometry, Vector
from enhancers.load import Caps
from enhancers.series.files import HeldFile, SourceFile
from enhancers.voxel_grid import VoxelGrid

UNREADABLE = "files that cannot be opened"
MISSING = "files of the DICOMDIR that are missing"
TOO_LARGE = "files above the limit of size"
DAMAGED = "damaged files"
LOST = frozenset((UNREADABLE, MISSING, TOO_LARGE, DAMAGED))
"""Why a file is left out that may have been a slice."""


@dataclass(frozen=True)
class Slice:
    """A slice of a series.

    Parameters
    ----------
    file : SourceFile
    frame : int or None
        Its index in a file of several frames.
    position : float or None
        In mm along the normal of the slices.
    step : (x, y, z) or None
        To the next slice in the patient (LPS, mm); that from the one before for the last one. None
        without positions, or where both are at one.
    """

    file: SourceFile
    frame: int | None
    position: float | None
    step: Vector | None = None


@dataclass(frozen=True)
class Series:
    """Slices that make one volume, in the order of their positions.

    Nothing about the patient and no text of the header is kept.

    Parameters
    ----------
    key : str
        "2" where a DICOM series is one volume, "2.1", "2.2", ... where it holds several.
    modality : str
        A code such as CT, or empty.
    rows, columns : int
    plane : str
        "axial", "coronal", "sagittal", "oblique", or empty.
    pixel_spacing : (row, column) or None
        In mm.
    slice_spacing : float or None
        Median distance of neighbouring slices along their normal, in mm.
    thickness : float or None
        In mm.
    parts : tuple of str
        What tells it from the other volumes of its DICOM series, such as "phase" or "echo 2".
    slices : tuple of Slice
    notes : tuple of str
        Sentences on gaps, doubles, tilt and mixed geometry.
    reference : int
        Index of the slice whose header gives the window of all: the one nearest to the middle that
        states a window.
    geometry : ImageGeometry or None
        Where the first slice lies, with the mean step from one slice to the next; None where a
        slice states no position, or two state the same.
    windows_differ : bool
        Whether slices state different windows.
    tiles : bool
        Whether the slices are parts of pictures: those of mosaics.
    """

    key: str
    modality: str
    rows: int
    columns: int
    plane: str
    pixel_spacing: tuple[float, float] | None
    slice_spacing: float | None
    thickness: float | None
    parts: tuple[str, ...]
    slices: tuple[Slice, ...]
    notes: tuple[str, ...]
    reference: int
    windows_differ: bool
    geometry: ImageGeometry | None = None
    tiles: bool = False

    @property
    def one_object(self) -> bool:
        """Whether the slices are frames of one DICOM object."""
        files = {one.file for one in self.slices}
        return self.slices[0].frame is not None and len(files) == 1 and not self.tiles

    @property
    def over_time(self) -> bool:
        """Whether the slices are frames without places, as those of a cine: only time differs."""
        placed = any(one.position is not None for one in self.slices)
        return len(self.slices) > 1 and self.slices[0].frame is not None and not placed

    def held(self, caps: Caps) -> Series:
        """The same series with the bytes of its files, for a machine that does not have them.

        Raises
        ------
        ImageReadError
        """
        files = {one.file: HeldFile(one.file.name, one.file.read(caps)) for one in self.slices}
        return replace(
            self, slices=tuple(replace(one, file=files[one.file]) for one in self.slices)
        )

    @property
    def description(self) -> str:
        """The series in technical terms, on one line."""
        each = "frame" if self.over_time else "slice"
        count = f"{len(self.slices)} {each}{'s' * (len(self.slices) != 1)}"
        words = [self.modality or "unknown modality", f"{self.columns} x {self.rows}", count]
        words += [self.plane] if self.plane else []
        if self.slice_spacing is not None:
            words.append(f"{self.slice_spacing:.4g} mm apart")
        return ", ".join([*words, *self.parts])

    @property
    def grid(self) -> VoxelGrid | None:
        """The voxels [column, row, slice]; None where they are not known, or there is one slice."""
        if self.geometry is None or len(self.slices) < 2:
            return None
        shape = self.columns, self.rows, len(self.slices)
        return VoxelGrid.of_affine(shape, self.geometry.affine)

    @property
    def middle(self) -> int:
        """Index of the middle slice."""
        return len(self.slices) // 2

    def slice(self, index: int) -> Slice:
        """A slice by its index in the sorted order.

        Raises
        ------
        ParameterError
            There is no such slice.
        """
        if not 0 <= index < len(self.slices):
            last = len(self.slices) - 1
            raise ParameterError(
                f"There is no slice {index}; series {self.key} has the slices 0 to {last}, "
                "counted from 0."
            )
        return self.slices[index]


@dataclass(frozen=True)
class SeriesFound:
    """The series of a folder, archive, DICOMDIR or list of files.

    Parameters
    ----------
    series : tuple of Series
    ignored : mapping
        How many files were left out, by reason (a noun in the plural).
    """

    series: tuple[Series, ...]
    ignored: Mapping[str, int]

    @property
    def lost(self) -> str:
        """How many files could have been slices, in a sentence; empty for none."""
        found = [f"{why} ({count})" for why, count in self.ignored.items() if why in LOST]
        return f"Left out, and perhaps slices of it: {', '.join(found)}." if found else ""

    @property
    def left_out(self) -> str:
        """What was left out, in a sentence; empty if nothing was."""
        if not self.ignored:
            return ""
        return f"Left out: {', '.join(f'{why} ({n})' for why, n in self.ignored.items())}."

    def check(self) -> None:
        """Raise ImageReadError where there is no series at all."""
        if not self.series:
            raise ImageReadError(
                f"There is no DICOM image. {self.left_out or 'There are no files.'} "
                "Give a folder, a zip archive or a DICOMDIR with DICOM images, or a single file of "
                "another format."
            )

    def pick(self, key: str | None) -> Series:
        """The series with a key; None takes the only one.

        Raises
        ------
        ImageReadError
            There is no series at all.
        ParameterError
            There is none with this key, or several and no key.
        """
        self.check()
        if key is None and len(self.series) == 1:
            return self.series[0]
        for one in self.series:
            if one.key == key:
                return one
        keys = [f"{one.key} ({one.description})" for one in self.series]
        more = f"; and {len(keys) - 10} more" if len(keys) > 10 else ""
        known = f"{'; '.join(keys[:10])}{more}"
        if key is None:
            raise ParameterError(f"There are {len(keys)} series; choose one by its key: {known}.")
        raise ParameterError(f"There is no series {key}; there is {known}.")
