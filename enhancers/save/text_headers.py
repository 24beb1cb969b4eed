"""NRRD and MetaImage: a header of text and the voxels in one file, with axes column, row, slice.

Source: the NRRD format specification (teem), and the MetaIO documentation of ITK.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from enhancers.save.grid import Grid
from enhancers.stated_facts import NOT_FOR_DIAGNOSIS, StatedFacts


def nrrd_header(grid: Grid, facts: StatedFacts, dtype: np.dtype[np.generic], colour: bool) -> bytes:
    """The header of an NRRD file, up to its voxels."""
    steps = [f"({','.join(_number(one) for one in grid.affine[:3, axis])})" for axis in range(3)]
    sizes = [str(size) for size in grid.shape]
    kinds = ["domain"] * 3
    if colour:
        steps, sizes, kinds = ["none", *steps], ["3", *sizes], ["RGB-color", *kinds]
    lines = [
        "NRRD0005",
        f"content: {facts.modality}",
        f"type: {_NRRD[dtype.str[1:]]}",
        f"dimension: {len(sizes)}",
        "space: left-posterior-superior" if grid.placed else "space dimension: 3",
        f"sizes: {' '.join(sizes)}",
        f"space directions: {' '.join(steps)}",
        f"kinds: {' '.join(kinds)}",
        *(["endian: little"] if dtype.itemsize > 1 else []),
        "encoding: raw",
        f"space origin: ({','.join(_number(one) for one in grid.affine[:3, 3])})",
        f"reading room:={facts.text}. {NOT_FOR_DIAGNOSIS}",
    ]
    return ("\n".join(lines) + "\n\n").encode()


def metaimage_header(
    grid: Grid, facts: StatedFacts, dtype: np.dtype[np.generic], colour: bool
) -> bytes:
    """The header of an MHA file, up to its voxels."""
    units = grid.affine[:3, :3] / np.asarray(grid.spacing)
    # A row is the direction of an axis.
    place = [
        f"TransformMatrix = {_numbers(units.T.reshape(-1))}",
        f"Offset = {_numbers(grid.affine[:3, 3])}",
        "CenterOfRotation = 0 0 0",
    ]
    lines = [
        "ObjectType = Image",
        "NDims = 3",
        f"Comment = {facts.text}. {NOT_FOR_DIAGNOSIS}",
        "BinaryData = True",
        "BinaryDataByteOrderMSB = False",
        "CompressedData = False",
        *(place if grid.placed else []),
        f"ElementSpacing = {_numbers(grid.spacing)}",
        f"DimSize = {' '.join(str(size) for size in grid.shape)}",
        *(["ElementNumberOfChannels = 3"] if colour else []),
        f"ElementType = {_METAIMAGE[dtype.str[1:]]}",
        "ElementDataFile = LOCAL",
    ]
    return ("\n".join(lines) + "\n").encode()


_NRRD = {"f4": "float", "u1": "uint8", "u2": "uint16"}
_METAIMAGE = {"f4": "MET_FLOAT", "u1": "MET_UCHAR", "u2": "MET_USHORT"}


def _numbers(values: Iterable[float]) -> str:
    return " ".join(_number(one) for one in values)


def _number(value: float) -> str:
    # The shortest text of the same number, with 0 for -0.
    return repr(float(value) + 0.0)
