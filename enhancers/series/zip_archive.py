"""Zip archives: refused by name where they are encrypted, nested, or lead out of their folder.

An archive is read in place. No entry is written to the disk, so that its name can lead nowhere; an
archive whose names try to is refused all the same, since it was made to do harm.
"""

from __future__ import annotations

import contextlib
import zipfile
from collections.abc import Iterator
from pathlib import Path

from enhancers import zip_limits
from enhancers.errors import ImageReadError, ImageTooLarge
from enhancers.load import Caps
from enhancers.load.file_format import is_npz

_ENCRYPTED = 0x1
_METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
_ARCHIVES = (
    (0, b"PK\x03\x04"), (0, b"PK\x05\x06"), (0, b"Rar!"), (0, b"7z\xbc\xaf\x27\x1c"),
    (0, b"\xfd7zXZ"), (0, b"BZh"), (257, b"ustar"),
)  # fmt: skip
_GZIP = b"\x1f\x8b"


def is_zip(head: bytes) -> bool:
    """Whether a file that begins so is a zip archive, and not one of NumPy arrays."""
    return head.startswith((b"PK\x03\x04", b"PK\x05\x06")) and not is_npz(head)


def is_archive(head: bytes, name: str) -> bool:
    """Whether an entry that begins so is an archive; a packed NIfTI volume is none."""
    if head.startswith(_GZIP):
        return not name.lower().endswith(".nii.gz")
    marked = any(head[place : place + len(mark)] == mark for place, mark in _ARCHIVES)
    return marked and not is_npz(head)


def checked_entries(archive: zipfile.ZipFile, path: Path, caps: Caps) -> Iterator[tuple[int, str]]:
    """The place and name of every file in an archive, after all of them were checked.

    Folders and files that systems add are left out.

    Raises
    ------
    ImageReadError
        An entry is encrypted, a link, leads out of the archive's folder, or is compressed in a way
        without bounds; `ImageTooLarge` where there are too many, or they unpack to too much.
    """
    entries = archive.infolist()
    if len(entries) > zip_limits.MOST_ENTRIES:
        raise ImageTooLarge(
            f"The zip archive holds {len(entries)} files; {zip_limits.MOST_ENTRIES} are allowed. "
            "Give it in parts."
        )
    size = path.stat().st_size
    most = zip_limits.most_bytes(size)
    total = sum(entry.file_size for entry in entries)
    if total > most:
        raise ImageTooLarge(
            f"The zip archive has {size / 1e6:.4g} MB and unpacks to {total / 1e6:.4g} MB; "
            f"{most / 1e6:.4g} MB are allowed. Give it in parts, or without what is not an image."
        )
    for entry in entries:
        _check(entry, caps)
    for place, entry in enumerate(entries):
        if zip_limits.is_wanted(entry):
            yield place, entry.filename


def _check(entry: zipfile.ZipInfo, caps: Caps) -> None:
    shown = f"{entry.filename[:80]!r}"
    if not zip_limits.parts_of(entry) or zip_limits.leads_out(entry):
        raise ImageReadError(
            f"The zip archive has an entry that leads out of its folder: {shown}. Make it anew "
            "from the folder of the images."
        )
    if zip_limits.is_link(entry):
        raise ImageReadError(
            f"The zip archive has a link instead of a file: {shown}. Make it anew with the files "
            "themselves."
        )
    if entry.flag_bits & _ENCRYPTED:
        raise ImageReadError(
            "The zip archive is encrypted. Make one without a password, or unpack it and give the "
            "folder."
        )
    if entry.compress_type not in _METHODS:
        raise ImageReadError(
            f"The zip archive is compressed by method {entry.compress_type}, which is not read. "
            "Make one with the usual method (deflate), or unpack it and give the folder."
        )
    caps.check_inflated(entry.file_size, entry.compress_size)


def nested(name: str) -> ImageReadError:
    """The error about an archive in an archive."""
    return ImageReadError(
        f"The zip archive holds another archive: {name[:80]!r}. Unpack it and give the folder."
    )


@contextlib.contextmanager
def reading_errors() -> Iterator[None]:
    """Turn what a damaged archive raises into an `ImageReadError`."""
    try:
        yield
    except zip_limits.DAMAGED as error:
        raise ImageReadError(
            "The zip archive is damaged or truncated. Make it anew, or unpack it and give the "
            "folder."
        ) from error
