"""The files that series are read from: on the disk, or entries of a zip archive."""

from __future__ import annotations

import contextlib
import io
import zipfile
from collections.abc import Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Protocol

from enhancers.errors import ImageReadError
from enhancers.load import Caps, opening_errors, read_bytes
from enhancers.series import zip_archive


class SourceFile(Protocol):
    """A file whose bytes can be read; ``name`` is relative to what the user gave."""

    @property
    def name(self) -> str:
        """The path below the folder, or in the archive."""

    def opened(self) -> AbstractContextManager[IO[bytes]]:
        """The file, open for reading and seeking.

        Raises
        ------
        ImageReadError, OSError
        """

    def read(self, caps: Caps) -> bytes:
        """All bytes, within the limits.

        Raises
        ------
        ImageReadError
        """

    @property
    def size(self) -> int:
        """Number of bytes."""


@dataclass(frozen=True)
class LocalFile:
    """A file on the disk."""

    path: Path
    name: str

    def opened(self) -> AbstractContextManager[IO[bytes]]:
        """The file, open for reading."""
        return self.path.open("rb")

    def read(self, caps: Caps) -> bytes:
        """All bytes (`enhancers.load.read_bytes`)."""
        return read_bytes(self.path, caps)

    @property
    def size(self) -> int:
        """Number of bytes."""
        return self.path.stat().st_size


@dataclass(frozen=True)
class HeldFile:
    """A file whose bytes are at hand, for a machine that does not have it on its disk."""

    name: str
    data: bytes

    @contextlib.contextmanager
    def opened(self) -> Iterator[IO[bytes]]:
        """The bytes as a file."""
        yield io.BytesIO(self.data)

    def read(self, caps: Caps) -> bytes:
        """All bytes."""
        caps.check_bytes(self.size)
        return self.data

    @property
    def size(self) -> int:
        """Number of bytes."""
        return len(self.data)


@dataclass(frozen=True)
class ArchiveEntry:
    """An entry of a zip archive, by its place there: two entries may have one name.

    ``crc`` is its checksum, by which an archive that was replaced is noticed. Nothing is unpacked
    to the disk.
    """

    archive: Path
    place: int
    name: str
    size: int
    crc: int

    @contextlib.contextmanager
    def opened(self) -> Iterator[IO[bytes]]:
        """The entry, inflated as it is read."""
        with zip_archive.reading_errors(), zipfile.ZipFile(self.archive) as archive:
            entries = archive.infolist()
            entry = entries[self.place] if self.place < len(entries) else None
            if entry is None or (entry.file_size, entry.CRC) != (self.size, self.crc):
                raise ImageReadError("The zip archive was replaced meanwhile; open it again.")
            with archive.open(entry) as file:
                yield file

    def read(self, caps: Caps) -> bytes:
        """All bytes of the entry."""
        caps.check_bytes(self.size)
        with opening_errors(), self.opened() as file:
            return file.read()
