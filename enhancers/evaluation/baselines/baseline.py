"""The type of a baseline: a module whose `run` enhances a gray image and yields `Step`s."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

from enhancers.colour import luminance, with_luminance
from enhancers.errors import ParameterError
from enhancers.evaluation.problem import Degraded, Task
from enhancers.evaluation.slice_stack import neighbours_of
from enhancers.image import Pixels, check_pixels
from enhancers.measured import Known, Measured
from enhancers.method import Citation
from enhancers.method_interface import Step, is_constant, unchanged_step
from enhancers.noise import estimate_sigma


@dataclass(frozen=True)
class Work:
    """The input of a baseline besides the image.

    Parameters
    ----------
    factor : int
        Of the enlargement; 1 for none.
    sigma : float
        Standard deviation of the measurement's noise, in [0, 1] units; 0 for none.
    prior : str
        Key of the network on images, for baselines that sample.
    steps : int
        Network calls or iterations; 0 for a baseline that does not iterate.
    neighbours : tuple of ndarray, shape (H, W)
        The slices before and after, as noisy as the image; empty where there are none.
    measured : Measured or None
        What was measured, for filling in what was not.

    Raises
    ------
    ParameterError
        A value is out of range.
    """

    factor: int = 1
    sigma: float = 0.0
    prior: str = "pixel"
    steps: int = 0
    neighbours: tuple[Pixels, ...] = ()
    measured: Measured | None = None

    def __post_init__(self) -> None:
        if self.factor < 1:
            raise ParameterError(f"factor={self.factor} is not possible; give 1 or more.")
        if not 0.0 <= self.sigma <= 1.0:
            raise ParameterError(f"sigma={self.sigma:g} is not possible; give 0 to 1.")
        if self.steps < 0:
            raise ParameterError(f"steps={self.steps} is not possible; give 1 or more.")

    @property
    def known_pixels(self) -> Known:
        """True where a pixel was measured, shape (H, W).

        Raises
        ------
        ParameterError
            The image has no mask, or a mask without a known pixel.
        """
        known = self.measured.known if self.measured else None
        if known is None or not known.any():
            raise ParameterError("Filling in pixels needs a mask that says which ones are known.")
        return known


Run = Callable[..., Iterator[Step]]
"""``run(gray, work, *, seed, device)``: enhances a gray image (H, W) that is not constant.

Closing the iterator stops the work within one step.
"""


@dataclass(frozen=True)
class Baseline:
    """A baseline as pure data, with the module that implements it.

    Parameters
    ----------
    key, label, summary : str
    tasks : tuple of Task
        The tasks it can do.
    implementation : str
        Its module.
    citation : Citation
    steps : int
        Default number of network calls or iterations; 0 where it does not iterate.
    sampled : bool
        Whether it samples from a network, so that the result depends on the seed.
    seeded : bool
        Whether the result depends on the seed for another reason.
    function : str
        Name of the `Run` in its module.
    """

    key: str
    label: str
    summary: str
    tasks: tuple[Task, ...]
    implementation: str
    citation: Citation
    steps: int = 0
    sampled: bool = False
    seeded: bool = False
    function: str = "run"

    def run(
        self,
        degraded: Degraded,
        task: Task,
        *,
        seed: int,
        device: str,
        prior: str = "pixel",
        steps: int | None = None,
    ) -> Iterator[Step]:
        """Enhance a degraded image; the last step has the result.

        Parameters
        ----------
        degraded : Degraded
            The luminance of a colour image is enhanced, and the colours follow. Where σ is None, it
            is estimated as in DDNM.
        task : Task
        seed : int
            All randomness comes from it.
        device : str
        prior : str
            Key of the network on images, for those that sample.
        steps : int, optional
            Instead of the default.

        Raises
        ------
        ParameterError
            The baseline cannot do this task, the steps are out of range, or a neighbour has
            another size than the image.
        """
        if task not in self.tasks:
            raise ParameterError(f"{self.label} cannot {task}; it can {' or '.join(self.tasks)}.")
        pixels, factor = degraded.pixels, degraded.factor
        check_pixels(pixels)
        if factor > 1 and task != "enlarge":
            raise ParameterError(f"factor={factor} is not possible for {task}; give 1.")
        if is_constant(pixels):
            return iter((unchanged_step(pixels.repeat(factor, 0).repeat(factor, 1), scale=factor),))
        sigma = degraded.sigma
        if sigma is None:
            sigma = estimate_sigma(luminance(pixels)) if self.steps and factor == 1 else 0.0
        if steps is not None and steps < 1:
            raise ParameterError(f"steps={steps} is not possible; give 1 or more.")
        wanted = (steps or self.steps) if self.steps else 0
        work = Work(factor, sigma, prior, wanted, _gray_neighbours(degraded), degraded.measured)
        keep = "saturation" if task == "lighten" else "chroma"
        return self._steps(pixels, work, keep, seed, device)

    def _steps(
        self, pixels: Pixels, work: Work, keep: str, seed: int, device: str
    ) -> Iterator[Step]:
        run: Run = getattr(importlib.import_module(self.implementation), self.function)
        for step in run(luminance(pixels), work, seed=seed, device=device):
            preview, result = step.preview, step.result
            if preview is not None:
                preview = with_luminance(pixels, preview, keep=keep)
            if result is not None:
                merged = with_luminance(pixels, result.pixels, keep=keep)
                result = replace(result, pixels=merged)
            yield replace(step, preview=preview, result=result)


def _gray_neighbours(degraded: Degraded) -> tuple[Pixels, ...]:
    neighbours = neighbours_of(degraded)
    height, width = degraded.pixels.shape[:2]
    for pixels in neighbours:
        check_pixels(pixels)
        if pixels.shape[:2] != (height, width):
            raise ParameterError(
                f"A neighbour has {pixels.shape[1]}x{pixels.shape[0]} pixels but the image "
                f"{width}x{height}; they must have the same size."
            )
    return tuple(luminance(pixels) for pixels in neighbours)
