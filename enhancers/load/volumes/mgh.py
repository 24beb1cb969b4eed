"""MGH, the volumes of FreeSurfer (.mgh, gzipped as .mgz): 284 bytes in big endian, then the values.

Source: FreeSurfer, "MghFormat", https://surfer.nmr.mgh.harvard.edu/fswiki/FsTutorial/MghFormat. The
header states spacing, direction cosines (RAS) and the place of the centre, voxel (n / 2).
"""

from __future__ import annotations

import struct

import numpy as np
from numpy.typing import NDArray

from enhancers.errors import ImageReadError
from enhancers.load.file_format import MGH_TYPES
from enhancers.load.raw import Caps
from enhancers.load.volumes.header import Header, placed, sizes_of
from enhancers.load.volumes.packing import GZIP, unpacked_head

NAME = "MGH"
LENGTH = 284

_TO_LPS = np.diag((-1.0, -1.0, 1.0))


def parse(data: bytes, caps: Caps) -> Header:
    """The header of a file's bytes, which may be gzipped.

    Raises
    ------
    ImageReadError
        It is damaged or of a kind that cannot be read; `ImageTooLarge` beyond ``caps``.
    """
    head = unpacked_head(data, NAME)
    if len(head) < LENGTH:
        raise ImageReadError("The MGH file is truncated: its header ends early. Copy it again.")
    *sizes, kind = struct.unpack_from(">5i", head, 4)
    if kind not in MGH_TYPES:
        raise ImageReadError(f"The MGH data type {kind} cannot be read; convert it to NIfTI.")
    shape, volumes = sizes_of(NAME, sizes)
    (usable,) = struct.unpack_from(">h", head, 28)
    facts = np.frombuffer(head, ">f4", 15, 30).astype(np.float64)
    zooms = [abs(one) if np.isfinite(one) and one else 1.0 for one in facts[:3]]
    affine = _affine(facts, shape) if usable > 0 else None
    header = Header(
        shape, volumes, np.dtype(">" + MGH_TYPES[kind]), 1, LENGTH, (1.0, 0.0), None,
        (float(zooms[0]), float(zooms[1]), float(zooms[2])), *placed(affine),
        format=NAME, packing="gzip" if data.startswith(GZIP) else "",
    )  # fmt: skip
    return header.checked(caps, len(data))


def _affine(facts: NDArray[np.float64], shape: tuple[int, int, int]) -> NDArray[np.float64]:
    """From voxels to LPS in mm."""
    axes = facts[3:12].reshape(3, 3).T * facts[:3]
    corner = facts[12:] - axes @ (np.asarray(shape) / 2.0)
    return _TO_LPS @ np.column_stack([axes, corner])
