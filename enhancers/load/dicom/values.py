"""Values of a DICOM frame: lookup tables, scale, units and windows.

Clause numbers refer to DICOM PS3.3.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import Dataset
from pydicom.pixels import apply_color_lut, apply_modality_lut, apply_voi_lut

from enhancers.image import EACH_SLICE, NamedWindow, Window
from enhancers.load.dicom import pet
from enhancers.load.dicom.header import (
    frame_item,
    integer,
    is_inverted,
    modality,
    number,
    rescale,
    stated_windows,
    stored_padding,
    table,
    text,
    value_maps,
)
from enhancers.load.dicom.mosaic import Mosaic
from enhancers.load.dicom.pixels import decode
from enhancers.load.dicom.quantity import Quantity, quantity
from enhancers.load.raw import RawSlice, narrow_palette, on_line, sample_of
from enhancers.method import Modality

Range = tuple[float, float]
_ANY_VALUE = np.arange(-32768, 65536)


def frame_quantity(dataset: Dataset, index: int, uptake: pet.Uptake | None) -> Quantity:
    """What the values of a gray frame measure."""
    item = frame_item(dataset, "PixelValueTransformationSequence", index) or dataset
    return quantity(dataset, item, value_maps(dataset, index), uptake)


def read_frame(dataset: Dataset, index: int, uptake: pet.Uptake | None) -> RawSlice:
    """Values, units and windows of a frame."""
    values = decode(dataset, index)
    colour = _colour(values, dataset)
    return _gray(values, dataset, index, uptake) if colour is None else colour


_sampled: dict[str, NDArray[np.float32]] = {}


def frame_sample(
    data: bytes,
    dataset: Dataset,
    raw: RawSlice,
    tiles: Mosaic | None,
    frames: int,
    uptake: pet.Uptake | None,
) -> NDArray[np.float32]:
    """The sample of an object's frames; that of the last object is kept, for its next frame."""
    if tiles is not None:
        return sample_of(1, lambda _: raw.values)
    digest = hashlib.sha256(data).hexdigest()
    found = _sampled.get(digest)
    if found is None:
        found = sample_of(frames, lambda place: read_frame(dataset, place, uptake).values)
        _sampled.clear()
        _sampled[digest] = found
    return found


def _windows(dataset: Dataset, index: int) -> tuple[tuple[NamedWindow, ...], tuple[str, ...]]:
    """The windows of the first frame that has one, that of this frame if they differ, and notes."""

    def of(place: int) -> tuple[tuple[NamedWindow, ...], tuple[str, ...]]:
        item = frame_item(dataset, "PixelValueTransformationSequence", place) or dataset
        return stated_windows(dataset, place, rescale(item))

    own, notes = of(index)
    groups = dataset.get("PerFrameFunctionalGroupsSequence")
    if not groups:
        return own, notes
    all_stated = [found for place in range(len(groups)) if (found := of(place)[0])]
    if not all_stated:
        return own, notes
    differ = len({found[0].window for found in all_stated}) > 1
    more = [NamedWindow(EACH_SLICE, one.window) for one in own[:1] if differ]
    return (*all_stated[0], *more), notes


def _colour(values: NDArray[Any], dataset: Dataset) -> RawSlice | None:
    """RGB in stored gray levels, or None for a gray image."""
    if text(dataset, "PhotometricInterpretation") == "PALETTE COLOR":
        values = narrow_palette(apply_color_lut(values, dataset)[..., :3])
        bits = 8 * values.dtype.itemsize
    elif values.ndim == 3:
        bits = integer(dataset, "BitsStored", 8 * values.dtype.itemsize)
    else:
        return None
    return RawSlice(values, "DICOM", "gray level", bits, (0.0, 2.0**bits - 1))


def _gray(
    samples: NDArray[Any], dataset: Dataset, index: int, uptake: pet.Uptake | None
) -> RawSlice:
    stored = integer(dataset, "BitsStored", 8 * samples.dtype.itemsize)
    floating = samples.dtype.kind == "f"
    extent = None if floating else _representable(samples, stored)
    values, extent, units, padding, notes = _modality_lut(samples, dataset, index, extent)
    windows, more = _windows(dataset, index)
    found = frame_quantity(dataset, index, uptake)
    notes += (*more, *found.notes)
    if found.table is not None and not floating:
        values, padding = found.looked_up(samples), None
        extent = float(found.table[1].min()), float(found.table[1].max())
    else:
        values = found.of(values)
        extent, padding = (
            _scaled_range(ends, found.slope, found.intercept) for ends in (extent, padding)
        )
    shown = [found.window, *map(found.window_of, windows)]
    windows, units = tuple(one for one in shown if one is not None), found.units or units
    lines = () if floating or found.table is not None else _lines(dataset, index, found)
    lut = table(dataset, "VOILUTSequence")
    if not windows and units in ("a.u.", "gray level") and lut is not None:
        values, extent, more = _looked_up(values, lut, partial(_display_table, dataset))
        windows, padding, lines = (NamedWindow("Display table", Window(*extent)),), None, ()
        notes += ("The file's display table (VOI LUT) was applied; values are its output.", *more)
    return RawSlice(
        values, "DICOM", units, 32 if floating else stored, extent, windows,
        inverted=is_inverted(dataset),
        padding=padding, warnings=notes, stored=samples if lines else None, lines=lines,
    )  # fmt: skip


def _lines(dataset: Dataset, index: int, found: Quantity) -> tuple[tuple[float, float], ...]:
    """The lines from stored values to source values; none where a table is between them."""
    if table(dataset, "ModalityLUTSequence") is not None:
        return ()
    item = frame_item(dataset, "PixelValueTransformationSequence", index) or dataset
    return rescale(item), (found.slope, found.intercept)


def _representable(values: NDArray[Any], stored: int) -> tuple[float, float]:
    if values.dtype.kind == "i":
        return -(2.0 ** (stored - 1)), 2.0 ** (stored - 1) - 1
    return 0.0, 2.0**stored - 1


def _modality_lut(
    values: NDArray[Any], dataset: Dataset, index: int, extent: Range | None
) -> tuple[NDArray[Any], Range | None, str, Range | None, tuple[str, ...]]:
    """Source values, their possible range, units and padding value (C.11.1), and notes."""
    kind = modality(dataset)
    units = "a.u." if kind is Modality.MR else "gray level"
    lut = table(dataset, "ModalityLUTSequence")
    if lut is not None:
        output, range_, notes = _looked_up(values, lut, partial(apply_modality_lut, ds=dataset))
        return output, range_, units, None, notes
    item = frame_item(dataset, "PixelValueTransformationSequence", index) or dataset
    slope, intercept = rescale(item)
    padding = stored_padding(dataset)
    # Without an intercept nothing places the values of a CT on the Hounsfield scale.
    stated = number(item, "RescaleIntercept") is not None
    if stated and kind is Modality.CT and text(item, "RescaleType") in ("", "HU"):
        units = "HU"
    values = on_line(values, slope, intercept)
    extent, padding = (_scaled_range(ends, slope, intercept) for ends in (extent, padding))
    return values, extent, units, padding, ()


def _scaled_range(ends: Range | None, slope: float, intercept: float) -> Range | None:
    if ends is None:
        return None
    low, high = sorted(slope * end + intercept for end in ends)
    return low, high


def _looked_up(
    values: NDArray[Any], lut: Dataset, apply: Callable[[NDArray[Any]], NDArray[Any]]
) -> tuple[NDArray[Any], tuple[float, float], tuple[str, ...]]:
    """The output of a lookup table, the range of its entries (C.11.1.1, C.11.2.1.1), and a note.

    A table may declare more bits than its entries have: white is then its largest entry.
    """
    stated, filled = 2.0 ** int(lut.LUTDescriptor[2]) - 1, float(apply(_ANY_VALUE).max())
    if not 0.0 < 2.0 * filled < stated:
        return apply(values), (0.0, max(stated, filled)), ()
    note = (
        f"The file declares its lookup table up to {stated:g} and fills it up to {filled:g}, "
        "which is shown as white."
    )
    return apply(values), (0.0, filled), (note,)


def _display_table(dataset: Dataset, values: NDArray[Any]) -> NDArray[Any]:
    # The table is indexed by integers; a modality slope may give fractions.
    return np.asarray(apply_voi_lut(np.rint(values).astype(np.int64), dataset, prefer_lut=True))
