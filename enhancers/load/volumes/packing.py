"""The bytes of a volume in their order, unpacked no further than they are read."""

from __future__ import annotations

import bz2
import gzip
import io
import warnings
import zlib
from typing import BinaryIO, Protocol

import numpy as np
from numpy.typing import NDArray

from enhancers.errors import ImageReadError
from enhancers.load.volumes.header import Header

GZIP = b"\x1f\x8b"
HEAD = 1024
"""Bytes at the beginning of a file that hold a binary header."""
PIECE = 2**20


class _File(Protocol):
    def read(self, count: int, /) -> bytes: ...


class _Zlib:
    """A zlib stream that is read like a file."""

    def __init__(self, file: BinaryIO) -> None:
        self._file, self._inflater, self._waiting = file, zlib.decompressobj(), b""

    def read(self, count: int, /) -> bytes:
        while not self._inflater.eof:
            piece = self._waiting or self._file.read(PIECE)
            found = self._inflater.decompress(piece, count)
            self._waiting = self._inflater.unconsumed_tail
            if found or not piece:
                return found
        return b""


class VolumeBytes:
    """What a file holds after its header.

    Parameters
    ----------
    data : bytes or binary file
        The file; a file that is open takes no memory for what is not unpacked.
    header : Header
        Says where the values begin (``start``, ``offset``) and how they are packed.
    """

    def __init__(self, data: bytes | BinaryIO, header: Header) -> None:
        self._file, self._name = _opened(data, header), header.format
        self._end = header.offset + header.volume_bytes
        self.skip(header.offset)

    def fill(self, target: NDArray[np.uint8]) -> None:
        """The next bytes of the volume, in pieces: `read` would hold all of them twice.

        Raises
        ------
        ImageReadError
            The file ends early, or is damaged.
        """
        view, done = target.data, 0
        while done < target.size:
            piece = self._read(min(PIECE, target.size - done))
            if not piece:
                raise ImageReadError(
                    f"The {self._name} file is truncated: it ends before the last of the "
                    f"{self._end} bytes that are announced."
                )
            view[done : done + len(piece)] = piece
            done += len(piece)

    def skip(self, count: int) -> None:
        """Pass over so many bytes."""
        while count > 0 and (piece := self._read(min(PIECE, count))):
            count -= len(piece)

    def _read(self, count: int) -> bytes:
        try:
            return self._file.read(count)
        except (OSError, EOFError, zlib.error):
            raise packed_badly(self._name) from None


def unpacked_head(data: bytes, name: str) -> bytes:
    """The first `HEAD` bytes of a file, unpacked where it is gzipped.

    Raises
    ------
    ImageReadError
    """
    if not data.startswith(GZIP):
        return data[:HEAD]
    try:
        return gzip.GzipFile(fileobj=io.BytesIO(data[:PIECE])).read(HEAD)
    except (OSError, EOFError, zlib.error):
        raise packed_badly(name) from None


def packed_badly(name: str) -> ImageReadError:
    """The error of a compressed file that cannot be unpacked."""
    return ImageReadError(
        f"The compressed {name} file is damaged or truncated; copy or export it again."
    )


def _opened(data: bytes | BinaryIO, header: Header) -> _File:
    file: BinaryIO = io.BytesIO(data) if isinstance(data, bytes) else data
    file.seek(header.start)
    if header.packing in ("text", "hex"):
        return io.BytesIO(_written(file.read(), header))
    if header.packing == "gzip":
        return gzip.GzipFile(fileobj=file)
    if header.packing == "bzip2":
        return bz2.BZ2File(file)
    return _Zlib(file) if header.packing == "zlib" else file


def _written(text: bytes, header: Header) -> bytes:
    """The bytes of values that are written out, as decimal or hexadecimal numbers."""
    damaged = ImageReadError(f"The {header.format} file is damaged: its values are no numbers.")
    if header.packing == "hex":
        try:
            return bytes.fromhex(text.decode("ascii"))
        except ValueError:
            raise damaged from None
    count, kind = header.volume_bytes // header.dtype.itemsize, header.dtype.kind
    try:
        with warnings.catch_warnings():
            # What is no number ends the reading with a warning.
            warnings.simplefilter("error")
            wide = np.dtype(np.float64 if kind == "f" else np.int64)
            values = np.fromstring(text, wide, min(count, len(text)), sep=" ")
    except (ValueError, OverflowError, DeprecationWarning):
        raise damaged from None
    with np.errstate(over="ignore"):
        return values.astype(header.dtype).tobytes()
