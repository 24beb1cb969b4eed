"""The samples as DICOM files, so that a study knows their modalities."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image
from pydicom.dataset import FileDataset, FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian, SecondaryCaptureImageStorage, generate_uid

from enhancers.asset_files import ASSETS

SAMPLES = ASSETS / "samples"
CODES = {"US": "US", "MR": "MR", "CT": "CT", "XR": "DX", "FUNDUS": "OP", "ENDOSCOPY": "ES"}
"""DICOM modality codes by the samples' modalities."""
HOUNSFIELD = (-160.0, 240.0)
"""Hounsfield units of black and white in the CT sample."""


@dataclass(frozen=True)
class Sample:
    """An entry of ``samples.json``."""

    key: str
    file: str
    modality: str


def samples() -> tuple[Sample, ...]:
    """The degraded sample images of one slice."""
    listed = json.loads((SAMPLES / "samples.json").read_text(encoding="utf-8"))["samples"]
    return tuple(
        Sample(one["key"], one["file"], one["modality"])
        for one in listed
        if one["file"].endswith(".png")
    )


def write(folder: Path) -> tuple[Path, ...]:
    """Write every sample as a DICOM file into an existing folder and return the paths."""
    written = []
    for sample in samples():
        with Image.open(SAMPLES / sample.file) as image:
            pixels = np.asarray(image)
        path = folder / f"{sample.key}.dcm"
        _dataset(sample, pixels, path).save_as(path, enforce_file_format=True)
        written.append(path)
    return tuple(written)


def _dataset(
    sample: Sample, pixels: np.ndarray[tuple[int, ...], np.dtype[np.generic]], path: Path
) -> FileDataset:
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID = SecondaryCaptureImageStorage
    meta.MediaStorageSOPInstanceUID = generate_uid(entropy_srcs=[sample.key])
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    data = FileDataset(str(path), {}, file_meta=meta, preamble=b"\0" * 128)
    data.SOPClassUID = meta.MediaStorageSOPClassUID
    data.SOPInstanceUID = meta.MediaStorageSOPInstanceUID
    data.Modality = CODES[sample.modality]
    data.BurnedInAnnotation = "NO"
    data.Rows, data.Columns = pixels.shape[:2]
    colour = pixels.ndim == 3
    data.SamplesPerPixel = 3 if colour else 1
    data.PhotometricInterpretation = "RGB" if colour else "MONOCHROME2"
    if colour:
        data.PlanarConfiguration = 0
    bits = 8 * pixels.dtype.itemsize
    data.BitsAllocated = data.BitsStored = bits
    data.HighBit, data.PixelRepresentation = bits - 1, 0
    if sample.modality == "CT":
        low, high = HOUNSFIELD
        data.RescaleIntercept, data.RescaleSlope = low, round((high - low) / (2**bits - 1), 10)
        data.RescaleType = "HU"
        data.WindowCenter, data.WindowWidth = (low + high) / 2, high - low
    data.PixelData = np.ascontiguousarray(pixels).tobytes()
    return data
