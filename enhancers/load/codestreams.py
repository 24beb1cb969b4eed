"""What a JPEG, JPEG-LS or JPEG 2000 stream states of its samples, read before it is decoded.

Sources: ITU-T T.81, B.2.2; T.87, C.2.2; T.800, A.5.1.
"""

from __future__ import annotations

import re
import struct
from typing import NamedTuple

JPEG_LS, JPEG_2000 = 0xF7, 0x51
"""Markers of the frame header of JPEG-LS, and of the size of JPEG 2000."""

_SIZED = frozenset((*range(0xC0, 0xD0), JPEG_LS)) - {0xC4, 0xC8, 0xCC}
"""Markers of a JPEG frame header; DHT, JPG and DAC lie in their range."""
_BARE = frozenset((0x01, *range(0xD0, 0xD9)))
_SIZ, _SIZ_BYTES = b"\xff\x4f\xff\x51", 38


class StreamHeader(NamedTuple):
    """The frame header of a stream.

    ``coding`` is its marker: `JPEG_LS`, `JPEG_2000`, or 0xC0 + n for SOFn of JPEG. Only JPEG 2000
    has signed samples.
    """

    rows: int
    columns: int
    components: int
    bits: int
    signed: bool
    coding: int


def stream_header(stream: bytes) -> StreamHeader | None:
    """The header of a stream; None where the stream is of another kind or damaged.

    Examples
    --------
    >>> start = bytes.fromhex("ffd8 ffc0 000b 08 0010 0020 01")
    >>> stream_header(start)[:4]
    (16, 32, 1, 8)
    """
    try:
        if stream.startswith(b"\xff\xd8"):
            return _jpeg(stream)
        # Boxes around a codestream may hold bytes that look like one: the largest counts.
        last = len(stream) - _SIZ_BYTES
        starts = (found.end() for found in re.finditer(_SIZ, stream) if found.end() <= last)
        found = (_jpeg_2000(stream, at) for at in starts)
        return max(found, key=lambda one: one.rows * one.columns * one.components, default=None)
    except (struct.error, IndexError):
        return None


def _jpeg_2000(stream: bytes, place: int) -> StreamHeader:
    _, _, right, bottom, left, top = struct.unpack_from(">HHIIII", stream, place)
    components, depth = struct.unpack_from(">HB", stream, place + 36)
    size = bottom - top, right - left, components
    return StreamHeader(*size, (depth & 0x7F) + 1, bool(depth & 0x80), JPEG_2000)


def _jpeg(stream: bytes) -> StreamHeader | None:
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
            bits, rows, columns, components = struct.unpack_from(">BHHB", stream, place + 4)
            return StreamHeader(rows, columns, components, bits, False, kind)
        if kind in _BARE:
            place += 2
            continue
        (length,) = struct.unpack_from(">H", stream, place + 2)
        place += 2 + length
