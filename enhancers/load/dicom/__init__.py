"""DICOM: one frame with its facts; only technical elements are read.

The data set is read with a list of tags, so that name, dates and identifiers of the patient are
never loaded; of PET, weight and times are, which are gone when the factor to SUV is known (`pet`).
Clause numbers refer to DICOM PS3.3.
"""

from __future__ import annotations

import io
import logging
import re
import warnings
from collections.abc import Sequence
from dataclasses import dataclass

import pydicom
from pydicom import config
from pydicom.dataset import Dataset
from pydicom.uid import UID, UID_dictionary, VLWholeSlideMicroscopyImageStorage

from enhancers.errors import ImageReadError
from enhancers.load.dicom import pet
from enhancers.load.dicom.deflated import DeflatedFile, deflated
from enhancers.load.dicom.header import (
    NEEDED,
    geometry,
    integer,
    modality,
    pixel_module,
    spacing,
    tags,
    text,
)
from enhancers.load.dicom.mosaic import is_mosaic, mosaic
from enhancers.load.dicom.pixels import frames_note, held_frames, transfer_syntax
from enhancers.load.dicom.quantity import Quantity
from enhancers.load.dicom.regions import ultrasound_region
from enhancers.load.dicom.values import frame_quantity, frame_sample, read_frame
from enhancers.load.raw import Caps, Probe, RawSlice, pick_slice
from enhancers.method import Modality

# Invalid values are common and harmless here, and warnings would quote patient data.
config.settings.reading_validation_mode = config.IGNORE
warnings.filterwarnings("ignore", module=r"pydicom\b")
logging.getLogger("pydicom").setLevel(logging.CRITICAL)

_DIRECTORY = "1.2.840.10008.1.3.10"
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
    raw = read_frame(dataset, 0 if tiles else index, uptake)
    sample = None
    if frames > 1 and not raw.windows and raw.bits > 8:
        sample = frame_sample(data, dataset, raw, tiles, frames, uptake)
    values, place = raw.values, geometry(dataset, index) if tiles is None else None
    measured, notes = spacing(dataset, index)
    region, calibrated, more = ultrasound_region(dataset)
    notes += more
    if tiles is not None:
        values, place = tiles.cut(values, index), tiles.geometry(dataset, index)
        notes += tiles.notes
    elif is_mosaic(dataset):
        notes += (WHOLE_MOSAIC,)
    if dataset.get("SOPClassUID") == VLWholeSlideMicroscopyImageStorage:
        notes += ("The file is of a whole-slide image: each of its frames is a tile, shown alone.",)
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
        stored=raw.stored if tiles is None else None,
        lines=raw.lines if tiles is None else (),
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
    return tuple(frame_quantity(header, index, uptake) for index in frames)


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
            f"The DICOM file ({name}) has no pixels; it is truncated or was sent without them. "
            "Export it again from where it came."
        )
    kind = f" (its kind is {name})" if name else ""
    return ImageReadError(f"The DICOM file holds no image{kind}; give an image object.")
