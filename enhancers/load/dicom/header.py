"""The technical elements of a DICOM header, read from a list of tags and sanitised.

Only numbers formatted here and words listed here reach a `MedicalImage`, never strings of the file:
free text anywhere in a header may name the patient.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from pydicom.dataset import Dataset
from pydicom.uid import UID

from enhancers.errors import ImageReadError
from enhancers.geometry import ImageGeometry, is_affine, is_length, is_place, vector
from enhancers.image import NamedWindow, Window
from enhancers.load.aspect import aspect_tags
from enhancers.load.raw import Spacing
from enhancers.method import Modality

NEEDED: tuple[str | int, ...] = (
    "SOPClassUID", "ImageType", "Modality", "BurnedInAnnotation", "LossyImageCompression",
    "SamplesPerPixel", "PhotometricInterpretation", "PlanarConfiguration", "NumberOfFrames",
    "Rows", "Columns", "BitsAllocated", "BitsStored", "HighBit", "PixelRepresentation",
    "PixelPaddingValue", "PixelPaddingRangeLimit",
    "PixelSpacing", "ImagerPixelSpacing", "NominalScannedPixelSpacing", "PixelAspectRatio",
    "ImagePositionPatient", "ImageOrientationPatient", "GridFrameOffsetVector",
    "RescaleIntercept", "RescaleSlope", "RescaleType", "ModalityLUTSequence",
    "WindowCenter", "WindowWidth", "WindowCenterWidthExplanation", "VOILUTFunction",
    "VOILUTSequence", "PresentationLUTShape", "RealWorldValueMappingSequence", "Units", "SUVType",
    "DoseGridScaling", "DoseUnits", "DoseType", 0x20050010, 0x2005100E,
    "SharedFunctionalGroupsSequence", "PerFrameFunctionalGroupsSequence",
    "RedPaletteColorLookupTableDescriptor", "GreenPaletteColorLookupTableDescriptor",
    "BluePaletteColorLookupTableDescriptor", "RedPaletteColorLookupTableData",
    "GreenPaletteColorLookupTableData", "BluePaletteColorLookupTableData",
    "SegmentedRedPaletteColorLookupTableData", "SegmentedGreenPaletteColorLookupTableData",
    "SegmentedBluePaletteColorLookupTableData",
    "ExtendedOffsetTable", "ExtendedOffsetTableLengths",
    "PixelData", "FloatPixelData", "DoubleFloatPixelData",
    "SliceThickness", "SpacingBetweenSlices", "KVP", "XRayTubeCurrent", "Exposure",
    "RepetitionTime", "EchoTime", "FlipAngle", "MagneticFieldStrength",
    "SequenceOfUltrasoundRegions",
    # Siemens mosaics (`enhancers.load.dicom.mosaic`).
    0x00190010, 0x0019100A, 0x00290010, 0x00291010,
)  # fmt: skip
"""The elements that are read of a data set; those of Philips by number."""

_NUMBERS = {
    "SliceThickness": "mm", "SpacingBetweenSlices": "mm", "KVP": "kV", "XRayTubeCurrent": "mA",
    "Exposure": "mAs", "RepetitionTime": "ms", "EchoTime": "ms", "FlipAngle": "deg",
    "MagneticFieldStrength": "T",
}  # fmt: skip
_MODALITIES = {
    "CT": Modality.CT, "MR": Modality.MR, "US": Modality.US, "IVUS": Modality.US,
    "CR": Modality.XR, "DX": Modality.XR, "DR": Modality.XR, "MG": Modality.XR,
    "RF": Modality.XR, "RG": Modality.XR, "XA": Modality.XR, "IO": Modality.XR, "PX": Modality.XR,
    "OP": Modality.FUNDUS, "ES": Modality.ENDOSCOPY,
    "GM": Modality.MICROSCOPY, "SM": Modality.MICROSCOPY,
}  # fmt: skip
_OTHER_MODALITIES = frozenset(
    ("OT", "NM", "PT", "SC", "OPT", "OCT", "OPM", "DMS", "BI", "TG", "XC", "RTIMAGE", "RTDOSE",
     "SEG", "DOC")
)  # fmt: skip
_MOST_WINDOWS = 16
_WINDOW_WORDS = frozenset(
    ("ABDOMEN", "ABDOMINAL", "ALGO", "ANGIO", "BONE", "BRAIN", "BREAST", "CARDIAC", "CHEST",
     "CTA", "DEFAULT", "FAT", "HARD", "HARDER", "HEAD", "HEART", "HIGH", "LEVEL", "LINEAR",
     "LIVER", "LOW", "LUNG", "LUNGS", "MAX", "MEDIASTINUM", "MEDIUM", "MIN", "MUSCLE",
     "NARROW", "NECK", "NORMAL", "PELVIS", "PRESET", "SHARP", "SIGMOID", "SINUS", "SKIN",
     "SKULL", "SMOOTH", "SOFT", "SOFTER", "SPINE", "STANDARD", "STROKE", "SUBDURAL",
     "TEMPORAL", "THORAX", "TISSUE", "USER", "VESSEL", "WIDE", "WINDOW")
)  # fmt: skip
"""Words of explanations that are shown; any other may be a name."""
_PHOTOMETRIC = frozenset(
    ("MONOCHROME1", "MONOCHROME2", "PALETTE COLOR", "RGB", "YBR_FULL", "YBR_FULL_422",
     "YBR_PARTIAL_422", "YBR_PARTIAL_420", "YBR_ICT", "YBR_RCT")
)  # fmt: skip


def text(dataset: Dataset, name: str) -> str:
    """A coded string, upper case; empty where absent or not one string."""
    value = dataset.get(name)
    return value.strip(" \0").upper() if isinstance(value, str) else ""


def number(dataset: Dataset, name: str, position: int = 0) -> float | None:
    """A finite number, the one at ``position`` of several; None where there is none."""
    value: Any = dataset.get(name)
    if not isinstance(value, str | int | float):
        try:
            value = value[position]
        except (TypeError, IndexError, KeyError):
            return None
    elif position:
        return None
    # A decimal comma, which the standard excludes, has one meaning in a value by itself.
    if isinstance(value, str) and "." not in value:
        value = value.replace(",", ".")
    try:
        result = float(value)
    except (TypeError, ValueError):
        return None
    return result if math.isfinite(result) else None


def integer(dataset: Dataset, name: str, default: int | None = None) -> int:
    """An integer element, or ImageReadError naming the element if it is unusable."""
    value = number(dataset, name)
    if value is not None and value == int(value):
        return int(value)
    if default is not None and dataset.get(name) in (None, ""):
        return default
    raise ImageReadError(f"The DICOM header states no usable {name}; the file is damaged.")


def pixel_module(dataset: Dataset) -> tuple[str, ...]:
    """Fill in what the image pixel module (C.7.6.3) lacks; sentences about what was assumed.

    ACR-NEMA, the format before DICOM, has gray images only and no elements for that.

    Raises
    ------
    ImageReadError
        An element without a safe default is missing, or one is not possible; it is named.
    """
    integer(dataset, "Rows"), integer(dataset, "Columns")
    photometric = text(dataset, "PhotometricInterpretation")
    colours = photometric.startswith(("RGB", "YBR"))
    samples = integer(dataset, "SamplesPerPixel", 3 if colours else 1)
    if samples not in (1, 3):
        raise ImageReadError(
            f"The DICOM image has {samples} samples per pixel; 1 or 3 can be read."
        )
    dataset.SamplesPerPixel = samples
    if not photometric:
        dataset.PhotometricInterpretation = "MONOCHROME2" if samples == 1 else "RGB"
    dataset.BitsAllocated = allocated = integer(dataset, "BitsAllocated")
    dataset.BitsStored = stored = integer(dataset, "BitsStored", allocated)
    dataset.HighBit = integer(dataset, "HighBit", stored - 1)
    if samples == 3:
        dataset.PlanarConfiguration = integer(dataset, "PlanarConfiguration", 0)
    known = dataset.get("PixelRepresentation") not in (None, "") or "PixelData" not in dataset
    dataset.PixelRepresentation = integer(dataset, "PixelRepresentation", 0)
    notes = []
    if not photometric and samples == 3:
        notes.append("The file does not say how its colours are coded; RGB was assumed.")
    if not known and stored > 8 and samples == 1:
        notes.append("The file does not say whether its values are signed; unsigned was assumed.")
    return tuple(notes)


def is_inverted(dataset: Dataset) -> bool:
    """Whether low values are shown as white (C.7.6.3.1.2, C.11.6.1.2).

    The shape INVERSE belongs to MONOCHROME1, and means the same one inversion.
    """
    return (
        text(dataset, "PhotometricInterpretation") == "MONOCHROME1"
        or text(dataset, "PresentationLUTShape") == "INVERSE"
    )


def table(dataset: Dataset, name: str) -> Dataset | None:
    """The first item of a sequence of lookup tables (C.11.1.1, C.11.2.1.1); None where it is empty.

    Some files have the sequence without items, or items without a descriptor or entries.
    """
    items = dataset.get(name)
    if not items:
        return None
    item: Dataset = items[0]
    descriptor = item.get("LUTDescriptor")
    filled = isinstance(descriptor, Sequence) and len(descriptor) == 3 and item.get("LUTData")
    return item if filled else None


def modality(dataset: Dataset) -> Modality | None:
    """The modality by its code (C.7.3.1.1.1), OTHER for other known codes, None for no code."""
    code = text(dataset, "Modality")
    if code in _MODALITIES:
        return _MODALITIES[code]
    return Modality.OTHER if code else None


def modality_code(dataset: Dataset) -> str:
    """The code of the modality (C.7.3.1.1.1) where it is a known one, or empty."""
    code = text(dataset, "Modality")
    return code if code in _MODALITIES or code in _OTHER_MODALITIES else ""


def frame_item(dataset: Dataset, name: str, index: int) -> Dataset | None:
    """The functional group item of a frame (C.7.6.16), or None."""
    for groups, position in (
        (dataset.get("PerFrameFunctionalGroupsSequence"), index),
        (dataset.get("SharedFunctionalGroupsSequence"), 0),
    ):
        if groups and position < len(groups) and groups[position].get(name):
            return groups[position][name].value[0]
    return None


def value_maps(dataset: Dataset, index: int) -> list[Dataset]:
    """The real-world value maps of a frame: its own, those of all frames, those of the image."""
    groups = dataset.get("PerFrameFunctionalGroupsSequence")
    shared = dataset.get("SharedFunctionalGroupsSequence")
    places = (
        groups[index] if groups and index < len(groups) else None,
        shared[0] if shared else None,
        dataset,
    )
    return [
        one
        for place in places
        if place is not None
        for one in place.get("RealWorldValueMappingSequence") or ()
    ]


def spacing(dataset: Dataset, index: int) -> tuple[Spacing | None, tuple[str, ...]]:
    """Row and column spacing in mm, with a warning if it refers to the detector."""
    measures = frame_item(dataset, "PixelMeasuresSequence", index)
    for source in (measures, dataset):
        if source is not None and (found := _pair(source, "PixelSpacing")) is not None:
            return found, ()
    detector = _pair(dataset, "ImagerPixelSpacing")
    if detector is not None:
        return detector, (
            "Distances hold at the detector: the file gives no spacing in the patient.",
        )
    return _pair(dataset, "NominalScannedPixelSpacing"), ()


def _pair(dataset: Dataset, name: str) -> Spacing | None:
    row, column = number(dataset, name), number(dataset, name, 1)
    return (row, column) if row and column and is_length(row, column) else None


def numbers(dataset: Mapping[Any, Any] | Dataset, name: str, count: int) -> tuple[float, ...]:
    """The first numbers of an element; empty where one of them is missing."""
    values = [number(dataset, name, place) for place in range(count)]
    return () if None in values else tuple(value for value in values if value is not None)


def geometry(dataset: Dataset, index: int) -> ImageGeometry | None:
    """Where a frame lies in the patient (C.7.6.2, C.7.6.16.2.3); None where it is not stated.

    Frames without functional groups have a position only where offsets along the normal are given
    (C.8.8.3.2). The distance of slices is that which the file states.
    """

    def item(name: str) -> Dataset:
        return frame_item(dataset, name, index) or dataset

    position = numbers(item("PlanePositionSequence"), "ImagePositionPatient", 3)
    orientation = numbers(item("PlaneOrientationSequence"), "ImageOrientationPatient", 6)
    measures = item("PixelMeasuresSequence")
    pixel = _pair(measures, "PixelSpacing") or _pair(dataset, "PixelSpacing")
    if pixel is None or not is_place(*position, *orientation):
        return None
    found = ImageGeometry.of_dicom(position, orientation, pixel)
    if found is None:
        return None
    frames = integer(dataset, "NumberOfFrames", 1)
    between = number(measures, "SpacingBetweenSlices") or number(dataset, "SpacingBetweenSlices")
    if frames > 1 and not dataset.get("PerFrameFunctionalGroupsSequence"):
        offsets = numbers(dataset, "GridFrameOffsetVector", frames)
        if not offsets:
            return None
        depth = offsets[index] - offsets[0]
        found = replace(
            found, origin=vector(np.add(found.origin, np.multiply(depth, found.normal)))
        )
        ends = (index, index + 1) if index + 1 < frames else (index - 1, index)
        between = offsets[ends[1]] - offsets[ends[0]]
    step = vector(np.multiply(between, found.normal)) if between else None
    found = replace(found, step=step)
    return found if is_affine(found.affine) else None


def rescale(item: Dataset) -> tuple[float, float]:
    """Slope and intercept of the modality transformation (C.11.1.1.2).

    What is missing or unusable is 1 and 0: both elements are required together, and files with one
    of them mean the other to change nothing.
    """
    return number(item, "RescaleSlope") or 1.0, number(item, "RescaleIntercept") or 0.0


def stored_padding(dataset: Dataset) -> tuple[float, float] | None:
    """Stored values that pad the image (C.7.5.1.1.2), from lowest to highest; None for none.

    Both elements have the sign of the pixels; files that write them with the other one mean the
    same bits.
    """
    ends = [number(dataset, name) for name in ("PixelPaddingValue", "PixelPaddingRangeLimit")]
    if ends[0] is None:
        return None
    bits, signed = integer(dataset, "BitsAllocated", 16), integer(dataset, "PixelRepresentation", 0)
    lowest = -(2.0 ** (bits - 1)) if signed else 0.0
    if "PixelData" in dataset:
        ends = [None if end is None else (end - lowest) % 2.0**bits + lowest for end in ends]
    found = [end for end in ends if end is not None]
    return min(found), max(found)


def stated_windows(
    dataset: Dataset, index: int, scale: tuple[float, float]
) -> tuple[tuple[NamedWindow, ...], tuple[str, ...]]:
    """The windows of a frame as intervals (C.11.2.1.2 and C.11.2.1.3), and notes.

    LINEAR reaches from c - 0.5 - (w - 1)/2 to c - 0.5 + (w - 1)/2, LINEAR_EXACT from c - w/2 to
    c + w/2. A LINEAR width of 1 is a step. A width below 1, which LINEAR excludes, is taken as
    LINEAR_EXACT: values of small slope have such windows. A SIGMOID has no ends; its tangent in
    the middle is taken, which has those of LINEAR_EXACT, with a note.

    Parameters
    ----------
    dataset : Dataset
    index : int
        Of the frame.
    scale : (slope, intercept)
        Of the stored whole numbers, between which a step lies.
    """
    item = frame_item(dataset, "FrameVOILUTSequence", index) or dataset
    function = text(item, "VOILUTFunction")
    found: list[NamedWindow] = []
    for position in range(_MOST_WINDOWS):
        centre = number(item, "WindowCenter", position)
        width = number(item, "WindowWidth", position)
        if centre is None or width is None:
            break
        if width > 0.0 and (ends := _ends(centre, width, function, scale)) is not None:
            found.append(NamedWindow(_window_name(item, position), ends))
    notes: tuple[str, ...] = ()
    if function == "SIGMOID" and found:
        notes = ("The file asks for a sigmoid display curve; its linear part is used.",)
    return tuple(found), notes


def _ends(centre: float, width: float, function: str, scale: tuple[float, float]) -> Window | None:
    if function not in ("LINEAR_EXACT", "SIGMOID") and width >= 1.0:
        centre, width = centre - 0.5, width - 1.0
    low, high = centre - width / 2, centre + width / 2
    if width == 0.0:
        # Values up to the centre are black, all others white.
        step, origin = abs(scale[0]), scale[1]
        low = origin + step * math.floor((centre - origin) / step)
        high = low + step
    return Window(low, high) if math.isfinite(low) and math.isfinite(high) and low < high else None


def _window_name(item: Dataset, position: int) -> str:
    """The explanation of a window where all its words are known, else its number."""
    value = item.get("WindowCenterWidthExplanation")
    texts = [value] if isinstance(value, str) else list(value or ())
    words = re.findall("[A-Z]+|[0-9]+", str(texts[position]).upper()) if texts[position:] else []
    known = all(word in _WINDOW_WORDS or (word.isdigit() and len(word) < 3) for word in words)
    if not words or not known:
        return f"Window {position + 1}"
    return " ".join(words).capitalize()


def tags(dataset: Dataset, syntax: UID) -> tuple[tuple[str, str], ...]:
    """Technical facts by a whitelist, each a number or a known word."""
    found: list[tuple[str, str]] = []
    code = text(dataset, "Modality")
    if code in _MODALITIES or code in _OTHER_MODALITIES:
        found.append(("Modality", code))
    photometric = text(dataset, "PhotometricInterpretation")
    if photometric in _PHOTOMETRIC:
        found.append(("PhotometricInterpretation", photometric))
    found.append(("TransferSyntax", syntax.name))
    found.append(("BitsStored", str(integer(dataset, "BitsStored", 0))))
    lossy = text(dataset, "LossyImageCompression")
    if lossy in ("00", "01"):
        found.append(("LossyImageCompression", "yes" if lossy == "01" else "no"))
    ratio = _pair(dataset, "PixelAspectRatio")
    if ratio is not None:
        found += aspect_tags(*ratio)
    for name, unit in _NUMBERS.items():
        value = number(dataset, name)
        if value is not None:
            found.append((name, f"{value:g} {unit}"))
    return tuple(found)
