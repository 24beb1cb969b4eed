"""NIfTI-1: the voxels of a result in the order of its source, with the affine of that.

Source: the NIfTI-1 header definition (nifti1.h).
"""

from __future__ import annotations

import math
import struct
from typing import Any

import numpy as np
from numpy.typing import NDArray

from enhancers.errors import ReadingRoomError
from enhancers.save.grid import Grid
from enhancers.stated_facts import StatedFacts

_MOST = 32767
_FLOAT32, _RGB24 = 16, 128
_SCANNER = 1
_MM = 2


def nifti_header(grid: Grid, facts: StatedFacts, colour: bool) -> bytes:
    """The 352 bytes before the voxels, for 32-bit floats or 8-bit RGB.

    Raises
    ------
    ReadingRoomError
        A side is longer than the format allows.
    """
    shape = grid.stored_shape
    if max(shape) > _MOST:
        raise ReadingRoomError(
            f"The result has a side of {max(shape)} voxels, and NIfTI-1 allows {_MOST}; write NRRD "
            "or MHA instead."
        )
    head = bytearray(352)

    def put(offset: int, code: str, *values: float | bytes) -> None:
        struct.pack_into("<" + code, head, offset, *values)

    affine = grid.stored_affine_ras
    zooms = np.linalg.norm(affine[:3, :3], axis=0)
    quaternion, handed = _quaternion(affine[:3, :3] / zooms)
    put(0, "i", 348)
    put(40, "8h", 3, *shape, 1, 1, 1, 1)
    put(70, "2h", _RGB24 if colour else _FLOAT32, 24 if colour else 32)
    put(76, "8f", handed, *map(float, zooms), 0.0, 0.0, 0.0, 0.0)
    put(108, "3f", 352.0, 1.0, 0.0)
    put(123, "B", _MM)
    if not colour:
        low, high = facts.window.ends
        put(124, "2f", high, low)
    put(148, "80s", facts.short_text.encode())
    if grid.placed:
        orthogonal = quaternion is not None
        put(252, "2h", _SCANNER if orthogonal else 0, _SCANNER)
        if quaternion is not None:
            put(256, "6f", *quaternion, *affine[:3, 3])
        put(280, "12f", *affine[:3].reshape(-1))
    put(344, "4s", b"n+1\0")
    return bytes(head)


def nifti_samples(values: NDArray[Any], facts: StatedFacts, colour: bool) -> NDArray[Any]:
    """Values as they are stored: 32-bit floats, and colours with 8 bits of the window."""
    if not colour:
        return np.asarray(values, "<f4")
    low, high = facts.window.ends
    scaled = (np.clip(values, low, high) - low) / (high - low)
    return np.asarray(np.rint(scaled * 255.0), np.uint8)


def _quaternion(
    matrix: NDArray[np.float64],
) -> tuple[tuple[float, float, float] | None, float]:
    """b, c, d of the rotation and the sign of the third axis; None where it is not orthogonal."""
    handed = 1.0 if np.linalg.det(matrix) > 0 else -1.0
    if not np.allclose(matrix.T @ matrix, np.eye(3), atol=1e-5):
        return None, handed
    turn = matrix.copy()
    turn[:, 2] *= handed
    trace = float(np.trace(turn))
    if trace > 0:
        a = math.sqrt(1.0 + trace) / 2
        b, c, d = (
            (turn[2, 1] - turn[1, 2]) / (4 * a),
            (turn[0, 2] - turn[2, 0]) / (4 * a),
            (turn[1, 0] - turn[0, 1]) / (4 * a),
        )
        return (float(b), float(c), float(d)), handed
    # The largest of b, c, d first, for its precision; a may not be negative.
    i = int(np.argmax(np.diag(turn)))
    j, k = (i + 1) % 3, (i + 2) % 3
    found = np.zeros(3)
    found[i] = math.sqrt(max(0.0, 1.0 + turn[i, i] - turn[j, j] - turn[k, k])) / 2
    found[j] = (turn[j, i] + turn[i, j]) / (4 * found[i])
    found[k] = (turn[k, i] + turn[i, k]) / (4 * found[i])
    if turn[k, j] - turn[j, k] < 0:
        found = -found
    return (float(found[0]), float(found[1]), float(found[2])), handed
