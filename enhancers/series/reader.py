"""Slices of the files of series; the header of an object of several frames is read once."""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from contextlib import suppress

from enhancers.load import Caps, one_error, opening_errors, read_slice
from enhancers.load.dicom.frames import FrameFile
from enhancers.load.raw import RawSlice
from enhancers.series.files import LocalFile, SourceFile

MOST_OPEN = 8
"""Files of several frames whose headers are kept; the least recently used goes first."""


class SliceReader:
    """Reads slices in this process.

    Parameters
    ----------
    caps : Caps
    """

    def __init__(self, caps: Caps) -> None:
        self.caps = caps
        self._opened: OrderedDict[LocalFile, tuple[FrameFile, str] | None] = OrderedDict()

    def read(self, file: SourceFile, frame: int | None) -> tuple[RawSlice, str]:
        """A frame of a file, or its only slice, and the digest of the file.

        Raises
        ------
        ImageReadError, ParameterError
        """
        if frame is not None and isinstance(file, LocalFile):
            with one_error("DICOM"):
                frames = self._frames(file)
                if frames is not None:
                    return frames[0].slice(frame), frames[1]
        data = file.read(self.caps)
        return read_slice(data, frame, self.caps), hashlib.sha256(data).hexdigest()

    def digest(self, file: SourceFile, frame: int | None) -> str:
        """The SHA-256 of a file, as `read` gives it.

        Raises
        ------
        ImageReadError
        """
        if frame is not None and isinstance(file, LocalFile):
            with one_error("DICOM"):
                frames = self._frames(file)
            if frames is not None:
                return frames[1]
        return hashlib.sha256(file.read(self.caps)).hexdigest()

    def _frames(self, file: LocalFile) -> tuple[FrameFile, str] | None:
        """The frames of a file and its digest; None where it has to be read as a whole."""
        if file not in self._opened:
            self._opened[file] = None
            with opening_errors(), file.path.open("rb") as opened, suppress(ValueError):
                digest = hashlib.file_digest(opened, "sha256").hexdigest()
                self._opened[file] = FrameFile(file.path, self.caps), digest
        self._opened.move_to_end(file)
        while len(self._opened) > MOST_OPEN:
            self._opened.popitem(last=False)
        return self._opened[file]
