"""The interface of every method: a module with a `run` that yields `Step`s up to a `Result`."""

from __future__ import annotations

import functools
import importlib
import time
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Protocol, cast

import numpy as np

from enhancers.image import MedicalImage, Pixels
from enhancers.method import ParameterValue
from enhancers.noise_spectrum import NoiseSpectrum
from enhancers.registry import get
from enhancers.warm_up import import_networks

CONSTANT_RANGE = 2e-3
"""Images with a smaller max - min count as constant (half an 8-bit gray level)."""

UNCHANGED = "The result is the input, unchanged."
"""Note on a result that has the input's pixels, bit for bit."""

LARGEST_PREVIEW = 1 << 22
"""Pixels above which classical methods show no previews, which would take memory and time."""

PATCH = 256
"""Side in pixels of the patch in which the work of a network is counted."""


def patches(height: int, width: int) -> float:
    """The area of an image in patches of `PATCH` x `PATCH` pixels."""
    return height * width / PATCH**2


@dataclass(frozen=True)
class Figure:
    """A number that a method reports about its run, such as the estimated noise.

    ``name`` is a stable key, ``label`` the text for the user; ``unit`` may be empty.
    """

    name: str
    label: str
    value: float
    unit: str = ""


@dataclass(frozen=True, eq=False)
class Result:
    """The output of a method.

    Parameters
    ----------
    pixels : ndarray, float32, shape (H, W) or (H, W, 3), in [0, 1] of the input's window
        H and W are the input's times `scale`.
    figures : tuple of Figure
    calls : int
        Number of network evaluations per image; 0 for a classical method.
    scale : int
        Enlargement factor of a super-resolution method.
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
    """Progress of a run; only the last step carries the `result`.

    Parameters
    ----------
    fraction : float in [0, 1]
    preview : ndarray or None
        The current estimate, in the format of the result's pixels, at every k-th step.
    seconds_left : float or None
        Estimated from the steps so far; None before the first.
    note : str
        The current activity, such as "step 12 of 50".
    """

    fraction: float
    preview: Pixels | None = None
    seconds_left: float | None = None
    note: str = ""
    result: Result | None = None


class Enhancer(Protocol):
    """A method. Modules with a function `run` satisfy it, such as `enhancers.classical.srad`."""

    def run(
        self, image: MedicalImage, params: Mapping[str, ParameterValue], *, seed: int, device: str
    ) -> Iterator[Step]:
        """Enhance ``image``; closing the iterator stops the work within one step.

        Parameters
        ----------
        image : MedicalImage
        params : mapping
            Complete and valid, from `registry.resolve`.
        seed : int
            Seed of all random numbers, which a CPU generator draws.
        device : str
            "cpu", "cuda", "cuda:1" or "mps".
        """
        ...


def load_method(key: str) -> Enhancer:
    """Import the module of the method with this registry key; any thread may."""
    method = get(key)
    if method.family != "classical":
        import_networks()
    return cast(Enhancer, importlib.import_module(method.implementation))


class ProgressTracker:
    """Computes fraction, seconds left and note from the number of finished steps.

    Parameters
    ----------
    total : int
    unit : str
        The name of one step in the note.
    """

    def __init__(self, total: int, unit: str = "step") -> None:
        self.total = max(total, 1)
        self.unit = unit
        self.started = time.perf_counter()

    def step(self, done: int, preview: Pixels | None = None) -> Step:
        """The `Step` after ``done`` of the total steps; its fraction is at most 0.999."""
        left = None
        if done > 0:
            left = (time.perf_counter() - self.started) / done * (self.total - done)
        fraction = min(done / self.total, 0.999)
        return Step(fraction, preview, left, f"{self.unit} {done} of {self.total}")


def final_step(
    pixels: Pixels,
    *,
    figures: tuple[Figure, ...] = (),
    calls: int = 0,
    scale: int = 1,
    notes: tuple[str, ...] = (),
) -> Step:
    """The last step of a run, with the pixels clipped to [0, 1] as float32."""
    within = pixels.dtype == np.float32 and pixels.min() >= 0.0 and pixels.max() <= 1.0
    clipped = pixels if within else np.clip(pixels, 0.0, 1.0).astype(np.float32, copy=False)
    return Step(1.0, None, 0.0, "done", Result(clipped, figures, calls, scale, notes))


def is_constant(pixels: Pixels) -> bool:
    """Whether max - min is below `CONSTANT_RANGE`."""
    return bool(pixels.max() - pixels.min() < CONSTANT_RANGE)


def unchanged_step(pixels: Pixels, *, scale: int = 1) -> Step:
    """The only step of a run on a constant image, which every method returns unchanged."""
    note = "The image is constant: there is nothing to enhance, and nothing was done."
    return final_step(pixels, scale=scale, notes=(note,))


def noise_figures(noise: NoiseSpectrum, label: str = "Noise σ") -> tuple[Figure, ...]:
    """σ of the noise and, where it is not white, the correlation of neighbouring pixels' noise."""
    sigma = Figure("sigma", label, noise.sigma)
    if noise.is_white:
        return (sigma,)
    return sigma, Figure("noise_correlation", "Correlation of neighbours", noise.correlation)


def noise_notes(sigma: float, *, told: bool, least: float = 0.0) -> tuple[str, ...]:
    """What a denoiser says about the noise that it measured, or that it was told.

    Parameters
    ----------
    sigma : float
        Standard deviation of the noise, in [0, 1] units.
    told : bool
        Whether it is the user's value.
    least : float
        Noise below which the method does nothing, if it measured it.
    """
    if sigma <= 0.0:
        found = "The noise σ was given as 0" if told else "No noise was found"
        return (f"{found}, so nothing was removed.",)
    if told:
        return ()
    if sigma < least:
        return (
            f"The noise that was found (σ {sigma:.2g}) is less than the method's own error "
            f"(σ {least:g}), so nothing was removed.",
        )
    return (f"Noise of σ {sigma:.2g} was found and reduced.",)


def with_unchanged_note(result: Result, pixels: Pixels) -> Result:
    """The result, with the note `UNCHANGED` if its pixels are those of the input."""
    same = result.scale == 1 and np.array_equal(result.pixels, pixels)
    if not same or UNCHANGED in result.notes:
        return result
    return replace(result, notes=(*result.notes, UNCHANGED))


Run = Callable[..., Iterator[Step]]
"""A function with the parameters of `Enhancer.run`."""


def skips_constant_images(run: Run) -> Run:
    """Decorator of a method's `run`: a constant image is returned unchanged."""

    @functools.wraps(run)
    def guarded(
        image: MedicalImage, params: Mapping[str, ParameterValue], *, seed: int, device: str
    ) -> Generator[Step, None, None]:
        if is_constant(image.pixels):
            yield unchanged_step(image.pixels)
        else:
            yield from run(image, params, seed=seed, device=device)

    return guarded


Tile = tuple[tuple[slice, ...], Pixels]
"""Where a part of an image lies, and its pixels."""


def assemble(
    tiles: Iterable[Tile], shape: tuple[int, ...], progress: ProgressTracker
) -> Generator[Step, None, Pixels]:
    """Sum the tiles of an image, yielding a step after each; returns the image, float32.

    Parameters
    ----------
    tiles : iterable of (slices, ndarray)
        Overlapping tiles are added, so their weights have to sum to one.
    shape : tuple of int
    progress : ProgressTracker
        Its total is the number of tiles.
    """
    result = np.zeros(shape, np.float32)
    for done, (where, tile) in enumerate(tiles, start=1):
        result[where] += tile
        yield progress.step(done)
    return result


def assembled(tiles: Iterable[Tile], shape: tuple[int, ...]) -> Pixels:
    """The sum of the tiles of an image (see `assemble`)."""
    result = np.zeros(shape, np.float32)
    for where, tile in tiles:
        result[where] += tile
    return result
