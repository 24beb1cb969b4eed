"""The variants of the test images: clean, degraded, and enhanced by each method."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from benchmarks.segmentation.subjects import Cohort, Subject
from enhancers import devices, provenance
from enhancers.degrade import KINDS, degrade
from enhancers.errors import ParameterError, ReadingRoomError
from enhancers.evaluation.method_text import method_under_test
from enhancers.evaluation.methods_under_test import INPUT, MethodUnderTest
from enhancers.evaluation.problem import Degraded, Task
from enhancers.files import atomic_file
from enhancers.image import Pixels, check_pixels, pixels_digest
from enhancers.method import Modality

CLEAN, DEGRADED = "clean", "degraded"
"""Keys of the variants of every run: the upper bound, and the input of the methods."""
NONE = "none"
"""Key of the degradation of clean images."""


@dataclass(frozen=True)
class Damage:
    """A degradation whose level is drawn for each image, evenly from ``low`` to ``high``."""

    kind: str
    low: float
    high: float

    def __post_init__(self) -> None:
        known = [kind for kind in KINDS if kind != "downsample"]
        if self.kind not in known:
            raise ParameterError(
                f"No degradation {self.kind} to segment under; use {', '.join(NAMES)}, or one of "
                f"{', '.join(known)}."
            )
        if KINDS[self.kind].check(self.low) > KINDS[self.kind].check(self.high):
            raise ParameterError(f"Levels {self.low:g} to {self.high:g} are in the wrong order.")

    @property
    def text(self) -> str:
        """In words, such as "speckle, σ 0.1 to 0.3"."""
        span = f"{self.low:g}" if self.low == self.high else f"{self.low:g} to {self.high:g}"
        return f"{self.kind}, {KINDS[self.kind].level} {span}"

    @property
    def task(self) -> Task:
        """The task of the methods."""
        return _TASKS.get(self.kind, "improve")


_TASKS: Mapping[str, Task] = {
    "speckle": "despeckle",
    "rician": "despeckle",
    "gaussian": "denoise",
    "low_dose": "denoise",
    "under_exposure": "lighten",
}

NOISE = {
    "paper": {
        Modality.US: Damage("speckle", 0.1, 0.3),
        Modality.MR: Damage("rician", 0.02, 0.04),
        Modality.CT: Damage("low_dose", 0.05, 0.25),
    },
    "strong": {
        Modality.US: Damage("speckle", 0.4, 0.8),
        Modality.MR: Damage("rician", 0.1, 0.2),
        Modality.CT: Damage("low_dose", 0.01, 0.05),
    },
}
"""By name and modality: section 2.4 of the paper for ultrasound and MR, and several times it."""
OTHERWISE = {"paper": Damage("gaussian", 0.05, 0.1), "strong": Damage("gaussian", 0.1, 0.3)}
DARK = Damage("under_exposure", 0.2, 0.6)
NAMES = (*NOISE, "dark")
"""Named degradations, which exist for every modality."""


@dataclass(frozen=True, eq=False)
class Picture:
    """A test image of a variant; ``digest`` is that of its pixels."""

    pixels: Pixels
    digest: str


def damage(text: str, modality: Modality) -> Damage:
    """The degradation that ``text`` names: one of `NAMES`, ``kind``, or ``kind:low-high``.

    Raises
    ------
    ParameterError
    """
    if text == "dark":
        return DARK
    if text in NOISE:
        return NOISE[text].get(modality, OTHERWISE[text])
    kind, _, levels = text.partition(":")
    if not levels:
        default = KINDS[kind].default if kind in KINDS else 0.0
        return Damage(kind, default, default)
    low, _, high = levels.partition("-")
    try:
        return Damage(kind, float(low), float(high or low))
    except ValueError:
        raise ParameterError(
            f"{text} is not a degradation; write kind:level or kind:low-high, such as "
            "speckle:0.1-0.3."
        ) from None


def methods(texts: list[str]) -> tuple[MethodUnderTest, ...]:
    """The methods that ``texts`` name, each once.

    Raises
    ------
    ParameterError
        One is unknown, or is part of every run.
    """
    found = {text: method_under_test(text) for text in texts}
    taken = next((text for text in found if text in (INPUT, CLEAN, DEGRADED)), None)
    if taken:
        raise ParameterError(f"{taken} is no method to choose: it is always part of the table.")
    return tuple(found.values())


def damaged(cohort: Cohort, subject: Subject, how: Damage) -> Degraded:
    """The degraded image of a subject; level and noise depend only on the subject's key."""
    text = f"{how.kind} {subject.key}"
    seed = int.from_bytes(hashlib.sha256(text.encode()).digest()[:6], "big")
    share = float(np.random.default_rng([seed, 1]).random())
    level = how.low + (how.high - how.low) * share
    pixels = degrade(subject.pixels, how.kind, level, seed=seed)
    return Degraded(pixels, cohort.modality, kind=how.kind, level=level)


class Enhanced:
    """Results of methods, stored in a folder and reused.

    Parameters
    ----------
    folder : Path
    seed : int
        Of the methods that sample.
    device : str
    """

    def __init__(self, folder: Path, *, seed: int, device: str) -> None:
        self.folder, self.seed, self.device = folder, seed, device

    def picture(self, degraded: Degraded, task: Task, one: MethodUnderTest) -> Picture:
        """The result of a method on a degraded image.

        Raises
        ------
        ReadingRoomError
            The method failed, is not for this task, or gives an image of another size.
        """
        path = self.folder / f"{self._key(degraded, task, one)}.npy"
        pixels = _read(path, degraded.pixels.shape)
        if pixels is None:
            made = one.enhance(degraded, task, seed=self.seed, device=self.device).pixels
            if made.shape != degraded.pixels.shape:
                raise ParameterError(
                    f"{one.key} makes an image of another size, which its masks do not fit."
                )
            pixels = made
            _write(path, pixels)
        return Picture(pixels, pixels_digest(pixels))

    def _key(self, degraded: Degraded, task: Task, one: MethodUnderTest) -> str:
        if one.kind == "baseline" and not one.suits(task):
            raise ParameterError(f"{one.key} cannot {task}; leave it out.")
        determining = {
            "pixels": pixels_digest(degraded.pixels),
            "task": task,
            "method": one.method,
            "params": one.parameters(degraded, task),
            "prior": one.prior(degraded, task),
            "seed": self.seed if one.by_device else 0,
            "device": devices.model_name(self.device) if one.by_device else "cpu",
            "software": provenance.software("diffusion"),
            "code": one.code(),
        }
        text = json.dumps(determining, sort_keys=True, allow_nan=False)
        return hashlib.sha256(text.encode()).hexdigest()


def _read(path: Path, shape: tuple[int, ...]) -> Pixels | None:
    """Stored pixels; None where there are none, or they are damaged."""
    try:
        pixels: Pixels = np.load(path, allow_pickle=False)
        check_pixels(pixels)
    except (OSError, ValueError, EOFError, AttributeError):
        return None
    return pixels if pixels.shape == shape else None


def _write(path: Path, pixels: Pixels) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        with atomic_file(path) as file:
            np.save(file, pixels)
    except OSError as error:
        raise ReadingRoomError(
            f"{path.parent} cannot be written: {error.strerror}; name another folder."
        ) from error
