"""Volumes: a header and voxels, of which one slice is shown.

Each format has a module that reads its header. What a header says of other files is never followed:
the values are in the same file, or in the one that is given with it (`enhancers.load.pairs`).
"""

from __future__ import annotations

from enhancers.load.file_format import Format
from enhancers.load.raw import Caps
from enhancers.load.volumes import analyze, converted, gipl, metaimage, mgh, nifti, nrrd
from enhancers.load.volumes.header import Header

_PARSERS = {
    "NIfTI": nifti.parse,
    "MetaImage": metaimage.parse,
    "NRRD": nrrd.parse,
    "Analyze": analyze.parse,
    "GIPL": gipl.parse,
    "MGH": mgh.parse,
}


def parse(kind: Format, data: bytes, caps: Caps) -> Header:
    """The header of a volume's file.

    Raises
    ------
    ImageReadError
        It is damaged or of a kind that cannot be read; `ImageTooLarge` beyond ``caps``.
    """
    if kind in converted.READERS:
        return converted.parse(kind, data, caps)
    return _PARSERS[kind](data, caps)
