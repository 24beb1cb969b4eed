"""The endpoints: `methods`, `enhance`, `metrics`, `metrics_of_pairs` and `degrade`.

Their docstrings are what the page and MCP clients show, in the form that Gradio reads ("Args:").
"""

# Gradio reads the annotations themselves, so they are not postponed here.
import inspect
import logging
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from typing import Any, Literal

import gradio as gr
from gradio.context import get_blocks_context
from gradio.utils import get_function_description

from enhancers.api.files import (
    OptionalFloat,
    OptionalInt,
    Parameters,
    Seed,
    Text,
    bundle_file,
    checked,
    degradation_record,
    image_file,
    masked,
    open_image,
    reader,
    record_file,
    upload_name,
    uploaded,
)
from enhancers.compare import Event, Request, compare, default_cache
from enhancers.decoding import Opened
from enhancers.degrade import KINDS, degrade_image
from enhancers.errors import ParameterError, ReadingRoomError
from enhancers.image import MedicalImage
from enhancers.job_queue import processor_core
from enhancers.listing import as_dict
from enhancers.load import Caps
from enhancers.method import ParameterValue
from enhancers.metrics import score
from enhancers.metrics.files import Reader, as_json, read_pair
from enhancers.metrics.pairs import PairScores, as_csv
from enhancers.registry import get
from enhancers.settings import Settings
from enhancers.warm_up import import_networks

Format = Literal["png", "tiff"]
ResultFormat = Literal["png", "tiff", "zip"]
Kind = Literal[
    "gaussian", "speckle", "rician", "low_dose", "downsample", "under_exposure", "low_light",
    "bias_field", "kspace", "missing", "ct_dose", "mr_undersample", "us_snr", "blur",
]  # fmt: skip
Files = tuple[gr.FileData, gr.FileData]

NO_FILE: Any = None
"""Default of an optional file. Its type is that of a file alone: so MCP clients recognise it."""

_log = logging.getLogger(__name__)


def add_endpoints(settings: Settings, queue: Mapping[str, Any]) -> None:
    """Add the endpoints to the `gradio.Blocks` that is being built.

    Parameters
    ----------
    settings : Settings
    queue : mapping
        ``concurrency_id`` and ``concurrency_limit`` of the page's runs, which count together with
        the calls.
    """
    endpoints = Endpoints(settings)
    _add(endpoints.methods, concurrency_limit=None)
    others = (endpoints.metrics, endpoints.metrics_of_pairs, endpoints.degrade)
    for endpoint in (endpoints.enhance, *others):
        _add(endpoint, **queue)


def _add(endpoint: Callable[..., Any], **queue: Any) -> None:
    added = gr.api(endpoint, api_name=endpoint.__name__, **queue)
    _, parameters, _ = get_function_description(endpoint)
    components = get_blocks_context().blocks
    # By itself Gradio documents a parameter as "1st".
    for number, text in zip(added["inputs"], parameters.values(), strict=True):
        components[number].label = text


@contextmanager
def one_sentence(endpoint: str) -> Iterator[None]:
    """Turn errors into a sentence for the caller; what is not meant for a user goes to the log."""
    try:
        yield
    except ReadingRoomError as error:
        raise gr.Error(str(error), print_exception=False) from None
    except Exception as error:
        _log.exception("/%s failed", endpoint)
        raise gr.Error(
            f"/{endpoint} stopped with an internal error ({type(error).__name__}); see the log of "
            "the server.",
            print_exception=False,
        ) from None


def returns_files(function: Callable[..., Any]) -> Callable[..., Any]:
    """Declare the two files that a generator ends with: Gradio counts outputs by the signature."""
    signature = inspect.signature(function).replace(return_annotation=Files)
    function.__signature__ = signature  # type: ignore[attr-defined]
    return function


class Endpoints:
    """The functions behind the endpoints.

    Parameters
    ----------
    settings : Settings
        Limits of files and images, and the device of the networks.
    """

    def __init__(self, settings: Settings) -> None:
        self._caps = Caps.from_settings(settings)
        self._device = settings.device

    def methods(self) -> dict[str, Any]:
        """List the enhancement methods with their parameters, as JSON."""
        return as_dict()

    @returns_files
    def enhance(
        self,
        image: gr.FileData,
        method: str,
        parameters: dict[str, ParameterValue] | None = None,
        seed: int = 0,
        modality: str | None = None,
        slice_index: int | None = None,
        format: ResultFormat = "png",
        mask: gr.FileData = NO_FILE,
        seeds: int = 1,
        series: str | None = None,
        plane: str | None = None,
        time: int | None = None,
    ) -> Iterator[tuple[Any, Any]]:
        """Enhance a medical image by one method.

        The answer is the enhanced image as a file, and the record of what made it (digests,
        versions, device, seed, parameters) as a JSON file. Not a medical device, not for diagnosis.

        Args:
            image: DICOM, a zip of its series, a volume, a picture, or complex MR data (.npz).
            method: The key of a method, such as nlm; the endpoint methods lists them.
            parameters: The parameters that differ from the preset for the modality, by name.
            seed: All randomness comes from this number, 0 or more.
            modality: CT, MR, US, XR, FUNDUS, ENDOSCOPY, MICROSCOPY or OTHER, instead of the file's.
            slice_index: The slice of a volume, counted from 0.
            format: png (16 bit over the window), tiff (in result_units), or zip (both, with maps).
            mask: For DDNM's task inpaint: a file of that size, not zero where a pixel is missing.
            seeds: The number of seeds of a diffusion method, whose mean is the result.
            series: The key of a DICOM series, such as 2.1, of a zip archive that holds several.
            plane: axial, coronal or sagittal: slice_index counts the slices of that plane.
            time: The time of a volume over time, counted from 0.
        """
        with one_sentence("enhance"):
            values = checked("parameters", parameters or {}, Parameters)
            count = checked("seeds", seeds, Seed)
            request = Request(get(checked("method", method, Text)).key, values, count)
            number = checked("seed", seed, Seed)
            opened = open_image(image, self._caps, slice_index, modality, series, plane, time)
            if mask is not None:
                opened = masked(opened, mask, self._caps)
            progress = gr.Progress()
            with closing(self._events(opened, request, number)) as events:
                for event in events:
                    if event.error:
                        raise ReadingRoomError(event.error)
                    if event.outcome is None:
                        progress(event.step.fraction, desc=event.step.note)
                        # Here Gradio closes the run of a caller who cancelled it or went away.
                        yield None, None
                        continue
                    name, outcome = event.method, event.outcome
                    pixels, units = outcome.result.pixels, outcome.record.result_units
                    record = record_file(name, outcome.record.as_dict())
                    if format == "zip":
                        yield bundle_file(opened, outcome), record
                        continue
                    yield image_file(name, opened, pixels, format, units), record

    def metrics(
        self,
        image: gr.FileData,
        truth: gr.FileData = NO_FILE,
        slice_index: int | None = None,
        series: str | None = None,
        plane: str | None = None,
        time: int | None = None,
    ) -> dict[str, Any]:
        """Measure the quality of a medical image, against the true image where one is given.

        The answer is JSON: for each metric its value (null with a reason where it cannot be
        computed), whether up or down is better, its implementation and its data range.

        Args:
            image: DICOM, a zip of its series, a volume, or a picture.
            truth: A file with the true image, of the same size; PSNR, SSIM and others need it.
            slice_index: The slice of a volume, counted from 0.
            series: The key of a DICOM series, such as 2.1, of a zip archive that holds several.
            plane: axial, coronal or sagittal: slice_index counts the slices of that plane.
            time: The time of a volume over time, counted from 0.
        """
        with one_sentence("metrics"), processor_core():
            index = checked("slice_index", slice_index, OptionalInt)
            reference = None if truth is None else uploaded("truth", truth, self._caps)
            # A truth of one picture has no planes.
            same = (plane, time) if reference and reference.slice_count > 1 else (None, None)
            measured, true = read_pair(
                reader(uploaded("image", image, self._caps, series), plane, time),
                None if reference is None else reader(reference, *same),
                slice_index=index,
            )
            scores = score(measured.pixels, reference=true.pixels if true else None)
            return {"metrics": as_json(scores)}

    def metrics_of_pairs(
        self,
        images: list[gr.FileData],
        truths: list[gr.FileData],
        slice_index: int | None = None,
    ) -> dict[str, Any]:
        """Measure several medical images, each against its true image, as one table.

        The answer is JSON: pairs has for each pair its names and the metrics as the endpoint
        metrics gives them, or the error; csv is the table, with a column for each metric.

        Args:
            images: DICOM, zips of a series, volumes, or pictures.
            truths: A file with the true image for each of them, in the same order.
            slice_index: The slice of volumes, counted from 0.
        """
        with one_sentence("metrics_of_pairs"), processor_core():
            index = checked("slice_index", slice_index, OptionalInt)
            if len(images) != len(truths):
                raise ParameterError(
                    f"There are {len(images)} images and {len(truths)} truths; give one truth for "
                    "each image, in the same order."
                )
            # All are opened before the first is closed: a file may be in several pairs.
            opened = [
                (self._opened("images", image), self._opened("truths", truth))
                for image, truth in zip(images, truths, strict=True)
            ]
            rows = [
                _pair((upload_name(image), upload_name(truth)), files, index)
                for image, truth, files in zip(images, truths, opened, strict=True)
            ]
            return {"pairs": [row.as_json() for row in rows], "csv": as_csv(rows)}

    def _opened(self, name: str, value: object) -> Opened | ReadingRoomError:
        try:
            return uploaded(name, value, self._caps)
        except ReadingRoomError as error:
            return error

    def degrade(
        self,
        image: gr.FileData,
        kind: Kind,
        level: float | None = None,
        seed: int = 0,
        modality: str | None = None,
        slice_index: int | None = None,
        format: Format = "png",
        parameters: dict[str, ParameterValue] | None = None,
        series: str | None = None,
        plane: str | None = None,
        time: int | None = None,
    ) -> Files:
        """Degrade a medical image, to have one whose true image is known.

        The answer is the degraded image as a file, and the record of what was done as a JSON file.

        Args:
            image: DICOM, a zip of its series, a volume, or a picture.
            kind: What is done to the image.
            level: The strength in units of the kind; without it, the usual one of the kind.
            seed: All randomness comes from this number, 0 or more.
            modality: CT, MR, US, XR, FUNDUS, ENDOSCOPY, MICROSCOPY or OTHER, instead of the file's.
            slice_index: The slice of a volume, counted from 0.
            format: png (16 bit; 0 and 65535 are the ends of the window) or tiff (source units).
            parameters: Of a simulated scanner, those that differ from the defaults, by name.
            series: The key of a DICOM series, such as 2.1, of a zip archive that holds several.
            plane: axial, coronal or sagittal: slice_index counts the slices of that plane.
            time: The time of a volume over time, counted from 0.
        """
        with one_sentence("degrade"), processor_core():
            values = checked("parameters", parameters or {}, Parameters)
            name = checked("kind", kind, Text)
            number = checked("seed", seed, Seed)
            strength = checked("level", level, OptionalFloat)
            if strength is None and name in KINDS:
                strength = KINDS[name].default
            opened = open_image(image, self._caps, slice_index, modality, series, plane, time)
            level = strength or 0.0
            degraded = degrade_image(opened, name, level, seed=number, settings=values)
            record = degradation_record(opened, degraded, name, level, number, values)
            file = image_file(name, opened, degraded.pixels, format, opened.units)
            return file, record_file(name, record)

    def _events(
        self, image: MedicalImage, request: Request, seed: int
    ) -> Generator[Event, None, None]:
        device = "cpu"
        if get(request.method).family != "classical":
            import_networks()
            device = self._device
        return compare(image, [request], seed=seed, device=device, cache=default_cache())


def _pair(
    names: tuple[str, str], files: Sequence[Opened | ReadingRoomError], index: int | None
) -> PairScores:
    """The scores of an image against its truth, or why it has none."""
    try:
        image, truth = (_reader(file) for file in files)
        measured, true = read_pair(image, truth, slice_index=index)
        scores = score(measured.pixels, reference=true.pixels if true else None)
    except ReadingRoomError as error:
        return PairScores(*names, error=str(error))
    return PairScores(*names, scores)


def _reader(file: Opened | ReadingRoomError) -> Reader:
    if isinstance(file, ReadingRoomError):
        raise file
    return file.image
