"""Reconstruction with total variation: from projections of a CT, from k-space, or of an image.

The result minimises 1/2 |A x - b|² + weight x TV(x) with A scaled to norm 1 (Sidky and Pan, Physics
in Medicine and Biology 53, 2008), by the primal-dual iterations of Chambolle and Pock (J. Math.
Imaging Vis. 40, 2011). Projections weaken fine detail, so that plain steps take a thousand rounds;
here the dual of the data term is filtered by the ramp of filtered back-projection, a preconditioner
that makes every frequency converge alike.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from enhancers.classical.tv import automatic_weight
from enhancers.colour import luminance, with_luminance
from enhancers.degrade.acquisitions import hu_window
from enhancers.degrade.ct import WATER_PER_MM
from enhancers.image import MedicalImage, Pixels
from enhancers.measured import CoilSpectrum, Measured, Projections, SampledSpectrum
from enhancers.method import ParameterValue
from enhancers.method_interface import (
    Figure,
    ProgressTracker,
    Step,
    final_step,
    noise_figures,
    noise_notes,
    skips_constant_images,
)
from enhancers.noise import measure_noise
from enhancers.operators import CoilKSpace, Identity, Operator, Projection, RealImage
from enhancers.operators.projection import ramp_response
from enhancers.parameter_values import as_float_or_none, as_int
from enhancers.scan_operator import PHASE_ROUNDS, scan_operator, smooth_phase, with_phase

if TYPE_CHECKING:
    from torch import Tensor

TOLERANCE = 2e-4
"""Relative change of the image in an iteration below which it has converged."""
WEIGHT_PER_NOISE = 0.3
"""Automatic weight for projections over the noise of their scaled values; best, to 0.4 dB, on
training slices at a quarter of the dose and at all of it."""
KSPACE_WEIGHT = 0.002
"""Automatic weight for k-space, as a fraction of white; best, to 0.3 dB, on training slices."""
RATIO_PER_WEIGHT = 10.0
"""Dual over primal step and weight: slopes have their weight, values are about 0.1 apart."""
LEAST_RATIO, LARGEST_RATIO = 0.01, 1.0
LEAST_RESPONSE = 5e-3
"""Of the ramp filter at the zero frequency, over its maximum: a preconditioner has an inverse."""
POWER_ROUNDS = 15
PREVIEW_EVERY = 10
SMOOTH = "smooth"
WIDEST_HU = 2000.0
"""HU from 0 to 1 of the image that is reconstructed from projections, starting at air."""


@dataclass(frozen=True, eq=False)
class Problem:
    """What is reconstructed.

    Parameters
    ----------
    operator : Operator
    data : Tensor
        b, in the units in which white is about 1, of the operator without its scale.
    start : Tensor, shape (1, 1, H, W), real or complex
    scale : float
        By which operator and data are multiplied, so that the norm is 1.
    positive : bool
        Whether values below 0 are impossible.
    response : Tensor or None
        Of the preconditioner, by frequency along detectors.
    """

    operator: Operator
    data: Tensor
    start: Tensor
    scale: float = 1.0
    positive: bool = False
    response: Tensor | None = None

    def residual(self, x: Tensor) -> Tensor:
        """A x - b, scaled."""
        return (self.operator.forward(x) - self.data) * self.scale

    def adjoint(self, y: Tensor) -> Tensor:
        """A' y, scaled."""
        return self.operator.adjoint(y) * self.scale

    def dual(self, before: Tensor, residual: Tensor, step_size: float) -> Tensor:
        """The next dual of the data term: its proximal step with the preconditioner."""
        if self.response is None:
            return (before + step_size * residual) / (1 + step_size)
        step = step_size * self.response
        return _filtered(before, 1 / (1 + step)) + _filtered(residual, step / (1 + step))


@dataclass(frozen=True, eq=False)
class Round:
    """The state after an iteration: the image, and by how much it changed, relative to it."""

    x: Tensor
    change: float


def iterations(problem: Problem, weight: float, most: int) -> Iterator[Round]:
    """The iterations until the image changes by less than `TOLERANCE`, or ``most``."""
    import torch

    x = ahead = problem.start
    data_dual = torch.zeros_like(problem.data)
    slopes = torch.zeros((2, *x.shape), dtype=x.dtype, device=x.device)
    # The squared norms of the scaled operator and of differences are 1 and 8.
    ratio = min(max(RATIO_PER_WEIGHT * weight, LEAST_RATIO), LARGEST_RATIO)
    slope_step, step = ratio / 8, 0.99 / (2 * ratio)
    for _ in range(most):
        data_dual = problem.dual(data_dual, problem.residual(ahead), ratio)
        slopes = slopes + slope_step * differences(ahead)
        length = slopes.abs().square().sum(0).sqrt()
        slopes = slopes / (length / weight).clamp(min=1.0)
        before = x
        x = x - step * (problem.adjoint(data_dual) + differences_adjoint(slopes))
        if problem.positive:
            x = x.clamp(min=0.0)
        ahead = 2 * x - before
        change = float(_norm(x - before) / _norm(before).clamp(min=1e-12))
        yield Round(x, change)
        if change < TOLERANCE:
            return


def differences(x: Tensor) -> Tensor:
    """Of neighbouring rows and columns, zero at the last; (..., H, W) to (2, ..., H, W)."""
    import torch

    found = torch.zeros((2, *x.shape), dtype=x.dtype, device=x.device)
    found[0, ..., :-1, :] = x[..., 1:, :] - x[..., :-1, :]
    found[1, ..., :-1] = x[..., 1:] - x[..., :-1]
    return found


def differences_adjoint(slopes: Tensor) -> Tensor:
    """The adjoint of `differences`."""
    import torch

    rows, columns = slopes[0], slopes[1]
    found = torch.zeros_like(rows)
    found[..., :-1, :] -= rows[..., :-1, :]
    found[..., 1:, :] += rows[..., :-1, :]
    found[..., :-1] -= columns[..., :-1]
    found[..., 1:] += columns[..., :-1]
    return found


def projection_noise(values: NDArray[np.float32]) -> float:
    """Root mean square of the noise of line integrals, (views, detectors).

    From second differences along the detector, between neighbouring views, in which little is left
    of the object; for each element apart, since rays through more tissue have more noise.
    """
    second = values[:, 2:] - 2 * values[:, 1:-1] + values[:, :-2]
    sigma = np.median(np.abs(np.diff(second, axis=0)), axis=0) / (0.6745 * math.sqrt(12.0))
    return float(np.sqrt(np.square(sigma).mean()))


@skips_constant_images
def run(
    image: MedicalImage, params: Mapping[str, ParameterValue], *, seed: int, device: str
) -> Iterator[Step]:
    """Reconstruct the luminance; one `Step` per iteration (see `Enhancer`)."""
    yield Step(0.0, note="preparing the reconstruction")
    given, most = as_float_or_none(params, "weight"), as_int(params, "iterations")
    measured = image.measured or Measured()
    samples = measured.coils or measured.spectrum
    figures, notes = tuple[Figure, ...](), tuple[str, ...]()
    if measured.projections is not None:
        problem = of_projections(measured.projections)
        noise = projection_noise(measured.projections.values) * problem.scale
        automatic = WEIGHT_PER_NOISE * noise / (WIDEST_HU / 1000 * WATER_PER_MM)
    elif samples is not None:
        problem, automatic = of_samples(samples, _white(image)), KSPACE_WEIGHT
    else:
        problem = _of_image(luminance(image.pixels))
        found = None if given is not None else measure_noise(luminance(image.pixels))
        automatic = 0.0 if found is None else automatic_weight(found.sigma)
        figures = () if found is None else noise_figures(found)
        notes = () if found is None else noise_notes(found.sigma, told=False)
        notes += ("Neither projections nor k-space are at hand: the image itself is denoised.",)
    weight = automatic if given is None else given
    if weight <= 0.0:
        yield final_step(image.pixels, figures=figures, notes=notes)
        return
    # The phase is that of a reconstruction in which it is free.
    smooth = params["phase"] == SMOOTH and isinstance(problem.operator, CoilKSpace)
    progress = ProgressTracker(most * (1 + smooth), "iteration")
    done, last = 0, Round(problem.start, math.nan)
    for stage in range(1 + smooth):
        if stage:
            problem = of_smooth_phase(problem, last.x)
        for last in iterations(problem, weight, most):
            done += 1
            shown = done % PREVIEW_EVERY == 0
            yield progress.step(done, _pixels(image, last.x) if shown else None)
    if last.change >= TOLERANCE:
        notes += (f"It had not converged after {done} iterations; allow more.",)
    yield final_step(
        _pixels(image, last.x),
        figures=(
            *figures,
            Figure("weight", "Weight", weight),
            Figure("iterations", "Iterations", done),
            Figure("change", "Relative change at the end", last.change),
        ),
        notes=notes,
    )


def of_projections(projections: Projections) -> Problem:
    """The problem of a CT; the image is attenuation over that of `WIDEST_HU` above air."""
    import torch

    operator = Projection(projections.beam)
    white = WIDEST_HU / 1000 * WATER_PER_MM
    data = torch.from_numpy(projections.values)[None, None] / white
    start = operator.pinv(data).clamp(min=0.0)
    scale = 1.0 / operator.norm
    response = ramp_response(projections.beam.detectors).float()
    response = (response / response.max()).clamp(min=LEAST_RESPONSE)
    problem = Problem(operator, data, start, scale, positive=True, response=response)
    return Problem(
        operator, data, start, scale, positive=True, response=response / _largest(problem)
    )


def of_samples(samples: CoilSpectrum | SampledSpectrum, white: float) -> Problem:
    """The problem of an MR image; the image is complex, or real where that is known."""
    operator, data = scan_operator(samples)
    data = data / white
    if isinstance(samples, SampledSpectrum) and samples.real:
        return Problem(real := RealImage(operator), data, real.adjoint(data))
    return Problem(operator, data, operator.adjoint(data))


def of_smooth_phase(problem: Problem, x: Tensor) -> Problem:
    """The problem of a real image with the smooth phase of ``x``, a reconstruction."""
    assert isinstance(problem.operator, CoilKSpace)
    phase = smooth_phase(x, rounds=PHASE_ROUNDS)
    real = with_phase(problem.operator, phase[0, 0])
    return Problem(real, problem.data, (x * phase.conj()).real.clamp(min=0.0), positive=True)


def _of_image(gray: Pixels) -> Problem:
    import torch

    data = torch.from_numpy(np.ascontiguousarray(gray))[None, None]
    return Problem(Identity(), data, data, positive=True)


def _pixels(image: MedicalImage, x: Tensor) -> Pixels:
    """The image of an iteration, in [0, 1] of its window."""
    values = x[0, 0]
    found: NDArray[Any] = (values.abs() if values.is_complex() else values).numpy()
    measured = image.measured or Measured()
    if measured.projections is not None:
        hu = found[measured.projections.inset] * WIDEST_HU - 1000.0
        gray = hu_window(image).to_unit(hu)
    elif measured.coils is not None or measured.spectrum is not None:
        gray = image.window.to_unit(found * _white(image))
    else:
        gray = np.clip(found, 0.0, 1.0)
    return with_luminance(image.pixels, gray)


def _white(image: MedicalImage) -> float:
    """The largest magnitude that the window shows, in source units."""
    return max(abs(end) for end in image.window.ends)


def _largest(problem: Problem) -> float:
    """The largest eigenvalue of A' P A with the preconditioner P of a problem."""
    import torch

    generator = torch.Generator().manual_seed(0)
    x, value = torch.rand(problem.start.shape, generator=generator), 1.0
    for _ in range(POWER_ROUNDS):
        x = x / _norm(x)
        assert problem.response is not None
        y = _filtered(problem.operator.forward(x) * problem.scale, problem.response)
        x = problem.adjoint(y)
        value = float(_norm(x))
    return value


def _filtered(y: Tensor, response: Tensor) -> Tensor:
    """The views of projections with a response of each frequency along the detector."""
    import torch

    length = 2 * (len(response) - 1)
    filtered: Tensor = torch.fft.irfft(torch.fft.rfft(y, length) * response, length)
    return filtered[..., : y.shape[-1]]


def _norm(x: Tensor) -> Tensor:
    return x.abs().square().sum().sqrt()
