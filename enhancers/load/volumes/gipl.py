"""GIPL, the Guy's Image Processing Lab format: a header of 256 bytes, then the values.

Source: the header definition of ITK's reader. It states spacing and no orientation.
"""

from __future__ import annotations

import math
import struct

import numpy as np

from enhancers.errors import ImageReadError
from enhancers.load.raw import Caps
from enhancers.load.volumes.header import Header, placed, sizes_of
from enhancers.load.volumes.packing import GZIP, unpacked_head

NAME = "GIPL"
LENGTH = 256

_TYPES = {
    1: "u1", 7: "i1", 8: "u1", 15: "i2", 16: "u2", 31: "u4", 32: "i4", 64: "f4", 65: "f8",
    192: "c8", 193: "c16",
}  # fmt: skip


def parse(data: bytes, caps: Caps) -> Header:
    """The header of a file's bytes, which may be gzipped.

    Raises
    ------
    ImageReadError
        It is damaged or of a kind that cannot be read; `ImageTooLarge` beyond ``caps``.
    """
    head = unpacked_head(data, NAME)
    *sizes, kind = struct.unpack_from(">5H", head)
    if kind not in _TYPES:
        raise ImageReadError(
            f"The GIPL data type {kind} cannot be read; save the volume as NIfTI, int16 or float32."
        )
    shape, volumes = sizes_of(NAME, [one or 1 for one in sizes])
    stated = struct.unpack_from(">3f", head, 10)
    zooms = [abs(one) if math.isfinite(one) and one else 1.0 for one in stated]
    header = Header(
        shape, volumes, np.dtype(">" + _TYPES[kind]), 1, LENGTH, (1.0, 0.0), None,
        (zooms[0], zooms[1], zooms[2]), *placed(None),
        format=NAME, packing="gzip" if data.startswith(GZIP) else "",
    )  # fmt: skip
    return header.checked(caps, len(data))
