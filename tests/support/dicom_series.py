"""DICOM series made by code: slices, enhanced objects, DICOMDIRs."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import EnhancedMRImageStorage, ExplicitVRLittleEndian, MediaStorageDirectoryStorage

from tests.support import image_files

AXIAL = (1.0, 0.0, 0.0, 0.0, 1.0, 0.0)


def pixels(level: int = 0) -> Any:
    """A small image whose first pixel is ``level``."""
    values = image_files.ramp(20, 24, 900).astype(np.uint16)
    values[0, 0] = level
    return values


def slice_file(position: Sequence[float] | None, number: int, **elements: Any) -> bytes:
    """One slice of a CT series; its first pixel is its number."""
    given: dict[str, Any] = {
        "Modality": "CT",
        "SeriesInstanceUID": "1.2.3.1",
        "SOPInstanceUID": f"1.2.3.1.{number}",
        "FrameOfReferenceUID": "1.2.3.9",
        "SeriesNumber": 3,
        "InstanceNumber": number,
        "ImageType": ["ORIGINAL", "PRIMARY", "AXIAL"],
        "ImageOrientationPatient": list(AXIAL),
        "PixelSpacing": [0.7, 0.7],
        "SliceThickness": 2,
        "RescaleSlope": 1,
        "RescaleIntercept": 0,
    }
    if position is not None:
        given["ImagePositionPatient"] = list(position)
    return image_files.dicom(pixels(number), **{**given, **elements})


def write(folder: Path, files: Iterable[bytes]) -> Path:
    """Files in a folder, under names whose order is the reverse of that of the files."""
    folder.mkdir(parents=True, exist_ok=True)
    for index, data in enumerate(files):
        (folder / f"IM{999 - index}").write_bytes(data)
    return folder


def stack(folder: Path, depths: Sequence[float], **elements: Any) -> Path:
    """An axial series whose slice k, of number k + 1, is at ``depths[k]`` mm."""
    return write(
        folder,
        [slice_file((0, 0, depth), index + 1, **elements) for index, depth in enumerate(depths)],
    )


def enhanced(frames: Sequence[Mapping[str, Any]], **elements: Any) -> bytes:
    """An enhanced MR object.

    A frame has ``z``, and optionally ``stack``, ``time``, ``echo``, ``b``, ``component``. The first
    pixel of a frame is its index.
    """
    values = np.stack([pixels(index) for index in range(len(frames))])
    dataset = image_files.dicom_dataset(values, {"Modality": "MR", **elements})
    dataset.file_meta.MediaStorageSOPClassUID = EnhancedMRImageStorage
    dataset.SOPClassUID = EnhancedMRImageStorage
    dataset.SharedFunctionalGroupsSequence = [
        _item(
            PlaneOrientationSequence=[_item(ImageOrientationPatient=list(AXIAL))],
            PixelMeasuresSequence=[_item(PixelSpacing=[1.5, 0.75], SliceThickness=4)],
        )
    ]
    dataset.PerFrameFunctionalGroupsSequence = [_frame(frame) for frame in frames]
    return image_files.to_bytes(dataset)


def _frame(frame: Mapping[str, Any]) -> Dataset:
    content = _item(StackID=str(frame.get("stack", 1)))
    if "time" in frame:
        content.TemporalPositionIndex = frame["time"]
    item = _item(
        FrameContentSequence=[content],
        PlanePositionSequence=[_item(ImagePositionPatient=[0, 0, frame["z"]])],
    )
    if "echo" in frame:
        item.MREchoSequence = [_item(EffectiveEchoTime=frame["echo"])]
    if "b" in frame:
        item.MRDiffusionSequence = [_item(DiffusionBValue=frame["b"])]
    if "component" in frame:
        item.MRImageFrameTypeSequence = [
            _item(
                FrameType=["ORIGINAL", "PRIMARY", "VOLUME", "NONE"],
                ComplexImageComponent=frame["component"],
            )
        ]
    return item


def dicomdir(listed: Iterable[Sequence[str]]) -> bytes:
    """A DICOMDIR that lists files by the parts of their paths, with a patient's record."""
    dataset = Dataset()
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    dataset.file_meta.MediaStorageSOPClassUID = MediaStorageDirectoryStorage
    dataset.file_meta.MediaStorageSOPInstanceUID = "1.2.3.4.5"
    patient = _item(DirectoryRecordType="PATIENT", PatientName=image_files.PATIENT[0])
    images = [_item(DirectoryRecordType="IMAGE", ReferencedFileID=list(parts)) for parts in listed]
    dataset.DirectoryRecordSequence = [patient, *images]
    return image_files.to_bytes(dataset)


def _item(**elements: Any) -> Dataset:
    item = Dataset()
    for name, value in elements.items():
        setattr(item, name, value)
    return item
