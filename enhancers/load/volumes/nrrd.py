"""NRRD (.nrrd, and .nhdr with its data).

Source: the definition of NRRD version 5 (teem.sourceforge.net/nrrd/format.html).
"""

from __future__ import annotations

import math
import re

import numpy as np
from numpy.typing import NDArray

from enhancers.errors import ImageReadError
from enhancers.load.raw import Caps
from enhancers.load.volumes.header import Header, placed, sizes_of
from enhancers.load.volumes.text_header import Fields, floats, hint_of, lines_of
from enhancers.method import Modality
from enhancers.stated_facts import known_text

NAME = "NRRD"
LONGEST = 2**20
"""Bytes of the longest header."""

_TYPES = {
    "signed char": "i1", "int8": "i1", "int8_t": "i1",
    "uchar": "u1", "unsigned char": "u1", "uint8": "u1", "uint8_t": "u1",
    "short": "i2", "short int": "i2", "signed short": "i2", "signed short int": "i2",
    "int16": "i2", "int16_t": "i2",
    "ushort": "u2", "unsigned short": "u2", "unsigned short int": "u2", "uint16": "u2",
    "uint16_t": "u2",
    "int": "i4", "signed int": "i4", "int32": "i4", "int32_t": "i4",
    "uint": "u4", "unsigned int": "u4", "uint32": "u4", "uint32_t": "u4",
    "longlong": "i8", "long long": "i8", "long long int": "i8", "signed long long": "i8",
    "signed long long int": "i8", "int64": "i8", "int64_t": "i8",
    "ulonglong": "u8", "unsigned long long": "u8", "unsigned long long int": "u8", "uint64": "u8",
    "uint64_t": "u8", "float": "f4", "double": "f8",
}  # fmt: skip
_PACKINGS = {
    "raw": "", "gzip": "gzip", "gz": "gzip", "bzip2": "bzip2", "bz2": "bzip2",
    "txt": "text", "text": "text", "ascii": "text", "hex": "hex",
}  # fmt: skip
# Signs that turn the first two axes of a space into left and posterior.
_SPACES = {
    "left-posterior-superior": (1, 1), "lps": (1, 1),
    "right-anterior-superior": (-1, -1), "ras": (-1, -1),
    "left-anterior-superior": (1, -1), "las": (1, -1),
}  # fmt: skip
_SPATIAL = frozenset(("domain", "space", "???", "none", ""))
_MM_PER_UNIT = {"m": 1000.0, "cm": 10.0, "mm": 1.0, "um": 0.001, "µm": 0.001, "microns": 0.001}
_DATA_FILES = ("data file", "datafile")
_SIDEWAYS = (
    "The values of the NRRD file have several numbers between its spatial axes; save one of them "
    "as a volume."
)


def data_file(data: bytes) -> str | None:
    """What the header says of the file with the values; None where they follow the header."""
    fields = _fields(data)[0]
    return next((fields.text(name) for name in _DATA_FILES if name in fields.values), None)


def joined(header: bytes) -> bytes:
    """The header to be put before its data, so that both are one file."""
    end = _fields(header)[1]
    kept = [
        line.rstrip(b"\r")
        for line in header[:end].split(b"\n")
        if not re.match(rb"\s*data ?file\s*:", line, re.IGNORECASE)
    ]
    return b"\n".join(kept).rstrip() + b"\n\n"


def parse(data: bytes, caps: Caps) -> Header:
    """The header of a file's bytes.

    Raises
    ------
    ImageReadError
        It is damaged or of a kind that cannot be read; `ImageTooLarge` beyond ``caps``.
    """
    if data_file(data) is not None:
        raise ImageReadError(
            "This is the header of an NRRD volume (.nhdr), whose values are in a second file (.raw "
            "or .raw.gz). Keep both in one folder under their names, or drop both."
        )
    fields, start = _fields(data)
    count = fields.whole("dimension", 0)
    sizes = fields.wholes("sizes", count)
    kind = fields.text("type").lower()
    if kind not in _TYPES:
        raise ImageReadError(
            "The values of the NRRD file have a type that cannot be read; save them as short or "
            "float."
        )
    if fields.text("encoding").lower() not in _PACKINGS:
        raise ImageReadError("The NRRD file has an encoding that cannot be read; save it as gzip.")
    packing = _PACKINGS[fields.text("encoding").lower()]
    dtype = np.dtype((">" if fields.text("endian").lower() == "big" else "<") + _TYPES[kind])
    vectors = _vectors(fields, count)
    channels, first = _channels(fields, vectors, sizes)
    shape, volumes = sizes_of(NAME, sizes[first:])
    affine, zooms = _place(fields, vectors[first:], first, count)
    header = Header(
        shape, volumes, dtype, channels, 0, (1.0, 0.0), None, zooms, *placed(affine),
        format=NAME, start=_after_lines(data, start, fields), packing=packing, hint=_hint(fields),
        stated=known_text(fields.text("reading room")),
    )  # fmt: skip
    skipped = fields.whole("byte skip", fields.whole("byteskip", 0))
    if skipped > 0:
        header = header.at(skipped)
    elif skipped < 0 and not packing:
        header = header.at(len(data) - header.start - header.volume_bytes * header.volumes)
    return header.checked(caps, len(data))


def _channels(
    fields: Fields, vectors: list[NDArray[np.float64] | None], sizes: tuple[int, ...]
) -> tuple[int, int]:
    """Values of a voxel, and the first spatial axis."""
    spatial = [True] * len(sizes)
    if kinds := fields.text("kinds").lower().split():
        if len(kinds) != len(sizes):
            raise fields.unusable("kinds")
        spatial = [kind in _SPATIAL for kind in kinds]
    if any(vector is not None for vector in vectors):
        spatial = [vector is not None for vector in vectors]
    first = 0 if spatial[0] else 1
    # What follows the spatial axes are volumes, of which the first is shown.
    inside = spatial[first : first + 3]
    if not all(inside[: max(2, sum(spatial))]) or sum(spatial) < 2:
        raise ImageReadError(_SIDEWAYS)
    return (sizes[0] if first else 1), first


def _vectors(fields: Fields, count: int) -> list[NDArray[np.float64] | None]:
    """The direction of each axis in space; None for axes without one."""
    stated = fields.text("space directions").lower()
    words = re.findall(r"\([^()]*\)|none", stated)
    if not stated:
        return [None] * count
    if len(words) != count:
        raise fields.unusable("space directions")
    return [None if word == "none" else _vector(fields, "space directions", word) for word in words]


def _vector(fields: Fields, name: str, word: str) -> NDArray[np.float64]:
    """Three numbers in parentheses; those of a plane have 0 as the third."""
    found = floats(word.strip("() ").replace(",", " "))
    if found is None or len(found) not in (2, 3):
        # Axes of time and the like have no direction.
        raise fields.unusable(name)
    return np.array((*found, 0.0)[:3])


def _place(
    fields: Fields, vectors: list[NDArray[np.float64] | None], first: int, count: int
) -> tuple[NDArray[np.float64] | None, tuple[float, float, float]]:
    """The affine to LPS, None where the file states none, and the spacing in mm."""
    units = re.findall(r'"([^"]*)"', fields.text("space units") or fields.text("units"))
    scale = _MM_PER_UNIT.get(units[0].lower(), 1.0) if units else 1.0
    if not vectors or vectors[0] is None:
        words = [floats(one) for one in fields.text("spacings").lower().split()]
        stated = [abs(one[0]) * scale for one in words[first:] if one and one[0]]
        padded = (*stated, 1.0, 1.0, 1.0) if len(words) == count else (1.0, 1.0, 1.0)
        return None, (padded[0], padded[1], padded[2])
    axes = [one for one in vectors[:3] if one is not None]
    if len(axes) == 2:
        normal = np.cross(axes[0], axes[1])
        axes.append(normal / (np.linalg.norm(normal) or 1.0) / scale)
    directions = np.stack(axes, 1) * scale
    lengths = [float(one) or 1.0 for one in map(math.hypot, *directions)]
    zooms = (lengths[0], lengths[1], lengths[2])
    signs = _SPACES.get(fields.text("space").lower().removesuffix("-time"))
    if signs is None:
        return None, zooms
    origin = np.zeros(3)
    if stated_origin := fields.text("space origin"):
        origin = _vector(fields, "space origin", stated_origin) * scale
    affine = np.column_stack([directions, origin])
    affine[:2] *= np.reshape(signs, (2, 1))
    return affine, zooms


def _hint(fields: Fields) -> Modality | None:
    named = " ".join(value for name, value in fields.values.items() if "modality" in name.lower())
    return hint_of(f"{fields.text('content')} {named} {fields.text('DICOM_0008_0060')}")


def _after_lines(data: bytes, start: int, fields: Fields) -> int:
    """Where the values begin after the lines that are to be skipped."""
    for _ in range(fields.whole("line skip", fields.whole("lineskip", 0))):
        end = data.find(b"\n", start)
        if end < 0:
            raise fields.unusable("line skip")
        start = end + 1
    return start


def _fields(data: bytes) -> tuple[Fields, int]:
    """The fields and keys of the header, and where it ends: with an empty line, or the file."""
    found: dict[str, str] = {}
    end = 0
    whole = data[:LONGEST] + (b"\n" if len(data) < LONGEST else b"")
    for line, place in lines_of(whole):
        end = place
        if not line.strip():
            break
        name, colon, value = line.partition(":")
        if line.startswith(("#", "NRRD000")) or not colon:
            continue
        # Keys, which a user chose, have ":=" and leave the fields as they are.
        own = name.strip() if value.startswith("=") else name.strip().lower()
        found.setdefault(own, value.removeprefix("=").strip())
    return Fields(NAME, found), min(end, len(data))
