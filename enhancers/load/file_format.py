"""Recognition of a file's format by its bytes, never by its name."""

from __future__ import annotations

import gzip
import io
import re
import struct
import zlib
from typing import Literal

from enhancers.errors import ImageReadError

Format = Literal[
    "DICOM", "NIfTI", "MetaImage", "NRRD", "Analyze", "GIPL", "MGH", "MINC", "ITK HDF5", "VTK",
    "PNG", "TIFF", "JPEG", "JPEG 2000", "BMP", "PNM", "WebP", "GIF", "NumPy", "fastMRI",
]  # fmt: skip

VOLUMES = frozenset(
    ("NIfTI", "MetaImage", "NRRD", "Analyze", "GIPL", "MGH", "MINC", "ITK HDF5", "VTK")
)
"""Formats of scanned volumes, whose headers state spacing."""
PICTURES = frozenset(("PNG", "TIFF", "JPEG", "JPEG 2000", "BMP", "PNM", "WebP"))
"""Formats of single pictures, several of which can be one stack."""
READABLE = "DICOM, NIfTI, MetaImage, NRRD, PNG, TIFF or JPEG"
"""The formats that an error names."""

_TIFF = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")

_JPEG_2000 = (b"\0\0\0\x0cjP  \r\n\x87\n", b"\xff\x4f\xff\x51")

_GIPL = (struct.pack(">I", 719555000), struct.pack(">I", 4026526128))
MGH_TYPES = {0: "u1", 1: "i4", 3: "f4", 4: "i2", 10: "u2"}
"""Types of values of a FreeSurfer volume."""
_ANALYZE = frozenset((2, 4, 8, 16, 32, 64, 128))
_TEXT_HEADER = 2**16
_JPEG_XL = "a JPEG XL picture; save it as PNG"
_PICTURES = {
    b"heic": "HEIC", b"heix": "HEIC", b"heim": "HEIC", b"heis": "HEIC", b"mif1": "HEIF",
    b"msf1": "HEIF", b"avif": "AVIF", b"avis": "AVIF", b"crx ": "Canon raw",
}  # fmt: skip
"""Brands of the ISO base media format that are pictures and no videos."""
_FOREIGN = (
    (b"PK\x03\x04", "a zip archive; unpack it and give one image"),
    (b"%PDF", "a PDF document"),
    (b"\x1aE\xdf\xa3", "a video"),
    (b"7z\xbc\xaf\x27\x1c", "a 7-Zip archive; unpack it and give one image"),
    (b"Rar!", "a RAR archive; unpack it and give one image"),
    (b"CDF\x01", "a MINC 1 volume (netCDF); convert it with mincconvert -2 or mnc2nii"),
    (b"CDF\x02", "a MINC 1 volume (netCDF); convert it with mincconvert -2 or mnc2nii"),
    (b"MATLAB 5.0 MAT-file", "a MATLAB file; save the image as TIFF or NIfTI"),
    (b"# === DATA DESCRIPTION FILE", "the header of a Philips PAR/REC pair; convert it to NIfTI"),
    (b"\xfd7zXZ\0", "an xz archive; unpack it and give one image"),
    (b"BZh", "a bzip2 archive; unpack it and give one image"),
    (b"\x28\xb5\x2f\xfd", "a Zstandard archive; unpack it and give one image"),
    (b"\0\0\0\x0cJXL ", _JPEG_XL),
    (b"\xff\x0a", _JPEG_XL),
)


def sniff(data: bytes) -> Format:
    """The format of a file's bytes.

    Raises
    ------
    ImageReadError
        The format is not supported; the message names it if it is recognised.
    """
    if not data:
        raise ImageReadError("The file is empty (0 bytes).")
    # DICOM comes first: a whole-slide file may carry a TIFF header in its preamble.
    if data[128:132] == b"DICM":
        return "DICOM"
    if data.startswith(b"\x89PNG\r\n\x1a\n"):
        return "PNG"
    if data.startswith(b"\xff\xd8\xff"):
        return "JPEG"
    if data.startswith(_JPEG_2000):
        return "JPEG 2000"
    if data.startswith(_TIFF):
        return "TIFF"
    if data.startswith((b"GIF87a", b"GIF89a")):
        return "GIF"
    if data.startswith(b"\x1f\x8b"):
        return _sniff_gzip(data)
    if data.startswith(b"\x93NUMPY") or (data.startswith(b"PK\x03\x04") and is_npz(data)):
        return "NumPy"
    if (volume := _volume(data)) is not None:
        return volume
    if is_bare_dicom(data):
        return "DICOM"
    if (picture := _picture(data)) is not None:
        return picture
    words = _describe(data)
    advice = "" if ";" in words else f" Give a {READABLE} file."
    raise ImageReadError(f"This is {words}.{advice}")


def _volume(data: bytes) -> Format | None:
    """The format of a volume; None for none."""
    if is_nifti(data):
        return "NIfTI"
    if is_metaimage(data):
        return "MetaImage"
    if is_nrrd(data):
        return "NRRD"
    if data.startswith(b"\x89HDF\r\n\x1a\n"):
        return "MINC" if b"minc-2.0" in data else "ITK HDF5" if b"ITKImage" in data else "fastMRI"
    if data.startswith(b"# vtk DataFile"):
        return "VTK"
    if data[252:256] in _GIPL:
        return "GIPL"
    if is_mgh(data):
        return "MGH"
    return "Analyze" if is_analyze(data) else None


def _picture(data: bytes) -> Format | None:
    """The format of a picture with a weak mark; None for none."""
    if data.startswith(b"BM") and data[6:10] == b"\0\0\0\0":
        return "BMP"
    if re.match(rb"P[1-6]\s", data):
        return "PNM"
    return "WebP" if data.startswith(b"RIFF") and data[8:12] == b"WEBP" else None


def is_nifti(data: bytes) -> bool:
    """Whether the bytes begin with a NIfTI-1 or NIfTI-2 header, in either byte order."""
    if len(data) < 348:
        return False
    sizes = _first_numbers(data)
    if 348 in sizes:
        return data[344:348] in (b"n+1\0", b"ni1\0")
    return 540 in sizes and data[4:8] in (b"n+2\0", b"ni2\0")


def is_half_a_pair(data: bytes) -> bool:
    """Whether a NIfTI header is that of a pair, whose values are in a second file."""
    return data[4:7] == b"ni2" if 540 in _first_numbers(data) else data[344:347] == b"ni1"


def _first_numbers(data: bytes) -> tuple[int, int]:
    """The first four bytes as a number, in either byte order."""
    return int.from_bytes(data[:4], "little"), int.from_bytes(data[:4], "big")


def is_metaimage(data: bytes) -> bool:
    """Whether the bytes begin as the header of a MetaImage."""
    head = data[:_TEXT_HEADER]
    return bool(re.match(rb"\s*[A-Za-z]+ *= *", head)) and b"NDims" in head and b"DimSize" in head


def is_nrrd(data: bytes) -> bool:
    """Whether the bytes begin with the mark of NRRD."""
    return re.match(rb"NRRD000\d\r?\n", data) is not None


def is_analyze(data: bytes) -> bool:
    """Whether the bytes begin with an Analyze header, in either byte order.

    It begins with 348 as NIfTI does, whose mark is missing, and the rest has to make sense.
    """
    if len(data) < 348 or data[344:347] in (b"n+1", b"ni1"):
        return False
    for order in "<>":
        if struct.unpack_from(order + "i", data)[0] == 348:
            (axes,), (kind,) = (struct.unpack_from(order + "h", data, at) for at in (40, 70))
            return 1 <= axes <= 7 and kind in _ANALYZE
    return False


def is_mgh(data: bytes) -> bool:
    """Whether the bytes begin as a FreeSurfer volume: version 1, sizes, and a type."""
    if len(data) < 30 or data[:4] != b"\0\0\0\1":
        return False
    *sizes, kind = struct.unpack_from(">5i", data, 4)
    return min(sizes) > 0 and kind in MGH_TYPES


def is_npz(data: bytes) -> bool:
    """Whether the first file of a zip archive is a NumPy array."""
    if len(data) < 30:
        return False
    (length,) = struct.unpack_from("<H", data, 26)
    return data[30 : 30 + length].endswith(b".npy")


def is_bare_dicom(data: bytes) -> bool:
    """Whether the bytes look like a DICOM data set without preamble and "DICM" mark.

    The first element of such a file lies in group 0002 or 0008; its value type or its length has
    to make sense too.
    """
    if len(data) < 12:
        return False
    for order in ("<", ">"):
        group, element = struct.unpack_from(order + "HH", data)
        if group in (0x0002, 0x0008) and element <= 0x2000:
            if data[4:6].isalpha() and data[4:6].isupper():
                return True
            (length,) = struct.unpack_from(order + "I", data, 4)
            return bool(length <= 1024)
    return False


def _sniff_gzip(data: bytes) -> Format:
    try:
        head = gzip.GzipFile(fileobj=io.BytesIO(data)).read(1024)
    except (OSError, EOFError, zlib.error):
        raise ImageReadError(
            "The gzip archive is damaged or truncated; copy or pack it again."
        ) from None
    if (volume := _volume(head)) is not None:
        return volume
    raise ImageReadError(
        "This is a gzip archive that does not hold a NIfTI volume; unpack it and give one image."
    )


def _describe(data: bytes) -> str:
    for mark, words in _FOREIGN:
        if data.startswith(mark):
            return words
    if data[4:8] == b"ftyp" and data[8:12] in _PICTURES:
        name = _PICTURES[data[8:12]]
        return f"a picture in the format {name}, as phones take them; save it as JPEG or PNG"
    if data[4:8] == b"ftyp" or (data.startswith(b"RIFF") and data[8:11] == b"AVI"):
        return "a video; save a frame of it as PNG"
    if data[257:262] == b"ustar":
        return "a tar archive; unpack it and give the folder"
    head = data[:512]
    if head.lstrip()[:100].lower().startswith((b"<!doctype html", b"<html")):
        return "a web page (HTML), not an image"
    if not any(byte < 32 and byte not in b"\t\n\r\f" for byte in head):
        return "a text file, not an image"
    return "no image format that is known here"
