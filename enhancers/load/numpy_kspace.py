"""NumPy files: k-space of one slice as .npy, or with its mask as .npz; real arrays as images.

An .npz file has ``kspace`` or ``image``, complex, (H, W); optionally ``mask``, (H, W) or (H, 1) or
(W,), which broadcasts, not zero where a sample was taken; and optionally ``real``, true where the
object is known to be real. Without a mask, samples that are zero were not taken. Real arrays, of
which an .npz file holds one or names one ``image``, are images (`numpy_image`).
"""

from __future__ import annotations

import io
import math
import zipfile
from typing import Any

import numpy as np
from numpy.typing import NDArray

from enhancers.errors import ImageReadError
from enhancers.load.kspace import check_finite, complex_slice, not_empty, sampled_slice
from enhancers.load.numpy_image import layout, read_image
from enhancers.load.raw import Caps, Probe, RawSlice, pick_slice
from enhancers.method import Modality

NAMES = ("kspace", "image", "mask", "real")
_LONE = ""
"""The only array of an archive, whose name says nothing."""
_MAGIC = b"\x93NUMPY"
_LONGEST_HEADER = 10_000


def probe(data: bytes, caps: Caps) -> Probe:
    """Size of the slice."""
    members = _members(data, caps)
    picture = _picture(members)
    if picture is not None:
        slices, rows, columns, channels = layout(*_header(picture))
        caps.check_size(rows, columns, min(channels, 3), len(data))
        return Probe("NumPy", rows, columns, slices, slices // 2)
    _, shape, _ = _main(members, caps, len(data))
    return Probe("NumPy", *shape, modality=Modality.MR, modality_origin="file")


def read(data: bytes, slice_index: int | None, caps: Caps) -> RawSlice:
    """The slice of the file."""
    members = _members(data, caps)
    picture = _picture(members)
    if picture is not None:
        found, kind = _header(picture)
        layout(found, kind)
        return read_image(_array(picture, found, kind), slice_index, caps, len(data))
    pick_slice(slice_index, 1)
    name, shape, dtype = _main(members, caps, len(data))
    values = np.asarray(_array(members[name], shape, dtype), np.complex128)
    check_finite(values)
    mask = _mask(members, shape)
    if name == "image":
        raw = complex_slice(values, format="NumPy")
        if mask is None or raw.spectrum is None:
            return raw
        samples = raw.spectrum.samples
        return sampled_slice(samples, mask, real=_real(members), format="NumPy")
    sampled = not_empty(values) if mask is None else mask
    if not sampled.any():
        raise ImageReadError("No sample of k-space is known: the mask, or every sample, is zero.")
    ordered, places = _zero_first(values * sampled, sampled)
    return sampled_slice(ordered, places, real=_real(members), format="NumPy")


def _picture(members: dict[str, bytes]) -> bytes | None:
    """The array that is an image; None where there are complex data."""
    named = members.get("image", members.get("kspace", members.get(_LONE)))
    if "mask" in members or "real" in members or named is None:
        return None
    return named if _header(named)[1].kind != "c" else None


def _zero_first(
    kspace: NDArray[Any], sampled: NDArray[np.bool_]
) -> tuple[NDArray[Any], NDArray[np.bool_]]:
    """K-space with the zero frequency first, of an image whose object is in the middle.

    The zero frequency, which has most of the energy, may be in the centre of the file; and the
    origin of the image may be in its centre, which is seen from where the object then lies.
    """
    size = np.abs(kspace)
    peak = np.unravel_index(int(size.argmax()), size.shape)
    for axis, (place, count) in enumerate(zip(peak, size.shape, strict=True)):
        if count // 4 <= place < count - count // 4:
            kspace = np.fft.ifftshift(kspace, axis)
            sampled = np.fft.ifftshift(sampled, axis)
    image = np.fft.ifft2(kspace, norm="ortho")
    for axis, count in enumerate(size.shape):
        energy = (np.abs(image) ** 2).sum(1 - axis)
        turns = np.exp(2j * np.pi * np.arange(count) / count)
        if float((energy * turns).sum().real) > 0:
            image = np.roll(image, count // 2, axis)
    return np.fft.fft2(image, norm="ortho"), sampled


def _mask(members: dict[str, bytes], shape: tuple[int, int]) -> NDArray[np.bool_] | None:
    if "mask" not in members:
        return None
    found, dtype = _header(members["mask"])
    try:
        fits = np.broadcast_shapes(found, shape) == shape
    except ValueError:
        fits = False
    if not fits or dtype.kind not in "biuf":
        raise ImageReadError(
            f"The mask in the NumPy file is {dtype} of shape {found}; give numbers of shape "
            f"{shape}, or {(shape[0], 1)} or {(1, shape[1])} for whole lines, not zero where a "
            "sample was taken."
        )
    values = _array(members["mask"], found, dtype)
    return np.ascontiguousarray(np.broadcast_to(values != 0, shape))


def _real(members: dict[str, bytes]) -> bool:
    if "real" not in members:
        return False
    shape, dtype = _header(members["real"])
    if dtype.kind not in "biu" or shape not in ((), (1,)):
        raise ImageReadError("real in the NumPy file must be one number, 0 or 1.")
    return bool(_array(members["real"], shape, dtype).any())


def _members(data: bytes, caps: Caps) -> dict[str, bytes]:
    """The arrays of the file by their name, undecoded; that of an .npy file is "kspace"."""
    if data.startswith(_MAGIC):
        return {"kspace": data}
    try:
        archive = zipfile.ZipFile(io.BytesIO(data))
    except zipfile.BadZipFile:
        raise ImageReadError("The NumPy archive is truncated or damaged. Save it again.") from None
    with archive:
        known = {one.filename[:-4]: one for one in archive.infolist()}
        if len(known) == 1 and not set(known) & set(NAMES):
            known = {_LONE: next(iter(known.values()))}
        entries = {name: one for name, one in known.items() if name in (*NAMES, _LONE)}
        caps.check_inflated(sum(one.file_size for one in entries.values()), len(data))
        return {name: archive.read(one) for name, one in entries.items()}


def _main(
    members: dict[str, bytes], caps: Caps, size: int
) -> tuple[str, tuple[int, int], np.dtype[Any]]:
    """Name, shape and type of the complex array."""
    name = next((name for name in ("kspace", "image") if name in members), None)
    if name is None:
        raise ImageReadError(
            "The NumPy archive has neither kspace nor image; save complex data as one of them, and "
            "a real image as the only array or as image."
        )
    shape, dtype = _header(members[name])
    if dtype.kind != "c":
        raise ImageReadError(
            f"The NumPy array beside a mask is {dtype}; save complex k-space or a complex image."
        )
    while len(shape) > 2 and shape[0] == 1:
        shape = shape[1:]
    if len(shape) != 2:
        raise ImageReadError(
            f"The NumPy array has the shape {shape}; give one slice (rows, columns), its coils "
            "combined into one complex image or k-space."
        )
    caps.check_size(shape[0], shape[1], 4, size)
    return name, (shape[0], shape[1]), dtype


def _header(data: bytes) -> tuple[tuple[int, ...], np.dtype[Any]]:
    shape, _, dtype, _ = _parsed(data)
    return shape, dtype


def _parsed(data: bytes) -> tuple[tuple[int, ...], bool, np.dtype[Any], int]:
    """Shape, order, type and offset of an .npy file."""
    file = io.BytesIO(data)
    version = np.lib.format.read_magic(file)
    reader = {
        (1, 0): np.lib.format.read_array_header_1_0,
        (2, 0): np.lib.format.read_array_header_2_0,
    }.get(version)
    if reader is None:
        raise ImageReadError(f"The NumPy file has version {version}; save it with version 1 or 2.")
    shape, fortran, dtype = reader(file, max_header_size=_LONGEST_HEADER)
    return shape, fortran, dtype, file.tell()


def _array(data: bytes, shape: tuple[int, ...], dtype: np.dtype[Any]) -> NDArray[Any]:
    """The array of an .npy file, of this shape (leading axes of 1 left out)."""
    _, fortran, _, offset = _parsed(data)
    count = math.prod(shape)
    if dtype.hasobject or len(data) - offset < count * dtype.itemsize:
        raise ImageReadError("The NumPy file is truncated or damaged. Save it again.")
    flat = np.frombuffer(data, dtype, count, offset)
    return flat.reshape(shape, order="F" if fortran else "C")
