"""Small files that unpack to a gigabyte and more, made in milliseconds, one for each container."""

from __future__ import annotations

import functools
import struct
import zlib

import numpy as np
from pydicom.encaps import encapsulate
from pydicom.uid import (
    DeflatedExplicitVRLittleEndian,
    ExplicitVRLittleEndian,
    JPEG2000Lossless,
    JPEGBaseline8Bit,
    RLELossless,
)

from tests.support import image_files

PIECE = 2**22


@functools.cache
def _zeros() -> bytes:
    """A deflated piece of `PIECE` zeros that may be repeated: a full flush forgets what came."""
    deflater = zlib.compressobj(9, zlib.DEFLATED, -15)
    return deflater.compress(bytes(PIECE)) + deflater.flush(zlib.Z_FULL_FLUSH)


def deflated(start: bytes, zeros: int) -> bytes:
    """A deflate stream of some bytes and at least so many zeros."""
    deflater = zlib.compressobj(9, zlib.DEFLATED, -15)
    head = deflater.compress(start) + deflater.flush(zlib.Z_FULL_FLUSH)
    return head + _zeros() * -(-zeros // PIECE) + b"\x03\0"


def zipped(zeros: int) -> bytes:
    """A zlib stream of zeros; a decoder that has its pixels does not look at the checksum."""
    return b"\x78\xda" + deflated(b"", zeros) + bytes(4)


def gzipped(start: bytes, zeros: int) -> bytes:
    return b"\x1f\x8b\x08" + bytes(6) + b"\xff" + deflated(start, zeros) + bytes(8)


def deflated_dicom(zeros: int, *, before: bool = False, **elements: object) -> bytes:
    """A data set whose last element is long: the pixels, or one before them."""
    levels = image_files.ramp(64, 64).astype(np.uint16)
    plain = image_files.dicom(levels, ExplicitVRLittleEndian, **elements)
    (length,) = struct.unpack_from("<I", plain, 140)
    body = plain[144 + length :]
    pixels = body.index(struct.pack("<HH2sH", 0x7FE0, 0x0010, b"OW", 0))
    if before:
        tail = struct.pack("<HH2sHI", 0x0029, 0x1010, b"OB", 0, zeros)
    else:
        tail = struct.pack("<HH2sHI", 0x7FE0, 0x0010, b"OW", 0, zeros) + levels.tobytes()
    empty = image_files.dicom(levels, DeflatedExplicitVRLittleEndian)
    (length,) = struct.unpack_from("<I", empty, 140)
    return empty[: 144 + length] + deflated(body[:pixels] + tail, zeros)


def encapsulated(syntax, stream: bytes) -> bytes:
    dataset = image_files.dicom_dataset(image_files.ramp(64, 64, 255).astype(np.uint8))
    dataset.PixelData = encapsulate([stream])
    dataset["PixelData"].is_undefined_length = True
    dataset.file_meta.TransferSyntaxUID = syntax
    return image_files.to_bytes(dataset)


def jpeg(side: int) -> bytes:
    """A JPEG file that states a side it does not have."""
    small = image_files.jpeg(image_files.ramp(64, 64, 255))
    place = small.index(b"\xff\xc0") + 5
    return small[:place] + struct.pack(">HH", side, side) + small[place + 4 :]


def jpeg_2000(side: int) -> bytes:
    small = image_files.jpeg_2000(image_files.ramp(64, 64, 255).astype(np.uint8))
    data = bytearray(small[small.index(b"\xff\x4f\xff\x51") :])
    for place in (8, 12, 24, 28):
        struct.pack_into(">I", data, place, side)
    return bytes(data)


def nifti(side: int, depth: int, *, padding: bytes = b"") -> bytes:
    """A gzipped volume of zeros, with other bytes between its header and its data."""
    header = bytearray(image_files.nifti(np.zeros((16, 16, 1), np.int16))[:352])
    struct.pack_into("<3h", header, 42, side, side, depth)
    struct.pack_into("<f", header, 108, float(352 + len(padding)))
    return gzipped(bytes(header) + padding, 2 * side * side * depth)


def png(side: int) -> bytes:
    """16 bits, colour."""
    return image_files.png_chunks(side, side, 16, 2, zipped(side * (6 * side + 1)))


def tiff(side: int) -> bytes:
    stream = zipped(6 * side * side)
    fields = [(256, side), (257, side), (259, 8), (262, 2), (273, 512), (277, 3), (278, side),
              (279, len(stream))]  # fmt: skip
    entries = [struct.pack("<HHII", tag, 4, 1, value) for tag, value in fields]
    entries.insert(2, struct.pack("<HHII", 258, 3, 3, 400))
    data = b"II*\0\x08\0\0\0" + struct.pack("<H", len(entries)) + b"".join(entries) + bytes(4)
    data = data.ljust(400, b"\0") + struct.pack("<HHH", 16, 16, 16)
    return data.ljust(512, b"\0") + stream


def run_lengths(count: int) -> bytes:
    """An RLE frame with so many pairs of bytes, each of which stands for 128."""
    return struct.pack("<16I", 1, 64, *([0] * 14)) + b"\x81\0" * count


BOMBS = {
    "deflated DICOM, long pixels": lambda: deflated_dicom(1_400_000_000),
    "deflated DICOM, long header": lambda: deflated_dicom(1_400_000_000, before=True),
    "deflated DICOM, large image": lambda: deflated_dicom(
        1_400_000_000, Rows=8000, Columns=8000, NumberOfFrames=10
    ),
    "DICOM, JPEG": lambda: encapsulated(JPEGBaseline8Bit, jpeg(30_000)),
    "DICOM, JPEG 2000": lambda: encapsulated(JPEG2000Lossless, jpeg_2000(30_000)),
    "DICOM, RLE": lambda: encapsulated(RLELossless, run_lengths(1_000_000)),
    "NIfTI": lambda: nifti(512, 3000),
    "PNG": lambda: png(7900),
    "JPEG": lambda: jpeg(7900),
    "TIFF": lambda: tiff(7900),
}
