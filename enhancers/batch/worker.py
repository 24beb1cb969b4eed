"""What every worker of a batch runs: one method on one slice, from file to encoded result."""

from __future__ import annotations

import logging
import os
from contextlib import closing
from dataclasses import dataclass, replace
from functools import partial

from enhancers.batch.plan import BatchTask, ImageSource, fingerprint
from enhancers.compare import Request, compare
from enhancers.errors import ImageReadError, ReadingRoomError
from enhancers.image import MedicalImage
from enhancers.load import load
from enhancers.load.mask import read_mask
from enhancers.metrics.files import Reader
from enhancers.provenance import Record
from enhancers.save import to_png16, to_tiff_source
from enhancers.series import LocalSeries, Series
from enhancers.windows import window_ends, window_limits


@dataclass(frozen=True)
class TaskResult:
    """A result: the bytes of its file, its record, and the warnings of the image's reader."""

    data: bytes
    record: Record
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True)
class TaskFailure:
    """Why there is no result; ``retry`` where another attempt or device may succeed."""

    message: str
    retry: bool = False


TaskOutcome = TaskResult | TaskFailure

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class WorkerInfo:
    """What a worker reports when it is ready: its process id and its `plan.fingerprint`.

    ``problem`` says why it cannot work, such as a missing network.
    """

    pid: int
    fingerprint: tuple[tuple[str, str], ...]
    problem: str = ""


class Worker:
    """Runs tasks on one device and keeps the last image for the next method.

    Parameters
    ----------
    device : str
        "cpu", "cuda", "cuda:1" or "mps".
    threads : int or None
        CPU threads of the networks. On a CPU their number changes the last bits of a result, so
        that all workers of a batch get the same.
    """

    def __init__(self, device: str, threads: int | None = None) -> None:
        self.device = device
        self.threads = threads
        self._kept: tuple[tuple[object, ...], MedicalImage] | None = None
        self._series: LocalSeries | None = None

    def info(self, asked: tuple[Request, ...]) -> WorkerInfo:
        """The process id of this worker and what it computes these requests with."""
        try:
            return WorkerInfo(os.getpid(), fingerprint(asked))
        except ReadingRoomError as error:
            return WorkerInfo(os.getpid(), (), str(error))

    def work(self, task: BatchTask, source: ImageSource | bytes) -> TaskOutcome:
        """Run a task on a file, given by path or content, or on a series.

        Failures are returned, not raised.
        """
        try:
            image = self._image(task, source)
        except ReadingRoomError as error:
            return TaskFailure(str(error))
        except OSError as error:
            return TaskFailure(
                f"The file cannot be read: {error.strerror or 'an error'}.", retry=True
            )
        try:
            return self._product(task, image)
        except ReadingRoomError as error:
            return TaskFailure(str(error), retry=True)
        except Exception as error:
            _log.error("%s failed", task.method, exc_info=error)
            kind = type(error).__name__
            return TaskFailure(
                f"{task.method} stopped with an internal error ({kind}).", retry=True
            )

    def _product(self, task: BatchTask, image: MedicalImage) -> TaskOutcome:
        request = Request(task.method, dict(task.params))
        self._limit_threads()
        with closing(compare(image, [request], seed=task.seed, device=self.device)) as events:
            for event in events:
                if event.error:
                    return TaskFailure(event.error, retry=True)
                if event.outcome is None:
                    continue
                pixels, record = event.outcome.result.pixels, event.outcome.record
                if task.form == "png":
                    data = to_png16(pixels, image.aspect)
                else:
                    data = to_tiff_source(image, pixels, record.result_units)
                return TaskResult(data, record, image.warnings)
        raise RuntimeError(f"{task.method} ended without a result")

    def _limit_threads(self) -> None:
        if self.threads is not None:
            import torch

            torch.set_num_threads(self.threads)

    def _reader(self, task: BatchTask, source: ImageSource | bytes) -> Reader:
        """Reads the image of a task; of a series, what it read before is kept."""
        if not isinstance(source, Series):
            return partial(
                load, source, slice_index=task.slice_index, caps=task.caps, plane=task.plane,
                time=task.time or 0,
            )  # fmt: skip
        if self._series is None or self._series.series != source:
            self._series = LocalSeries(source, task.caps)
        return partial(self._series.image, task.slice_index, plane=task.plane)

    def _image(self, task: BatchTask, source: ImageSource | bytes) -> MedicalImage:
        asked = (
            task.digest, task.slice_index, task.modality, task.mask, task.place, task.window,
            task.plane, task.time, task.cropped,
        )  # fmt: skip
        if self._kept is not None and self._kept[0] == asked:
            return self._kept[1]
        self._kept = None
        place = task.place
        read = self._reader(task, source)
        ends = place.window if place else window_ends(task.window) if task.window else None
        image = read(window=ends)
        if task.window is not None and ends is None:
            named = image if task.modality is None else image.with_modality(task.modality)
            image = read(window=window_limits(named, task.window))
        if place is not None:
            said = dict.fromkeys((*image.warnings, *place.notes))
            image = replace(image, warnings=tuple(said))
        if image.digest != task.digest:
            raise ImageReadError("The file changed while the batch ran; run it again.")
        if task.modality is not None:
            image = image.with_modality(task.modality)
        if task.cropped:
            image = image.cropped_to_region(required=True)
        if task.mask:
            mask = partial(load, task.mask, caps=task.caps)
            image = image.with_known(read_mask(mask, image))
        self._kept = (asked, image)
        return image
