"""State of one browser tab on the server: its image, ground truth and last run."""

from __future__ import annotations

import math
import secrets
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from enhancers.compare.maps import ResultMap, result_maps
from enhancers.decoding import Opened, OpenedSeries, UploadedSeries
from enhancers.image import MedicalImage, Pixels, Window
from enhancers.measured import Known
from enhancers.method import Modality
from enhancers.metrics import ScoreRow, score_rows
from enhancers.metrics.large_images import reduced, shrink_of
from enhancers.ui.estimate_turns import EstimateTurns
from enhancers.ui.image_changes import ImageChanges
from enhancers.ui.run import Run
from enhancers.ui.slices_job import SlicesJob
from enhancers.windows import PRESETS, Preset, file_presets, full_window

INPUT, TRUTH = "input", "truth"
"""Keys of the panels that show no method's result."""

FILE_WINDOW, MANUAL = "as-in-the-file", "by-hand"
"""Keys of the processing windows that are not presets."""


Place = tuple[str, int, int]
"""The plane, the time and the index of a slice (`MedicalImage.place`)."""

KEPT_BYTES = 256 * 2**20
"""Most bytes of images and results that a tab keeps for slices that are not on display."""


@dataclass(frozen=True, eq=False)
class SliceState:
    """A slice that was left: its image, ground truth, results and scores."""

    image: MedicalImage
    run: Run | None
    truth: Pixels | None
    truth_file: Opened | None
    truth_origin: str
    scores: dict[str, ScoreRow]
    original: MedicalImage | None = None

    @property
    def size(self) -> int:
        """Bytes of its arrays."""
        results = [method.pixels for method in self.run.done] if self.run else []
        arrays = [self.image.pixels, self.image.source, self.truth, *results]
        return sum(array.nbytes for array in arrays if array is not None)


@dataclass(frozen=True)
class Subject:
    """What an estimate or a run is for: numbers of the image and of the settings in a session."""

    image: int
    settings: int


def as_before(image: MedicalImage, former: MedicalImage) -> MedicalImage:
    """A slice with the modality of the one before it: its own where the file decides."""
    if former.modality_origin == "user":
        return image.with_modality(former.modality)
    return replace(image, modality=former.modality, modality_origin=former.modality_origin)


@dataclass(eq=False)
class Session:
    """State of one browser tab.

    Parameters
    ----------
    token : str
        Random; names the session in download links.
    image : MedicalImage, optional
    name : str
        File name or sample label, for display.
    opened : Opened, optional
        The file of the image.
    sample : str
        Key of the gallery's sample, if it is one.
    series : UploadedSeries, optional
        The series of the last upload of several files, of which one may be open.
    series_key : str
        Key of the one that is open.
    window_choice : str
        Key of the processing window in use.
    first_window : Window, optional
        The processing window that the file was opened with.
    truth : ndarray, optional
        Ground truth, as `image`.
    truth_file : Opened, optional
    truth_origin : str
        Where the ground truth comes from, in words.
    original : MedicalImage, optional
        The image before it was degraded on the page.
    run : Run, optional
    scores : dict
        Metrics by panel key.
    pair : tuple of str
        Keys of the panels that the slider and the difference map compare.
    pair_chosen : bool
        Whether the user chose the pair.
    similarity : bool
        Whether the difference tab shows structural similarity.
    mapped : str
        Key of the method whose maps are shown.
    settings : mapping
        The latest values of the method section, by keyword.
    view : str
        Name of the open tab of the page; empty for the first.
    subject : Subject
        The image and the settings that the page shows now.
    file : int
        Number of the file that is open.
    slices : dict
        The slices of the file that were left with results or a ground truth, by plane, time and
        index.
    painted : (int, int), optional
        Number of the file and place of the slice that the painting of a mask shows.
    all_slices : SlicesJob, optional
        The last run of all slices of the file that is open.
    voxel : tuple of int, optional
        Where the lines of the navigator cross.
    cropped : bool
        Whether images are cropped to their ultrasound region.
    lock : RLock
        Held while the session changes.
    reloading : Lock
        Held while a slice or window of the open file is read.
    changes : ImageChanges
    estimates : EstimateTurns
    """

    token: str = field(default_factory=lambda: secrets.token_hex(16))
    image: MedicalImage | None = None
    name: str = ""
    opened: Opened | None = None
    sample: str = ""
    series: UploadedSeries | None = None
    series_key: str = ""
    window_choice: str = FILE_WINDOW
    first_window: Window | None = None
    truth: Pixels | None = None
    truth_file: Opened | None = None
    truth_origin: str = ""
    original: MedicalImage | None = None
    run: Run | None = None
    scores: dict[str, ScoreRow] = field(default_factory=dict)
    pair: tuple[str | None, str | None] = (None, None)
    pair_chosen: bool = False
    similarity: bool = False
    mapped: str = ""
    _shown: tuple[Pixels, Pixels, Window] | None = None
    settings: Mapping[str, Any] = field(default_factory=dict)
    view: str = ""
    _settings_moment: float = -math.inf
    subject: Subject = Subject(0, 0)
    file: int = 0
    slices: dict[Place, SliceState] = field(default_factory=dict)
    painted: tuple[int, Place] | None = None
    all_slices: SlicesJob | None = None
    voxel: tuple[int, int, int] | None = None
    cropped: bool = False
    lock: threading.RLock = field(default_factory=threading.RLock, repr=False)
    reloading: threading.Lock = field(default_factory=threading.Lock, repr=False)
    changes: ImageChanges = field(init=False, repr=False)
    estimates: EstimateTurns = field(init=False, repr=False)

    def __post_init__(self) -> None:
        self.changes = ImageChanges(self.lock)
        self.estimates = EstimateTurns(self.lock)

    def set_settings(
        self, values: Mapping[str, Any], moment: float | None = None
    ) -> Subject | None:
        """Take the values of the method section; what was for other values is out of date.

        None where values of a later moment were taken already.
        """
        with self.lock:
            if moment is not None:
                if moment < self._settings_moment:
                    return None
                self._settings_moment = moment
            self.settings = values
            self.subject = replace(self.subject, settings=self.subject.settings + 1)
            return self.subject

    def stop(self) -> None:
        """Stop the run, and forget one that was requested."""
        with self.lock:
            self.changes.cancel_run()
            if self.run is not None:
                self.run.stop()

    def drop_slices(self) -> None:
        """Stop the run of all slices, and forget its file."""
        with self.lock:
            if self.all_slices is not None:
                self.all_slices.stop()
            self.all_slices = None

    @property
    def active(self) -> bool:
        """Whether a method is running or waiting."""
        return self.run is not None and self.run.active

    @property
    def windows(self) -> tuple[Preset, ...]:
        """The processing windows on offer, beside the one that the file was opened with."""
        return () if self.image is None else self.windows_of(self.image)

    def windows_of(self, image: MedicalImage) -> tuple[Preset, ...]:
        """The processing windows of a slice: those that the file states, and the usual ones."""
        usual = PRESETS.get(image.modality, ()) if image.units == "HU" else ()
        first = self.first_window or image.window
        return (*file_presets(image, first, each_slice=True), *usual)

    # In the following, `change` is the number of the change by `changes`.

    def open(
        self,
        image: MedicalImage,
        name: str,
        opened: Opened,
        sample: str = "",
        change: int | None = None,
        series: UploadedSeries | None = None,
    ) -> None:
        """Replace the image by another file; a run is stopped and all results are dropped."""
        with self.lock:
            self.file += 1
            self.drop_slices()
            self.name, self.opened, self.sample = name, opened, sample
            self.series, self.voxel, self.cropped = series, None, False
            self.series_key = opened.series.key if isinstance(opened, OpenedSeries) else ""
            self.window_choice, self.first_window = FILE_WINDOW, image.window
            self.pair, self.pair_chosen = (None, None), False
            self.replace_image(image, change)

    def replace_image(self, image: MedicalImage, change: int | None = None) -> None:
        """Take another window of the file; a run is stopped, results and truth are dropped."""
        with self.lock:
            self.slices.clear()
            self._show(SliceState(image, None, None, None, "", {}), change)

    def degrade(
        self, made: MedicalImage, original: MedicalImage, change: int | None = None
    ) -> None:
        """Take a degraded image, whose ground truth is the original."""
        with self.lock:
            self.replace_image(made, change)
            self.set_truth(original.pixels, None, "the image before it was degraded")
            self.original = original

    def move_to(self, image: MedicalImage, change: int | None = None) -> None:
        """Take another slice; a run is stopped, and what the slices have is kept with them."""
        with self.lock:
            self._keep()
            blank = SliceState(image, None, None, None, "", {})
            self._show(self.slices.pop(image.place, blank), change)

    def kept_image(self, place: Place) -> MedicalImage | None:
        """The image of a slice that was left; None where it has to be read."""
        state = self.slices.get(place)
        if state is None or self.image is None:
            return None
        return as_before(state.image, self.image)

    def _keep(self) -> None:
        """Keep the slice on display; the slices left first make room."""
        if self.run is not None:
            self.run.stop()
        if self.image is None:
            return
        if self.truth is None and self.known is None and not (self.run and self.run.done):
            return
        self.slices[self.image.place] = SliceState(
            self.image, self.run, self.truth, self.truth_file, self.truth_origin, self.scores,
            self.original,
        )  # fmt: skip
        while sum(state.size for state in self.slices.values()) > KEPT_BYTES:
            del self.slices[next(iter(self.slices))]

    def _show(self, state: SliceState, change: int | None) -> None:
        self.changes.cancel_run(change)
        if self.run is not None:
            self.run.stop()
        self._new_subject()
        self.image, self.run = state.image, state.run
        self.truth, self.truth_file = state.truth, state.truth_file
        self.truth_origin, self.scores = state.truth_origin, state.scores
        self.original = state.original

    def set_modality(self, modality: Modality) -> None:
        """Take the modality that the user chose, with the window and units as they are.

        Results stay, estimates are out of date.
        """
        with self.lock:
            if self.image is not None:
                self.image = replace(self.image, modality=modality, modality_origin="user")
                self._new_subject()

    def set_known(self, known: Known | None) -> None:
        """Take or remove a mask of the pixels that are known; results stay."""
        with self.lock:
            if self.image is not None:
                self.image = self.image.with_known(known)
                self._new_subject()

    @property
    def known(self) -> Known | None:
        """The mask of the image's known pixels."""
        measured = self.image.measured if self.image else None
        return measured.known if measured else None

    def _new_subject(self) -> None:
        self.subject = replace(self.subject, image=self.subject.image + 1)

    def shown_input(self) -> tuple[Pixels, Window]:
        """The source of the image in [0, 1] of the window that shows all of it.

        Raises
        ------
        ValueError
            There is no image.
        """
        image = self.image
        if image is None:
            raise ValueError("there is no image to show")
        if self._shown is None or self._shown[0] is not image.pixels:
            full = full_window(image)
            pixels = image.pixels if full == image.window else full.to_unit(image.source)
            self._shown = (image.pixels, pixels, full)
        return self._shown[1:]

    def set_truth(self, pixels: Pixels | None, file: Opened | None, origin: str) -> None:
        """Set or remove the ground truth; the scores are dropped."""
        self.truth, self.truth_file, self.truth_origin = pixels, file, origin
        self.scores = {}

    def start(self, run: Run) -> None:
        """Replace the previous run and mark its first method as running."""
        self.run, self.scores = run, {}
        run.advance()

    @property
    def scored(self) -> bool:
        """Whether the input and every result have their scores."""
        return all(key in self.scores for key, _, _ in self.panels() if key != TRUTH)

    def compute_scores(self) -> tuple[ScoreRow, ...]:
        """The metrics of the input and of every result; computed once for each image.

        A large image is measured at 1 / `score_shrink` of its size, which takes seconds.
        """
        if self.image is None:
            return ()
        images = {key: reduced(pixels, self.score_shrink) for key, _, pixels in self.panels()}
        source, truth = images.pop(INPUT), images.pop(TRUTH, None)
        return score_rows(source, images, truth=truth, known=self.scores)

    @property
    def score_shrink(self) -> int:
        """The factor by which the sides are reduced for the metrics."""
        return 1 if self.image is None else shrink_of(self.image.shape)

    def maps(self) -> dict[str, tuple[str, tuple[ResultMap, ...]]]:
        """Label and maps of every finished method that has some, by its key."""
        found = {
            method.key: (method.label, result_maps(self.run.image, method.outcome))
            for method in (self.run.methods if self.run else [])
            if self.run is not None and method.outcome is not None
        }
        return {key: (label, maps) for key, (label, maps) in found.items() if maps}

    def panels(self) -> list[tuple[str, str, Pixels]]:
        """Key, label and pixels of the input, the results and the ground truth."""
        if self.image is None:
            return []
        found = [(INPUT, "Input", self.image.pixels)]
        found += [
            (method.key, method.label, method.outcome.result.pixels)
            for method in (self.run.methods if self.run else [])
            if method.outcome is not None
        ]
        if self.truth is not None:
            found.append((TRUTH, "Ground truth", self.truth))
        return found
