"""The header of NIfTI-1 and NIfTI-2: size and type of the values, spacing, orientation.

It is parsed here rather than by a library, so that the size is known before anything is allocated,
and any file name and sheared matrix is accepted.

Source: the NIfTI-1 and NIfTI-2 header definitions (nifti1.h, nifti2.h).
"""

from __future__ import annotations

import itertools
import math
import struct
from typing import Any

import numpy as np
from numpy.typing import NDArray

from enhancers.errors import ImageReadError
from enhancers.geometry import LPS_TO_RAS, is_affine
from enhancers.load.file_format import is_half_a_pair
from enhancers.load.raw import Caps
from enhancers.load.volumes.header import Header, placed
from enhancers.load.volumes.packing import GZIP, unpacked_head
from enhancers.load.volumes.text_header import hint_of
from enhancers.stated_facts import known_text

_SAME_PLACE = 0.1
"""Millimetres between two places of a voxel that are not mentioned."""

_TYPES = {
    2: "u1", 4: "i2", 8: "i4", 16: "f4", 64: "f8", 256: "i1", 512: "u2", 768: "u4",
    1024: "i8", 1280: "u8", 32: "c8", 1792: "c16",
}  # fmt: skip
_COLOURS = {128: 3, 2304: 4}
_MM_PER_UNIT = {1: 1000.0, 2: 1.0, 3: 0.001}
# Fields and their offsets: dimensions, type, spacing, data offset, scaling, units, orientation.
_NIFTI1 = {
    "dim": (40, "8h"), "datatype": (70, "h"), "pixdim": (76, "8f"), "vox_offset": (108, "f"),
    "slope": (112, "f"), "inter": (116, "f"), "units": (123, "b"), "cal": (124, "2f"),
    "words": (148, "80s24s"),
    "qform": (252, "h"), "sform": (254, "h"), "quatern": (256, "6f"), "srow": (280, "12f"),
}  # fmt: skip
_NIFTI2 = {
    "dim": (16, "8q"), "datatype": (12, "h"), "pixdim": (104, "8d"), "vox_offset": (168, "q"),
    "slope": (176, "d"), "inter": (184, "d"), "cal": (192, "2d"), "units": (500, "i"),
    "words": (240, "80s24s"),
    "qform": (344, "i"), "sform": (348, "i"), "quatern": (352, "6d"), "srow": (400, "12d"),
}  # fmt: skip


def parse(data: bytes, caps: Caps) -> Header:
    """The header of a file's bytes, which may be gzipped: NIfTI, or a pair joined as one file.

    Raises
    ------
    ImageReadError
        It is damaged or of a kind that cannot be read; `ImageTooLarge` beyond ``caps``.
    """
    packing = "gzip" if data.startswith(GZIP) else ""
    head = unpacked_head(data, "NIfTI")
    order = "<" if head[0] in (348 & 255, 540 & 255) else ">"
    first = struct.unpack_from(order + "i", head)[0] == 348
    length = 348 if first else 540
    if len(head) < length:
        raise ImageReadError("The NIfTI file is truncated: its header is incomplete.")
    pair = is_half_a_pair(head)
    field = {
        name: struct.unpack_from(order + code, head, offset)
        for name, (offset, code) in (_NIFTI1 if first else _NIFTI2).items()
    }
    shape, volumes, components = _dimensions(field["dim"])
    dtype, channels = _type(int(field["datatype"][0]), order)
    zooms = _zooms(field)
    affine = _affine(field, zooms)
    if affine is not None:
        lengths = np.linalg.norm(affine[:3, :3], axis=0)
        zooms = (float(lengths[0]), float(lengths[1]), float(lengths[2]))
    offset = field["vox_offset"][0]
    if not 0 <= offset < 2**40:
        raise ImageReadError(f"The NIfTI header places the data at byte {offset:g}; it is damaged.")
    # The header of a pair is cut to its standard length when its data are put behind it.
    offset = length + int(offset) if pair else max(int(offset), length + 4)
    header = Header(
        shape, volumes, dtype, channels, offset, _scale(field), _window(field), zooms,
        *placed(None if affine is None else LPS_TO_RAS @ affine),
        packing=packing, hint=hint_of(b" ".join(field["words"]).decode("latin-1")),
        notes=_disagreement(field, affine, shape) + _first_of(components),
        stated=known_text(field["words"][0].rstrip(b"\0").decode("latin-1")),
    )  # fmt: skip
    if pair and not packing and offset + header.volume_bytes > len(data):
        raise ImageReadError(
            "This is the header of a NIfTI pair (.hdr), whose values are in a second file (.img) "
            "that is missing or too short. Keep both in one folder under one name, or drop both."
        )
    return header.checked(caps, len(data))


def _dimensions(dim: tuple[int, ...]) -> tuple[tuple[int, int, int], int, int]:
    """Voxels along three axes, times, and values of each voxel."""
    count = dim[0]
    if not 2 <= count <= 7 or any(size < 1 for size in dim[1 : count + 1]):
        raise ImageReadError(f"The NIfTI header states the dimensions {dim}; the file is damaged.")
    sizes = (*dim[1 : count + 1], 1, 1)
    times, components = sizes[3], math.prod(sizes[4:])
    if times > 1 and components > 1:
        raise ImageReadError(
            f"The NIfTI file has {count} dimensions, {components} values for each voxel at each of "
            f"{times} times. Save one of the values as a file of four dimensions."
        )
    return (sizes[0], sizes[1], sizes[2]), times, components


def _first_of(components: int) -> tuple[str, ...]:
    if components == 1:
        return ()
    return (f"Each voxel has {components} values, in the fifth dimension; the first is shown.",)


def _type(code: int, order: str) -> tuple[np.dtype[Any], int]:
    if code in _COLOURS:
        return np.dtype("u1"), _COLOURS[code]
    if code not in _TYPES:
        raise ImageReadError(
            f"The NIfTI data type {code} cannot be read; save the volume as int16, float32 or "
            "complex64."
        )
    return np.dtype(order + _TYPES[code]), 1


def _scale(field: dict[str, tuple[Any, ...]]) -> tuple[float, float]:
    slope, inter = float(field["slope"][0]), float(field["inter"][0])
    # By the standard, a slope of zero means unscaled values.
    if slope == 0.0 or not math.isfinite(slope):
        return 1.0, 0.0
    return slope, inter if math.isfinite(inter) else 0.0


def _window(field: dict[str, tuple[Any, ...]]) -> tuple[float, float] | None:
    """The display range, ``cal_min`` and ``cal_max`` of scaled values; None where it is not set."""
    high, low = (float(value) for value in field["cal"])
    return (low, high) if math.isfinite(low) and math.isfinite(high) and low < high else None


def _millimetres(field: dict[str, tuple[Any, ...]]) -> float:
    return _MM_PER_UNIT.get(int(field["units"][0]) & 7, 1.0)


def _zooms(field: dict[str, tuple[Any, ...]]) -> tuple[float, float, float]:
    sizes = [abs(float(value)) * _millimetres(field) for value in field["pixdim"][1:4]]
    good = [size if math.isfinite(size) and size > 0 else 1.0 for size in sizes]
    return good[0], good[1], good[2]


def _affine(
    field: dict[str, tuple[Any, ...]], zooms: tuple[float, float, float]
) -> NDArray[np.float64] | None:
    """The matrix from voxels to right, anterior, superior in mm; None where none is usable."""
    if field["sform"][0] > 0:
        affine = np.eye(4)
        affine[:3] = np.reshape(np.asarray(field["srow"], np.float64), (3, 4))
        affine[:3] *= _millimetres(field)
    elif field["qform"][0] > 0:
        affine = _qform(field, zooms)
    else:
        return None
    return affine if is_affine(affine) else None


def _qform(
    field: dict[str, tuple[Any, ...]], zooms: tuple[float, float, float]
) -> NDArray[np.float64]:
    affine = np.eye(4)
    b, c, d, *offsets = (float(value) for value in field["quatern"])
    affine[:3, :3] = _rotation(b, c, d) * zooms
    if field["pixdim"][0] < 0:
        affine[:3, 2] *= -1.0
    affine[:3, 3] = np.multiply(offsets, _millimetres(field))
    return affine


def _disagreement(
    field: dict[str, tuple[Any, ...]],
    used: NDArray[np.float64] | None,
    shape: tuple[int, int, int],
) -> tuple[str, ...]:
    """A sentence where the header states two orientations that differ."""
    if used is None or field["sform"][0] <= 0 or field["qform"][0] <= 0:
        return ()
    other = _qform(field, _zooms(field))
    if not np.isfinite(other).all():
        return ()
    corners = np.array([(*corner, 1) for corner in itertools.product(*((0, n - 1) for n in shape))])
    apart = float(np.linalg.norm((corners @ (used - other).T)[:, :3], axis=1).max())
    first, second = (
        matrix[:3, :3] / np.linalg.norm(matrix[:3, :3], axis=0) for matrix in (used, other)
    )
    cosines = np.clip((first * second).sum(axis=0), -1.0, 1.0)
    angle = math.degrees(math.acos(float(cosines.min())))
    if apart < _SAME_PLACE:
        return ()
    return (
        "The file states two orientations. The sform is used; by the qform, voxels lie up to "
        f"{apart:.3g} mm elsewhere, and the axes differ by up to {angle:.3g} degrees.",
    )


def _rotation(b: float, c: float, d: float) -> NDArray[np.float64]:
    a = math.sqrt(max(0.0, 1.0 - (b * b + c * c + d * d)))
    return np.array(
        [
            [a * a + b * b - c * c - d * d, 2 * (b * c - a * d), 2 * (b * d + a * c)],
            [2 * (b * c + a * d), a * a + c * c - b * b - d * d, 2 * (c * d - a * b)],
            [2 * (b * d - a * c), 2 * (c * d + a * b), a * a + d * d - c * c - b * b],
        ]
    )
