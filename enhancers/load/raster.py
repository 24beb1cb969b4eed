"""Pictures other than TIFF: all bits kept, size checked before anything is decoded."""

from __future__ import annotations

import io
import struct
import warnings
import zlib
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from PIL.BmpImagePlugin import BmpImageFile
from PIL.JpegImagePlugin import JpegImageFile
from PIL.PngImagePlugin import PngImageFile
from PIL.WebPImagePlugin import WebPImageFile

from enhancers.errors import ImageReadError
from enhancers.load.aspect import aspect_tags
from enhancers.load.codestreams import JPEG_2000, StreamHeader, stream_header
from enhancers.load.file_format import Format
from enhancers.load.pnm import pnm_header, read_pnm
from enhancers.load.raw import Caps, Probe, RawSlice, drop_alpha, orient, pick_slice, quiet_cv2

# Pillow warns about unusual files; relevant faults are raised as errors.
warnings.filterwarnings("ignore", module=r"PIL\b")

_ORIENTATION = 0x0112
_GRAY, _PALETTE, _GRAY_ALPHA = 0, 3, 4
_PIECE = 2**20
_PHOTOGRAPH = (0xC0, 0xC1, 0xC2, 0xC9, 0xCA)
_CHANNELS = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}


def probe(kind: Format, data: bytes, caps: Caps) -> Probe:
    """Size from the header."""
    rows, columns, channels = _size(kind, data)
    caps.check_size(rows, columns, channels, len(data))
    return Probe(kind, rows, columns)


def read(kind: Format, data: bytes, slice_index: int | None, caps: Caps) -> RawSlice:
    """Decode a file's bytes; units are the stored gray levels."""
    caps.check_size(*_size(kind, data), len(data))
    pick_slice(slice_index, 1)
    header = _scientific(kind, data)
    if header is not None:
        return _read_stream(kind, data, header)
    if kind == "PNM":
        return _read_pnm(data)
    reader = {"PNG": _read_png, "BMP": _read_bmp, "WebP": _read_webp}.get(kind, _read_jpeg)
    values, bits, notes = reader(data)
    return RawSlice(
        values=values,
        format=kind,
        units="gray level",
        bits=bits,
        extent=(0.0, 2.0**bits - 1),
        tags=_aspect(kind, data),
        warnings=notes,
    )


def _aspect(kind: Format, data: bytes) -> tuple[tuple[str, str], ...]:
    """The tag of pixels that are not square, from the densities across and down.

    Densities with a unit tell the ratio only: they are those of a screen or a printer.
    """
    picture = {"PNG": PngImageFile, "JPEG": JpegImageFile, "BMP": BmpImageFile}.get(kind)
    if picture is None:
        return ()
    opened = picture(io.BytesIO(data))
    info = opened.info
    stated = info.get("aspect") or info.get("jfif_density") or info.get("dpi") or (1, 1)
    across, down = (float(density) for density in stated)
    turned = _orientation(opened) in (5, 6, 7, 8)
    return aspect_tags(down, across) if turned else aspect_tags(across, down)


def _scientific(kind: Format, data: bytes) -> StreamHeader | None:
    """The header of a stream that Pillow does not read with all its bits; None for other files."""
    if kind not in ("JPEG", "JPEG 2000"):
        return None
    header = stream_header(data)
    if kind == "JPEG" and header is not None and header.bits == 8 and header.coding in _PHOTOGRAPH:
        return None
    return header


def _read_stream(kind: Format, data: bytes, header: StreamHeader) -> RawSlice:
    from enhancers.load.dicom.pixels import decode_stream

    # Boxes around a JPEG 2000 stream say how to display it.
    start = data.index(b"\xff\x4f\xff\x51") if header.coding == JPEG_2000 else 0
    values = decode_stream(data[start:], header)
    half = 2.0 ** (header.bits - 1)
    extent = (-half, half - 1) if header.signed else (0.0, 2 * half - 1)
    return RawSlice(values, kind, "gray level", header.bits, extent)


def _size(kind: Format, data: bytes) -> tuple[int, int, int]:
    """Rows, columns and channels, without alpha."""
    if kind == "PNG":
        if len(data) < 33 or data[12:16] != b"IHDR":
            raise ImageReadError("The PNG file is truncated: its header is incomplete.")
        columns, rows = struct.unpack_from(">II", data, 16)
        return rows, columns, 1 if data[25] in (_GRAY, _GRAY_ALPHA) else 3
    if kind == "BMP":
        return _bmp_size(data)
    if kind == "WebP":
        return *_webp_size(data), 3
    if kind == "PNM":
        pnm = pnm_header(data)
        return pnm.rows, pnm.columns, pnm.channels
    header = _scientific(kind, data)
    if header is not None:
        if header.components not in (1, 3) or header.bits > 16:
            raise ImageReadError(
                f"The {kind} file has {header.components} components of {header.bits} bits; gray "
                "and RGB of up to 16 bits can be read. Save it as TIFF."
            )
        return header.rows, header.columns, header.components
    if kind == "JPEG 2000":
        raise ImageReadError("The JPEG 2000 file is truncated: its header is incomplete.")
    # The class instead of Image.open, which has its own size limit and warning.
    picture = JpegImageFile(io.BytesIO(data))
    columns, rows = picture.size
    return rows, columns, 1 if picture.mode == "L" else 3


def _read_png(data: bytes) -> tuple[NDArray[Any], int, tuple[str, ...]]:
    _check_png_chunks(data)
    depth, colour_type = data[24], data[25]
    picture = PngImageFile(io.BytesIO(data))
    orientation = _orientation(picture)
    if depth == 16 and colour_type != _GRAY:
        # Pillow keeps eight bits of each channel here, OpenCV all sixteen.
        values = _decode_with_cv2(data, _CHANNELS[colour_type])
        opaque = 65535
    else:
        values = _with_alpha(picture)
        opaque = 255
    notes: tuple[str, ...] = ()
    if values.ndim == 3 and values.shape[2] in (2, 4):
        values, notes = drop_alpha(values, opaque)
    return orient(values, orientation), 16 if depth == 16 else 8, notes


def _with_alpha(picture: Image.Image) -> NDArray[Any]:
    """Gray, RGB or either with alpha; palettes and transparent colours are resolved."""
    if picture.mode in ("L", "I;16", "RGB", "RGBA", "LA") and "transparency" not in picture.info:
        return np.array(picture)
    if picture.mode == "1":
        return np.array(picture.convert("L"))
    if picture.mode == "I;16":
        return np.array(picture)
    if "transparency" in picture.info:
        return np.array(picture.convert("LA" if picture.mode == "L" else "RGBA"))
    return np.array(picture.convert("RGB"))


def _check_png_chunks(data: bytes) -> None:
    """Raise unless every chunk is complete up to IEND; decoders would fill gaps with black."""
    position = 8
    while position + 12 <= len(data):
        (length,) = struct.unpack_from(">I", data, position)
        end = position + 12 + length
        if end > len(data):
            break
        kind = data[position + 4 : position + 8]
        (stated,) = struct.unpack_from(">I", data, end - 4)
        if zlib.crc32(data[position + 4 : end - 4]) != stated:
            raise ImageReadError("The PNG file is damaged: a checksum does not match.")
        if kind == b"IEND":
            return
        position = end
    raise ImageReadError("The PNG file is truncated: its end is missing.")


def _decode_with_cv2(data: bytes, channels: int) -> NDArray[Any]:
    cv2 = quiet_cv2()
    rows, columns, _ = _size("PNG", data)
    _check_png_stream(data, rows, columns, channels)
    decoded = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
    if decoded is None or decoded.dtype != np.uint16 or decoded.shape[:2] != (rows, columns):
        raise ImageReadError("The PNG file is damaged and cannot be decoded.")
    if channels == 2:
        return np.dstack([decoded[..., 0], decoded[..., -1]])
    if decoded.shape[2] == 4:
        return np.asarray(decoded[..., [2, 1, 0, 3]])
    return np.asarray(decoded[..., ::-1])


def _check_png_stream(data: bytes, rows: int, columns: int, channels: int) -> None:
    """Raise where the compressed pixels end early; libpng would write to standard error."""
    needed = rows * columns * channels * 2
    inflater, position = zlib.decompressobj(), 8
    try:
        while needed > 0 and position + 12 <= len(data):
            (length,) = struct.unpack_from(">I", data, position)
            piece = data[position + 8 : position + 8 + length]
            if data[position + 4 : position + 8] == b"IDAT":
                while needed > 0 and (found := inflater.decompress(piece, _PIECE)):
                    needed -= len(found)
                    piece = inflater.unconsumed_tail
            position += 12 + length
    except zlib.error:
        needed = 1
    if needed > 0:
        raise ImageReadError("The PNG file is damaged: pixels are missing.")


def _read_jpeg(data: bytes) -> tuple[NDArray[Any], int, tuple[str, ...]]:
    picture: Image.Image = JpegImageFile(io.BytesIO(data))
    orientation = _orientation(picture)
    notes: tuple[str, ...] = ()
    if picture.mode not in ("L", "RGB"):
        notes = (f"The {picture.mode} colours of the file were converted to RGB.",)
        picture = picture.convert("RGB")
    return orient(np.array(picture), orientation), 8, notes


def _read_pnm(data: bytes) -> RawSlice:
    values, most = read_pnm(data)
    if most == 1:
        values, most = values * np.uint8(255), 255
    return RawSlice(values, "PNM", "gray level", most.bit_length(), (0.0, float(most)))


def _bmp_size(data: bytes) -> tuple[int, int, int]:
    if len(data) < 54:
        raise ImageReadError("The BMP file is truncated: its header is incomplete.")
    (length,) = struct.unpack_from("<I", data, 14)
    columns, rows = struct.unpack_from("<HH" if length == 12 else "<ii", data, 18)
    return abs(rows), columns, 3


def _read_bmp(data: bytes) -> tuple[NDArray[Any], int, tuple[str, ...]]:
    picture = BmpImageFile(io.BytesIO(data))
    values = np.array(picture.convert("L" if picture.mode in ("1", "L") else "RGB"))
    return values, 8, ()


def _webp_size(data: bytes) -> tuple[int, int]:
    """Rows and columns of the canvas, of which a decoder holds two at once (RFC 9649)."""
    kind, body = data[12:16], data[20:30]
    if len(body) < 10 or kind not in (b"VP8X", b"VP8L", b"VP8 "):
        raise ImageReadError("The WebP file is truncated or damaged. Save it again.")
    if kind == b"VP8X":
        rows, columns = (1 + int.from_bytes(body[at : at + 3], "little") for at in (7, 4))
        return rows, columns
    if kind == b"VP8L":
        bits = int.from_bytes(body[1:5], "little")
        return 1 + (bits >> 14 & 0x3FFF), 1 + (bits & 0x3FFF)
    columns, rows = struct.unpack_from("<HH", body, 6)
    return rows & 0x3FFF, columns & 0x3FFF


def _read_webp(data: bytes) -> tuple[NDArray[Any], int, tuple[str, ...]]:
    picture = WebPImageFile(io.BytesIO(data))
    orientation = _orientation(picture)
    notes: tuple[str, ...] = ()
    if getattr(picture, "n_frames", 1) > 1:
        notes = ("The WebP file is an animation; its first picture is shown.",)
    values = np.array(picture)
    if values.shape[2] == 4:
        values, more = drop_alpha(values, 255)
        notes += more
    return orient(values, orientation), 8, notes


def _orientation(picture: Image.Image) -> int:
    # Damaged EXIF data must not prevent reading.
    try:
        return int(picture.getexif().get(_ORIENTATION, 1))
    except Exception:
        return 1
