"""Analyze 7.5: a header (.hdr) joined with its values (.img), the format before NIfTI.

Source: the header definition of Analyze 7.5 (dbh.h); byte 112 is the scale factor of SPM.
"""

from __future__ import annotations

import math
import struct

import numpy as np

from enhancers.errors import ImageReadError
from enhancers.load.raw import Caps
from enhancers.load.volumes.header import Header, placed, sizes_of
from enhancers.load.volumes.packing import GZIP, unpacked_head
from enhancers.load.volumes.text_header import hint_of

NAME = "Analyze"
LENGTH = 348

_TYPES = {2: "u1", 4: "i2", 8: "i4", 16: "f4", 32: "c8", 64: "f8", 128: "u1"}
_TRANSVERSE = 0
_SIDES = (
    "Analyze files do not say reliably which side is left; the patient's right is shown on the "
    "left, as the format defines."
)


def parse(data: bytes, caps: Caps) -> Header:
    """The header of a file's bytes, which may be gzipped.

    Raises
    ------
    ImageReadError
        It is damaged or of a kind that cannot be read; `ImageTooLarge` beyond ``caps``.
    """
    head = unpacked_head(data, NAME)
    order = _order(head)
    if order is None:
        raise ImageReadError("The Analyze header is damaged.")
    axes, *sizes = struct.unpack_from(order + "8h", head, 40)
    shape, volumes = sizes_of(NAME, sizes[:axes])
    kind = _kind(head, order)
    stated = struct.unpack_from(order + "3f", head, 80)
    zooms = [abs(one) if math.isfinite(one) and one else 1.0 for one in stated]
    offset, slope = struct.unpack_from(order + "2f", head, 108)
    if not 0 <= offset < 2**40:
        raise ImageReadError("The Analyze header places the data nowhere; it is damaged.")
    # Columns to the left, rows to anterior, slices to superior; no position.
    lying = np.diag([zooms[0], -zooms[1], zooms[2], 1.0]) if head[252] == _TRANSVERSE else None
    axes_, flips, _ = placed(lying)
    packing = "gzip" if data.startswith(GZIP) else ""
    header = Header(
        shape, volumes, np.dtype(order + _TYPES[kind]), 3 if kind == 128 else 1,
        LENGTH + int(offset), (slope if math.isfinite(slope) and slope else 1.0, 0.0), None,
        (zooms[0], zooms[1], zooms[2]), axes_, flips, (),
        format=NAME, packing=packing, notes=(_SIDES,),
        hint=hint_of((head[148:228] + b" " + head[228:252]).decode("latin-1")),
    )  # fmt: skip
    if not packing and header.offset + header.volume_bytes > len(data):
        raise ImageReadError(
            "This is the header of an Analyze volume (.hdr), whose values are in a second file "
            "(.img) that is missing or too short. Keep both in one folder under one name, or drop "
            "both."
        )
    return header.checked(caps, len(data))


def _order(head: bytes) -> str | None:
    return next(
        (order for order in "<>" if struct.unpack_from(order + "i", head)[0] == LENGTH), None
    )


def _kind(head: bytes, order: str) -> int:
    return int(struct.unpack_from(order + "h", head, 70)[0])
