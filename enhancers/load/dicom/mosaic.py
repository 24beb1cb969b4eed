"""Siemens mosaics: all slices of a volume side by side in one image.

The number of slices and their normal are in the private header (CSA), of which nothing else is
read. The position that the file states is that of a slice as large as the mosaic, about the same
centre.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import Dataset

from enhancers.geometry import ImageGeometry, Vector, vector
from enhancers.load.dicom.header import geometry, integer, number

COUNT, CSA = 0x0019100A, 0x00291010
PRIVATE = {COUNT: (0x00190010, "SIEMENS MR HEADER"), CSA: (0x00290010, "SIEMENS CSA HEADER")}
"""The private elements that are read, with the creator of the block that has to be there."""

_MOST_TAGS, _MOST_ITEMS = 1000, 1000
_MOST_SLICES = 1024


@dataclass(frozen=True)
class Mosaic:
    """The slices of a mosaic.

    Parameters
    ----------
    count : int
    across : int
        Slices in a row of the mosaic; there are as many rows.
    rows, columns : int
        Size of a slice.
    normal : (x, y, z) or None
        Direction from each slice to the next one (LPS), where the file says.
    """

    count: int
    across: int
    rows: int
    columns: int
    normal: Vector | None

    def cut(self, values: NDArray[Any], index: int) -> NDArray[Any]:
        """A slice of the mosaic."""
        row, column = divmod(index, self.across)
        top, left = row * self.rows, column * self.columns
        return values[top : top + self.rows, left : left + self.columns]

    def geometry(self, dataset: Dataset, index: int) -> ImageGeometry | None:
        """Where a slice lies in the patient; None where the file does not say."""
        whole = geometry(dataset, 0)
        if whole is None:
            return None
        shift = (self.across - 1) / 2.0
        first = replace(whole, origin=whole.point(shift * self.rows, shift * self.columns))
        apart = number(dataset, "SpacingBetweenSlices") or number(dataset, "SliceThickness")
        if apart is None:
            return None
        step = vector(np.multiply(apart, self.normal or first.normal))
        first = replace(first, step=step)
        return replace(first, origin=first.point(0, 0, index))

    @property
    def notes(self) -> tuple[str, ...]:
        """Sentences for the user."""
        if self.normal is not None:
            return ()
        return (
            "The mosaic does not state the normal of its slices; they are taken to follow that of "
            "its rows and columns, and may be in the reverse order.",
        )


def mosaic(dataset: Dataset) -> Mosaic | None:
    """The slices of a mosaic; None for other images, and where the file does not say how many."""
    if not is_mosaic(dataset):
        return None
    rows, columns = integer(dataset, "Rows"), integer(dataset, "Columns")
    facts = _csa(_private(dataset, CSA))
    stated = facts.get("NumberOfImagesInMosaic") or _numbers(_private(dataset, COUNT))
    count = int(stated[0]) if stated else 0
    if not 1 < count <= _MOST_SLICES:
        return None
    across = math.ceil(math.sqrt(count))
    if rows % across or columns % across:
        return None
    normal = facts.get("SliceNormalVector", ())
    known = len(normal) == 3 and abs(math.hypot(*normal) - 1.0) < 0.01
    return Mosaic(
        count, across, rows // across, columns // across, vector(normal) if known else None
    )


def is_mosaic(dataset: Dataset) -> bool:
    """Whether the image type says that this is a mosaic."""
    kind = dataset.get("ImageType") or ()
    return "MOSAIC" in ((kind,) if isinstance(kind, str) else kind)


def _private(dataset: Dataset, tag: int) -> Any:
    block, creator = PRIVATE[tag]
    known, value = (_value(dataset.get(one)) for one in (block, tag))
    return value if str(known or "").strip() == creator else None


def _value(element: Any) -> Any:
    """The value of an element; of a header that was read already, the element is that."""
    return getattr(element, "value", element)


def _numbers(value: Any) -> tuple[float, ...]:
    """The number of a private element, whose type may be unknown."""
    if isinstance(value, bytes) and len(value) == 2:
        return (float(int.from_bytes(value, "little")),)
    try:
        return (float(value),)
    except (TypeError, ValueError):
        return ()


def _csa(data: Any) -> dict[str, tuple[float, ...]]:
    """The numbers of a Siemens header of either version that `mosaic` needs."""
    if not isinstance(data, bytes):
        return {}
    try:
        return dict(_csa_numbers(data))
    except (struct.error, ValueError):
        return {}


def _csa_numbers(data: bytes) -> Iterator[tuple[str, tuple[float, ...]]]:
    second = data.startswith(b"SV10")
    place = 8 if second else 0
    (tags,) = struct.unpack_from("<I", data, place)
    place += 8
    first_items = None
    for _ in range(min(tags, _MOST_TAGS)):
        raw, _, _, _, items, _ = struct.unpack_from("<64si4siii", data, place)
        place += 84
        first_items = items if first_items is None else first_items
        values: list[bytes] = []
        for _ in range(min(items, _MOST_ITEMS)):
            lengths = struct.unpack_from("<4i", data, place)
            place += 16
            length = lengths[1] if second else lengths[0] - first_items
            if length < 0 or place + length > len(data):
                return
            values.append(data[place : place + length])
            place += -(-length // 4) * 4
        name = raw.split(b"\0")[0].decode("ascii", "replace")
        if name in ("NumberOfImagesInMosaic", "SliceNormalVector"):
            texts = [value.split(b"\0")[0].strip() for value in values]
            yield name, tuple(float(text) for text in texts if text)
