"""The slices of a file, of which some megabytes are held at a time, whatever its size."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from functools import cached_property
from pathlib import Path

from enhancers.image import MedicalImage
from enhancers.load import (
    Caps,
    content_digest,
    enough_memory,
    in_one,
    load,
    one_error,
    opening_errors,
    probe,
)
from enhancers.load.depths import with_depths
from enhancers.load.file_format import VOLUMES, sniff
from enhancers.load.raw import RawSlice
from enhancers.load.volumes.converted import READERS
from enhancers.load.window import finish
from enhancers.voxel_grid import STORED

_HEAD = 2**20


class FileSlices:
    """The slices of a file, best asked for in ascending order.

    A volume (NIfTI, NRRD, MetaImage, ...) is read in blocks of slices, and an object of several
    frames frame by frame. Other files are read as a whole for every slice.

    Parameters
    ----------
    path : Path
    caps : Caps
    plane : str
        As for `enhancers.load.load`.
    time : int

    Raises
    ------
    ImageReadError, ParameterError
        As `enhancers.load.load`.
    """

    def __init__(self, path: Path, caps: Caps, *, plane: str = STORED, time: int = 0) -> None:
        self._path, self._caps, self._plane, self._time = path, caps, plane, time
        self._slice: Callable[[int | None], RawSlice] | None = None
        start, values = in_one(path, caps)
        with opening_errors(), values.open("rb") as file:
            kind = sniff(start + file.read(_HEAD))
        self._kind = kind
        with enough_memory(), one_error(kind):
            if kind in VOLUMES and kind not in READERS and not start:
                from enhancers.load.volumes.stream import VolumeStream

                stream = VolumeStream(values, kind, caps, plane, time)
                self._slice, self.slice_count = stream.slice, stream.count
                return
            if kind == "DICOM" and plane == STORED:
                from enhancers.load.dicom.frames import FrameFile

                with suppress(ValueError):
                    frames = FrameFile(path, caps)
                    self._slice, self.slice_count = frames.slice, frames.count
                    return
        if plane == STORED and not time:
            self.slice_count = probe(path, caps).slice_count
        else:
            self.slice_count = load(path, caps=caps, plane=plane, time=time).slice_count

    def image(
        self, index: int | None = None, window: tuple[float, float] | None = None
    ) -> MedicalImage:
        """A slice, as `enhancers.load.load` gives it.

        Raises
        ------
        ImageReadError, ParameterError
        """
        if self._slice is None:
            return load(
                self._path, slice_index=index, window=window, caps=self._caps, plane=self._plane,
                time=self._time,
            )  # fmt: skip
        with enough_memory(), one_error(self._kind):
            read = self._slice
            image = finish(read(index), self._digest, window)
            return with_depths(image, lambda others: [read(at).values for at in others])

    @cached_property
    def _digest(self) -> str:
        return content_digest(self._path, self._caps)
