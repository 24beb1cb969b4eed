"""State of one browser tab on the server: its image, ground truth and last run."""

from __future__ import annotations

import math
import secrets
import threading
import time
from collections import OrderedDict
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal

import numpy as np

from enhancers.compare import Event, Outcome, Request
from enhancers.display import PRESETS, Preset, full_window
from enhancers.image import MedicalImage, Pixels, Window
from enhancers.job_queue import QueueStatus
from enhancers.metrics import ScoreRow, score_rows

State = Literal["waiting", "queued", "running", "done", "failed", "stopped"]
"""Waiting for the methods before it, queued for the device, running; and how it ended."""

ACTIVE: tuple[State, ...] = ("waiting", "queued", "running")

MEASURED_PIXELS = 1 << 22
"""Size above which metrics are taken on a reduced image, of at most a quarter of this size."""

INPUT, TRUTH = "input", "truth"
"""Keys of the panels that show no method's result."""

FILE_WINDOW, MANUAL = "as-in-the-file", "by-hand"
"""Keys of the processing windows that are not presets."""


@dataclass(frozen=True, eq=False)
class MethodRun:
    """One method of a run: its request, state, progress and outcome."""

    request: Request
    label: str
    state: State = "waiting"
    fraction: float = 0.0
    seconds_left: float | None = None
    note: str = ""
    preview: Pixels | None = None
    outcome: Outcome | None = None
    cached: bool = False
    seconds: float = 0.0
    error: str = ""
    wait: QueueStatus | None = None

    @property
    def active(self) -> bool:
        """Whether a result may still come."""
        return self.state in ACTIVE

    @property
    def key(self) -> str:
        """The method's key, which is also the key of its panel."""
        return self.request.method

    @property
    def pixels(self) -> Pixels | None:
        """The result, or the latest preview."""
        return self.outcome.result.pixels if self.outcome else self.preview

    def updated(self, event: Event) -> MethodRun:
        """The state after an event."""
        if event.wait is not None:
            return replace(self, state="queued", wait=event.wait)
        if event.error:
            return replace(self, state="failed", error=event.error, preview=None, wait=None)
        if event.outcome is not None:
            return replace(
                self, state="done", fraction=1.0, seconds_left=0.0, note="", preview=None,
                outcome=event.outcome, cached=event.cached, seconds=event.seconds, wait=None,
            )  # fmt: skip
        step = event.step
        preview = self.preview if step.preview is None else step.preview
        return replace(
            self, state="running", fraction=step.fraction, seconds_left=step.seconds_left,
            note=step.note, preview=preview, wait=None,
        )  # fmt: skip


@dataclass(eq=False)
class Run:
    """The methods that were started on one image, and their results."""

    image: MedicalImage
    methods: list[MethodRun]
    seed: int

    @property
    def done(self) -> list[MethodRun]:
        """The finished methods."""
        return [method for method in self.methods if method.outcome is not None]

    @property
    def active(self) -> bool:
        """Whether a method is running or waiting."""
        return any(method.active for method in self.methods)

    @property
    def wait(self) -> QueueStatus | None:
        """The run's place in the queue; None while a method runs."""
        return next((method.wait for method in self.methods if method.wait is not None), None)

    def apply(self, event: Event) -> None:
        """Apply an event of `compare`; ignored for a method that was stopped."""
        if self.methods[event.index].state == "stopped":
            return
        self.methods[event.index] = self.methods[event.index].updated(event)
        if event.finished:
            self.advance()

    def advance(self) -> None:
        """Mark the next waiting method as running (they run in order)."""
        for index, method in enumerate(self.methods):
            if method.state == "waiting":
                self.methods[index] = replace(method, state="running")
                return

    def stop(self) -> None:
        """Mark the unfinished methods as stopped and drop their previews, which are no results."""
        self.methods = [
            replace(method, state="stopped", preview=None, seconds_left=None, wait=None)
            if method.active
            else method
            for method in self.methods
        ]


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
    path : Path, optional
        The file that was opened.
    sample : str
        Key of the gallery's sample, if it is one.
    windows : tuple of Preset
        The processing windows on offer.
    window_choice : str
        Key of the processing window in use.
    first_window : Window, optional
        The processing window that the file was opened with.
    truth : ndarray, optional
        Ground truth, as `image`.
    truth_path : Path, optional
    truth_origin : str
        Where the ground truth comes from, in words.
    run : Run, optional
    scores : dict
        Metrics by panel key.
    pair : tuple of str
        Keys of the panels that the slider and the difference map compare.
    pair_chosen : bool
        Whether the user chose the pair.
    """

    token: str = field(default_factory=lambda: secrets.token_hex(16))
    image: MedicalImage | None = None
    name: str = ""
    path: Path | None = None
    sample: str = ""
    windows: tuple[Preset, ...] = ()
    window_choice: str = FILE_WINDOW
    first_window: Window | None = None
    truth: Pixels | None = None
    truth_path: Path | None = None
    truth_origin: str = ""
    run: Run | None = None
    scores: dict[str, ScoreRow] = field(default_factory=dict)
    pair: tuple[str | None, str | None] = (None, None)
    pair_chosen: bool = False
    _shown: tuple[Pixels, Pixels, Window] | None = None

    def open(self, image: MedicalImage, name: str, path: Path, sample: str = "") -> None:
        """Replace the image by another file; the previous results are dropped."""
        self.name, self.path, self.sample = name, path, sample
        self.window_choice, self.first_window = FILE_WINDOW, image.window
        self.pair, self.pair_chosen = (None, None), False
        # Presets beyond the file's own window are offered too, since the file is read again.
        self.windows = PRESETS.get(image.modality, ()) if image.units == "HU" else ()
        self.replace_image(image)

    def replace_image(self, image: MedicalImage) -> None:
        """Take another slice or window of the same file; results and ground truth are dropped."""
        self.image, self.run = image, None
        self.set_truth(None, None, "")

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

    def set_truth(self, pixels: Pixels | None, path: Path | None, origin: str) -> None:
        """Set or remove the ground truth; the scores are dropped."""
        self.truth, self.truth_path, self.truth_origin = pixels, path, origin
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
        images = {key: _reduced(pixels, self.score_shrink) for key, _, pixels in self.panels()}
        source, truth = images.pop(INPUT), images.pop(TRUTH, None)
        return score_rows(source, images, truth=truth, known=self.scores)

    @property
    def score_shrink(self) -> int:
        """The factor by which the sides are reduced for the metrics; 1 up to `MEASURED_PIXELS`."""
        height, width = self.image.shape if self.image else (1, 1)
        if height * width <= MEASURED_PIXELS:
            return 1
        return math.ceil(2 * math.sqrt(height * width / MEASURED_PIXELS))

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


def _reduced(pixels: Pixels, shrink: int) -> Pixels:
    if shrink == 1:
        return pixels
    import cv2

    size = (pixels.shape[1] // shrink, pixels.shape[0] // shrink)
    smaller: Pixels = cv2.resize(pixels, size, interpolation=cv2.INTER_AREA)
    return np.clip(smaller, 0.0, 1.0, out=smaller)


LATE_EVENT_SECONDS = 10.0
"""Seconds after a tab was closed in which its last events may still arrive."""


class Sessions:
    """The sessions of all tabs by Gradio's session hash; the least recently used are dropped."""

    def __init__(self, capacity: int = 64) -> None:
        self.capacity = capacity
        self._lock = threading.Lock()
        self._by_hash: OrderedDict[str, Session] = OrderedDict()
        self._removed: dict[str, float] = {}

    def __len__(self) -> int:
        return len(self._by_hash)

    def get(self, session_hash: str | None) -> Session:
        """The session of a tab, created at its first request.

        A late event of a closed tab gets a session that is not stored.
        """
        key = session_hash or ""
        with self._lock:
            if time.monotonic() - self._removed.get(key, -math.inf) < LATE_EVENT_SECONDS:
                return Session()
            session = self._by_hash.setdefault(key, Session())
            self._by_hash.move_to_end(key)
            while len(self._by_hash) > self.capacity:
                self._by_hash.popitem(last=False)
            return session

    def by_token(self, token: str) -> Session | None:
        """The session that a download link names, or None."""
        with self._lock:
            for session in self._by_hash.values():
                if secrets.compare_digest(session.token, token):
                    return session
        return None

    def remove(self, session_hash: str | None) -> Session | None:
        """Remove and return the session of a tab that was closed."""
        key, now = session_hash or "", time.monotonic()
        with self._lock:
            recent = self._removed.items()
            self._removed = {k: at for k, at in recent if now - at < LATE_EVENT_SECONDS}
            self._removed[key] = now
            return self._by_hash.pop(key, None)
