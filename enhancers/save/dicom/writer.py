"""Writing a derived DICOM object: its header, then its frames one by one."""

from __future__ import annotations

import io
import struct
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

import numpy as np
import pydicom
from numpy.typing import NDArray
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.sr.coding import Code
from pydicom.uid import ExplicitVRLittleEndian, SecondaryCaptureImageStorage

from enhancers import __version__
from enhancers.errors import ReadingRoomError
from enhancers.image import Window
from enhancers.load import Caps
from enhancers.load.dicom import header_elements, quantities_of
from enhancers.load.dicom.header import frame_item, number, text
from enhancers.load.dicom.quantity import Quantity
from enhancers.save.dicom.coding import Coding, coding_of, describe_samples
from enhancers.save.dicom.facts import DerivedFacts, new_uid
from enhancers.save.dicom.geometry import as_ds, enlarge, place_first_frame
from enhancers.save.dicom.kept import PATIENT, SCALED_TABLES, TECHNICAL, identity, technical
from enhancers.save.dicom.required import ENHANCED, state_unknown

_MAX_BYTES = 2**32 - 2
_NARROW = 10.0

_SOURCE_IMAGE = Code("121322", "DCM", "Source image for image processing operation")
_RESAMPLED = Code("113085", "DCM", "Spatial resampling")
_PROCESSED = Code("113087", "DCM", "Smoothing")
_EQUIPMENT = Code("109102", "DCM", "Processing Equipment")
_REMOVED = (
    Code("113100", "DCM", "Basic Application Confidentiality Profile"),
    Code("113110", "DCM", "Retain UIDs Option"),
)
_METHOD = "Listed technical elements kept; pixels not checked"
_EMPTY = (
    "PatientName", "PatientID", "PatientBirthDate", "PatientSex", "StudyDate", "StudyTime",
    "ReferringPhysicianName", "StudyID", "AccessionNumber",
)  # fmt: skip
_GROUPS = "PerFrameFunctionalGroupsSequence"
_FRAME_TYPES = ("CTImageFrameTypeSequence", "MRImageFrameTypeSequence", "PETFrameTypeSequence",
                "XAXRFFrameCharacteristicsSequence")  # fmt: skip


def derived_dicom(
    source: bytes, values: NDArray[np.generic], facts: DerivedFacts, caps: Caps | None = None
) -> bytes:
    """A derived object of one frame.

    Parameters
    ----------
    source : bytes
        The DICOM file that the result was made of.
    values : ndarray, shape (H, W) or (H, W, 3)
        In source units; in [0, 1] where `DerivedFacts.in_source_units` is False.
    facts : DerivedFacts
    caps : Caps, optional

    Raises
    ------
    ImageReadError
        The header of the source cannot be read.
    ReadingRoomError
        The object cannot hold a result.
    """
    head = derived_head(source, facts, values.shape[:2], caps)
    return head.data + head.encode(values, 0) + head.padding


@dataclass(frozen=True, eq=False)
class DerivedHead:
    """A derived object up to its frames, and how these are encoded.

    Parameters
    ----------
    data : bytes
        The beginning of the file, up to the first sample.
    codings : tuple of Coding
        One for each frame.
    measured : tuple of Quantity
        What the values of each frame measure: it stores what the header of the source speaks of,
        as the activity for SUV.
    size : int
        Bytes of all frames.
    """

    data: bytes
    codings: tuple[Coding, ...]
    measured: tuple[Quantity, ...]
    size: int

    def encode(self, values: NDArray[np.generic], frame: int) -> bytes:
        """The bytes of a frame, by its place in the result.

        Raises
        ------
        ValueError
            The frame has another size than was announced.
        """
        found = self.codings[frame].encode(self.measured[frame].undone(values))
        if len(found) * len(self.codings) != self.size:
            raise ValueError(f"a frame of {values.shape} is not what was announced")
        return found

    @property
    def padding(self) -> bytes:
        """What follows the last frame."""
        return b"\0" if self.size % 2 else b""


def derived_head(
    source: bytes, facts: DerivedFacts, shape: tuple[int, ...], caps: Caps | None = None
) -> DerivedHead:
    """The beginning of a derived object, whose frames may be written one by one.

    Parameters
    ----------
    source, facts, caps
        As for `derived_dicom`; `DerivedFacts.frames` says how many frames come.
    shape : (rows, columns)
        Of the result.

    Raises
    ------
    ImageReadError, ReadingRoomError
        As `derived_dicom`.
    """
    caps = caps or Caps()
    found = header_elements(source, [*TECHNICAL, *PATIENT], caps)
    frames = facts.frames or (0,)
    measured = (Quantity(),) * len(frames)
    if facts.in_source_units and not facts.colour:
        measured = quantities_of(source, frames, caps)
    if any(one.table is not None for one in measured):
        raise ReadingRoomError(
            "The values of this DICOM object are those of a table of real-world values, which a "
            "derived object cannot keep; write NIfTI, NRRD or MHA instead."
        )
    return _Maker(found, facts, (shape[0], shape[1]), measured).head()


class _Maker:
    """The data set of a derived object."""

    def __init__(
        self,
        found: Dataset,
        facts: DerivedFacts,
        shape: tuple[int, int],
        measured: tuple[Quantity, ...],
    ) -> None:
        self._found, self._facts, self._shape = found, _in_output(facts, measured[0]), shape
        self._measured = measured
        self._header = technical(found)
        self._frames = facts.frames or (0,)
        self._codings = [
            coding_of(self._header, _in_output(facts, one), frame)
            for frame, one in zip(self._frames, measured, strict=True)
        ]
        if len({coding.dtype for coding in self._codings}) > 1 or (
            _GROUPS not in self._header and len(set(self._codings)) > 1
        ):
            raise ReadingRoomError(
                "The frames of this DICOM object have different samples; write another format."
            )

    def head(self) -> DerivedHead:
        """The file up to its samples."""
        first = self._codings[0]
        channels = 3 if self._facts.colour else 1
        frame = self._shape[0] * self._shape[1] * channels * first.bits // 8
        size = len(self._frames) * frame
        if size > _MAX_BYTES:
            raise ReadingRoomError(
                f"The result has {size / 1e9:.3g} GB, and a DICOM object holds 4.29; write "
                "NIfTI, NRRD or MHA instead."
            )
        dataset = self._dataset(self._found)
        dataset.file_meta = FileMetaDataset()
        dataset.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
        buffer = io.BytesIO()
        pydicom.dcmwrite(buffer, dataset, enforce_file_format=True)
        element, kind = (0x0010, b"OW" if first.bits > 8 else b"OB")
        if first.floating:
            element, kind = (0x0008, b"OF") if first.bits == 32 else (0x0009, b"OD")
        start = struct.pack("<HH2sHI", 0x7FE0, element, kind, 0, size + size % 2)
        return DerivedHead(buffer.getvalue() + start, tuple(self._codings), self._measured, size)

    def _dataset(self, found: Dataset) -> Dataset:
        facts, dataset, scale = self._facts, self._header, self._facts.scale
        source = {name: text(dataset, name) for name in ("SOPClassUID", "SOPInstanceUID")}
        multiple = "NumberOfFrames" in dataset
        self._pick_frames(dataset)
        stated = [scale * (number(dataset, name) or 0) for name in ("Rows", "Columns")]
        if stated != [*self._shape]:
            # A tile of a mosaic lies elsewhere than what the header describes.
            place_first_frame(dataset, facts.geometry)
        _cut(dataset, ("NumberOfFrames", "PlanarConfiguration"))
        if multiple:
            dataset.NumberOfFrames = len(self._frames)
        dataset.Rows, dataset.Columns = self._shape
        self._describe_values(dataset)
        enlarge(dataset, scale)
        _set_type(dataset)
        dataset.update(self._provenance(source, multiple))
        for name in _EMPTY:
            setattr(dataset, name, "")
        state_unknown(dataset)
        if facts.keep_patient:
            dataset.update(identity(found))
        else:
            dataset.PatientIdentityRemoved = "YES"
            dataset.DeidentificationMethod = _METHOD
            dataset.DeidentificationMethodCodeSequence = [_coded(one) for one in _REMOVED]
            dataset.LongitudinalTemporalInformationModified = "REMOVED"
        if "StudyInstanceUID" not in dataset:
            dataset.StudyInstanceUID = facts.study_uid
        return dataset

    def _pick_frames(self, dataset: Dataset) -> None:
        groups = dataset.get(_GROUPS)
        if groups:
            dataset.PerFrameFunctionalGroupsSequence = [
                groups[frame] for frame in self._frames if frame < len(groups)
            ]
            return
        stated = dataset.get("NumberOfFrames")
        everything = self._frames == tuple(range(int(stated or 1)))
        if everything:
            return
        if "GridFrameOffsetVector" in dataset:
            if len(self._frames) == 1:
                place_first_frame(dataset, self._facts.geometry)
            _cut(dataset, ("GridFrameOffsetVector", "FrameIncrementPointer"))
        first, end = self._frames[0], self._frames[-1] + 1
        times = np.ravel(dataset.get("FrameTimeVector", ())).tolist()
        if self._frames != tuple(range(first, end)) or len(times) not in (0, stated):
            _cut(dataset, ("FrameTimeVector", "FrameTime", "FrameIncrementPointer"))
        elif times:
            # Each is the time since the frame before.
            dataset.FrameTimeVector = [0.0, *times[first + 1 : end]]

    def _describe_values(self, dataset: Dataset) -> None:
        facts = self._facts
        first = self._codings[0]
        describe_samples(dataset, first, facts)
        _cut(dataset, SCALED_TABLES)
        if facts.colour:
            _cut(dataset, ("RescaleSlope", "RescaleIntercept", "RescaleType", "WindowCenter",
                           "WindowWidth", "VOILUTFunction", "PresentationLUTShape"))  # fmt: skip
            return
        if not facts.in_source_units and text(dataset, "PresentationLUTShape"):
            dataset.PresentationLUTShape = "IDENTITY"
        groups = dataset.get(_GROUPS)
        if not groups:
            _set_rescale(dataset, first, facts)
            _set_window(dataset, facts.window)
            return
        _cut(dataset, ("RescaleSlope", "RescaleIntercept", "RescaleType", "WindowCenter",
                       "WindowWidth", "VOILUTFunction"))  # fmt: skip
        shared = dataset.get("SharedFunctionalGroupsSequence") or [Dataset()]
        kinds = [
            text(item, "RescaleType")
            for place in range(len(groups))
            if (item := frame_item(dataset, "PixelValueTransformationSequence", place)) is not None
        ]
        for group in (*shared, *groups):
            _cut(group, ("PixelValueTransformationSequence", "FrameVOILUTSequence"))
        item = Dataset()
        _set_window(item, facts.window)
        shared[0].FrameVOILUTSequence = [item]
        dataset.SharedFunctionalGroupsSequence = shared
        for group, coding in zip(groups, self._codings, strict=False):
            if coding.rescaled:
                item = Dataset()
                if kinds and kinds[0]:
                    item.RescaleType = kinds[0]
                _set_rescale(item, coding, facts)
                group.PixelValueTransformationSequence = [item]

    def _provenance(self, source: dict[str, str], multiple: bool) -> Dataset:
        facts, new = self._facts, Dataset()
        new.SOPClassUID = source["SOPClassUID"] or SecondaryCaptureImageStorage
        new.SOPInstanceUID = new_uid()
        new.SeriesInstanceUID = facts.series_uid
        new.SeriesDescription = _ascii(facts.series_description)[:64]
        new.SeriesNumber = 1000 + int(self._header.get("SeriesNumber") or 0)
        new.InstanceNumber = int(self._header.get("InstanceNumber") or 1)
        now = datetime.now(UTC)
        new.ContentDate, new.ContentTime = now.strftime("%Y%m%d"), now.strftime("%H%M%S")
        new.Manufacturer = new.ManufacturerModelName = "Reading Room"
        new.SoftwareVersions = __version__
        new.DeviceSerialNumber = "none"
        new.DerivationDescription = _ascii(facts.description)[:1024]
        new.DerivationCodeSequence = [_coded(_RESAMPLED if facts.scale > 1 else _PROCESSED)]
        if source["SOPInstanceUID"]:
            item = Dataset()
            item.ReferencedSOPClassUID = new.SOPClassUID
            item.ReferencedSOPInstanceUID = source["SOPInstanceUID"]
            if multiple:
                item.ReferencedFrameNumber = [frame + 1 for frame in self._frames]
            item.PurposeOfReferenceCodeSequence = [_coded(_SOURCE_IMAGE)]
            new.SourceImageSequence = [item]
        tool = Dataset()
        tool.Manufacturer, tool.SoftwareVersions = "Reading Room", __version__
        tool.ContributionDescription = "Not a medical device. Not for diagnosis."
        tool.PurposeOfReferenceCodeSequence = [_coded(_EQUIPMENT)]
        new.ContributingEquipmentSequence = [tool]
        return new


def _in_output(facts: DerivedFacts, measured: Quantity) -> DerivedFacts:
    """The facts of values before they became this quantity."""
    low, high, lowest = measured.undone(np.array([*facts.window.ends, facts.lowest])).tolist()
    return replace(facts, window=Window(low, high).turned(facts.window.inverted), lowest=lowest)


def _ascii(words: str) -> str:
    """Text that every character set holds, without what separates values."""
    return words.encode("ascii", "replace").decode().replace("\\", "/")


def _coded(code: Code) -> Dataset:
    item = Dataset()
    item.CodeValue, item.CodingSchemeDesignator = code.value, code.scheme_designator
    item.CodeMeaning = code.meaning
    return item


def _cut(dataset: Dataset, names: tuple[str, ...]) -> None:
    for name in names:
        if name in dataset:
            del dataset[name]


def _set_type(dataset: Dataset) -> None:
    """DERIVED and SECONDARY (C.7.6.1.1.2), with the further words of the source.

    The types of enhanced images have four words, of which the second is PRIMARY (C.8.16.1).
    """
    groups = (
        *(dataset.get("SharedFunctionalGroupsSequence") or ()),
        *(dataset.get(_GROUPS) or ()),
    )
    for group in groups:
        for name in _FRAME_TYPES:
            for item in group.get(name) or ():
                item.FrameType = _enhanced_type(item.get("FrameType"))
    whole = dataset.get("ImageType")
    enhanced = text(dataset, "SOPClassUID") in ENHANCED
    dataset.ImageType = (
        _enhanced_type(whole) if enhanced else ["DERIVED", "SECONDARY", *_further(whole)]
    )


def _enhanced_type(value: Any) -> list[str]:
    """Four words: DERIVED, PRIMARY, the flavour and contrast of the source, or usual ones."""
    known = _further(value)[:2]
    return ["DERIVED", "PRIMARY", *known, *("VOLUME", "NONE")[len(known) :]]


def _further(value: Any) -> list[str]:
    words = [value] if isinstance(value, str) else list(value or ())
    return [str(word) for word in words[2:]]


def _set_rescale(item: Dataset, coding: Coding, facts: DerivedFacts) -> None:
    if not coding.rescaled:
        _cut(item, ("RescaleSlope", "RescaleIntercept", "RescaleType"))
        return
    item.RescaleSlope, item.RescaleIntercept = as_ds(coding.slope), as_ds(coding.intercept)
    if not facts.in_source_units:
        item.RescaleType = "US"


def _set_window(item: Dataset, window: Window) -> None:
    """The window, so that its ends are those of the result (C.11.2.1.2)."""
    low, high = window.ends
    exact = window.width < _NARROW
    item.WindowCenter = as_ds((low + high) / 2 if exact else (low + high + 1.0) / 2)
    item.WindowWidth = as_ds(high - low if exact else high - low + 1.0)
    if exact:
        item.VOILUTFunction = "LINEAR_EXACT"
    else:
        _cut(item, ("VOILUTFunction",))
