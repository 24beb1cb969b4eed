"""What one browser tab is working on, kept on the server: the image, its truth and the last run."""

from __future__ import annotations

import math
import secrets
import threading
import time
from collections import OrderedDict
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal

from enhancers.compare import Event, Outcome, Request
from enhancers.display import PRESETS, Preset
from enhancers.image import MedicalImage, Pixels
from enhancers.job_queue import QueueStatus
from enhancers.metrics import ScoreRow

State = Literal["waiting", "queued", "running", "done", "failed", "stopped"]
"""Waiting for the methods before it, in line for the device, running; and how it ended."""

ACTIVE: tuple[State, ...] = ("waiting", "queued", "running")

INPUT, TRUTH = "input", "truth"
"""Keys of the panels that are no method's."""

FILE_WINDOW, MANUAL = "as-in-the-file", "by-hand"
"""Processing windows that are no preset."""


@dataclass(frozen=True, eq=False)
class Slot:
    """One method of a run and how far it is."""

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
        """Whether it may still bring a result."""
        return self.state in ACTIVE

    @property
    def key(self) -> str:
        """The method's key, which is the panel's too."""
        return self.request.method

    @property
    def pixels(self) -> Pixels | None:
        """The result, or the latest preview."""
        return self.outcome.result.pixels if self.outcome else self.preview

    def after(self, event: Event) -> Slot:
        """The slot once the event has happened."""
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
    """The methods that were started on one image, with what came of them."""

    image: MedicalImage
    slots: list[Slot]
    seed: int

    @property
    def done(self) -> list[Slot]:
        """The finished ones."""
        return [slot for slot in self.slots if slot.outcome is not None]

    @property
    def active(self) -> bool:
        """Whether a method is running or waiting."""
        return any(slot.active for slot in self.slots)

    @property
    def wait(self) -> QueueStatus | None:
        """How long it waits in line; None while a method runs."""
        return next((slot.wait for slot in self.slots if slot.wait is not None), None)

    def take(self, event: Event) -> None:
        """Note an event of `compare`, unless it comes after the method was stopped."""
        if self.slots[event.index].state == "stopped":
            return
        self.slots[event.index] = self.slots[event.index].after(event)
        if event.finished:
            self.advance()

    def advance(self) -> None:
        """The next waiting method begins (they run in order)."""
        for index, slot in enumerate(self.slots):
            if slot.state == "waiting":
                self.slots[index] = replace(slot, state="running")
                return

    def stop(self) -> None:
        """What has not finished will not; a preview is no result and is dropped."""
        self.slots = [
            replace(slot, state="stopped", preview=None, seconds_left=None, wait=None)
            if slot.active
            else slot
            for slot in self.slots
        ]


@dataclass(eq=False)
class Session:
    """One browser tab.

    ``token`` is random and names the session in download links. ``path`` is the file that was
    opened and ``sample`` the gallery's key of it, if it is one. ``windows`` are the processing
    windows on offer and ``window_choice`` the key of the one in use. ``shown`` is the display
    window the viewer last reported, in source units. ``pair`` is what the slider and the
    difference map compare, ``picked`` whether the user chose it.
    """

    token: str = field(default_factory=lambda: secrets.token_hex(16))
    image: MedicalImage | None = None
    name: str = ""
    path: Path | None = None
    sample: str = ""
    windows: tuple[Preset, ...] = ()
    window_choice: str = FILE_WINDOW
    truth: Pixels | None = None
    truth_path: Path | None = None
    truth_origin: str = ""
    run: Run | None = None
    scores: dict[str, ScoreRow] = field(default_factory=dict)
    shown: tuple[float, float] | None = None
    pair: tuple[str | None, str | None] = (None, None)
    picked: bool = False

    def open(self, image: MedicalImage, name: str, path: Path, sample: str = "") -> None:
        """Put another image on the table; results of the former one go."""
        self.name, self.path, self.sample = name, path, sample
        self.window_choice = FILE_WINDOW
        self.pair, self.picked = (None, None), False
        # Those that reach beyond the file's own window count too: the file is read again.
        self.windows = PRESETS.get(image.modality, ()) if image.units == "HU" else ()
        self.replace_image(image)

    def replace_image(self, image: MedicalImage) -> None:
        """Another slice or window of the same file: results and truth no longer belong to it."""
        self.image, self.run, self.shown = image, None, None
        self.set_truth(None, None, "")

    def set_truth(self, pixels: Pixels | None, path: Path | None, origin: str) -> None:
        """Take another truth, or none; what was measured against the former is void."""
        self.truth, self.truth_path, self.truth_origin = pixels, path, origin
        self.scores = {}

    def start(self, run: Run) -> None:
        """Begin a run in place of the former."""
        self.run, self.scores = run, {}
        run.advance()

    @property
    def measured(self) -> bool:
        """Whether all images that are measured have their scores."""
        return all(key in self.scores for key, _, _ in self.panels() if key != TRUTH)

    def panels(self) -> list[tuple[str, str, Pixels]]:
        """Key, label and pixels of all that can be compared: input, results, truth."""
        if self.image is None:
            return []
        found = [(INPUT, "Input", self.image.pixels)]
        found += [
            (slot.key, slot.label, slot.outcome.result.pixels)
            for slot in (self.run.slots if self.run else [])
            if slot.outcome is not None
        ]
        if self.truth is not None:
            found.append((TRUTH, "Truth", self.truth))
        return found


AFTERMATH_SECONDS = 10.0
"""How long after a tab was closed its last events may still come in."""


class Sessions:
    """The sessions of all tabs, by Gradio's session hash; the oldest make room for new ones."""

    def __init__(self, capacity: int = 64) -> None:
        self.capacity = capacity
        self._lock = threading.Lock()
        self._by_hash: OrderedDict[str, Session] = OrderedDict()
        self._dropped: dict[str, float] = {}

    def __len__(self) -> int:
        return len(self._by_hash)

    def of(self, session_hash: str | None) -> Session:
        """The session of a tab, made at its first request.

        What still ran when a tab was closed gets one that nobody keeps.
        """
        key = session_hash or ""
        with self._lock:
            if time.monotonic() - self._dropped.get(key, -math.inf) < AFTERMATH_SECONDS:
                return Session()
            session = self._by_hash.setdefault(key, Session())
            self._by_hash.move_to_end(key)
            while len(self._by_hash) > self.capacity:
                self._by_hash.popitem(last=False)
            return session

    def by_token(self, token: str) -> Session | None:
        """The session a download link names, or None."""
        with self._lock:
            for session in self._by_hash.values():
                if secrets.compare_digest(session.token, token):
                    return session
        return None

    def drop(self, session_hash: str | None) -> Session | None:
        """Forget a tab that was closed; returns what it worked on."""
        key, now = session_hash or "", time.monotonic()
        with self._lock:
            recent = self._dropped.items()
            self._dropped = {k: at for k, at in recent if now - at < AFTERMATH_SECONDS} | {key: now}
            return self._by_hash.pop(key, None)
