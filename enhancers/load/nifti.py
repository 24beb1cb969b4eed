"""NIfTI-1 and NIfTI-2, also gzipped: one slice in the radiological convention.

The header is parsed here rather than by a library, so that the size is known before anything is
allocated, and any file name and sheared matrix is accepted.

Source: the NIfTI-1 and NIfTI-2 header definitions (nifti1.h, nifti2.h).
"""

from __future__ import annotations

import gzip
import io
import itertools
import math
import struct
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from enhancers.errors import ImageReadError
from enhancers.load.raw import MIN_SIDE, Caps, Probe, RawSlice, pick_slice

_N = TypeVar("_N", int, float)

_TYPES = {
    2: "u1", 4: "i2", 8: "i4", 16: "f4", 64: "f8", 256: "i1", 512: "u2", 768: "u4",
    1024: "i8", 1280: "u8",
}  # fmt: skip
_COLOURS = {128: 3, 2304: 4}
_MM_PER_UNIT = {1: 1000.0, 2: 1.0, 3: 0.001}
# Fields and their offsets: dimensions, type, spacing, data offset, scaling, units, orientation.
_NIFTI1 = {
    "dim": (40, "8h"), "datatype": (70, "h"), "pixdim": (76, "8f"), "vox_offset": (108, "f"),
    "slope": (112, "f"), "inter": (116, "f"), "units": (123, "b"), "qform": (252, "h"),
    "sform": (254, "h"), "quatern": (256, "3f"), "srow": (280, "12f"),
}  # fmt: skip
_NIFTI2 = {
    "dim": (16, "8q"), "datatype": (12, "h"), "pixdim": (104, "8d"), "vox_offset": (168, "q"),
    "slope": (176, "d"), "inter": (184, "d"), "units": (500, "i"), "qform": (344, "i"),
    "sform": (348, "i"), "quatern": (352, "3d"), "srow": (400, "12d"),
}  # fmt: skip
_HEAD, _PIECE = 1024, 2**20

# A file may inflate to more, but then it is read plane by plane.
_ANY_SIZE, _EXPANSION = 64_000_000, 100

SAMPLE_LIMIT = 1_000_000
"""About how many values of a volume the window is chosen by."""
SMALL_VOLUME = 256_000_000
"""Bytes up to which a volume is held in memory, so that all its slices are at hand."""


@dataclass(frozen=True)
class Header:
    """Facts of the header; ``axes`` and ``flips`` map to left, posterior, superior."""

    shape: tuple[int, int, int]
    volumes: int
    dtype: np.dtype[Any]
    channels: int
    offset: int
    scale: tuple[float, float]
    zooms: tuple[float, float, float]
    axes: tuple[int, int, int]
    flips: tuple[bool, bool, bool]
    oriented: bool

    @property
    def slice_axis(self) -> int:
        """The slice axis: the one of coarsest spacing, else a clearly thin one, else axial."""
        sizes = [self.shape[axis] for axis in self.axes]
        steps = [self.zooms[axis] for axis in self.axes]
        usable = [axis for axis in (2, 1, 0) if min(_others(sizes, axis)) >= MIN_SIDE] or [2, 1, 0]
        for axis in usable:
            if steps[axis] > 1.1 * max(_others(steps, axis)):
                return axis
        for axis in usable:
            if 2 * sizes[axis] <= min(_others(sizes, axis)):
                return axis
        return usable[0]

    @property
    def slice_count(self) -> int:
        """Slices along `slice_axis`."""
        return self.shape[self.axes[self.slice_axis]]

    @property
    def plane(self) -> tuple[int, int]:
        """Anatomical axes of the rows and of the columns of a slice."""
        return ((2, 1), (2, 0), (1, 0))[self.slice_axis]

    def as_json(self) -> dict[str, Any]:
        """The header as values for JSON."""
        return {**asdict(self), "dtype": self.dtype.str}

    @classmethod
    def from_json(cls, facts: Mapping[str, Any]) -> Header:
        """The header of `as_json`."""
        known = {name: tuple(v) if isinstance(v, list) else v for name, v in facts.items()}
        return cls(**{**known, "dtype": np.dtype(facts["dtype"])})

    @property
    def volume_bytes(self) -> int:
        """Size of the first volume."""
        return math.prod(self.shape) * self.channels * self.dtype.itemsize


def _others(values: Sequence[_N], axis: int) -> list[_N]:
    return [value for index, value in enumerate(values) if index != axis]


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
    header = _parse(_head(data), caps, len(data))
    rows, columns = (header.shape[header.axes[axis]] for axis in header.plane)
    return Probe("NIfTI", rows, columns, header.slice_count, header.slice_count // 2)


def read(data: bytes, slice_index: int | None, caps: Caps) -> RawSlice:
    """One slice of the first volume.

    Axial slices have anterior at the top and the patient's right on the left; coronal and sagittal
    ones have the head at the top, coronal ones the patient's right and sagittal ones anterior on
    the left. Slices are counted from the feet, from anterior, and from the patient's right.
    """
    header = _parse(_head(data), caps, len(data))
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
    header = _parse(_head(data), caps, len(data))
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
    whole = np.issubdtype(values.dtype, np.integer)
    extent = (0.0, 255.0) if values.dtype == np.uint8 else None
    row_axis, column_axis = header.plane
    return RawSlice(
        values=values[..., :3] if header.channels > 1 else values,
        format="NIfTI",
        units="a.u.",
        bits=8 * header.dtype.itemsize if whole and header.dtype.itemsize <= 2 else 32,
        extent=extent,
        spacing=(header.zooms[header.axes[row_axis]], header.zooms[header.axes[column_axis]]),
        sample=_scaled(sample, header),
        slice_index=index,
        slice_count=header.slice_count,
        warnings=tuple(warnings),
    )


def _head(data: bytes) -> bytes:
    """The first bytes of the file, inflated where it is gzipped."""
    return _Reader(data).read(_HEAD)


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
            raise ImageReadError("The gzipped NIfTI file is damaged or truncated.") from None
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


def _parse(head: bytes, caps: Caps, size: int) -> Header:
    order = "<" if head[0] in (348 & 255, 540 & 255) else ">"
    first = struct.unpack_from(order + "i", head)[0] == 348
    if head[344:346] == b"ni" or head[4:6] == b"ni":
        raise ImageReadError(
            "This is the header of a NIfTI pair (.hdr and .img); convert it to a single .nii file."
        )
    if len(head) < (348 if first else 540):
        raise ImageReadError("The NIfTI file is truncated: its header is incomplete.")
    field = {
        name: struct.unpack_from(order + code, head, offset)
        for name, (offset, code) in (_NIFTI1 if first else _NIFTI2).items()
    }
    shape, volumes = _dimensions(field["dim"])
    dtype, channels = _type(int(field["datatype"][0]), order)
    matrix, oriented = _matrix(field)
    axes, flips = _orientation(matrix, oriented)
    offset = field["vox_offset"][0]
    if not 0 <= offset < 2**40:
        raise ImageReadError(f"The NIfTI header places the data at byte {offset:g}; it is damaged.")
    header = Header(
        shape, volumes, dtype, channels, max(int(offset), 352 if first else 544),
        _scale(field), _zooms(field), axes, flips, oriented,
    )  # fmt: skip
    rows, columns = (shape[axes[axis]] for axis in header.plane)
    caps.check_size(rows, columns, min(channels, 3), size)
    caps.check_inflated(header.offset + header.volume_bytes, size)
    return header


def _dimensions(dim: tuple[int, ...]) -> tuple[tuple[int, int, int], int]:
    count = dim[0]
    if not 2 <= count <= 7 or any(size < 1 for size in dim[1 : count + 1]):
        raise ImageReadError(f"The NIfTI header states the dimensions {dim}; the file is damaged.")
    sizes = (*dim[1 : count + 1], 1)
    return (sizes[0], sizes[1], sizes[2]), math.prod(sizes[3:])


def _type(code: int, order: str) -> tuple[np.dtype[Any], int]:
    if code in _COLOURS:
        return np.dtype("u1"), _COLOURS[code]
    if code not in _TYPES:
        raise ImageReadError(
            f"The NIfTI data type {code} cannot be read; save the volume as int16 or float32."
        )
    return np.dtype(order + _TYPES[code]), 1


def _scale(field: dict[str, tuple[Any, ...]]) -> tuple[float, float]:
    slope, inter = float(field["slope"][0]), float(field["inter"][0])
    # By the standard, a slope of zero means unscaled values.
    if slope == 0.0 or not (math.isfinite(slope) and math.isfinite(inter)):
        return 1.0, 0.0
    return slope, inter


def _zooms(field: dict[str, tuple[Any, ...]]) -> tuple[float, float, float]:
    millimetres = _MM_PER_UNIT.get(int(field["units"][0]) & 7, 1.0)
    sizes = [abs(float(value)) * millimetres for value in field["pixdim"][1:4]]
    good = [size if math.isfinite(size) and size > 0 else 1.0 for size in sizes]
    return good[0], good[1], good[2]


def _matrix(field: dict[str, tuple[Any, ...]]) -> tuple[NDArray[np.float64], bool]:
    """Unit vectors of the voxel axes, as columns, in (right, anterior, superior)."""
    if field["sform"][0] > 0:
        matrix = np.reshape(np.asarray(field["srow"], np.float64), (3, 4))[:, :3]
    elif field["qform"][0] > 0:
        matrix = _rotation(*(float(value) for value in field["quatern"]))
        if field["pixdim"][0] < 0:
            matrix[:, 2] *= -1.0
    else:
        return np.eye(3), False
    # A damaged matrix may overflow; it is then not finite and is ignored.
    with np.errstate(over="ignore", invalid="ignore"):
        lengths = np.linalg.norm(matrix, axis=0)
    if not (np.isfinite(lengths).all() and (lengths > 0).all()):
        return np.eye(3), False
    return matrix / lengths, True


def _rotation(b: float, c: float, d: float) -> NDArray[np.float64]:
    a = math.sqrt(max(0.0, 1.0 - (b * b + c * c + d * d)))
    return np.array(
        [
            [a * a + b * b - c * c - d * d, 2 * (b * c - a * d), 2 * (b * d + a * c)],
            [2 * (b * c + a * d), a * a + c * c - b * b - d * d, 2 * (c * d - a * b)],
            [2 * (b * d - a * c), 2 * (c * d + a * b), a * a + d * d - c * c - b * b],
        ]
    )


def _orientation(
    matrix: NDArray[np.float64], oriented: bool
) -> tuple[tuple[int, int, int], tuple[bool, bool, bool]]:
    """The voxel axis nearest to each anatomical axis, and whether it is flipped."""
    if not oriented:
        return (0, 1, 2), (False, False, False)
    best = max(
        itertools.permutations(range(3)),
        key=lambda axes: sum(abs(matrix[world, axis]) for world, axis in enumerate(axes)),
    )
    steps = [matrix[world, axis] for world, axis in enumerate(best)]
    return (best[0], best[1], best[2]), (bool(steps[0] > 0), bool(steps[1] > 0), bool(steps[2] < 0))


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
    return values.astype(np.float64) * slope + inter
