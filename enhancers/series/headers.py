"""The header of a DICOM object, as the facts of each of its frames that tell volumes apart.

Only the elements of `NEEDED` are read, none of which names the patient. Identifiers and times are
used to group and to order, and no series keeps them. Clause numbers refer to DICOM PS3.3.
"""

from __future__ import annotations

import contextlib
import datetime
import io
import math
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import IO, Any

import numpy as np
import pydicom
from pydicom.dataset import Dataset
from pydicom.tag import BaseTag, Tag
from pydicom.uid import UID, DeflatedExplicitVRLittleEndian

from enhancers.errors import ImageReadError
from enhancers.geometry import Vector, is_length, is_place
from enhancers.image import Window
from enhancers.load import Caps
from enhancers.load import dicom as _quiet  # noqa: F401  silences pydicom, which quotes patients
from enhancers.load.dicom.deflated import deflated
from enhancers.load.dicom.header import (
    frame_item,
    integer,
    modality_code,
    number,
    rescale,
    stated_windows,
    text,
)
from enhancers.load.dicom.mosaic import PRIVATE as MOSAIC_ELEMENTS
from enhancers.load.dicom.mosaic import Mosaic, mosaic
from enhancers.load.dicom.pixels import held_frames, pixel_length, transfer_syntax
from enhancers.load.file_format import sniff
from enhancers.series.facts import FrameFacts, normal

_PRIVATE: Mapping[int, tuple[int, str]] = {
    0x0019100C: (0x00190010, "SIEMENS MR HEADER"),
    0x00431039: (0x00430010, "GEMS_PARM_01"),
    0x20011003: (0x20010010, "Philips Imaging DD 001"),
}
"""Where vendors keep the b-value, and the creator of the block that has to be there."""

NEEDED = (
    "SOPClassUID", "SOPInstanceUID", "ImageType", "AcquisitionDate", "AcquisitionTime",
    "AcquisitionDateTime", "ContentTime", "Modality", "SliceThickness", "EchoTime",
    "InversionTime", "EchoNumbers", "TriggerTime", "FlipAngle", "DiffusionBValue",
    "SeriesInstanceUID", "SeriesNumber", "AcquisitionNumber", "InstanceNumber",
    "ImagePositionPatient", "ImageOrientationPatient", "FrameOfReferenceUID",
    "TemporalPositionIdentifier", "StackID", "NumberOfFrames", "Rows", "Columns",
    "BitsAllocated", "SamplesPerPixel", "PhotometricInterpretation",
    "SpacingBetweenSlices", "PixelSpacing", "ImagerPixelSpacing", "GridFrameOffsetVector",
    "DimensionIndexSequence", "ComplexImageComponent",
    "SharedFunctionalGroupsSequence", "PerFrameFunctionalGroupsSequence",
    "WindowCenter", "WindowWidth", "VOILUTFunction", "RescaleSlope", "RescaleIntercept",
)  # fmt: skip
"""The public elements that are read of a data set."""

_NAMES = {Tag(name): name for name in NEEDED}
_TAGS = [
    *_NAMES,
    *(Tag(tag) for table in (_PRIVATE, MOSAIC_ELEMENTS) for tag in table),
    *(Tag(block) for table in (_PRIVATE, MOSAIC_ELEMENTS) for block, _ in table.values()),
]

_COUNTED = (
    *map(Tag, ("NumberOfFrames", "Rows", "Columns", "ImageType", "BitsAllocated",
               "SamplesPerPixel", "PhotometricInterpretation")),
    *(tag for block in MOSAIC_ELEMENTS.items() for tag in (block[0], block[1][0])),
)  # fmt: skip
"""What the number of frames, or of the slices of a mosaic, follows from."""

MOST_FRAMES = 100_000
"""Frames of an object; a header that states more is damaged."""

_MARK = slice(128, 132)
_HEAD = 1024

_FRAME_TYPES = ("MRImageFrameTypeSequence", "CTImageFrameTypeSequence", "PETFrameTypeSequence",
                "XAXRFFrameCharacteristicsSequence", "MRSpectroscopyFrameTypeSequence",
                "ParametricMapFrameTypeSequence")  # fmt: skip
_WHERE = frozenset((0x00209056, 0x00209057, 0x00200032))
"""Dimensions that only say where a frame is: stack, position in it, position in the patient."""


Header = Mapping[Any, Any]
"""The values of the elements of a data set, by name or, of a vendor's, by tag."""


class NoDicom(Exception):
    """The file is no DICOM file."""


class NoImage(Exception):
    """The DICOM object holds no image: a report, a plan, an index."""


def read_facts(file: IO[bytes], size: int, caps: Caps) -> list[FrameFacts]:
    """The facts of every frame of a DICOM object, from its header.

    Parameters
    ----------
    file : binary file
        At its beginning.
    size : int
        Bytes of the file.
    caps : Caps

    Raises
    ------
    NoDicom, NoImage
    ImageReadError
        The file is damaged; `ImageTooLarge` where it exceeds the limit of a file.
    """
    head = file.read(_HEAD)
    if not is_dicom(head):
        raise NoDicom
    caps.check_bytes(size)
    try:
        header = _header(file, head, caps)
        return list(_frames(_values(header), _held(header, file, size)))
    except (NoImage, ImageReadError):
        raise
    except Exception as error:
        # A damaged header ends in an error of pydicom, struct, zlib or the archive it is in.
        raise ImageReadError(
            "The DICOM file is damaged or truncated; copy or export it again."
        ) from error


def frame_count(file: IO[bytes], caps: Caps) -> int:
    """Frames of a DICOM object, or slices of a mosaic, from its header.

    0 for other files, and for damaged ones: what is wrong is said when they are read.

    Parameters
    ----------
    file : binary file
        At its beginning.
    caps : Caps
    """
    head = file.read(_HEAD)
    if not is_dicom(head):
        return 0
    try:
        header = _header(file, head, caps, _COUNTED)
        tiles = mosaic(_values(header))
        if tiles:
            return tiles.count
        start = file.tell()
        size = file.seek(0, io.SEEK_END)
        file.seek(start)
        return _held(header, file, size)
    except Exception:
        return 0


def is_dicom(head: bytes) -> bool:
    """Whether a file that begins so is a DICOM file, with or without its preamble."""
    if head[_MARK] == b"DICM":
        return True
    try:
        return sniff(head) == "DICOM"
    except ImageReadError:
        return False


def _header(
    file: IO[bytes], head: bytes, caps: Caps, tags: Sequence[BaseTag | int] = _TAGS
) -> Dataset:
    file.seek(0)
    if DeflatedExplicitVRLittleEndian.encode() in head:
        # pydicom inflates a data set to its end, however long that is.
        data = file.read()
        packed = deflated(data, caps, tags)
        if packed is not None:
            return packed.header
        file.seek(0)
    return pydicom.dcmread(file, force=True, specific_tags=list(tags), stop_before_pixels=True)


def _values(dataset: Dataset) -> Header:
    """Every element converted once, by its name; those of vendors by their tag."""
    found: dict[Any, Any] = {}
    for tag in tuple(dataset.keys()):
        # An element that is not what its type says counts as absent.
        with contextlib.suppress(Exception):
            found[_NAMES.get(tag, tag)] = dataset[tag].value
    b_value = _vendor_b_value(found)
    if b_value is not None:
        found.setdefault("DiffusionBValue", b_value)
    return found


def _held(dataset: Dataset, file: IO[bytes], size: int) -> int:
    """Frames of an object whose pixels begin where its file is now; as stated where packed."""
    syntax = transfer_syntax(dataset)
    if syntax == DeflatedExplicitVRLittleEndian:
        return max(integer(dataset, "NumberOfFrames", 1), 1)
    return held_frames(dataset, syntax, pixel_length(dataset, file, size))


def _frames(header: Header, count: int) -> Iterator[FrameFacts]:
    if "Rows" not in header or "Columns" not in header:
        raise NoImage
    stated = integer(header, "NumberOfFrames", 1)
    if stated > MOST_FRAMES:
        raise ImageReadError(f"The DICOM header states {stated} frames; {MOST_FRAMES} are allowed.")
    first = _object_facts(header)
    if (tiles := mosaic(header)) is not None:
        yield from _tiles(header, first, tiles)
        return
    groups = header.get("PerFrameFunctionalGroupsSequence")
    if not groups:
        yield from _plain_frames(header, first, count)
        return
    pointers = [
        int(item.get("DimensionIndexPointer") or 0)
        for item in header.get("DimensionIndexSequence") or ()
    ]
    for index in range(min(count, len(groups))):
        yield _frame_facts(header, first, index, pointers)


def _tiles(header: Header, whole: FrameFacts, tiles: Mosaic) -> Iterator[FrameFacts]:
    """The slices of a mosaic."""
    for index in range(tiles.count):
        place = tiles.geometry(header, index)
        yield replace(
            whole, frame=index, rows=tiles.rows, columns=tiles.columns, tile=True,
            position=None if place is None else place.origin,
        )  # fmt: skip


def _plain_frames(header: Header, whole: FrameFacts, count: int) -> Iterator[FrameFacts]:
    """Frames without functional groups: where they are is stated for the first one at most."""
    if count == 1:
        yield whole
        return
    offsets = _numbers(header, "GridFrameOffsetVector", count)
    for index in range(count):
        position = None
        if offsets is not None and whole.placed:
            depth = (offsets[index] - offsets[0]) * normal(whole.orientation)
            position = _vector(np.add(whole.position or 0.0, depth).tolist())
        yield replace(whole, frame=index, position=position, alone=True)


def _object_facts(header: Header) -> FrameFacts:
    return FrameFacts(
        series=_identifier(header, "SeriesInstanceUID"),
        instance=_identifier(header, "SOPInstanceUID"),
        reference=_identifier(header, "FrameOfReferenceUID"),
        frame=None,
        series_number=number(header, "SeriesNumber"),
        instance_number=number(header, "InstanceNumber"),
        modality=modality_code(header),
        rows=integer(header, "Rows"),
        columns=integer(header, "Columns"),
        orientation=_orientation(header),
        position=_position(header),
        spacing=_pair(header, "PixelSpacing") or _pair(header, "ImagerPixelSpacing"),
        thickness=number(header, "SliceThickness"),
        kind=_words(header, "ImageType") + _component(header),
        echo=number(header, "EchoNumbers"),
        echo_time=number(header, "EchoTime"),
        b_value=number(header, "DiffusionBValue"),
        stack=_identifier(header, "StackID"),
        repeats=_named(
            ("time", number(header, "TemporalPositionIdentifier")),
            ("inversion time", number(header, "InversionTime")),
            ("flip angle", number(header, "FlipAngle")),
            ("trigger time", number(header, "TriggerTime")),
            ("acquisition", number(header, "AcquisitionNumber")),
        ),
        time=_seconds(header),
        window=_window(header, 0),
    )


def _frame_facts(
    header: Header, whole: FrameFacts, index: int, pointers: Sequence[int]
) -> FrameFacts:
    def item(name: str) -> Dataset:
        return frame_item(header, name, index) or Dataset()

    content, measures = item("FrameContentSequence"), item("PixelMeasuresSequence")
    kinds = [found for name in _FRAME_TYPES if (found := frame_item(header, name, index))]
    kind = kinds[0] if kinds else Dataset()
    indices = content.get("DimensionIndexValues")
    values = [] if indices is None else [indices] if isinstance(indices, int) else list(indices)
    rest = tuple(
        int(value)
        for place, value in enumerate(values)
        if place >= len(pointers) or pointers[place] not in _WHERE
    )
    segment = number(item("SegmentIdentificationSequence"), "ReferencedSegmentNumber")
    return replace(
        whole,
        frame=index,
        position=_position(item("PlanePositionSequence")),
        orientation=_orientation(item("PlaneOrientationSequence")) or whole.orientation,
        spacing=_pair(measures, "PixelSpacing") or whole.spacing,
        thickness=_first(number(measures, "SliceThickness"), whole.thickness),
        kind=(_words(kind, "FrameType") + _component(kind)) or whole.kind,
        echo_time=_first(number(item("MREchoSequence"), "EffectiveEchoTime"), whole.echo_time),
        b_value=_first(number(item("MRDiffusionSequence"), "DiffusionBValue"), whole.b_value),
        stack=_identifier(content, "StackID"),
        repeats=_named(
            ("segment", segment),
            ("time", number(content, "TemporalPositionIndex")),
            ("dimension", rest if pointers and rest else None),
        ),
        time=_seconds(content) or whole.time,
        window=_window(header, index),
    )


def _window(header: Header, index: int) -> Window | None:
    item = frame_item(header, "PixelValueTransformationSequence", index) or header
    stated, _ = stated_windows(header, index, rescale(item))
    return stated[0].window if stated else None


def _named(*pairs: tuple[str, object]) -> tuple[tuple[str, object], ...]:
    return tuple(pair for pair in pairs if pair[1] is not None)


def _first(value: float | None, other: float | None) -> float | None:
    return other if value is None else value


def _identifier(dataset: Header, name: str) -> str:
    value = dataset.get(name)
    return str(value).strip(" \0") if isinstance(value, str | UID) else ""


def _words(dataset: Header, name: str) -> tuple[str, ...]:
    value = dataset.get(name)
    words = [value] if isinstance(value, str) else list(value or ())
    return tuple(str(word).strip(" \0").upper() for word in words)


def _component(dataset: Header) -> tuple[str, ...]:
    word = text(dataset, "ComplexImageComponent")
    return (word,) if word else ()


def _numbers(dataset: Header, name: str, count: int) -> tuple[float, ...] | None:
    values = tuple(number(dataset, name, place) for place in range(count))
    known = tuple(value for value in values if value is not None)
    return known if len(known) == count else None


def _position(dataset: Header) -> Vector | None:
    return _vector(_numbers(dataset, "ImagePositionPatient", 3))


def _vector(values: Sequence[float] | None) -> Vector | None:
    return (values[0], values[1], values[2]) if values is not None and is_place(*values) else None


def _orientation(dataset: Header) -> tuple[float, ...]:
    found = _numbers(dataset, "ImageOrientationPatient", 6) or ()
    return found if is_place(*found) else ()


def _pair(dataset: Header, name: str) -> tuple[float, float] | None:
    found = _numbers(dataset, name, 2)
    return (found[0], found[1]) if found is not None and is_length(*found) else None


def _vendor_b_value(header: Header) -> float | None:
    for tag, (creator, words) in _PRIVATE.items():
        if tag in header and str(header.get(creator)).strip() == words:
            found = _leading_number(header[tag])
            # GE adds 10^9 where the directions are those of the scanner.
            return None if found is None else found % 1e9
    return None


def _leading_number(value: Any) -> float | None:
    """The first number of a private element, whose type may be unknown."""
    if isinstance(value, bytes):
        value = value.decode("ascii", "ignore")
    if isinstance(value, str):
        value = value.strip(" \0").split("\\")[0]
    elif not isinstance(value, int | float):
        value = next(iter(value or ()), None)
    try:
        found = float(value)
    except (TypeError, ValueError):
        return None
    return found if math.isfinite(found) else None


def _seconds(dataset: Header) -> float:
    """The time of acquisition in seconds; 0 where none is stated."""
    for name in ("FrameAcquisitionDateTime", "FrameReferenceDateTime", "AcquisitionDateTime"):
        if (found := _time(str(dataset.get(name) or ""))) is not None:
            return found
    for name in ("AcquisitionTime", "ContentTime"):
        day = str(dataset.get("AcquisitionDate") or "19700101")
        if (found := _time(f"{day}{dataset.get(name) or ''}")) is not None:
            return found
    return 0.0


def _time(value: str) -> float | None:
    """Seconds of YYYYMMDDHHMMSS.FFFFFF, whose end after the hour may be missing."""
    found = re.match(r"(\d{4})(\d\d)(\d\d)(\d\d)(\d\d)?(\d\d)?(\.\d+)?", value)
    if found is None:
        return None
    year, month, day, hour, minute, second, part = found.groups()
    try:
        date = datetime.date(int(year), int(month), int(day))
    except ValueError:
        return None
    clock = 3600 * int(hour) + 60 * int(minute or 0) + int(second or 0) + float(part or 0)
    return date.toordinal() * 86400.0 + clock
