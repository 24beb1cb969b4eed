"""MetaImage (.mha, and .mhd with its data): the format of ITK.

Source: the MetaIO documentation of ITK. Directions are LPS, a row of TransformMatrix an axis.
"""

from __future__ import annotations

import re
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from enhancers.errors import ImageReadError
from enhancers.load.raw import Caps
from enhancers.load.volumes.header import Header, placed, sizes_of
from enhancers.load.volumes.text_header import Fields, hint_of, lines_of
from enhancers.method import Modality
from enhancers.stated_facts import known_text

NAME = "MetaImage"
LONGEST = 2**20
"""Bytes of the longest header."""

_TYPES = {
    "CHAR": "i1", "UCHAR": "u1", "SHORT": "i2", "USHORT": "u2", "INT": "i4", "UINT": "u4",
    "LONG": "i4", "ULONG": "u4", "LONG_LONG": "i8", "ULONG_LONG": "u8", "FLOAT": "f4",
    "DOUBLE": "f8",
}  # fmt: skip
_MODALITIES = {"MET_MOD_CT": Modality.CT, "MET_MOD_MR": Modality.MR}


def data_file(data: bytes) -> str | None:
    """What the header says of the file with the values; None where they follow the header."""
    stated = _fields(data)[0].text("ElementDataFile")
    return None if stated.upper() == "LOCAL" else stated


def joined(header: bytes) -> bytes:
    """The header to be put before its data, so that both are one file."""
    fields, end = _fields(header)
    kept = [
        line
        for line in header[:end].split(b"\n")
        if not re.match(rb"\s*(ElementDataFile|HeaderSize)\s*=", line)
    ]
    local = b"ElementDataFile = LOCAL\n"
    start = b"\n".join(kept).rstrip() + b"\n"
    skipped = fields.whole("HeaderSize", 0)
    if skipped <= 0:
        return start + (b"HeaderSize = -1\n" if skipped else b"") + local
    # The size counts from the beginning of the file.
    place = len(start) + len(local) + len(b"HeaderSize = 000000000000\n") + skipped
    return start + b"HeaderSize = %012d\n" % place + local


def parse(data: bytes, caps: Caps) -> Header:
    """The header of a file's bytes.

    Raises
    ------
    ImageReadError
        It is damaged or of a kind that cannot be read; `ImageTooLarge` beyond ``caps``.
    """
    fields, start = _fields(data)
    if data_file(data) is not None:
        raise ImageReadError(
            "This is the header of a MetaImage volume (.mhd), whose values are in a second file "
            "(.raw or .zraw). Keep both in one folder under their names, or drop both."
        )
    count = fields.whole("NDims", 0)
    sizes = fields.wholes("DimSize", count)
    order = ">" if fields.flag("BinaryDataByteOrderMSB", "ElementByteOrderMSB") else "<"
    kind = fields.text("ElementType").upper().removeprefix("MET_").removesuffix("_ARRAY")
    if kind not in _TYPES:
        raise ImageReadError(
            "The values of the MetaImage file have a type that cannot be read; save them as "
            "MET_SHORT or MET_FLOAT."
        )
    dtype = np.dtype(order + _TYPES[kind])
    binary = fields.flag("BinaryData", default=True)
    packing = "text" if not binary else "zlib" if fields.flag("CompressedData") else ""
    affine, zooms = _place(fields, count)
    shift = fields.numbers("ElementToIntensityFunctionOffset", 1) or (0.0,)
    slope = fields.numbers("ElementToIntensityFunctionSlope", 1) or (1.0,)
    shape, volumes = sizes_of(NAME, sizes)
    header = Header(
        shape, volumes, dtype, fields.whole("ElementNumberOfChannels", 1), 0,
        (slope[0] or 1.0, shift[0]), None, zooms, *placed(affine),
        format=NAME, start=start, packing=packing,
        hint=_MODALITIES.get(fields.text("Modality").upper()) or hint_of(fields.text("Comment")),
        stated=known_text(fields.text("Comment")),
    )  # fmt: skip
    skipped = fields.whole("HeaderSize", 0)
    if skipped > 0:
        header = replace(header, start=skipped)
    elif skipped < 0 and not packing:
        header = header.at(len(data) - start - header.volume_bytes * header.volumes)
    return header.checked(caps, len(data))


def _place(
    fields: Fields, count: int
) -> tuple[NDArray[np.float64] | None, tuple[float, float, float]]:
    """The affine to LPS, None where the file states no directions, and the spacing in mm."""
    stated = fields.numbers("ElementSpacing", count) or fields.numbers("ElementSize", count) or ()
    zooms = [abs(one) or 1.0 for one in (*stated, 1.0, 1.0, 1.0)[:3]]
    spacing = zooms[0], zooms[1], zooms[2]
    matrix = _first(fields, ("TransformMatrix", "Rotation", "Orientation"), count**2)
    if not matrix:
        return None, spacing
    most = min(count, 3)
    affine = np.eye(4)
    affine[:most, :most] = np.reshape(matrix, (count, count)).T[:most, :most]
    affine[:3, :3] *= spacing
    origin = _first(fields, ("Offset", "Position", "Origin"), count) or (0.0,) * count
    affine[:most, 3] = origin[:most]
    return affine, spacing


def _first(fields: Fields, names: tuple[str, ...], count: int) -> tuple[float, ...]:
    """The numbers of the first of these fields that is there; empty where none is."""
    return next((found for name in names if (found := fields.numbers(name, count))), ())


def _fields(data: bytes) -> tuple[Fields, int]:
    """The fields of the header, and where it ends: with the line of the data's file."""
    found = {}
    for line, end in lines_of(data[:LONGEST]):
        name, equals, value = line.partition("=")
        if not equals:
            break
        found[name.strip()] = value.strip()
        if name.strip() == "ElementDataFile":
            return Fields(NAME, found), end
    raise ImageReadError(
        "The MetaImage header is incomplete: it does not say where its values are."
    )
