"""Discovery of the files of a folder, a zip archive, a DICOMDIR, or a list of paths."""

from __future__ import annotations

import os
import zipfile
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import IO

import pydicom
from pydicom.filereader import read_file_meta_info

from enhancers import zip_limits
from enhancers.errors import ImageReadError
from enhancers.load import Caps, check_file, opening_errors
from enhancers.load.file_format import sniff
from enhancers.series import zip_archive
from enhancers.series.files import ArchiveEntry, LocalFile, SourceFile
from enhancers.series.found import MISSING, UNREADABLE
from enhancers.series.headers import frame_count, is_dicom

DICOMDIR = "1.2.840.10008.1.3.10"

_HEAD = 1024
_CAPS = Caps()


@dataclass(frozen=True)
class Found:
    """A file, and how to open it now: an archive stays open while its files are read."""

    file: SourceFile
    opened: Callable[[], AbstractContextManager[IO[bytes]]]


def found_files(
    paths: Sequence[Path], caps: Caps, ignored: Counter[str], closing: ExitStack
) -> Iterator[Found]:
    """Every file of the given folders, archives, DICOMDIRs and files.

    Parameters
    ----------
    paths : sequence of Path
    caps : Caps
    ignored : Counter
        Gets the number of pipes, broken links and missing files of a DICOMDIR.
    closing : ExitStack
        Closes archives.

    Raises
    ------
    ImageReadError
        A path does not exist or may not be read, or an archive is refused (`zip_archive`).
    """
    for path in paths:
        if path.is_dir():
            for one in below(path):
                # Opening a pipe would wait for somebody to write to it.
                if one.is_file():
                    yield _local(one, path)
                else:
                    ignored[UNREADABLE] += 1
            continue
        # An archive is not read as a whole, so that the limit of a file does not hold for it.
        with opening_errors():
            check_file(path, Caps(max_bytes=zip_limits.MOST_BYTES))
            with path.open("rb") as file:
                head = file.read(_HEAD)
        if zip_archive.is_zip(head):
            yield from _entries(path, caps, closing)
        elif is_directory(path, head):
            yield from _listed(path, ignored)
        elif len(paths) == 1 and not is_dicom(head):
            raise _no_dicom(head)
        else:
            yield _local(path, path.parent)


def is_collection(path: Path, caps: Caps = _CAPS) -> bool:
    """Whether a path holds series: a folder, a zip archive (not of NumPy arrays), a DICOMDIR.

    So does a DICOM file of several frames, whose order is that of their positions.
    """
    if path.is_dir():
        return True
    try:
        with path.open("rb") as file:
            head = file.read(_HEAD)
            file.seek(0)
            frames = frame_count(file, caps)
        return frames > 1 or zip_archive.is_zip(head) or is_directory(path, head)
    except OSError:
        return False


def is_directory(path: Path, head: bytes) -> bool:
    """Whether a file is the index of a DICOM medium."""
    if head[128:132] != b"DICM" or DICOMDIR.encode() not in head:
        return False
    try:
        return bool(read_file_meta_info(path).get("MediaStorageSOPClassUID") == DICOMDIR)
    except Exception:
        # Whatever is wrong with the header, the file is read as an image, which says so.
        return False


def below(folder: Path) -> list[Path]:
    """Files below a folder, sorted; hidden ones and links to folders are left out."""
    found = []
    for where, folders, names in os.walk(folder):
        folders[:] = [name for name in folders if not name.startswith(".")]
        found += [Path(where) / name for name in names if not name.startswith(".")]
    return sorted(found)


def _local(path: Path, folder: Path) -> Found:
    file = LocalFile(path, path.relative_to(folder).as_posix())
    return Found(file, file.opened)


def _no_dicom(head: bytes) -> ImageReadError:
    try:
        kind = sniff(head)
    except ImageReadError as error:
        return error
    return ImageReadError(
        f"This is a {kind} file; give a folder, a zip archive, a DICOMDIR or DICOM files."
    )


def _entries(path: Path, caps: Caps, closing: ExitStack) -> Iterator[Found]:
    with zip_archive.reading_errors():
        archive = closing.enter_context(zipfile.ZipFile(path))
        entries = archive.infolist()
        chosen = list(zip_archive.checked_entries(archive, path, caps))
    for place, name in chosen:
        entry = entries[place]
        with zip_archive.reading_errors(), archive.open(entry) as file:
            if zip_archive.is_archive(file.read(_HEAD), name):
                raise zip_archive.nested(name)
        one = ArchiveEntry(path, place, name, entry.file_size, entry.CRC)
        yield Found(one, partial(archive.open, entry))


def _listed(path: Path, ignored: Counter[str]) -> Iterator[Found]:
    """The files that a DICOMDIR lists, below its own folder."""
    try:
        index = pydicom.dcmread(path, specific_tags=["DirectoryRecordSequence"])
        records = [one.get("ReferencedFileID") for one in index.get("DirectoryRecordSequence", ())]
    except Exception as error:
        raise ImageReadError(
            "The DICOMDIR is damaged or truncated; give the folder of the images instead."
        ) from error
    folder = path.parent
    for record in records:
        if not record:
            continue
        parts = [record] if isinstance(record, str) else [str(one) for one in record]
        if any(part in ("", ".", "..") or set(part) & set("/\\:\0") for part in parts):
            raise ImageReadError(
                "The DICOMDIR lists a file outside its folder; give the folder of the images "
                "instead."
            )
        lower = folder.joinpath(*(part.lower() for part in parts))
        listed = next((one for one in (folder.joinpath(*parts), lower) if one.is_file()), None)
        if listed is None:
            ignored[MISSING] += 1
        else:
            yield _local(listed, folder)
