"""DICOM: header, lookup tables and window of one frame; only technical elements are read.

The data set is read with a list of tags, so that name, dates and identifiers of the patient are
never loaded; of PET, weight and times are, which are gone when the factor to SUV is known (`pet`).
Clause numbers refer to DICOM PS3.3.
"""

from __future__ import annotations

import hashlib
import io
import logging
import re
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import pydicom
from numpy.typing import NDArray
from pydicom import config
from pydicom.dataset import Dataset
from pydicom.pixels import apply_color_lut, apply_modality_lut, apply_voi_lut
from pydicom.uid import UID, UID_dictionary

from enhancers.errors import ImageReadError
from enhancers.image import EACH_SLICE, NamedWindow, Window
from enhancers.load.dicom import pet
from enhancers.load.dicom.deflated import DeflatedFile, deflated
from enhancers.load.dicom.header import (
    NEEDED,
    frame_item,
    geometry,
    integer,
    modality,
    number,
    pixel_module,
    rescale,
    spacing,
    stated_windows,
    stored_padding,
    table,
    tags,
    text,
    value_maps,
)
from enhancers.load.dicom.mosaic import Mosaic, is_mosaic, mosaic
from enhancers.load.dicom.pixels import decode, frames_note, held_frames, transfer_syntax
from enhancers.load.dicom.quantity import Quantity, quantity
from enhancers.load.dicom.regions import ultrasound_region
from enhancers.load.raw import Caps, Probe, RawSlice, narrow_palette, pick_slice, sample_of
from enhancers.method import Modality

# Invalid values are common and harmless here, and warnings would quote patient data.
config.settings.reading_validation_mode = config.IGNORE
warnings.filterwarnings("ignore", module=r"pydicom\b")
logging.getLogger("pydicom").setLevel(logging.CRITICAL)

_DIRECTORY = "1.2.840.10008.1.3.10"
Range = tuple[float, float]
_ANY_VALUE = np.arange(-32768, 65536)
_META_BYTES = 4096
WHOLE_MOSAIC = (
    "The file is a Siemens mosaic of many slices, and its private header, which says how many, is "
    "missing: it is shown as one image."
)
_PIXELS = ("PixelData", "FloatPixelData", "DoubleFloatPixelData")


def probe(data: bytes, caps: Caps) -> Probe:
    """Frames, their size and the modality, from the header."""
    opened = _header(data, caps)
    header = opened.dataset
    rows, columns = integer(header, "Rows"), integer(header, "Columns")
    found, tiles = modality(header), mosaic(header)
    frames = tiles.count if tiles else _frames(header)
    if frames > 1 and tiles is None and opened.deflated is None:
        frames = _held(_parse(data, stop_before_pixels=False))
    if tiles is not None:
        rows, columns = tiles.rows, tiles.columns
    return Probe(
        "DICOM", rows, columns, frames, frames // 2,
        modality=found or Modality.OTHER, modality_origin="guessed" if found is None else "file",
    )  # fmt: skip


def read(data: bytes, slice_index: int | None, caps: Caps) -> RawSlice:
    """One frame with the modality LUT applied, colour as RGB."""
    opened = _header(data, caps)
    header = opened.dataset
    tiles = mosaic(header)
    if opened.deflated is None:
        dataset = _parse(data, stop_before_pixels=False)
    else:
        dataset = opened.deflated.with_pixels(caps)
    if not any(name in dataset for name in _PIXELS):
        raise _without_pixels(header)
    stated, held = _frames(header), _held(dataset)
    if held < stated:
        dataset.NumberOfFrames = held
    frames = tiles.count if tiles else held
    index = pick_slice(slice_index, frames, frames // 2)
    assumed = pixel_module(dataset) + frames_note(stated, held)
    uptake = _uptake(data, dataset, caps)
    raw = _frame(dataset, 0 if tiles else index, uptake)
    sample = None
    if frames > 1 and not raw.windows and raw.bits > 8:
        sample = _sample(data, dataset, raw, tiles, frames, uptake)
    values, place = raw.values, geometry(dataset, index) if tiles is None else None
    measured, notes = spacing(dataset, index)
    region, calibrated, more = ultrasound_region(dataset)
    notes += more
    if tiles is not None:
        values, place = tiles.cut(values, index), tiles.geometry(dataset, index)
        notes += tiles.notes
    elif is_mosaic(dataset):
        notes += (WHOLE_MOSAIC,)
    if text(dataset, "BurnedInAnnotation") == "YES":
        notes += (
            "The file says that text about the patient may be burned into the picture; look before "
            "you share it.",
        )
    return RawSlice(
        values=values,
        format="DICOM",
        units=raw.units,
        bits=raw.bits,
        extent=raw.extent,
        windows=raw.windows,
        inverted=raw.inverted,
        padding=raw.padding,
        modality=modality(dataset),
        spacing=measured or calibrated,
        geometry=place,
        region=region,
        sample=sample,
        slice_index=index,
        slice_count=frames,
        tags=tags(dataset, transfer_syntax(dataset)),
        warnings=assumed + raw.warnings + notes,
    )


def _uptake(data: bytes, header: Dataset, caps: Caps) -> pet.Uptake | None:
    if text(header, "Modality") != "PT":
        return None
    return pet.uptake(header_elements(data, (*pet.NEEDED, *pet.PRIVATE), caps))


def quantities_of(data: bytes, frames: Sequence[int], caps: Caps) -> tuple[Quantity, ...]:
    """What the values of gray frames measure, from the header alone.

    Raises
    ------
    ImageReadError
    """
    header = _header(data, caps).dataset
    uptake = _uptake(data, header, caps)
    return tuple(_quantity(header, index, uptake) for index in frames)


def _quantity(dataset: Dataset, index: int, uptake: pet.Uptake | None) -> Quantity:
    item = frame_item(dataset, "PixelValueTransformationSequence", index) or dataset
    return quantity(dataset, item, value_maps(dataset, index), uptake)


def coded_values(data: bytes, names: Sequence[str], caps: Caps) -> dict[str, str]:
    """Elements that hold a code, by their names; empty where there is none."""
    header = header_elements(data, names, caps)
    return {name: str(header.get(name, "") or "").strip() for name in names}


def header_elements(data: bytes, names: Sequence[str | int], caps: Caps) -> Dataset:
    """These elements of a header, as they are in the file.

    Raises
    ------
    ImageReadError
    """
    packed = deflated(data, caps, names)
    return packed.header if packed else _parse(data, names, stop_before_pixels=True)


_SYNTAX = re.compile(rb"\x02\x00\x10\x00UI(..)", re.DOTALL)


def _with_one_syntax(data: bytes) -> bytes:
    """The file with the first of several transfer syntaxes, which pydicom cannot read."""
    found = _SYNTAX.search(data, 0, _META_BYTES)
    if found is None:
        return data
    start = found.end()
    end = start + int.from_bytes(found[1], "little")
    first, *more = data[start:end].split(b"\\")
    return data[:start] + first.ljust(end - start, b"\0") + data[end:] if more else data


def _parse(
    data: bytes, names: Sequence[str | int] = NEEDED, *, stop_before_pixels: bool
) -> Dataset:
    try:
        return pydicom.dcmread(
            io.BytesIO(_with_one_syntax(data)),
            force=True,
            specific_tags=list(names),
            stop_before_pixels=stop_before_pixels,
        )
    except Exception as error:
        raise ImageReadError(
            "The DICOM file is damaged or truncated: its header cannot be read."
        ) from error


@dataclass(frozen=True, eq=False)
class _Header:
    """The data set without pixels, and where these are, if the file is deflated."""

    dataset: Dataset
    deflated: DeflatedFile | None


def _header(data: bytes, caps: Caps) -> _Header:
    """The data set without pixels, after all checks that need none."""
    packed = deflated(data, caps)
    dataset = _parse(data, stop_before_pixels=True) if packed is None else packed.header
    if "Rows" not in dataset and "Columns" not in dataset:
        raise _without_pixels(dataset)
    rows, columns = integer(dataset, "Rows"), integer(dataset, "Columns")
    caps.check_size(rows, columns, max(integer(dataset, "SamplesPerPixel", 1), 1), len(data))
    return _Header(dataset, packed)


def _frames(dataset: Dataset) -> int:
    count = integer(dataset, "NumberOfFrames", 1)
    return max(count, 1)


def _held(dataset: Dataset) -> int:
    """The frames that a data set with its pixels holds."""
    name = next((one for one in _PIXELS if one in dataset), None)
    length = 0 if name is None else len(dataset[name].value or b"")
    return held_frames(dataset, transfer_syntax(dataset), length)


def _without_pixels(dataset: Dataset) -> ImageReadError:
    meta = getattr(dataset, "file_meta", Dataset())
    uid = text(meta, "MediaStorageSOPClassUID") or text(dataset, "SOPClassUID")
    if uid == _DIRECTORY:
        return ImageReadError(
            "This is a DICOMDIR, the index of a DICOM disc, and holds no image; "
            "give the folder of the disc, its files together, or a zip archive of them."
        )
    name = UID(uid).name if uid in UID_dictionary else ""
    if "Image Storage" in name:
        return ImageReadError(
            f"The DICOM file ({name}) has no pixels; it is truncated or was sent without them."
        )
    kind = f" (its kind is {name})" if name else ""
    return ImageReadError(f"The DICOM file holds no image{kind}; give an image object.")


def _frame(dataset: Dataset, index: int, uptake: pet.Uptake | None) -> RawSlice:
    """Values, units and windows of a frame."""
    values = decode(dataset, index)
    colour = _colour(values, dataset)
    return _gray(values, dataset, index, uptake) if colour is None else colour


_sampled: dict[str, NDArray[np.float32]] = {}


def _sample(
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
        found = sample_of(frames, lambda place: _frame(dataset, place, uptake).values)
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
    found = _quantity(dataset, index, uptake)
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
    lut = table(dataset, "VOILUTSequence")
    if not windows and units in ("a.u.", "gray level") and lut is not None:
        values, extent, more = _looked_up(values, lut, partial(_display_table, dataset))
        windows, padding = (NamedWindow("Display table", Window(*extent)),), None
        notes += ("The file's display table (VOI LUT) was applied; values are its output.", *more)
    return RawSlice(
        values, "DICOM", units, 32 if floating else stored, extent, windows,
        inverted=text(dataset, "PhotometricInterpretation") == "MONOCHROME1",
        padding=padding, warnings=notes,
    )  # fmt: skip


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
    if (slope, intercept) != (1.0, 0.0):
        values = values.astype(np.float64) * slope + intercept
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
