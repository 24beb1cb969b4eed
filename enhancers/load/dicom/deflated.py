"""Deflated DICOM data sets (PS3.5, A.5), inflated no further than their image needs.

pydicom inflates a data set to its end, however long that is.
"""

from __future__ import annotations

import io
import math
import zlib
from collections.abc import Sequence
from dataclasses import dataclass

from pydicom.dataset import Dataset
from pydicom.filereader import read_dataset, read_preamble
from pydicom.tag import BaseTag, Tag
from pydicom.uid import DeflatedExplicitVRLittleEndian

from enhancers.errors import ImageReadError, ImageTooLarge
from enhancers.load.dicom.header import NEEDED, integer
from enhancers.load.raw import Caps

HEADS = (2**18, 2**22, 2**26)
"""Bytes that are inflated in search of the pixels, one after the other; no header is longer."""

_PIECE = 2**16
_GROUP = 0x7FE0
_ELEMENT = 12


class _Inflater:
    """A deflate stream that is read like a file."""

    def __init__(self, data: memoryview) -> None:
        self._data, self._position = data, 0
        self._inflater = zlib.decompressobj(-zlib.MAX_WBITS)
        self._waiting = b""

    @property
    def ended(self) -> bool:
        return self._inflater.eof

    def read(self, count: int) -> bytes:
        """``count`` bytes; fewer where the stream ends or is cut off."""
        parts = []
        while count > 0 and not self._inflater.eof:
            piece = self._waiting or bytes(self._data[self._position : self._position + _PIECE])
            if not self._waiting:
                self._position += len(piece)
            found = self._inflater.decompress(piece, count)
            self._waiting = self._inflater.unconsumed_tail
            if not (piece or found):
                break
            parts.append(found)
            count -= len(found)
        return b"".join(parts)


@dataclass(frozen=True, eq=False)
class DeflatedFile:
    """A deflated file whose elements before the pixels were read.

    Parameters
    ----------
    header : Dataset
    tag, vr, length : of the element with the pixels; None, "" and 0 where there is none
    """

    header: Dataset
    tag: BaseTag | None
    vr: str
    length: int
    _start: bytes
    _rest: _Inflater
    _size: int

    def with_pixels(self, caps: Caps) -> Dataset:
        """The header together with the pixels that it describes; nothing behind them is inflated.

        Raises
        ------
        ImageReadError
            The stream ends early; `ImageTooLarge` where the pixels exceed a limit.
        """
        if self.tag is None:
            return self.header
        stated = min(self.length, _described(self.header))
        caps.check_inflated(stated, self._size)
        pixels = self._start[:stated]
        try:
            pixels += self._rest.read(stated - len(pixels))
        except zlib.error:
            raise _damaged() from None
        if len(pixels) < stated:
            raise _damaged()
        self.header.add_new(self.tag, self.vr, pixels)
        return self.header


def deflated(data: bytes, caps: Caps, names: Sequence[str | int] = NEEDED) -> DeflatedFile | None:
    """Read the elements before the pixels of a deflated file; None for every other file.

    Raises
    ------
    ImageReadError
        The stream is damaged; `ImageTooLarge` where no pixels come within the longest of `HEADS`.
    """
    stream = io.BytesIO(data)
    try:
        read_preamble(stream, force=True)
        meta = read_dataset(stream, False, True, stop_when=lambda tag, *_: tag.group != 2)
    except Exception:
        # Without a valid file header, the parser reports the error.
        return None
    if meta.get("TransferSyntaxUID") != DeflatedExplicitVRLittleEndian:
        return None
    tags = [Tag(name) for name in names]
    inflater = _Inflater(memoryview(data)[stream.tell() :])
    try:
        head = b""
        for size in HEADS:
            head += inflater.read(size - len(head))
            caps.check_unpacked(len(head))
            found = _before_pixels(head, tags, meta, inflater, len(data))
            if found.tag is not None or len(head) < size:
                break
        else:
            raise ImageTooLarge(
                f"The header of the deflated DICOM file unpacks to more than {HEADS[-1] / 1e6:.0f} "
                "MB without an image. Export it again."
            )
    except zlib.error:
        raise _damaged() from None
    if found.tag is None and not inflater.ended:
        raise _damaged()
    return found


def _before_pixels(
    head: bytes, tags: Sequence[BaseTag], meta: Dataset, rest: _Inflater, size: int
) -> DeflatedFile:
    reached: list[tuple[BaseTag, str, int]] = []

    def at_pixels(tag: BaseTag, vr: str | None, length: int) -> bool:
        if tag.group == _GROUP:
            reached.append((tag, vr or "OW", length))
        return bool(reached)

    stream = io.BytesIO(head)
    header = read_dataset(stream, False, True, stop_when=at_pixels, specific_tags=list(tags))
    header.file_meta = meta
    if not reached:
        return DeflatedFile(header, None, "", 0, b"", rest, size)
    start = head[stream.tell() + _ELEMENT :]
    return DeflatedFile(header, *reached[0], start, rest, size)


def _described(header: Dataset) -> int:
    """Bytes of the pixels that a header describes, made even as elements are."""
    names = ("Rows", "Columns", "BitsAllocated")
    count = math.prod(integer(header, name) for name in names)
    count *= integer(header, "SamplesPerPixel", 1) * max(integer(header, "NumberOfFrames", 1), 1)
    needed = math.ceil(count / 8)
    return needed + needed % 2


def _damaged() -> ImageReadError:
    return ImageReadError(
        "The deflated DICOM file is damaged or truncated; copy or export it again."
    )
