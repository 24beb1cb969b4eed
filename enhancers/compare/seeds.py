"""Several runs of a method that samples, which differ in the seed: mean and differences."""

from __future__ import annotations

from collections.abc import Callable, Generator
from contextlib import closing
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from enhancers.colour import LUMA
from enhancers.errors import ParameterError
from enhancers.image import MedicalImage, Pixels
from enhancers.method import Method
from enhancers.method_interface import Figure, Result, Step

MAX_SEEDS = 16

SPREAD = "seed_spread"
"""Name of the figure of the spread between seeds."""


@dataclass(frozen=True, eq=False)
class SeedsResult(Result):
    """The mean of several runs.

    Parameters
    ----------
    deviation : ndarray, float32, shape (H, W)
        The standard deviation over the runs (divisor n - 1) of the luminance, in [0, 1] units.
    seeds : int
        The number of runs, with consecutive seeds from that of the record.
    """

    deviation: Pixels | None = None
    seeds: int = 1


def checked_seeds(method: Method, seeds: int) -> int:
    """The number of runs.

    Raises
    ------
    ParameterError
        It is out of range, or the method does not sample.
    """
    if not 1 <= seeds <= MAX_SEEDS:
        raise ParameterError(f"seeds={seeds} is not possible; give 1 to {MAX_SEEDS}.")
    if seeds > 1 and method.family != "diffusion":
        raise ParameterError(
            f"seeds={seeds} is for methods that sample, and {method.label} does not; leave it out, "
            "or choose a diffusion method."
        )
    return seeds


def slice_seed(seed: int, image: MedicalImage) -> int:
    """The seed of the random numbers for an image: another one for each slice of a volume.

    So a slice that is run alone is the one of a run of all slices, and no two slices of a volume
    have the same noise. An image by itself has the seed that was asked for.
    """
    if image.slice_count == 1:
        return seed
    return int(np.random.SeedSequence([seed, image.slice_index]).generate_state(1)[0])


def seed_steps(
    run: Callable[[int], Generator[Step, None, None]], first: int, count: int
) -> Generator[Step, None, None]:
    """Run a method with ``count`` seeds from ``first`` on; the result is a `SeedsResult`.

    Previews are those of the seed that is running.

    Parameters
    ----------
    run : callable
        The steps of a run with a seed.
    first, count : int
    """
    base: Result | None = None
    mean, squares = np.zeros(()), np.zeros(())
    calls = 0
    for index in range(count):
        with closing(run(first + index)) as steps:
            for step in steps:
                if step.result is None:
                    yield _step_of(step, index, count)
                    continue
                base, calls = base or step.result, calls + step.result.calls
                # Welford's update: equal runs have a deviation of exactly 0.
                before = step.result.pixels - mean
                mean = mean + before / (index + 1)
                squares = squares + _gray(before) * _gray(step.result.pixels - mean)
    if base is None:
        raise RuntimeError("the method ended without a result")
    deviation = np.sqrt(np.maximum(squares, 0.0) / max(count - 1, 1)).astype(np.float32)
    pixels = np.clip(mean, 0.0, 1.0).astype(np.float32)
    yield Step(1.0, None, 0.0, "done", _result(base, pixels, deviation, calls, count))


def _gray(pixels: NDArray[np.float64]) -> NDArray[np.float64]:
    return pixels @ LUMA.astype(np.float64) if pixels.ndim == 3 else pixels


def _result(base: Result, pixels: Pixels, deviation: Pixels, calls: int, count: int) -> SeedsResult:
    spread = float(np.sqrt(np.mean(np.square(deviation, dtype=np.float64))))
    return SeedsResult(
        pixels=pixels,
        figures=(*base.figures, Figure(SPREAD, f"RMS spread of {count} seeds", spread)),
        calls=calls,
        scale=base.scale,
        notes=base.notes,
        deviation=deviation,
        seeds=count,
    )


def _step_of(step: Step, index: int, count: int) -> Step:
    """A step of one of the runs as one of all."""
    fraction = (index + step.fraction) / count
    left = step.seconds_left
    if left is not None:
        # The runs to come take as long as this one.
        left += (count - index - 1) * left / max(1.0 - step.fraction, 1e-3)
    note = f"seed {index + 1} of {count}, {step.note}" if step.note else f"seed {index + 1}"
    return replace(step, fraction=min(fraction, 0.999), seconds_left=left, note=note)
