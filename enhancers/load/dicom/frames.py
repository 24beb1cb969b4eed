"""Frames of a DICOM file, each read from the disk by itself."""

from __future__ import annotations

import io
from dataclasses import replace
from pathlib import Path
from typing import BinaryIO

import pydicom
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.encaps import encapsulate, get_frame
from pydicom.tag import Tag
from pydicom.uid import DeflatedExplicitVRLittleEndian, ExplicitVRBigEndian

from enhancers.image import EACH_SLICE, NamedWindow
from enhancers.load import dicom
from enhancers.load.dicom import pet
from enhancers.load.dicom.header import NEEDED, geometry, integer
from enhancers.load.dicom.pixels import frames_note, held_frames, pixel_length, transfer_syntax
from enhancers.load.raw import Caps, RawSlice, pick_slice, sample_of

_GROUPS = "PerFrameFunctionalGroupsSequence"
_TAGS = tuple(Tag(one) for one in (*NEEDED, *pet.NEEDED, *pet.PRIVATE))
_NOT_COPIED = ("NumberOfFrames", "GridFrameOffsetVector", "ExtendedOffsetTable",
               "ExtendedOffsetTableLengths", "PixelData", _GROUPS)  # fmt: skip

_LEFT = frozenset(Tag(name) for name in _NOT_COPIED)
_PIXEL_DATA = b"\xe0\x7f\x10\x00"
_UNDEFINED = b"\xff\xff\xff\xff"


class FrameFile:
    """Frames of one file; the header is read once, and pixels frame by frame.

    Parameters
    ----------
    path : Path
    caps : Caps

    Raises
    ------
    ValueError
        The file has one frame, or its frames cannot be read by themselves: deflated, big endian,
        of single bits or of floats. It is to be read as a whole.
    """

    def __init__(self, path: Path, caps: Caps) -> None:
        self._path, self._caps = path, caps
        with path.open("rb") as file:
            self._header = pydicom.dcmread(
                file, force=True, specific_tags=list(_TAGS), stop_before_pixels=True
            )
            end = file.tell()
            length = pixel_length(self._header, file, path.stat().st_size)
            file.seek(end)
            mark = file.read(12)
        self._syntax = transfer_syntax(self._header)
        implicit, _ = self._header.original_encoding
        self._packed = (mark[4:8] if implicit else mark[8:12]) == _UNDEFINED
        self._start = end + (8 if implicit else 12)
        self.count = held_frames(self._header, self._syntax, length)
        stated = integer(self._header, "NumberOfFrames", 1)
        self._notes = frames_note(stated, self.count)
        if (
            self.count < 2
            or not mark.startswith(_PIXEL_DATA)
            or self._syntax in (DeflatedExplicitVRLittleEndian, ExplicitVRBigEndian)
            or integer(self._header, "BitsAllocated") % 8
        ):
            raise ValueError("the frames cannot be read by themselves")
        self._sample = None
        first = self._read(0)
        self._windows = first.windows
        if not self._windows and first.bits > 8:
            self._sample = sample_of(self.count, lambda index: self._read(index).values)

    def slice(self, index: int | None) -> RawSlice:
        """The frame with this index, as `enhancers.load.dicom.read` gives it.

        Raises
        ------
        ImageReadError
            The frame is damaged.
        ParameterError
            There is no such frame.
        """
        index = pick_slice(index, self.count, self.count // 2)
        raw = self._read(index)
        known = {one.window for one in self._windows}
        own = [one.window for one in raw.windows if one.window not in known]
        windows = (*self._windows, *(NamedWindow(EACH_SLICE, one) for one in own[:1]))
        return replace(
            raw, slice_index=index, slice_count=self.count, sample=self._sample,
            windows=windows, geometry=geometry(self._header, index),
            warnings=(*self._notes, *raw.warnings),
        )  # fmt: skip

    def _read(self, index: int) -> RawSlice:
        return dicom.read(self._one(index), None, self._caps)

    def _one(self, index: int) -> bytes:
        """A file of this frame alone."""
        one = Dataset()
        for tag in _TAGS:
            if tag in self._header and tag not in _LEFT:
                one[tag] = self._header[tag]
        groups = self._header.get(_GROUPS)
        if groups and index < len(groups):
            one.PerFrameFunctionalGroupsSequence = [groups[index]]
        with self._path.open("rb") as file:
            file.seek(self._start)
            one.PixelData = self._pixels(file, index)
        one["PixelData"].VR = "OB" if self._packed else "OW"
        one["PixelData"].is_undefined_length = self._packed
        one.file_meta = FileMetaDataset()
        one.file_meta.TransferSyntaxUID = self._syntax
        buffer = io.BytesIO()
        pydicom.dcmwrite(buffer, one)
        return buffer.getvalue()

    def _pixels(self, file: BinaryIO, index: int) -> bytes:
        header = self._header
        if not self._packed:
            size = integer(header, "Rows") * integer(header, "Columns")
            size *= integer(header, "SamplesPerPixel", 1) * integer(header, "BitsAllocated") // 8
            file.seek(index * size, io.SEEK_CUR)
            return file.read(size + size % 2)[:size] + b"\0" * (size % 2)
        offsets = None
        if "ExtendedOffsetTable" in header:
            offsets = header.ExtendedOffsetTable, header.ExtendedOffsetTableLengths
        frame = get_frame(file, index, extended_offsets=offsets, number_of_frames=self.count)
        return bytes(encapsulate([frame]))
