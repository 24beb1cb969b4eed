"""The size that a JPEG, JPEG-LS or JPEG 2000 stream states, read before it is decoded.

Sources: ITU-T T.81, B.2.2; T.87, C.2.2; T.800, A.5.1.
"""

from __future__ import annotations

import math
import re
import struct

_SIZED = frozenset((*range(0xC0, 0xD0), 0xF7)) - {0xC4, 0xC8, 0xCC}
"""Markers of a JPEG frame header; DHT, JPG and DAC lie in their range."""
_BARE = frozenset((0x01, *range(0xD0, 0xD9)))
_SIZ, _SIZ_BYTES = b"\xff\x4f\xff\x51", 38


def stated_size(stream: bytes) -> tuple[int, int, int] | None:
    """Rows, columns and components; None where the stream is of another kind or damaged.

    Examples
    --------
    >>> start = bytes.fromhex("ffd8 ffc0 000b 08 0010 0020 01")
    >>> stated_size(start)
    (16, 32, 1)
    """
    try:
        if stream.startswith(b"\xff\xd8"):
            return _jpeg(stream)
        # Boxes around a codestream may hold bytes that look like one: the largest counts.
        last = len(stream) - _SIZ_BYTES
        starts = (found.end() for found in re.finditer(_SIZ, stream) if found.end() <= last)
        return max((_jpeg_2000(stream, at) for at in starts), key=math.prod, default=None)
    except (struct.error, IndexError):
        return None


def _jpeg_2000(stream: bytes, place: int) -> tuple[int, int, int]:
    _, _, right, bottom, left, top = struct.unpack_from(">HHIIII", stream, place)
    (components,) = struct.unpack_from(">H", stream, place + 36)
    return bottom - top, right - left, components


def _jpeg(stream: bytes) -> tuple[int, int, int] | None:
    place = 2
    while True:
        # Decoders pass over whatever stands between segments, and over repeated 0xFF.
        place = stream.find(b"\xff", place)
        if place < 0:
            return None
        kind = stream[place + 1]
        if kind in (0x00, 0xFF):
            place += 1
            continue
        if kind in _SIZED:
            _, rows, columns, components = struct.unpack_from(">BHHB", stream, place + 4)
            return rows, columns, components
        if kind in _BARE:
            place += 2
            continue
        (length,) = struct.unpack_from(">H", stream, place + 2)
        place += 2 + length
