"""Reading image files: the content decides the format, and no patient data are kept.

`load` gives one slice as a `MedicalImage`, `probe` the facts of the header. Every fault of a file
is an `ImageReadError` with a sentence for the user.
"""

from __future__ import annotations

import errno
import hashlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from enhancers.errors import ImageReadError, ImageTooLarge, ParameterError, ReadingRoomError
from enhancers.image import MedicalImage
from enhancers.load import pairs
from enhancers.load.depths import with_depths
from enhancers.load.file_format import VOLUMES, Format, sniff
from enhancers.load.raw import MIN_SIDE, Caps, Probe, RawSlice, with_background
from enhancers.load.window import finish
from enhancers.voxel_grid import STORED

if TYPE_CHECKING:
    from enhancers.load.volumes.volume import Volume

__all__ = ["MIN_SIDE", "Caps", "Probe", "load", "probe"]

DEFAULT_CAPS = Caps()
_PIECE = 2**20


def load(
    path: Path | bytes,
    *,
    slice_index: int | None = None,
    window: tuple[float, float] | None = None,
    caps: Caps = DEFAULT_CAPS,
    plane: str = STORED,
    time: int = 0,
) -> MedicalImage:
    """Read one slice of a DICOM file, a volume, a picture, or complex MR data.

    Parameters
    ----------
    path : Path or bytes
        A file, whose name and extension are ignored, or the bytes of one.
    slice_index : int or None
        Frame of a multi-frame DICOM file, page of a TIFF file, slice of a NIfTI volume. None takes
        the middle one, and the first page of a TIFF file.
    window : (low, high) or None
        In source units (HU for CT). None takes the file's window, else the default: soft tissue for
        CT, the stored range for 8 bits and for PNG and TIFF, percentiles of the content otherwise
        (with a warning).
    caps : Caps
    plane : str
        Of a volume in one file (NIfTI): "axial", "coronal", "sagittal", or "stored", as the file
        has its slices. `enhancers.volume.load_plane` cuts DICOM volumes, too.
    time : int
        Of such a volume: which of its times, from 0.

    Returns
    -------
    MedicalImage
        Without names, dates, identifiers and the file's name.

    Raises
    ------
    ImageReadError
        Not a readable image; `ImageTooLarge` where a limit is exceeded.
    ParameterError
        ``slice_index``, ``window``, ``plane`` or ``time`` is not possible for this file.
    """
    if isinstance(path, bytes):
        caps.check_bytes(len(path))
    data = path if isinstance(path, bytes) else read_bytes(Path(path), caps)
    with enough_memory():
        raw = read_slice(data, slice_index, caps, plane, time)
        image = finish(raw, hashlib.sha256(data).hexdigest(), window)
        return with_depths(
            image, lambda others: [read_slice(data, at, caps, plane, time).values for at in others]
        )


def probe(path: Path, caps: Caps = DEFAULT_CAPS, plane: str = STORED) -> Probe:
    """Read the header of a file: format, size, number of slices, modality. Decodes no pixels.

    Size and slices are those of a ``plane``, for volumes in one file.

    Raises
    ------
    ImageReadError
        As for `load`, as far as the header shows it.
    """
    data = read_bytes(Path(path), caps)
    kind = sniff(data)
    with enough_memory(), one_error(kind):
        if kind in VOLUMES:
            from enhancers.load.volumes import converted, volume

            data = converted.as_metaimage(kind, data, caps)
            return volume.probe(kind, data, caps, plane)
        if plane != STORED:
            raise _as_stored(kind)
        return _probe(kind, data, caps)


def read_slice(
    data: bytes, slice_index: int | None, caps: Caps, plane: str = STORED, time: int = 0
) -> RawSlice:
    """Decode one slice of a file's bytes (see `load`), before its window is chosen.

    Raises
    ------
    ImageReadError, ParameterError
    MemoryError
    """
    kind = sniff(data)
    with one_error(kind):
        if kind in VOLUMES:
            from enhancers.load.volumes import converted, volume

            data = converted.as_metaimage(kind, data, caps)
            return volume.read(kind, data, slice_index, caps, plane, time)
        if plane != STORED or time:
            raise _as_stored(kind)
        return with_background(_read(kind, data, slice_index, caps))


def read_volume(data: bytes, caps: Caps) -> Volume | None:
    """The volume of a file of several slices and moderate size; None for files of pictures.

    Raises
    ------
    ImageReadError
    MemoryError
    """
    kind = sniff(data)
    if kind not in VOLUMES:
        return None
    from enhancers.load.volumes import converted, volume

    with one_error(kind):
        return volume.read_volume(kind, converted.as_metaimage(kind, data, caps), caps)


def coded_values(data: bytes, names: Sequence[str], caps: Caps = DEFAULT_CAPS) -> dict[str, str]:
    """Elements of a DICOM header that hold a code, by their names; empty where there is none.

    Raises
    ------
    ImageReadError
        This is no DICOM file, or a damaged one.
    """
    from enhancers.load import dicom

    with one_error("DICOM"):
        return dicom.coded_values(data, names, caps)


@contextmanager
def enough_memory() -> Iterator[None]:
    """Turn the lack of memory into an `ImageTooLarge`."""
    try:
        yield
    except MemoryError:
        raise ImageTooLarge(
            "The image needs more memory than there is. Crop it, or export a single slice."
        ) from None


@contextmanager
def one_error(kind: Format) -> Iterator[None]:
    """Turn any exception of a decoder into an `ImageReadError`."""
    try:
        yield
    except (ReadingRoomError, MemoryError):
        raise
    except Exception as error:
        raise _damaged(kind) from error


def _as_stored(kind: Format) -> ParameterError:
    return ParameterError(
        f"A {kind} file is read as it is stored; planes and times are those of volumes."
    )


def _damaged(kind: Format) -> ImageReadError:
    return ImageReadError(
        f"The {kind} file is damaged or truncated and cannot be decoded. Export it again."
    )


# Readers are imported at the first file of their format: pydicom alone takes half a second.
def _read(kind: Format, data: bytes, slice_index: int | None, caps: Caps) -> RawSlice:
    if kind == "DICOM":
        from enhancers.load import dicom

        return dicom.read(data, slice_index, caps)
    if kind == "TIFF":
        from enhancers.load import tiff

        return tiff.read(data, slice_index, caps)
    if kind == "NumPy":
        from enhancers.load import numpy_kspace

        return numpy_kspace.read(data, slice_index, caps)
    if kind == "fastMRI":
        from enhancers.load import fastmri

        return fastmri.read(data, slice_index, caps)
    if kind == "GIF":
        from enhancers.load import gif

        return gif.read(data, slice_index, caps)
    from enhancers.load import raster

    return raster.read(kind, data, slice_index, caps)


def _probe(kind: Format, data: bytes, caps: Caps) -> Probe:
    if kind == "DICOM":
        from enhancers.load import dicom

        return dicom.probe(data, caps)
    if kind == "TIFF":
        from enhancers.load import tiff

        return tiff.probe(data, caps)
    if kind == "NumPy":
        from enhancers.load import numpy_kspace

        return numpy_kspace.probe(data, caps)
    if kind == "fastMRI":
        from enhancers.load import fastmri

        return fastmri.probe(data, caps)
    if kind == "GIF":
        from enhancers.load import gif

        return gif.probe(data, caps)
    from enhancers.load import raster

    return raster.probe(kind, data, caps)


def read_bytes(path: Path, caps: Caps) -> bytes:
    """The file's bytes; messages do not name the file, since names often identify the patient.

    A header whose values are in a second file, or these, are joined with the other one where that
    lies beside it (`enhancers.load.pairs`).

    Raises
    ------
    ImageReadError
    """
    start, values = in_one(path, caps)
    with opening_errors():
        return start + values.read_bytes()


def content_digest(path: Path, caps: Caps) -> str:
    """SHA-256 of a file, or of both of a pair as one, as `load` states it.

    Raises
    ------
    ImageReadError
    """
    start, values = in_one(path, caps)
    digest = hashlib.sha256(start)
    with opening_errors(), values.open("rb") as file:
        while piece := file.read(_PIECE):
            digest.update(piece)
    return digest.hexdigest()


def in_one(path: Path, caps: Caps) -> tuple[bytes, Path]:
    """What is put before the bytes of a file, and that file: its values, where it is half a pair.

    Raises
    ------
    ImageReadError
    """
    with opening_errors():
        check_file(path, caps)
        pair = pairs.beside(path)
        if pair is None:
            return b"", path
        header, values = pair
        check_file(values, caps)
        return pairs.joined_header(pairs.head_of(header), pairs.head_of(values)), values


def check_file(path: Path, caps: Caps) -> None:
    """Raise an ImageReadError unless this is a regular file within the limit of its size."""
    if path.is_dir():
        raise ImageReadError("This is a folder; give one image file.")
    if not path.exists():
        raise ImageReadError("There is no such file; check the path.")
    if not path.is_file():
        raise ImageReadError("This is not a regular file; give one image file.")
    caps.check_bytes(path.stat().st_size)


@contextmanager
def opening_errors() -> Iterator[None]:
    """Turn the errors of the system into an `ImageReadError`."""
    try:
        yield
    except PermissionError:
        raise ImageReadError("The file may not be read; check its permissions.") from None
    except (OSError, ValueError) as error:
        if getattr(error, "errno", None) == errno.ENAMETOOLONG:
            raise ImageReadError(
                "The name of the file, or its path, is too long for this system; give it a shorter "
                "one."
            ) from None
        reason = getattr(error, "strerror", None) or "the path is not valid"
        raise ImageReadError(f"The file cannot be opened: {reason}.") from None
