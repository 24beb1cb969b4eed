"""Builders of good and hostile image files, as bytes; nothing here uses the code under test."""

from __future__ import annotations

import gzip
import io
import struct
import tempfile
import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
from numpy.typing import NDArray
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.encaps import encapsulate
from pydicom.uid import (
    JPEG2000,
    MPEG2MPML,
    UID,
    CTImageStorage,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    JPEG2000Lossless,
    JPEGBaseline8Bit,
    JPEGLosslessSV1,
    RLELossless,
)

PATIENT = ("Zyxwvut^Qwertina", "PID-424242", "19630117", "Saint Xylograph", "77123456789")
"""Strings that stand for the patient in every DICOM file built here."""

_PATIENT_ELEMENTS = {
    "PatientName": PATIENT[0], "PatientID": PATIENT[1], "PatientBirthDate": PATIENT[2],
    "InstitutionName": PATIENT[3], "StudyDescription": f"of {PATIENT[0]}", "StudyDate": PATIENT[2],
    "StudyInstanceUID": f"1.2.826.{PATIENT[4]}.1", "SeriesInstanceUID": f"1.2.826.{PATIENT[4]}.2",
    "AccessionNumber": PATIENT[4], "ReferringPhysicianName": PATIENT[0],
}  # fmt: skip


def ramp(rows: int = 40, columns: int = 56, top: int = 4095) -> NDArray[np.int64]:
    """Whole numbers from 0 to ``top``, all directions different."""
    row, column = np.mgrid[0:rows, 0:columns]
    values = (row * 7 + column * 3) % 61 * 40 + row * 11 + column * 5
    return (values * top // values.max()).astype(np.int64)


def colour_ramp(rows: int = 40, columns: int = 56, top: int = 255) -> NDArray[np.int64]:
    """Three different channels from 0 to ``top``."""
    gray = ramp(rows, columns, top)
    return np.dstack([gray, gray[::-1], top - gray[:, ::-1]])


def chest(rows: int = 128, columns: int = 160, seed: int = 0) -> NDArray[np.int64]:
    """Hounsfield units like those of a chest: air, lungs, fat, soft tissue and bone, with noise."""
    import cv2

    row, column = np.mgrid[-1 : 1 : rows * 1j, -1 : 1 : columns * 1j]
    values = np.full((rows, columns), -1000.0)
    values[(row / 0.85) ** 2 + (column / 0.95) ** 2 < 1] = -100.0
    values[(row / 0.75) ** 2 + (column / 0.87) ** 2 < 1] = 45.0
    for side in (-1, 1):
        values[(row / 0.5) ** 2 + ((column - 0.42 * side) / 0.27) ** 2 < 1] = -850.0
    values[((row - 0.5) / 0.14) ** 2 + (column / 0.1) ** 2 < 1] = 700.0
    values[np.abs(np.hypot(row / 0.72, column / 0.84) - 1) < 0.03] = 1254.0
    values = cv2.GaussianBlur(values, (0, 0), 0.6)
    noise = np.random.default_rng(seed).normal(0, 12, values.shape)
    return np.maximum(np.rint(values + noise), -1024).astype(np.int64)


def dicom_dataset(pixels: NDArray[Any], elements: Mapping[str, Any] | None = None) -> Dataset:
    """An uncompressed data set of (H, W), (N, H, W), or with ``SamplesPerPixel`` 3 (H, W, 3)."""
    dataset = Dataset()
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    dataset.SOPClassUID = CTImageStorage
    dataset.SOPInstanceUID = f"1.2.826.{PATIENT[4]}.3"
    for name, value in _PATIENT_ELEMENTS.items():
        setattr(dataset, name, value)
    colour = pixels.ndim == 3 and pixels.shape[2] == 3
    if pixels.ndim == 3 and not colour:
        dataset.NumberOfFrames = pixels.shape[0]
    dataset.Rows, dataset.Columns = pixels.shape[:2] if colour else pixels.shape[-2:]
    dataset.SamplesPerPixel = 3 if colour else 1
    dataset.PhotometricInterpretation = "RGB" if colour else "MONOCHROME2"
    if colour:
        dataset.PlanarConfiguration = 0
    bits = 8 * pixels.dtype.itemsize
    dataset.BitsAllocated = dataset.BitsStored = bits
    dataset.HighBit = bits - 1
    dataset.PixelRepresentation = int(pixels.dtype.kind == "i")
    dataset.Modality = "OT"
    for name, value in (elements or {}).items():
        if value is None:
            delattr(dataset, name)
        else:
            setattr(dataset, name, value)
    dataset.PixelData = pixels.astype(pixels.dtype.newbyteorder("<")).tobytes()
    if len(dataset.PixelData) % 2:
        dataset.PixelData += b"\0"
    dataset["PixelData"].VR = "OW" if bits > 8 else "OB"
    return dataset


def to_bytes(dataset: Dataset, *, bare: bool = False) -> bytes:
    """Write a data set as a DICOM file, or ``bare``: implicit VR without preamble and header."""
    buffer = io.BytesIO()
    if bare:
        del dataset.file_meta
        pydicom.dcmwrite(buffer, dataset, implicit_vr=True, little_endian=True)
    else:
        dataset.save_as(buffer, enforce_file_format=True)
    return buffer.getvalue()


def dicom(pixels: NDArray[Any], syntax: UID = ExplicitVRLittleEndian, **elements: Any) -> bytes:
    """A DICOM file of these pixels, encoded in a transfer syntax that an encoder exists for.

    ``elements`` are set by keyword; None removes one.
    """
    dataset = dicom_dataset(pixels, elements)
    if syntax == RLELossless:
        dataset.compress(RLELossless, generate_instance_uid=False)
        return to_bytes(dataset)
    encoders: dict[UID, Callable[[NDArray[Any]], bytes]] = {
        JPEGBaseline8Bit: jpeg,
        JPEG2000Lossless: jpeg_2000,
        JPEG2000: jpeg_2000,
        JPEGLosslessSV1: jpeg_lossless,
    }
    if syntax in encoders:
        frames = pixels[None] if pixels.ndim == 2 or dataset.SamplesPerPixel == 3 else pixels
        dataset.PixelData = encapsulate([encoders[syntax](frame) for frame in frames])
        dataset["PixelData"].VR = "OB"
        dataset["PixelData"].is_undefined_length = True
    elif syntax == ExplicitVRBigEndian and pixels.dtype.itemsize == 2:
        dataset.PixelData = pixels.astype(pixels.dtype.newbyteorder(">")).tobytes()
    dataset.file_meta.TransferSyntaxUID = syntax
    return to_bytes(dataset)


def jpeg(pixels: NDArray[Any], **options: Any) -> bytes:
    """Baseline JPEG by Pillow."""
    from PIL import Image

    buffer = io.BytesIO()
    Image.fromarray(pixels.astype(np.uint8)).save(buffer, "JPEG", quality=95, **options)
    return buffer.getvalue()


def jpeg_2000(pixels: NDArray[Any]) -> bytes:
    """Lossless JPEG 2000 codestream by Pillow (OpenJPEG), 8 or 16 bits unsigned."""
    from PIL import Image

    buffer = io.BytesIO()
    options = {"irreversible": False, "no_jp2": True, "mct": 0}
    Image.fromarray(pixels).save(buffer, "JPEG2000", **options)
    return buffer.getvalue()


def jpeg_lossless(pixels: NDArray[Any]) -> bytes:
    """Lossless JPEG (process 14, selection value 1) by GDCM."""
    import SimpleITK

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "x.dcm"
        writer = SimpleITK.ImageFileWriter()
        writer.SetImageIO("GDCMImageIO")
        writer.UseCompressionOn()
        writer.SetCompressor("JPEG")
        writer.SetFileName(str(path))
        writer.Execute(SimpleITK.GetImageFromArray(pixels[None], isVector=pixels.ndim == 3))
        stored = pydicom.dcmread(path)
    return next(pydicom.encaps.generate_frames(stored.PixelData, number_of_frames=1))


def png(pixels: NDArray[Any], **options: Any) -> bytes:
    """PNG with 8 or 16 bits: (H, W), or with 2, 3 or 4 channels; stored, not by a library."""
    channels = 1 if pixels.ndim == 2 else pixels.shape[2]
    depth = 8 * pixels.dtype.itemsize
    rows, columns = pixels.shape[:2]
    lines = pixels.astype(pixels.dtype.newbyteorder(">")).reshape(rows, -1)
    packed = b"".join(b"\0" + line.tobytes() for line in lines)
    kind = {1: 0, 2: 4, 3: 2, 4: 6}[channels]
    return png_chunks(columns, rows, depth, kind, zlib.compress(packed), **options)


def png_chunks(
    columns: int, rows: int, depth: int, kind: int, body: bytes, extra: bytes = b""
) -> bytes:
    """A PNG file of a header, chunks as they are, and one IDAT chunk."""
    header = struct.pack(">IIBBBBB", columns, rows, depth, kind, 0, 0, 0)
    chunks = [(b"IHDR", header), (b"IDAT", body), (b"IEND", b"")]
    parts = [b"\x89PNG\r\n\x1a\n"]
    for name, data in chunks:
        if name == b"IDAT":
            parts.append(extra)
        parts.append(png_chunk(name, data))
    return b"".join(parts)


def png_chunk(name: bytes, data: bytes) -> bytes:
    """One chunk with its checksum."""
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))


def tiff(pixels: NDArray[Any], **options: Any) -> bytes:
    """TIFF by tifffile; (N, H, W) with ``photometric="minisblack"`` gives N pages."""
    import tifffile

    buffer = io.BytesIO()
    tifffile.imwrite(buffer, pixels, **{"metadata": None, **options})
    return buffer.getvalue()


def lzw_tiff(*pages: NDArray[Any]) -> bytes:
    """TIFF with LZW and a predictor, by OpenCV (libtiff)."""
    import cv2

    stored = [page[..., ::-1].copy() if page.ndim == 3 else page for page in pages]
    done, data = cv2.imencodemulti(".tiff", stored, [cv2.IMWRITE_TIFF_COMPRESSION, 5])
    assert done
    return data.tobytes()


def nifti(
    volume: NDArray[Any],
    *,
    affine: NDArray[Any] | None = None,
    version: int = 1,
    order: str = "<",
    slope: float = 0.0,
    inter: float = 0.0,
    packed: bool = False,
) -> bytes:
    """NIfTI file of a volume indexed [x, y, z] (or [x, y, z, t]); right, anterior, superior."""
    codes = {
        "u1": 2, "i2": 4, "i4": 8, "f4": 16, "f8": 64, "i1": 256, "u2": 512, "u4": 768, "c8": 32,
    }  # fmt: skip
    code = codes[volume.dtype.kind + str(volume.dtype.itemsize)]
    dim = [volume.ndim, *volume.shape] + [1] * (7 - volume.ndim)
    zooms = np.ones(3) if affine is None else np.linalg.norm(affine[:, :3], axis=0)
    pixdim = [1.0, *zooms, 1.0, 1.0, 1.0, 1.0]
    srow = np.zeros(12) if affine is None else np.asarray(affine[:3]).reshape(-1)
    bits = 8 * volume.dtype.itemsize
    if version == 1:
        head = bytearray(352)
        struct.pack_into(order + "i", head, 0, 348)
        struct.pack_into(order + "8h", head, 40, *dim)
        struct.pack_into(order + "hh", head, 70, code, bits)
        struct.pack_into(order + "8f", head, 76, *pixdim)
        struct.pack_into(order + "3f", head, 108, 352.0, slope, inter)
        head[123] = 2
        struct.pack_into(order + "hh", head, 252, 0, int(affine is not None))
        struct.pack_into(order + "12f", head, 280, *srow)
        head[344:348] = b"n+1\0"
    else:
        head = bytearray(544)
        struct.pack_into(order + "i", head, 0, 540)
        head[4:12] = b"n+2\0\r\n\x1a\n"
        struct.pack_into(order + "hh", head, 12, code, bits)
        struct.pack_into(order + "8q", head, 16, *dim)
        struct.pack_into(order + "8d", head, 104, *pixdim)
        struct.pack_into(order + "qdd", head, 168, 544, slope, inter)
        struct.pack_into(order + "ii", head, 344, 0, int(affine is not None))
        struct.pack_into(order + "12d", head, 400, *srow)
        struct.pack_into(order + "i", head, 500, 2)
    data = bytes(head) + volume.astype(volume.dtype.newbyteorder(order)).tobytes(order="F")
    return gzip.compress(data, mtime=0) if packed else data


@dataclass(frozen=True)
class BadFile:
    """A file that cannot be read: its misleading name, its bytes, and what the error must say."""

    name: str
    data: bytes
    says: str


def bad_files() -> dict[str, BadFile]:
    """Every kind of file that has to end in an error of its own, by a short key."""
    good = dicom(ramp().astype(np.uint16))
    return {
        "empty": BadFile("empty.dcm", b"", "empty"),
        "text": BadFile("notes.dcm", b"These are notes, not an image.\n" * 20, "text file"),
        "html": BadFile("page.png", b"<!DOCTYPE html><html><body>404</body></html>", "HTML"),
        "pdf": BadFile("report.png", b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n1 0 obj", "PDF"),
        "zip": BadFile("images.png", b"PK\x03\x04" + bytes(60), "zip archive"),
        "video": BadFile("clip.png", b"\0\0\0\x18ftypmp42" + bytes(60), "video"),
        "random": BadFile("noise.png", np.random.default_rng(0).bytes(4000), "no image format"),
        "truncated_dicom": BadFile("half.dcm", good[: len(good) - 1500], "truncated"),
        "truncated_header": BadFile("head.dcm", good[:300], "has no pixels"),
        "truncated_png": BadFile("half.png", png(ramp().astype(np.uint16))[:-40], "truncated"),
        "truncated_jpeg": BadFile(
            "half.jpg", jpeg(ramp(200, 200, 255))[:3000], "damaged or truncated"
        ),
        "truncated_tiff": BadFile("half.tif", tiff(ramp().astype(np.uint16))[:2000], "truncated"),
        "truncated_nifti": BadFile("half.nii", nifti(_volume())[:-5000], "truncated"),
        "truncated_gzip": BadFile(
            "half.nii.gz", nifti(_volume(), packed=True)[:-300], "damaged or truncated"
        ),
        "one_pixel": BadFile("dot.png", png(np.full((1, 1), 9, np.uint8)), "1 x 1"),
        "nan": BadFile("nan.tif", tiff(np.full((32, 32), np.nan, np.float32)), "every value"),
        "constant": BadFile("gray.png", png(np.full((40, 40), 77, np.uint8)), "constant"),
        "unsupported": BadFile("mpeg.dcm", _video_dicom(), "1.2.840.10008.1.2.4.100"),
        "report": BadFile("report.dcm", _report(), "holds no image"),
        "dicomdir": BadFile("index.dcm", _report("1.2.840.10008.1.3.10"), "DICOMDIR"),
        **bombs(),
    }


def bombs() -> dict[str, BadFile]:
    """Small files whose headers announce 30,000 x 30,000 pixels."""
    side = 30_000
    says = "30000 x 30000"
    big_png = png_chunks(side, side, 8, 0, zlib.compress(bytes(20_000)))
    small = jpeg(ramp(64, 64, 255))
    frame = small.index(b"\xff\xc0")
    big_jpeg = small[: frame + 5] + struct.pack(">HH", side, side) + small[frame + 9 :]
    fields = [(256, side), (257, side), (258, 8), (259, 1), (262, 1), (273, 200), (277, 1),
              (278, side), (279, side * side)]  # fmt: skip
    big_tiff = b"II*\0\x08\0\0\0" + struct.pack("<H", len(fields))
    big_tiff += b"".join(struct.pack("<HHII", tag, 4, 1, value) for tag, value in fields)
    big_dicom = dicom(ramp().astype(np.uint8), Rows=side, Columns=side)
    big_nifti = bytearray(nifti(np.zeros((4, 4, 1), np.int16)))
    struct.pack_into("<3h", big_nifti, 42, side, side, 1)
    return {
        "png_bomb": BadFile("bomb.png", big_png, says),
        "jpeg_bomb": BadFile("bomb.jpg", big_jpeg, says),
        "tiff_bomb": BadFile("bomb.tif", big_tiff + bytes(300), says),
        "dicom_bomb": BadFile("bomb.dcm", big_dicom, says),
        "nifti_bomb": BadFile("bomb.nii", bytes(big_nifti), says),
        "gzip_bomb": BadFile("bomb.nii.gz", gzip.compress(bytes(big_nifti)), says),
    }


def _volume() -> NDArray[np.int16]:
    return np.stack([ramp(32, 36, 900 + 10 * k) for k in range(20)], axis=-1).astype(np.int16)


def _with(value: float) -> NDArray[np.float32]:
    pixels = np.linspace(0, 1, 1024, dtype=np.float32).reshape(32, 32)
    pixels[3, 5] = value
    return pixels


def _video_dicom() -> bytes:
    dataset = dicom_dataset(ramp().astype(np.uint8))
    dataset.PixelData = encapsulate([b"\0\0\x01\xb3" + bytes(100)])
    dataset["PixelData"].is_undefined_length = True
    dataset.file_meta.TransferSyntaxUID = MPEG2MPML
    return to_bytes(dataset)


def _report(kind: str = "1.2.840.10008.5.1.4.1.1.88.11") -> bytes:
    dataset = Dataset()
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = ImplicitVRLittleEndian
    dataset.file_meta.MediaStorageSOPClassUID = UID(kind)
    dataset.SOPClassUID = UID(kind)
    dataset.SOPInstanceUID = "1.2.3"
    dataset.PatientName = PATIENT[0]
    return to_bytes(dataset)
