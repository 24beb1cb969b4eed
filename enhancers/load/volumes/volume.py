"""NIfTI-1 and NIfTI-2, also gzipped: one slice in the radiological convention."""

from __future__ import annotations

import gzip
import io
import math
import zlib
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from enhancers.errors import ImageReadError
from enhancers.image import NamedWindow, Window
from enhancers.load.kspace import complex_slice
from enhancers.load.raw import Caps, Probe, RawSlice, pick_slice
from enhancers.load.volumes.header import Header
from enhancers.load.volumes.nifti import HEADER_BYTES, parse_header

_PIECE = 2**20

# A file may inflate to more, but then it is read plane by plane.
_ANY_SIZE, _EXPANSION = 64_000_000, 100

SAMPLE_LIMIT = 1_000_000
"""About how many values of a volume the window is chosen by."""
SMALL_VOLUME = 256_000_000
"""Bytes up to which a volume is held in memory, so that all its slices are at hand."""


@dataclass(frozen=True, eq=False)
class Volume:
    """The first volume of a file, whose slices need neither the file nor inflating.

    Parameters
    ----------
    header : Header
    stored : ndarray
        Axes as in the file, an axis of channels first where there are several.
    """

    header: Header
    stored: NDArray[Any]

    @classmethod
    def of_bytes(cls, values: NDArray[np.uint8], header: Header) -> Volume:
        """The volume of the bytes of a file."""
        return cls(header, _shaped(values, header, header.shape))

    def as_bytes(self) -> NDArray[np.uint8]:
        """The bytes as in the file."""
        return self.stored.reshape(-1, order="F").view(np.uint8)

    def slice(self, index: int | None) -> RawSlice:
        """The slice with this index along `Header.slice_axis`, by default the middle one.

        Raises
        ------
        ParameterError
            There is no such slice.
        """
        index = pick_slice(index, self.header.slice_count, self.header.slice_count // 2)
        turned = _turned(self.stored, self.header)
        step = _sample_step(self.header)
        sample = np.asarray(turned[::step, ::step, ::step])
        return _raw_slice(_take(turned, self.header, index), sample, self.header, index)


def probe(data: bytes, caps: Caps) -> Probe:
    """Slices and their size from the header."""
    header = parse_header(_head(data), caps, len(data))
    rows, columns = (header.shape[header.axes[axis]] for axis in header.plane)
    return Probe("NIfTI", rows, columns, header.slice_count, header.slice_count // 2)


def read(data: bytes, slice_index: int | None, caps: Caps) -> RawSlice:
    """One slice of the first volume.

    Axial slices have anterior at the top and the patient's right on the left; coronal and sagittal
    ones have the head at the top, coronal ones the patient's right and sagittal ones anterior on
    the left. Slices are counted from the feet, from anterior, and from the patient's right.
    """
    header = parse_header(_head(data), caps, len(data))
    index = pick_slice(slice_index, header.slice_count, header.slice_count // 2)
    if _is_small(header, len(data)):
        return _volume(data, header).slice(index)
    return _one_slice(data, header, index)


def read_volume(data: bytes, caps: Caps) -> Volume | None:
    """The first volume of a file that has several slices and is small enough to be kept, or None.

    Raises
    ------
    ImageReadError
        As `read`.
    """
    header = parse_header(_head(data), caps, len(data))
    if header.slice_count == 1 or not _is_small(header, len(data)):
        return None
    return _volume(data, header)


def _is_small(header: Header, size: int) -> bool:
    """Whether the volume of a file of ``size`` bytes is held in memory as a whole."""
    return header.volume_bytes <= min(SMALL_VOLUME, max(_ANY_SIZE, _EXPANSION * size))


def _raw_slice(values: NDArray[Any], sample: NDArray[Any], header: Header, index: int) -> RawSlice:
    values = _scaled(values, header)
    warnings: list[str] = []
    if header.volumes > 1:
        warnings.append(f"The file holds {header.volumes} volumes; the first is shown.")
    if not header.oriented:
        warnings.append("The file states no orientation; slices are shown as they are stored.")
    row_axis, column_axis = header.plane
    spacing = (header.zooms[header.axes[row_axis]], header.zooms[header.axes[column_axis]])
    if np.iscomplexobj(values):
        return complex_slice(
            values, format="NIfTI", spacing=spacing, geometry=header.geometry(index),
            sample=np.abs(_scaled(sample, header)), slice_index=index,
            slice_count=header.slice_count, warnings=warnings,
        )  # fmt: skip
    whole = np.issubdtype(values.dtype, np.integer)
    extent = (0.0, 255.0) if values.dtype == np.uint8 else None
    return RawSlice(
        values=values[..., :3] if header.channels > 1 else values,
        format="NIfTI",
        units="a.u.",
        bits=8 * header.dtype.itemsize if whole and header.dtype.itemsize <= 2 else 32,
        extent=extent,
        windows=_windows(header),
        spacing=spacing,
        geometry=header.geometry(index),
        sample=_scaled(sample, header),
        slice_index=index,
        slice_count=header.slice_count,
        warnings=tuple(warnings),
    )


def _windows(header: Header) -> tuple[NamedWindow, ...]:
    if header.window is None:
        return ()
    return (NamedWindow("Display range", Window(*header.window)),)


def _head(data: bytes) -> bytes:
    """The first bytes of the file, inflated where it is gzipped."""
    return _Reader(data).read(HEADER_BYTES)


class _Reader:
    """The bytes of a file in their order, inflated where it is gzipped, and no further than read.

    Parameters
    ----------
    data : bytes
    """

    def __init__(self, data: bytes) -> None:
        packed = data.startswith(b"\x1f\x8b")
        self._file: Any = gzip.GzipFile(fileobj=io.BytesIO(data)) if packed else io.BytesIO(data)

    def read(self, count: int) -> bytes:
        """``count`` bytes, fewer at the end of the file."""
        try:
            found: bytes = self._file.read(count)
        except (OSError, EOFError, zlib.error):
            raise ImageReadError(
                "The gzipped NIfTI file is damaged or truncated; copy or export it again."
            ) from None
        return found

    def fill(self, target: NDArray[np.uint8], header: Header) -> None:
        """The next bytes of the volume, in pieces: `read` holds all of them twice."""
        view, done = target.data, 0
        while done < target.size:
            piece = self.read(min(_PIECE, target.size - done))
            if not piece:
                raise ImageReadError(
                    "The NIfTI file is truncated: it ends before the last of the "
                    f"{header.offset + header.volume_bytes} bytes that are announced."
                )
            view[done : done + len(piece)] = piece
            done += len(piece)

    def skip(self, count: int) -> None:
        """Pass over bytes."""
        while count > 0 and (piece := self.read(min(_PIECE, count))):
            count -= len(piece)


def _volume(data: bytes, header: Header) -> Volume:
    reader = _Reader(data)
    reader.skip(header.offset)
    stored = np.empty(header.volume_bytes, np.uint8)
    reader.fill(stored, header)
    return Volume.of_bytes(stored, header)


def _shaped(values: NDArray[np.uint8], header: Header, shape: tuple[int, int, int]) -> NDArray[Any]:
    channels = (header.channels,) if header.channels > 1 else ()
    return values.view(header.dtype).reshape((*channels, *shape), order="F")


def _turned(stored: NDArray[Any], header: Header) -> NDArray[Any]:
    """Axes left, posterior, superior (and colour); a view."""
    if header.channels > 1:
        stored = np.moveaxis(stored, 0, -1)
    turned = np.moveaxis(stored, header.axes, (0, 1, 2))
    flips = tuple(slice(None, None, -1 if flip else 1) for flip in header.flips)
    return np.asarray(turned[flips])


def _one_slice(data: bytes, header: Header, index: int) -> RawSlice:
    """A slice of a volume that is too large to be held: it is read plane by plane."""
    axis = header.axes[header.slice_axis]
    place = header.shape[axis] - 1 - index if header.flips[header.slice_axis] else index
    thin: list[int | slice] = [slice(None)] * 3
    thin[axis] = slice(place, place + 1)
    kept = _sampled(header)
    planes, samples = [], {}
    reader = _Reader(data)
    reader.skip(header.offset)
    buffer = np.empty(header.volume_bytes // header.shape[2], np.uint8)
    for number in range(header.shape[2]):
        reader.fill(buffer, header)
        plane = _shaped(buffer, header, (*header.shape[:2], 1))
        if axis != 2 or number == place:
            planes.append(plane[..., thin[0], thin[1], :].copy())
        if number in kept[2]:
            samples[number] = plane[..., kept[0], :, :][..., kept[1], :].copy()
    values = np.concatenate(planes, axis=-1)
    sample = np.concatenate([samples[number] for number in kept[2]], axis=-1)
    # The places of the sample are in the order of the turned axes already.
    upright = replace(header, flips=(False, False, False))
    taken = _take(_turned(values, header), header, 0)
    return _raw_slice(taken, _turned(sample, upright), header, index)


def _sampled(header: Header) -> list[list[int]]:
    """Along each stored axis, the places that a volume's sample has, in the turned order."""
    step = _sample_step(header)
    found: list[list[int]] = [[], [], []]
    for axis, flip in zip(header.axes, header.flips, strict=True):
        places = list(range(header.shape[axis]))
        found[axis] = (places[::-1] if flip else places)[::step]
    return found


def _sample_step(header: Header) -> int:
    count = math.prod(header.shape) * header.channels
    return max(1, round(float((count / SAMPLE_LIMIT) ** (1 / 3))))


def _take(volume: NDArray[Any], header: Header, index: int) -> NDArray[Any]:
    # `np.take` would copy the volume first.
    place: tuple[slice | int, ...] = (*[slice(None)] * header.slice_axis, index)
    plane: NDArray[Any] = np.swapaxes(volume[place].copy(), 0, 1)
    # Rows that run along the body are stored from the feet up, and shown from the head down.
    return plane[::-1] if header.plane[0] == 2 and header.oriented else plane


def _scaled(values: NDArray[Any], header: Header) -> NDArray[Any]:
    slope, inter = header.scale
    if (slope, inter) == (1.0, 0.0) or header.channels > 1:
        return values
    if np.iscomplexobj(values):
        return values.astype(np.complex128) * slope + complex(inter, inter)
    return values.astype(np.float64) * slope + inter
