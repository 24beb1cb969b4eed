"""HDF5 files as fastMRI has them: k-space with its mask, or reconstructed images (needs h5py).

``kspace`` is (slices, rows, columns), complex, its zero frequency in the centre; with coils it is
(slices, coils, rows, columns). ``mask`` is (columns,), of the lines that were taken.
``reconstruction_rss`` or ``reconstruction_esc`` is (slices, rows, columns).

A dataset whose values lie in another file, or are put together from some, is never opened.
"""

from __future__ import annotations

import io
import math
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from enhancers.errors import ImageReadError, ImageTooLarge
from enhancers.load.kspace import check_finite, not_empty, sampled_slice
from enhancers.load.raw import Caps, Probe, RawSlice, pick_slice, sample_of
from enhancers.method import Modality

_IMAGES = ("reconstruction_rss", "reconstruction_esc", "reconstruction")
_FILTERS = frozenset((1, 2, 3, 32000))
"""Deflate, shuffle, the checksum and LZF: what h5py has without plugins."""
_LARGEST_CHUNK = 2**28


def probe(data: bytes, caps: Caps) -> Probe:
    """Slices and their size."""
    with _opened(data) as file:
        _, found = _main(file, caps, len(data))
        slices, rows, columns = found.shape
        return Probe(
            "fastMRI", rows, columns, slices, slices // 2,
            modality=Modality.MR, modality_origin="file",
        )  # fmt: skip


def read(data: bytes, slice_index: int | None, caps: Caps) -> RawSlice:
    """One slice: of k-space where the file has that of one coil, else of the images."""
    with _opened(data) as file:
        name, found = _main(file, caps, len(data))
        slices = found.shape[0]
        index = pick_slice(slice_index, slices, slices // 2)
        show = (
            _finite if name != "kspace" else partial(_magnitude, mask=_mask(file, found.shape[1:]))
        )
        sample = sample_of(slices, lambda place: show(found[place])) if slices > 1 else None
        facts = {"sample": sample, "slice_index": index, "slice_count": slices}
        if name == "kspace":
            return _sampled(found[index], _mask(file, found.shape[1:]), **facts)
        return RawSlice(_finite(found[index]), "fastMRI", "a.u.", 32, modality=Modality.MR, **facts)


def _magnitude(stored: NDArray[Any], mask: NDArray[np.bool_] | None) -> NDArray[Any]:
    return _sampled(stored, mask).values


def _sampled(stored: NDArray[Any], mask: NDArray[np.bool_] | None, **facts: Any) -> RawSlice:
    values = np.asarray(stored, np.complex128)
    check_finite(values)
    taken = not_empty(values) if mask is None else mask
    if not taken.any():
        raise ImageReadError("No sample of k-space is known: the mask, or every sample, is zero.")
    # Both k-space and the image have their origin in the centre.
    image = np.fft.fftshift(np.fft.ifft2(np.fft.ifftshift(values * taken), norm="ortho"))
    samples, places = np.fft.fft2(image, norm="ortho"), np.fft.ifftshift(taken)
    return sampled_slice(samples, places, real=False, format="fastMRI", **facts)


def _finite(values: NDArray[Any]) -> NDArray[Any]:
    return np.abs(values) if np.iscomplexobj(values) else np.asarray(values)


def _mask(file: Any, shape: tuple[int, int]) -> NDArray[np.bool_] | None:
    found = _dataset(file, "mask")
    if found is None:
        return None
    if found.size not in (shape[1], shape[0] * shape[1]) or found.dtype.kind not in "biuf":
        raise ImageReadError("The mask in the HDF5 file has another size than its k-space.")
    values = np.asarray(found[()]).reshape((-1, shape[1])) != 0
    return np.ascontiguousarray(np.broadcast_to(values, shape))


def _main(file: Any, caps: Caps, size: int) -> tuple[str, Any]:
    """Name and dataset of what is shown."""
    for name in ("kspace", *_IMAGES):
        found = _dataset(file, name)
        if found is None or (name == "kspace" and found.ndim != 3):
            continue
        if found.ndim != 3 or found.dtype.kind not in ("c" if name == "kspace" else "fiuc"):
            raise ImageReadError(
                f"The dataset {name} of the HDF5 file is {found.dtype} of shape {found.shape}; "
                "give (slices, rows, columns)."
            )
        if 0 in found.shape:
            raise ImageReadError("The HDF5 file is damaged: it holds no slices.")
        caps.check_size(found.shape[1], found.shape[2], 4 if name == "kspace" else 1, size)
        return name, found
    if _dataset(file, "kspace") is not None:
        raise ImageReadError(
            "The HDF5 file has k-space of several coils and no reconstruction; combine the coils "
            "into one complex k-space (slices, rows, columns)."
        )
    raise ImageReadError(
        "The HDF5 file has neither kspace nor reconstruction_rss, as those of fastMRI; save the "
        "image as NIfTI, TIFF or .npy."
    )


def _dataset(file: Any, name: str) -> Any:
    """A dataset whose values are in the file, by hard links and known filters; None for none."""
    import h5py

    # Nothing that could lead to another file is looked up by name.
    links, encoded = file.id.links, name.encode()
    if not links.exists(encoded):
        return None
    if links.get_info(encoded).type != h5py.h5l.TYPE_HARD:
        raise _elsewhere(name)
    found = file[name]
    if not isinstance(found, h5py.Dataset):
        return None
    if found.external or found.is_virtual:
        raise _elsewhere(name)
    plist = found.id.get_create_plist()
    known = all(plist.get_filter(n)[0] in _FILTERS for n in range(plist.get_nfilters()))
    if not known:
        raise ImageReadError(
            f"The dataset {name} of the HDF5 file is compressed in a way that is not read here; "
            "save it with gzip."
        )
    if found.chunks and math.prod(found.chunks) * found.dtype.itemsize > _LARGEST_CHUNK:
        raise ImageTooLarge(
            f"The dataset {name} of the HDF5 file is stored in pieces of more than 268 MB; save it "
            "with a piece a slice."
        )
    return found


def _elsewhere(name: str) -> ImageReadError:
    return ImageReadError(
        f"The values of {name} in the HDF5 file are in other files, which are not read; save it "
        "in one file."
    )


@contextmanager
def _opened(data: bytes) -> Iterator[Any]:
    try:
        import h5py
    except ImportError:
        raise ImageReadError(
            "This is an HDF5 file, as those of fastMRI. Reading it needs h5py; install it: "
            "pip install h5py."
        ) from None
    with h5py.File(io.BytesIO(data), "r") as file:
        yield file
