"""What every method is: a module with one `run` that yields `Step`s and ends with a `Result`."""

from __future__ import annotations

import importlib
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Protocol, cast

import numpy as np

from enhancers.image import MedicalImage, Pixels
from enhancers.method import ParameterValue
from enhancers.registry import get

CONSTANT_RANGE = 2e-3
"""Below this max - min an image holds nothing to enhance (half an 8-bit gray level)."""


PATCH = 256
"""Side of the patch that a network's work is counted in."""


def patches(height: int, width: int) -> float:
    """How many `PATCH` x `PATCH` patches an image is worth."""
    return height * width / PATCH**2


@dataclass(frozen=True)
class Figure:
    """A number a method reports about its own run, such as the estimated noise.

    ``name`` is a stable key, ``label`` what the user reads, ``unit`` may be empty.
    """

    name: str
    label: str
    value: float
    unit: str = ""


@dataclass(frozen=True, eq=False)
class Result:
    """What a method returns.

    Parameters
    ----------
    pixels : ndarray, float32, shape (H, W) or (H, W, 3), in [0, 1] of the input's window
        H and W are the input's times `scale`.
    figures : tuple of Figure
    calls : int
        Evaluations of the network, one for a whole batch counted once per image (0: classical).
    scale : int
        Enlargement of a super-resolution method.
    notes : tuple of str
        Sentences for the user.
    """

    pixels: Pixels
    figures: tuple[Figure, ...] = ()
    calls: int = 0
    scale: int = 1
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, eq=False)
class Step:
    """Progress of a run; the last step alone carries the `result`.

    Parameters
    ----------
    fraction : float in [0, 1]
    preview : ndarray or None
        The current estimate, as the result's pixels, every k-th step of an iterative method.
    seconds_left : float or None
        Estimate from the steps so far; None before the first.
    note : str
        What is being done, such as "step 12 of 50".
    """

    fraction: float
    preview: Pixels | None = None
    seconds_left: float | None = None
    note: str = ""
    result: Result | None = None


class Enhancer(Protocol):
    """A method. Modules satisfy it: ``enhancers/classical/srad.py`` has a function `run`."""

    def run(
        self, image: MedicalImage, params: Mapping[str, ParameterValue], *, seed: int, device: str
    ) -> Iterator[Step]:
        """Enhance ``image``; closing the iterator stops the work within one step.

        Parameters
        ----------
        image : MedicalImage
        params : mapping
            Complete and valid: the outcome of `registry.resolve`.
        seed : int
            All randomness comes from it, through a CPU generator.
        device : str
            "cpu", "cuda", "cuda:1", "mps".
        """
        ...


def load_method(key: str) -> Enhancer:
    """Import the module of the method with this registry key."""
    return cast(Enhancer, importlib.import_module(get(key).implementation))


class ProgressTracker:
    """Turns the count of finished steps into fraction, seconds left and a note."""

    def __init__(self, total: int, what: str = "step") -> None:
        self.total = max(total, 1)
        self.what = what
        self.started = time.perf_counter()

    def step(self, done: int, preview: Pixels | None = None) -> Step:
        """The `Step` after ``done`` of the total; never claims to be finished."""
        left = None
        if done > 0:
            left = (time.perf_counter() - self.started) / done * (self.total - done)
        fraction = min(done / self.total, 0.999)
        return Step(fraction, preview, left, f"{self.what} {done} of {self.total}")


def final_step(
    pixels: Pixels,
    *,
    figures: tuple[Figure, ...] = (),
    calls: int = 0,
    scale: int = 1,
    notes: tuple[str, ...] = (),
) -> Step:
    """The last step of a run: pixels clipped to [0, 1] as float32, with the `Result`'s fields."""
    clipped = np.clip(pixels, 0.0, 1.0).astype(np.float32, copy=False)
    return Step(1.0, None, 0.0, "done", Result(clipped, figures, calls, scale, notes))


def is_constant(pixels: Pixels) -> bool:
    """Whether the image holds no structure at all (see `CONSTANT_RANGE`)."""
    return bool(pixels.max() - pixels.min() < CONSTANT_RANGE)


def unchanged_step(pixels: Pixels, *, scale: int = 1) -> Step:
    """The only step of a run on a constant image, which a method must leave constant."""
    note = "The image is constant: there is nothing to enhance, and nothing was done."
    return final_step(pixels, scale=scale, notes=(note,))
