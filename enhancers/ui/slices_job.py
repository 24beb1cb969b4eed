"""A run of all slices that a tab of the page started, and the file of its results."""

from __future__ import annotations

import shutil
import threading
import weakref
from collections.abc import Generator
from contextlib import closing
from pathlib import Path
from typing import Literal

from enhancers.compare import Request
from enhancers.compare.all_slices import ReadSlice, SlicesProgress, Target, enhance_slices
from enhancers.decoding.opened_file import Opened
from enhancers.errors import ParameterError, ReadingRoomError
from enhancers.image import MedicalImage
from enhancers.private_folders import private_folder
from enhancers.save.dicom.targets import DicomFrames, DicomObjects, Identity
from enhancers.save.result_files import VolumeTarget
from enhancers.voxel_grid import STORED

State = Literal["running", "done", "failed", "stopped"]

FORMATS = {
    "nii.gz": "NIfTI (.nii.gz)", "nrrd": "NRRD (.nrrd)", "mha": "MetaImage (.mha)",
    "tif": "TIFF pages (.tif)", "dcm": "DICOM",
}  # fmt: skip
"""Formats of a run of all slices, and what the page calls them."""

MOST_BYTES = 4 * 10**9
"""Most bytes of the results of a run."""


class SlicesJob:
    """A run of all slices: its progress, how it ended, and its file.

    The file lies in a folder of this job, which is removed with it.

    Parameters
    ----------
    image : MedicalImage
        The slice on display, in the window and modality of the run.
    opened : Opened
        The file or series of the slices.
    request : Request
    label : str
        Of the method.
    seed : int
    device : str
    kind : str
        A key of `FORMATS`.
    keep_patient : bool
        Of DICOM.

    Raises
    ------
    ParameterError
        The results would take too much of the disk.
    """

    def __init__(
        self,
        image: MedicalImage,
        opened: Opened,
        request: Request,
        label: str,
        seed: int,
        device: str,
        kind: str,
        keep_patient: bool,
    ) -> None:
        self.image, self.request, self.label = image, request, label
        self.state: State = "running"
        self.error = ""
        self.progress: SlicesProgress | None = None
        self._opened, self._seed, self._device = opened, seed, device
        self._stop = threading.Event()
        self._folder = private_folder("slices")
        weakref.finalize(self, shutil.rmtree, self._folder, ignore_errors=True)
        self._check_space()
        ending = kind
        if kind == "dcm" and not opened.one_object:
            ending = "zip"
        self.path = self._folder / f"all-slices.{ending}"
        self.ending = ending
        self._kind, self._keep_patient = kind, keep_patient

    @property
    def active(self) -> bool:
        """Whether it runs or waits."""
        return self.state == "running"

    def stop(self) -> None:
        """End it with the next step; its file is gone."""
        self._stop.set()

    def run(self) -> Generator[SlicesProgress, None, None]:
        """Run, and yield the progress; closing the iterator stops it."""
        steps = enhance_slices(
            self._read(), self.image.slice_count, self.request, self._target(),
            seed=self._seed, device=self._device,
        )  # fmt: skip
        try:
            with closing(steps):
                for step in steps:
                    if self._stop.is_set():
                        return
                    self.progress = step
                    yield step
            self.state = "done"
        except ReadingRoomError as error:
            self.state, self.error = "failed", str(error)
        finally:
            if self.active:
                self.state = "stopped"

    def _read(self) -> ReadSlice:
        shown, opened = self.image, self._opened
        window = shown.window.ends

        def read(index: int) -> MedicalImage:
            plane = shown.plane or STORED
            found = opened.image(index, window, plane=plane, time=shown.time_index)
            if shown.crop is not None:
                found = found.cropped_to_region()
            return found.with_modality(shown.modality) if _chosen(shown) else found

        return read

    def _target(self) -> Target:
        if self._kind != "dcm":
            return VolumeTarget(self.path, self._kind)
        identity, opened = Identity(self._keep_patient), self._opened
        if opened.one_object:
            frames = [frame or 0 for frame in opened.frames()]
            return DicomFrames(self.path, frames, opened.derived_head, identity)
        return DicomObjects(self.path, opened.frames(), opened.derived_head, identity)

    def _check_space(self) -> None:
        image = self.image
        size = 4 * image.pixels.size * image.slice_count
        free = shutil.disk_usage(self._folder).free
        if size > min(MOST_BYTES, free // 2):
            raise ParameterError(
                f"The results of {image.slice_count} slices would take {size / 1e9:.2g} GB, more "
                "than this server has room for. Use the command line: enhancers run --all-slices."
            )


def offered_formats(image: MedicalImage) -> list[tuple[str, str]]:
    """Label and key of the formats for all slices of the volume of an image."""
    dicom = is_of_dicom(image)
    return [(label, key) for key, label in FORMATS.items() if key != "dcm" or dicom]


def is_of_dicom(image: MedicalImage) -> bool:
    """Whether an image is a complete frame of a DICOM object, and of one time of a volume."""
    complete = not image.plane and image.crop is None and image.time_count == 1
    return image.format == "DICOM" and complete


def _chosen(image: MedicalImage) -> bool:
    return image.modality_origin == "user"


def file_of(job: SlicesJob | None) -> Path | None:
    """The finished file of a job; None where there is none."""
    return job.path if job is not None and job.state == "done" and job.path.is_file() else None
