"""TIFF: 1 to 32 bits and floats, gray, palette or RGB, each page a slice."""

from __future__ import annotations

import io
import logging
import struct
import warnings
import zlib
from dataclasses import replace
from typing import Any

import numpy as np
import tifffile
from numpy.typing import NDArray
from PIL import Image
from PIL.TiffImagePlugin import TiffImageFile

from enhancers.errors import ImageReadError
from enhancers.load.aspect import aspect_tags
from enhancers.load.own_files import as_stated
from enhancers.load.raw import (
    Caps,
    Probe,
    RawSlice,
    drop_alpha,
    narrow_palette,
    orient,
    pick_slice,
    quiet_cv2,
    sample_of,
)
from enhancers.load.tiff_spacing import pixel_sides
from enhancers.load.volumes.text_header import hint_of

# Both libraries warn about unusual files; relevant faults are raised as errors.
logging.getLogger("tifffile").setLevel(logging.CRITICAL)
warnings.filterwarnings("ignore", module=r"PIL\b")

_NONE, _DEFLATE = (1,), (8, 32946)
_MINISWHITE, _MINISBLACK, _RGB, _PALETTE = 0, 1, 2, 3
_FLOAT_PREDICTOR = 3
_ORIENTATION = 274
_MAX_PAGES = 100_000
_LARGE_TILE = 2**22

CUT = "The file is truncated: pages are missing at its end. Export it again to have all of them."


def probe(data: bytes, caps: Caps) -> Probe:
    """Size of the first page and the number of pages like it."""
    with tifffile.TiffFile(io.BytesIO(data)) as file:
        pages = _pages(file, caps, len(data))
        return Probe("TIFF", pages[0].imagelength, pages[0].imagewidth, len(pages))


def read(data: bytes, slice_index: int | None, caps: Caps) -> RawSlice:
    """Decode one page; units are the stored gray levels."""
    with tifffile.TiffFile(io.BytesIO(data)) as file:
        pages = _pages(file, caps, len(data))
        index = pick_slice(slice_index, len(pages))
        raw = _read_page(pages[index], data)
        found = pixel_sides(file, pages[index])
        if found.sides is not None and _turned(pages[index]):
            found = replace(found, sides=found.sides[::-1])
        notes = found.notes + ((CUT,) if _is_cut(file, data) else ())
        words = f"{pages[0].description} {(file.imagej_metadata or {}).get('Info', '')}"
        raw = replace(
            raw, spacing=found.spacing, tags=aspect_tags(*found.sides or (1.0, 1.0)),
            hint=hint_of(words),
        )  # fmt: skip
        raw = as_stated(raw, pages[0].description)
        sample = None
        if len(pages) > 1 and raw.bits > 8 and not raw.windows:
            sample = sample_of(len(pages), lambda place: _read_page(pages[place], data).values)
    return replace(
        raw, sample=sample, slice_index=index, slice_count=len(pages),
        warnings=raw.warnings + notes,
    )  # fmt: skip


def _is_cut(file: Any, data: bytes) -> bool:
    """Whether the last page that can be read names a next one: the file was truncated."""
    kind, start = file.tiff, file.pages[-1].offset
    (tags,) = struct.unpack_from(kind.tagnoformat, data, start)
    place = start + kind.tagnosize + tags * kind.tagsize
    if place + kind.offsetsize > len(data):
        return True
    (following,) = struct.unpack_from(kind.offsetformat, data, place)
    return bool(following != 0)


def _turned(page: Any) -> bool:
    """Whether rows and columns are exchanged when the page is shown upright."""
    orientation = page.tags.get(_ORIENTATION)
    return orientation is not None and int(orientation.value) in (5, 6, 7, 8)


def _read_page(page: Any, data: bytes) -> RawSlice:
    _check_segments(page, len(data))
    values, photometric = _decode(page, data)
    values, notes = _resolve_colour(values, page, photometric)
    inverted = int(page.photometric) == _MINISWHITE and values.ndim == 2
    orientation = page.tags.get(_ORIENTATION)
    if photometric >= 0 and orientation is not None:
        values = orient(values, int(orientation.value))
    elif photometric < 0 and inverted:
        # Pillow has already applied the orientation, and shows 0 as black.
        values = 255 - values
    bits, extent = _range(values, page)
    return RawSlice(values, "TIFF", "gray level", bits, extent, inverted=inverted, warnings=notes)


def _pages(file: Any, caps: Caps, size: int) -> list[Any]:
    """Pages with the size and type of the first one, without thumbnails and masks."""
    if len(file.pages) > _MAX_PAGES:
        raise ImageReadError(f"The TIFF file has {len(file.pages)} pages; the limit is 100000.")
    first = file.pages[0]
    caps.check_frame(first.imagelength, first.imagewidth)
    if first.dtype is None or first.imagedepth != 1 or first.samplesperpixel > 4:
        raise ImageReadError(
            f"The TIFF page has {first.samplesperpixel} samples of {first.bitspersample} bits and "
            f"depth {first.imagedepth}; gray and RGB pages can be read."
        )
    caps.check_size(
        first.imagelength, first.imagewidth, 1 if first.samplesperpixel < 3 else 3, size
    )
    alike = [page for page in file.pages if _like(page, first)]
    return alike or [first]


def _like(page: Any, first: Any) -> bool:
    return bool(
        isinstance(page, tifffile.TiffPage)
        and (page.imagelength, page.imagewidth) == (first.imagelength, first.imagewidth)
        and (page.dtype, page.samplesperpixel) == (first.dtype, first.samplesperpixel)
    )


def _check_segments(page: Any, size: int) -> None:
    """Raise where a part lies beyond the end, which decoders fill with black, or is too large."""
    if page.is_tiled and page.tilelength * page.tilewidth > max(
        _LARGE_TILE, 4 * page.imagelength * page.imagewidth
    ):
        raise ImageReadError(
            f"The TIFF file states tiles of {page.tilewidth} x {page.tilelength} pixels for an "
            f"image of {page.imagewidth} x {page.imagelength}; it is damaged."
        )
    spans = list(zip(page.dataoffsets, page.databytecounts, strict=True))
    if not spans or any(start < 8 or count < 1 or start + count > size for start, count in spans):
        raise ImageReadError("The TIFF file is truncated: a part of its pixels is missing.")


def _decode(page: Any, data: bytes) -> tuple[NDArray[Any], int]:
    """Stored values and their photometric interpretation, -1 where it is already resolved.

    tifffile reads plain and deflated pages of every type exactly; the rest (LZW, JPEG, PackBits,
    the float predictor) goes to libtiff, through Pillow for up to 8 bits and OpenCV above.
    """
    compression, predictor = int(page.compression), int(page.predictor or 1)
    if 8 < page.bitspersample < 16:
        return _unpacked(page, data), int(page.photometric)
    if compression in _NONE:
        return page.asarray(), int(page.photometric)
    if compression in _DEFLATE and predictor != _FLOAT_PREDICTOR:
        _check_deflate(page, data)
        return page.asarray(), int(page.photometric)
    if page.bitspersample <= 8:
        picture: Image.Image = TiffImageFile(io.BytesIO(data))
        picture.seek(page.index)
        if picture.mode not in ("L", "LA", "RGB", "RGBA"):
            picture = picture.convert("L" if picture.mode == "1" else "RGB")
        return np.array(picture), -1
    return _decode_with_cv2(page, data), int(page.photometric)


def _unpacked(page: Any, data: bytes) -> NDArray[np.uint16]:
    """Samples of 9 to 15 bits, packed without gaps; each row begins at a byte."""
    plain = int(page.compression) in _NONE and int(page.fillorder) == 1
    if not plain or page.is_tiled or int(page.planarconfig or 1) != 1:
        raise _unsupported(page)
    bits, samples = page.bitspersample, page.imagewidth * page.samplesperpixel
    length = -(-samples * bits // 8)
    spans = zip(page.dataoffsets, page.databytecounts, strict=True)
    stored = np.frombuffer(b"".join(data[at : at + count] for at, count in spans), np.uint8)
    if stored.size < length * page.imagelength:
        raise ImageReadError("The TIFF file is truncated: a part of its pixels is missing.")
    rows = stored[: length * page.imagelength].reshape(page.imagelength, length)
    values = np.zeros((page.imagelength, samples), np.uint16)
    weights = np.uint16(1) << np.arange(bits, dtype=np.uint16)[::-1]
    # Row by row: a bit takes a byte.
    for index, packed in enumerate(rows):
        places = np.unpackbits(packed)[: samples * bits].reshape(samples, bits)
        values[index] = places @ weights
    return values if page.samplesperpixel == 1 else values.reshape(page.shape)


def _check_deflate(page: Any, data: bytes) -> None:
    """Raise where a segment inflates to more than its size; zlib has no limit."""
    itemsize = page.dtype.itemsize
    rows = page.tilelength if page.is_tiled else min(page.rowsperstrip, page.imagelength)
    columns = page.tilewidth if page.is_tiled else page.imagewidth
    limit = rows * columns * page.samplesperpixel * itemsize
    for start, count in zip(page.dataoffsets, page.databytecounts, strict=True):
        inflater = zlib.decompressobj()
        inflater.decompress(data[start : start + count], limit + 1024)
        if inflater.unconsumed_tail:
            raise ImageReadError("The TIFF file is damaged: a strip holds more than its pixels.")


def _decode_with_cv2(page: Any, data: bytes) -> NDArray[Any]:
    if int(page.planarconfig or 1) != 1:
        raise _unsupported(page)
    cv2 = quiet_cv2()
    done, pages = cv2.imdecodemulti(
        np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED, None, (page.index, page.index + 1)
    )
    if not done or len(pages) != 1:
        raise _unsupported(page)
    values = np.asarray(pages[0])
    if values.dtype != page.dtype or values.shape[:2] != (page.imagelength, page.imagewidth):
        raise _unsupported(page)
    if values.ndim == 3 and values.shape[2] >= 3:
        values = values[..., [2, 1, 0, 3][: values.shape[2]]]
    return values


def _unsupported(page: Any) -> ImageReadError:
    name = getattr(page.compression, "name", str(page.compression))
    return ImageReadError(
        f"The TIFF file is damaged, or its {name} compression of {page.bitspersample}-bit samples "
        "cannot be read here. Save it without compression."
    )


def _resolve_colour(
    values: NDArray[Any], page: Any, photometric: int
) -> tuple[NDArray[Any], tuple[str, ...]]:
    """Gray or RGB, without palette and alpha."""
    notes: tuple[str, ...] = ()
    if photometric >= 0 and int(page.planarconfig or 1) == 2 and values.ndim == 3:
        values = np.moveaxis(values, 0, -1)
    if values.dtype == np.bool_ or (photometric >= 0 and page.bitspersample < 8):
        top = 2**page.bitspersample - 1
        if photometric != _PALETTE:
            values = (values.astype(np.uint16) * 255 // top).astype(np.uint8)
    if photometric == _PALETTE:
        values = narrow_palette(np.moveaxis(np.asarray(page.colormap), 0, -1)[values])
    elif photometric not in (-1, _MINISWHITE, _MINISBLACK, _RGB):
        name = getattr(page.photometric, "name", str(page.photometric))
        raise ImageReadError(f"The TIFF file holds {name} colours; save it as gray or RGB.")
    if values.ndim == 3 and values.shape[2] in (2, 4):
        integer = np.issubdtype(values.dtype, np.integer)
        values, notes = drop_alpha(values, np.iinfo(values.dtype).max if integer else 1.0)
    if values.ndim == 3 and values.shape[2] == 1:
        values = values[..., 0]
    if values.ndim not in (2, 3) or (values.ndim == 3 and values.shape[2] != 3):
        raise ImageReadError(f"The TIFF page has the shape {values.shape}; give gray or RGB pages.")
    if np.iscomplexobj(values):
        raise ImageReadError("The TIFF file holds complex numbers; save their magnitude.")
    return values, notes


def _range(values: NDArray[Any], page: Any) -> tuple[int, tuple[float, float] | None]:
    if not np.issubdtype(values.dtype, np.integer):
        return 32, None
    if 8 < page.bitspersample < 16:
        return page.bitspersample, (0.0, 2.0**page.bitspersample - 1)
    limits = np.iinfo(values.dtype)
    # A signed or 32-bit page rarely fills its type: its window comes from the content.
    extent = (float(limits.min), float(limits.max)) if limits.bits <= 16 else None
    return min(limits.bits, 32), extent
