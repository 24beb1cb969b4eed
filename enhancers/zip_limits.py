"""Limits of zip archives that somebody else made: entries, bytes they unpack to, names."""

from __future__ import annotations

import lzma
import stat
import struct
import zipfile
import zlib
from pathlib import PurePosixPath

MOST_ENTRIES = 50_000
MOST_BYTES = 20 * 10**9
"""Entries, and bytes of all entries together, that an archive may have."""
FREE_BYTES, MOST_EXPANSION = 10**9, 100
"""Bytes that any archive may unpack to; beyond, the most bytes for each of its own."""

DAMAGED = (
    zipfile.BadZipFile, RuntimeError, EOFError, ValueError, OverflowError, struct.error, zlib.error,
    lzma.LZMAError,
)  # fmt: skip
"""What reading a damaged file raises, also one with a password (RuntimeError) or damaged names."""

_SYSTEM = ("__MACOSX", ".DS_Store", "Thumbs.db")


def most_bytes(size: int) -> int:
    """Bytes that an archive of ``size`` bytes may unpack to."""
    return min(MOST_BYTES, max(FREE_BYTES, MOST_EXPANSION * size))


def is_wanted(entry: zipfile.ZipInfo) -> bool:
    """Whether an entry is a file, and not one that a system adds."""
    parts = PurePosixPath(entry.filename).parts
    # `ZipInfo.is_dir` fails for an empty name in some versions of Python.
    return not entry.filename.endswith("/") and not any(part in _SYSTEM for part in parts)


def parts_of(entry: zipfile.ZipInfo) -> tuple[str, ...]:
    """The folders and the name of an entry; there are none where it has no name."""
    return PurePosixPath(entry.filename.replace("\\", "/")).parts


def leads_out(entry: zipfile.ZipInfo) -> bool:
    """Whether the name of an entry leads out of the folder in which the archive is unpacked."""
    parts = parts_of(entry)
    return bool(parts) and (parts[0] == "/" or ".." in parts or parts[0][1:2] == ":")


def is_link(entry: zipfile.ZipInfo) -> bool:
    """Whether an entry is a symbolic link."""
    return stat.S_ISLNK(entry.external_attr >> 16)
