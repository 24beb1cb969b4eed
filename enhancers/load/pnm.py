"""PNM pictures, plain and binary (PBM, PGM, PPM), with all their bits.

Source: the netpbm definitions of the formats P1 to P6.
"""

from __future__ import annotations

import re
import warnings
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from enhancers.errors import ImageReadError

_LONGEST = 2**16
_TOKEN = re.compile(rb"(?:\s|#[^\n]*\n)*(\d+)")
_DAMAGED = "The PNM file is truncated or damaged. Save it again."


class PnmHeader(NamedTuple):
    """What stands before the samples; ``most`` is the value of white, ``start`` their place."""

    kind: int
    rows: int
    columns: int
    channels: int
    most: int
    start: int


def pnm_header(data: bytes) -> PnmHeader:
    """The header of a file's bytes.

    Raises
    ------
    ImageReadError
    """
    kind, place, found = data[1] - ord("0"), 2, []
    bitmap = kind in (1, 4)
    for _ in range(2 if bitmap else 3):
        token = _TOKEN.match(data[:_LONGEST], place)
        if token is None or len(token[1]) > 9:
            raise ImageReadError(_DAMAGED)
        found.append(int(token[1]))
        place = token.end()
    most = 1 if bitmap else found[2]
    if not 1 <= most <= 65535:
        raise ImageReadError(_DAMAGED)
    # One byte of white space ends the header of a binary file.
    return PnmHeader(kind, found[1], found[0], 3 if kind in (3, 6) else 1, most, place + 1)


def read_pnm(data: bytes) -> tuple[NDArray[Any], int]:
    """The samples as they are stored, and the value of white; bits become 0 and 1, 1 is white.

    Raises
    ------
    ImageReadError
        The file is truncated or damaged.
    """
    header = pnm_header(data)
    shape = (header.rows, header.columns, header.channels)
    count = header.rows * header.columns * header.channels
    if header.kind <= 3:
        values = _written(data[header.start - 1 :], count, header.kind)
    elif header.kind == 4:
        values = _packed(data, header)
    else:
        stored = np.dtype(">u2" if header.most > 255 else "u1")
        if len(data) - header.start < count * stored.itemsize:
            raise ImageReadError(_DAMAGED)
        values = np.frombuffer(data, stored, count, header.start)
    if int(values.max()) > header.most:
        raise ImageReadError(_DAMAGED)
    values = values.astype(np.uint16 if header.most > 255 else np.uint8).reshape(shape)
    if header.kind in (1, 4):
        values = 1 - values
    return values if header.channels == 3 else values[..., 0], header.most


def _written(text: bytes, count: int, kind: int) -> NDArray[Any]:
    """Samples that are written out; those of a bitmap need no spaces between them."""
    if kind == 1:
        bits = np.frombuffer(re.sub(rb"[^01]", b"", text), np.uint8)[:count] - ord("0")
        if bits.size < count:
            raise ImageReadError(_DAMAGED)
        return np.asarray(bits)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            values = np.fromstring(text, np.int64, min(count, len(text)), sep=" ")
    except (ValueError, OverflowError, DeprecationWarning):
        raise ImageReadError(_DAMAGED) from None
    if values.size < count or int(values.min()) < 0:
        raise ImageReadError(_DAMAGED)
    return values


def _packed(data: bytes, header: PnmHeader) -> NDArray[Any]:
    """The bits of a bitmap, whose rows begin at a byte."""
    length = -(-header.columns // 8)
    if len(data) - header.start < length * header.rows:
        raise ImageReadError(_DAMAGED)
    stored = np.frombuffer(data, np.uint8, length * header.rows, header.start)
    bits = np.unpackbits(stored.reshape(header.rows, length), axis=1)
    return bits[:, : header.columns].reshape(-1)
