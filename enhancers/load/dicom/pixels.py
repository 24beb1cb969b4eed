"""Decoding of one DICOM frame by pydicom, else by GDCM in a separate process."""

from __future__ import annotations

import io
import math
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.encaps import encapsulate, get_frame
from pydicom.pixels import pixel_array
from pydicom.uid import (
    UID,
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    RLELossless,
    SecondaryCaptureImageStorage,
    UID_dictionary,
)

from enhancers.errors import ImageReadError
from enhancers.load.codestreams import JPEG_2000, JPEG_LS, StreamHeader, stream_header
from enhancers.load.dicom.header import integer, text
from enhancers.load.open_by_path import unnamed_file

_WORKER = Path(__file__).with_name("gdcm_worker.py")
_SECONDS = 120
_MOST_COMPONENTS = 4
_RLE_HEADER = 1024
_PADDED = 8
"""Bits that make the length of an element even."""
_JPEG = "1.2.840.10008.1.2.4."
_COMPRESSED = frozenset(
    [RLELossless, *(UID(_JPEG + end) for end in ("50", "51", "57", "70", "80", "81", "90", "91"))]
)
# High-throughput JPEG 2000 (T.814), whose streams OpenJPEG 2.5 reads as those of JPEG 2000.
_HIGH_THROUGHPUT = frozenset(UID(_JPEG + end) for end in ("201", "202", "203"))
# Lossless JPEG, JPEG-LS and JPEG 2000, each with what it may lose.
_ENDS = {0xC3: "57", JPEG_LS: "81", JPEG_2000: "91"}
_UNCOMPRESSED = frozenset(
    [
        ImplicitVRLittleEndian,
        ExplicitVRLittleEndian,
        ExplicitVRBigEndian,
        DeflatedExplicitVRLittleEndian,
    ]
)
_PIXEL_MODULE = (
    "SamplesPerPixel", "PlanarConfiguration", "Rows", "Columns", "BitsAllocated", "BitsStored",
    "HighBit", "PixelRepresentation",
)  # fmt: skip


def transfer_syntax(dataset: Dataset) -> UID:
    """The transfer syntax, inferred if the file does not state it."""
    meta = getattr(dataset, "file_meta", None)
    stated = None if meta is None else meta.get("TransferSyntaxUID")
    if stated:
        return UID(str(stated))
    implicit, little = dataset.original_encoding
    if implicit:
        return ImplicitVRLittleEndian
    return ExplicitVRLittleEndian if little else ExplicitVRBigEndian


def held_frames(header: Mapping[Any, Any] | Dataset, syntax: UID, length: int) -> int:
    """Frames in ``length`` bytes of uncompressed pixels that hold fewer than the header states.

    The number that the header states where the pixels are compressed, or are no whole number of
    frames: then something else is wrong, too.
    """
    stated = max(integer(header, "NumberOfFrames", 1), 1)
    if stated == 1 or syntax not in _UNCOMPRESSED:
        return stated
    samples = integer(header, "SamplesPerPixel", 1)
    if text(header, "PhotometricInterpretation") == "YBR_FULL_422":
        samples = 2
    sizes = (integer(header, name, 0) for name in ("Rows", "Columns", "BitsAllocated"))
    bits = samples * math.prod(sizes)
    held, rest = divmod(8 * length, bits) if bits > 0 else (0, 0)
    return min(stated, held) if held and rest <= _PADDED else stated


def pixel_length(dataset: Dataset, file: IO[bytes], size: int) -> int:
    """Bytes of the pixels that begin where a file is now, of a file of ``size`` bytes."""
    implicit, little = dataset.original_encoding
    start = 8 if implicit else 12
    rest = size - file.tell() - start
    stated = int.from_bytes(file.read(start)[-4:], "little" if little else "big")
    return min(stated, rest)


def frames_note(stated: int, held: int) -> tuple[str, ...]:
    """A sentence where a file holds fewer frames than its header states."""
    if held >= stated:
        return ()
    return (f"The header states {stated} frames, and the file holds {held}: it may be truncated.",)


def decode(dataset: Dataset, index: int) -> NDArray[Any]:
    """Stored values of a frame: (rows, columns), or (rows, columns, 3) as RGB.

    The data set has the elements that `pixel_module` fills in.

    Raises
    ------
    ImageReadError
        Unsupported transfer syntax, or pixels that are missing or damaged.
    """
    syntax = transfer_syntax(dataset)
    rows, columns = integer(dataset, "Rows"), integer(dataset, "Columns")
    samples = integer(dataset, "SamplesPerPixel")
    if syntax in _HIGH_THROUGHPUT:
        with _as_jpeg_2000(dataset):
            return decode(dataset, index)
    native = syntax in _UNCOMPRESSED
    if not native and syntax not in _COMPRESSED:
        raise _unsupported(syntax)
    if syntax == RLELossless:
        _check_run_lengths(dataset, index, rows * columns * samples)
    if native or syntax == RLELossless:
        values = _native(dataset, syntax, index)
    else:
        values = _compressed(dataset, syntax, index)
    expected = (rows, columns) if samples == 1 else (rows, columns, 3)
    if values.shape != expected:
        raise _other_size(rows, columns)
    return values


@contextmanager
def _as_jpeg_2000(dataset: Dataset) -> Iterator[None]:
    """State the transfer syntax of JPEG 2000 for as long as this lasts."""
    stated = dataset.file_meta
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = UID(_JPEG + _ENDS[JPEG_2000])
    try:
        yield
    finally:
        dataset.file_meta = stated


def decode_stream(stream: bytes, header: StreamHeader) -> NDArray[Any]:
    """Samples of a JPEG, JPEG-LS or JPEG 2000 stream outside DICOM, as `decode` gives them.

    Raises
    ------
    ImageReadError
        The stream is damaged or of a kind that no decoder here knows.
    """
    allocated = 8 if header.bits <= 8 else 16
    dataset = Dataset()
    dataset.Rows, dataset.Columns = header.rows, header.columns
    dataset.SamplesPerPixel = header.components
    dataset.PhotometricInterpretation = "MONOCHROME2" if header.components == 1 else "RGB"
    dataset.PlanarConfiguration = 0
    dataset.BitsAllocated, dataset.BitsStored = allocated, header.bits
    dataset.HighBit, dataset.PixelRepresentation = header.bits - 1, int(header.signed)
    dataset.PixelData = encapsulate([stream])
    dataset["PixelData"].VR = "OB"
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = UID(_JPEG + _ENDS.get(header.coding, "51"))
    return decode(dataset, 0)


def _unsupported(syntax: UID) -> ImageReadError:
    name = f"{syntax.name} ({syntax})" if syntax in UID_dictionary else str(syntax)[:64]
    return ImageReadError(
        f"The transfer syntax {name} is not supported; "
        "convert the file to an uncompressed or JPEG 2000 one."
    )


def _native(dataset: Dataset, syntax: UID, index: int) -> NDArray[Any]:
    meta = FileMetaDataset()
    meta.TransferSyntaxUID = syntax
    dataset.file_meta = meta
    try:
        values = pixel_array(dataset, index=index, correct_unused_bits=False)
    except MemoryError:
        raise
    except Exception as error:
        raise ImageReadError(
            "The DICOM file is truncated or damaged: its pixels do not match its "
            "header. Export it again."
        ) from error
    return values if values.dtype.kind == "f" else _significant(values, dataset)


def _check_run_lengths(dataset: Dataset, index: int, count: int) -> None:
    """Raise where the coded frame is far longer than its pixels: all of it would be expanded."""
    most = 2 * count * max(1, integer(dataset, "BitsAllocated") // 8) + _RLE_HEADER
    if len(_frame(dataset, index)) > most:
        raise ImageReadError("The DICOM file is damaged: its RLE data hold more than its pixels.")


def _significant(values: NDArray[Any], dataset: Dataset) -> NDArray[Any]:
    """Extract the stored bits from the allocated ones, which may hold overlays in old files."""
    width = 8 * values.dtype.itemsize
    stored, high = integer(dataset, "BitsStored"), integer(dataset, "HighBit")
    if stored >= width or integer(dataset, "BitsAllocated") == 1:
        return values
    if not 0 < stored <= high + 1 <= width:
        raise ImageReadError(
            f"The DICOM header states BitsStored {stored} and HighBit {high} of {width} bits; "
            "the file is damaged."
        )
    # Left, then right: the second shift extends the sign bit of a signed type.
    shifted = np.left_shift(values, width - 1 - high)
    return np.asarray(np.right_shift(shifted, width - stored))


def _compressed(dataset: Dataset, syntax: UID, index: int) -> NDArray[Any]:
    header = _check_stream(dataset, index)
    if header is not None and header.signed and not integer(dataset, "PixelRepresentation"):
        # The samples are what the stream says; decoders would add half the range to them.
        dataset.PixelRepresentation = 1
    try:
        return np.asarray(pixel_array(dataset, index=index))
    except MemoryError:
        raise
    except Exception:
        return _with_gdcm(dataset, syntax, index)


def _check_stream(dataset: Dataset, index: int) -> StreamHeader | None:
    """The header of the stream; raise where its size is another: decoders go by the stream."""
    found = stream_header(_frame(dataset, index))
    if found is None:
        return None
    stated = integer(dataset, "Rows"), integer(dataset, "Columns")
    if (found.rows, found.columns) != stated or found.components > _MOST_COMPONENTS:
        raise _other_size(*stated)
    return found


def _frame(dataset: Dataset, index: int) -> bytes:
    """The coded frame; empty where there is none to find, which the decoder reports."""
    frames = max(integer(dataset, "NumberOfFrames", 1), 1)
    try:
        return bytes(get_frame(dataset.PixelData, index, number_of_frames=frames))
    except MemoryError:
        raise
    except Exception:
        return b""


def _other_size(rows: int, columns: int) -> ImageReadError:
    return ImageReadError(
        f"The DICOM header states {columns} x {rows} pixels, the data hold another size; "
        "the file is damaged."
    )


def _with_gdcm(dataset: Dataset, syntax: UID, index: int) -> NDArray[Any]:
    """Decode the frame by GDCM from a new file that holds only its pixels.

    Without rescale elements GDCM returns stored values, and the file holds no patient data. The
    process is separate because GDCM's lossless JPEG decoder crashes on some damaged files, and
    writes to standard error.
    """
    damaged = ImageReadError(
        f"The DICOM file is damaged: its {syntax.name} pixels cannot be decoded."
    )
    try:
        with unnamed_file(_single_frame(dataset, syntax, index)) as (path, handles):
            done = subprocess.run(
                [sys.executable, "-P", str(_WORKER), path],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                timeout=_SECONDS,
                check=False,
                pass_fds=handles,
            )
        if done.returncode:
            raise damaged
        return np.asarray(np.load(io.BytesIO(done.stdout), allow_pickle=False))
    except (ImageReadError, MemoryError):
        raise
    except Exception as error:
        raise damaged from error


def _single_frame(dataset: Dataset, syntax: UID, index: int) -> bytes:
    frame = Dataset()
    for name in _PIXEL_MODULE:
        if name in dataset:
            frame[name] = dataset[name]
    samples = integer(dataset, "SamplesPerPixel")
    # A palette or MONOCHROME1 is resolved after decoding.
    frame.PhotometricInterpretation = (
        "MONOCHROME2" if samples == 1 else text(dataset, "PhotometricInterpretation")
    )
    frame.PixelData = encapsulate([_frame(dataset, index)])
    frame["PixelData"].VR = "OB"
    frame["PixelData"].is_undefined_length = True
    frame.SOPClassUID = SecondaryCaptureImageStorage
    frame.SOPInstanceUID = UID("2.25.1")
    frame.file_meta = FileMetaDataset()
    frame.file_meta.TransferSyntaxUID = syntax
    buffer = io.BytesIO()
    frame.save_as(buffer, enforce_file_format=True)
    return buffer.getvalue()
