"""Slices of a volume, whatever its format, in the radiological convention."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from enhancers.image import NamedWindow, Window
from enhancers.load.file_format import Format
from enhancers.load.kspace import complex_slice
from enhancers.load.own_files import as_stated
from enhancers.load.raw import Caps, Probe, RawSlice, pick_slice, pick_time, with_background
from enhancers.load.volumes import parse
from enhancers.load.volumes.header import Header
from enhancers.load.volumes.packing import VolumeBytes
from enhancers.voxel_grid import STORED, VoxelGrid, cut_notes

# A file may inflate to more, but then it is read plane by plane.
_ANY_SIZE, _EXPANSION = 64_000_000, 100

SAMPLE_LIMIT = 1_000_000
"""About how many values of a volume the window is chosen by."""
SAMPLED_TIMES = 8
"""Most times whose values are among them."""
SMALL_VOLUME = 500_000_000
"""Bytes up to which the volumes of a file are held in memory, so that all slices are at hand."""


@dataclass(frozen=True, eq=False)
class Volume:
    """The volumes of a file, whose slices need neither the file nor inflating.

    Parameters
    ----------
    header : Header
    stored : ndarray
        Axes as in the file, [i, j, k, time], an axis of channels first where there are several.
    """

    header: Header
    stored: NDArray[Any]

    @classmethod
    def of_bytes(cls, values: NDArray[np.uint8], header: Header) -> Volume:
        """The volumes of the bytes of a file."""
        return cls(header, shaped(values, header, (*header.shape, header.volumes)))

    def as_bytes(self) -> NDArray[np.uint8]:
        """The bytes as in the file."""
        return self.stored.reshape(-1, order="F").view(np.uint8)

    def slice(self, index: int | None, plane: str = STORED, time: int = 0) -> RawSlice:
        """A slice of a plane (`VoxelGrid`) at a time, by default the middle one.

        Raises
        ------
        ParameterError
            There is no such plane, slice or time.
        """
        header, grid = self.header, self.header.grid
        count = grid.size(plane)[2]
        index, time = pick_slice(index, count, count // 2), pick_time(time, header.volumes)
        values = grid.cut(channels_last(self.stored, header)[:, :, :, time], plane, index)
        return raw_slice(values.copy(), self.sample, header, index, plane, time)

    def section(self, plane: str, index: int, time: int) -> NDArray[Any]:
        """The source values of a slice, (rows, columns) or (rows, columns, 3)."""
        header = self.header
        values = header.grid.cut(channels_last(self.stored, header)[:, :, :, time], plane, index)
        if header.channels > 1:
            values = values[..., :3] if header.colour else values[..., 0]
        values = scaled(values, header)
        return np.abs(values) if np.iscomplexobj(values) else values

    @cached_property
    def sample(self) -> NDArray[Any]:
        """Values of all slices and times, by which the window of all of them is chosen."""
        step, times = _sample_step(self.header), sampled_times(self.header)
        turned = to_body(self.stored, self.header)
        found = scaled(turned[::step, ::step, ::step, ::times].copy(), self.header)
        return np.abs(found) if np.iscomplexobj(found) else found


def probe(kind: Format, data: bytes, caps: Caps, plane: str = STORED) -> Probe:
    """Slices of a plane and their size, from the header."""
    rows, columns, count = parse(kind, data, caps).grid.size(plane)
    return Probe(kind, rows, columns, count, count // 2)


def read(
    kind: Format,
    data: bytes,
    slice_index: int | None,
    caps: Caps,
    plane: str = STORED,
    time: int = 0,
) -> RawSlice:
    """One slice of a plane at a time (`Volume.slice`).

    Axial slices have anterior at the top and the patient's right on the left; coronal and sagittal
    ones have the head at the top, coronal ones the patient's right and sagittal ones anterior on
    the left. Slices are counted from the feet, from anterior, and from the patient's right.
    """
    header = parse(kind, data, caps)
    count = header.grid.size(plane)[2]
    index, time = pick_slice(slice_index, count, count // 2), pick_time(time, header.volumes)
    if is_small(header, len(data)):
        return _volume(data, header).slice(index, plane, time)
    return _one_slice(data, header, index, plane, time)


def read_volume(kind: Format, data: bytes, caps: Caps) -> Volume | None:
    """The volumes of a file that has several slices and is small enough to be kept, or None.

    Raises
    ------
    ImageReadError
        As `read`.
    """
    header = parse(kind, data, caps)
    if header.slice_count * header.volumes == 1 or not is_small(header, len(data)):
        return None
    return _volume(data, header)


def is_small(header: Header, size: int) -> bool:
    """Whether the volumes of a file of ``size`` bytes are held in memory as a whole."""
    return header.total_bytes <= min(SMALL_VOLUME, max(_ANY_SIZE, _EXPANSION * size))


def raw_slice(
    values: NDArray[Any],
    sample: NDArray[Any],
    header: Header,
    index: int,
    plane: str,
    time: int,
) -> RawSlice:
    """The slice of these stored values, with the sample by which its window is chosen."""
    grid, warnings = header.grid, list(header.notes)
    if header.channels > 1 and not header.colour:
        values, sample = values[..., 0], sample[..., 0]
        warnings.append(f"Each voxel has {header.channels} values; the first is shown.")
    values = scaled(values, header)
    if not header.upright:
        warnings.append("The file states no orientation; slices are shown as they are stored.")
    if plane != STORED:
        warnings += cut_notes(grid, plane)
    shown: dict[str, Any] = {
        "spacing": grid.spacing(plane), "geometry": grid.geometry(plane, index),
        "plane": "" if plane == STORED else plane, "slice_index": index,
        "slice_count": grid.size(plane)[2], "time_index": time, "time_count": header.volumes,
        "tags": () if header.oriented else _unplaced(header, grid),
    }  # fmt: skip
    if np.iscomplexobj(values):
        return complex_slice(
            values, format=header.format, sample=np.abs(sample), warnings=warnings,
            **shown,
        )  # fmt: skip
    whole = np.issubdtype(values.dtype, np.integer)
    extent = (0.0, 255.0) if values.dtype == np.uint8 else None
    found = RawSlice(
        values=values[..., :3] if header.colour else values,
        format=header.format,
        units="a.u.",
        bits=8 * header.dtype.itemsize if whole and header.dtype.itemsize <= 2 else 32,
        extent=extent,
        windows=_windows(header),
        sample=sample,
        hint=header.hint,
        warnings=tuple(warnings),
        **shown,
    )
    found = with_background(found)
    return as_stated(found, header.stated) if header.stated else found


def _unplaced(header: Header, grid: VoxelGrid) -> tuple[tuple[str, str], ...]:
    """What the results of a volume without an affine need to be stored as it is."""
    across = grid.zooms[abs(grid.stored[2]) - 1]
    between = ("SpacingBetweenSlices", f"{across:.9g} mm")
    if header.upright:
        return (between,)
    return between, ("StoredAxes", " ".join(str(axis) for axis in grid.stored))


def _windows(header: Header) -> tuple[NamedWindow, ...]:
    if header.window is None:
        return ()
    return (NamedWindow("Display range", Window(*header.window)),)


def _volume(data: bytes, header: Header) -> Volume:
    stored = np.empty(header.total_bytes, np.uint8)
    VolumeBytes(data, header).fill(stored)
    return Volume.of_bytes(stored, header)


def shaped(values: NDArray[np.uint8], header: Header, shape: tuple[int, ...]) -> NDArray[Any]:
    """The bytes of voxels as an array of this shape, an axis of channels first."""
    channels = (header.channels,) if header.channels > 1 else ()
    return values.view(header.dtype).reshape((*channels, *shape), order="F")


def channels_last(stored: NDArray[Any], header: Header) -> NDArray[Any]:
    """The array with its axis of channels, if there is one, at the end; a view."""
    return np.moveaxis(stored, 0, -1) if header.channels > 1 else stored


def to_body(stored: NDArray[Any], header: Header) -> NDArray[Any]:
    """Axes left, posterior, superior (and others); a view."""
    turned = np.moveaxis(channels_last(stored, header), header.axes, (0, 1, 2))
    flips = tuple(slice(None, None, -1 if flip else 1) for flip in header.flips)
    return np.asarray(turned[flips])


def _one_slice(data: bytes, header: Header, index: int, plane: str, time: int) -> RawSlice:
    """A slice of a volume that is too large to be held: it is read by the planes of the file.

    The window is chosen by the first time.
    """
    axis = abs(header.grid.axes(plane)[2]) - 1
    place = int(header.grid.voxel(plane, index, 0, 0)[axis])
    thin: list[int | slice] = [slice(None)] * 3
    thin[axis] = slice(place, place + 1)
    kept = sampled_places(header)
    parts, samples = [], {}
    reader = VolumeBytes(data, header)
    buffer = np.empty(header.volume_bytes // header.shape[2], np.uint8)
    for number in range((time + 1) * header.shape[2]):
        reader.fill(buffer)
        stored = shaped(buffer, header, (*header.shape[:2], 1))
        if number in kept[2]:
            samples[number] = stored[..., kept[0], :, :][..., kept[1], :].copy()
        at = number - time * header.shape[2]
        if at == place or (at >= 0 and axis != 2):
            parts.append(stored[..., thin[0], thin[1], :].copy())
    values = channels_last(np.concatenate(parts, axis=-1), header)
    sample = np.concatenate([samples[number] for number in kept[2]], axis=-1)
    # The places of the sample are in the order of the turned axes already.
    upright = replace(header, flips=(False, False, False))
    taken = header.grid.cut(values, plane, 0)
    values = scaled(to_body(sample, upright), header)
    return raw_slice(taken, values, header, index, plane, time)


def sampled_places(header: Header) -> list[list[int]]:
    """Along each stored axis, the places that a volume's sample has, in the turned order."""
    step = _sample_step(header)
    found: list[list[int]] = [[], [], []]
    for axis, flip in zip(header.axes, header.flips, strict=True):
        places = list(range(header.shape[axis]))
        found[axis] = (places[::-1] if flip else places)[::step]
    return found


def _sample_step(header: Header) -> int:
    count = math.prod(header.shape) * header.channels * min(header.volumes, SAMPLED_TIMES)
    return max(1, round(float((count / SAMPLE_LIMIT) ** (1 / 3))))


def sampled_times(header: Header) -> int:
    """Every how many times the sample has one."""
    return -(-header.volumes // SAMPLED_TIMES)


def scaled(values: NDArray[Any], header: Header) -> NDArray[Any]:
    """Source values of stored ones."""
    slope, inter = header.scale
    if (slope, inter) == (1.0, 0.0) or header.colour:
        return values
    if np.iscomplexobj(values):
        return values.astype(np.complex128) * slope + complex(inter, inter)
    return values.astype(np.float64) * slope + inter
