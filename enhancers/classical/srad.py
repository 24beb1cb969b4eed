"""Speckle-reducing anisotropic diffusion (Yu and Acton, IEEE TIP 11(11), 2002).

The image evolves by dI/dt = div(c(q) grad I). The diffusion coefficient c depends on the
instantaneous coefficient of variation q: the image is smoothed where q equals the speckle scale q0
and kept where q is well above it, at edges.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace

import numpy as np

from enhancers.colour import luminance, with_luminance
from enhancers.image import MedicalImage, Pixels
from enhancers.method import ParameterValue
from enhancers.method_interface import (
    LARGEST_PREVIEW,
    Figure,
    ProgressTracker,
    Step,
    final_step,
    skips_constant_images,
)
from enhancers.noise import estimate_speckle_noise
from enhancers.parameter_values import as_float_or_none, as_int

FLOOR = np.float32(1e-3)
"""Smallest intensity, since q divides by intensities."""

RHO = 1.0 / 6.0
"""Decay rate of q0 as the speckle is smoothed away (equation 34 of the paper)."""

PAPER_Q0, PAPER_STEPS, PAPER_TIME_STEP = 50.0, 25, 0.02
CANONICAL_TIME_STEP = 0.05
MIN_SPECKLE = 0.03
"""Less measured speckle is not removed: that much the texture of clean ultrasound is taken for."""

BAND_PIXELS = 1 << 16
"""Size of the bands of rows in pixels, such that they fit into the processor's cache."""


def srad(
    pixels: Pixels, *, steps: int, time_step: float, q0: float, rho: float = RHO
) -> Iterator[Pixels]:
    """Diffuse an image and yield it after every step.

    Parameters
    ----------
    pixels : ndarray, float32, shape (H, W), in [0, 1]
    steps : int
        Number of explicit Euler steps.
    time_step : float
        Step length dt; the scheme is stable up to 0.25 (pixel spacing 1).
    q0 : float
        Coefficient of variation of fully developed speckle at the start.
    rho : float
        q0 decays as q0 exp(-rho t); 0 keeps it.

    Yields
    ------
    ndarray, float32, shape (H, W), in [0, 1]
        A new array every time; the sum over the pixels is conserved.

    Raises
    ------
    ValueError
        If ``time_step`` is not in (0, 0.25] or ``q0`` is not positive.

    Notes
    -----
    With I floored at 1e-3, l = Laplacian / I and g² = ½ Σ(four one-sided differences)² / I²,

        q² = (½ g² - l²/16) / (1 + l/4)²,   c = 1 / (1 + (q² - q0²) / (q0² (1 + q0²))),

    which makes q the coefficient of variation over the four neighbours. c is clipped to [0, 1], and
    the flux between two pixels uses the mean of their two coefficients, so that no direction is
    preferred. No flux crosses the border.
    """
    if not 0.0 < time_step <= 0.25:
        raise ValueError(f"time_step must be in (0, 0.25], got {time_step}")
    if q0 <= 0.0:
        raise ValueError(f"q0 must be positive, got {q0}")
    current = np.maximum(pixels, FLOOR)
    for step in range(steps):
        scale = q0 * math.exp(-rho * step * time_step)
        current = _euler_step(current, time_step, scale)
        yield current


def _euler_step(image: Pixels, time_step: float, q0: float) -> Pixels:
    height, width = image.shape
    rows = max(8, BAND_PIXELS // width)
    # Two rows of context: a flux needs the neighbouring coefficient, which needs its neighbours.
    result = np.empty_like(image)
    for top in range(0, height, rows):
        bottom = min(top + rows, height)
        start, stop = max(top - 2, 0), min(bottom + 2, height)
        beyond = (start - top + 2, bottom + 2 - stop)
        band = np.pad(image[start:stop], (beyond, (2, 2)), mode="edge")
        result[top:bottom] = band[2:-2, 2:-2] + np.float32(time_step) * _divergence(band, q0)
    return result


def _divergence(band: Pixels, q0: float) -> Pixels:
    """div(c grad I) on the interior of a band with two pixels of context on every side."""
    c = _coefficient(band, q0)
    inner = band[1:-1, 1:-1]
    down = (c[1:, 1:-1] + c[:-1, 1:-1]) * (inner[1:, 1:-1] - inner[:-1, 1:-1])
    right = (c[1:-1, 1:] + c[1:-1, :-1]) * (inner[1:-1, 1:] - inner[1:-1, :-1])
    divergence: Pixels = down[1:] - down[:-1] + right[:, 1:] - right[:, :-1]
    divergence *= np.float32(0.5)
    return divergence


def _coefficient(band: Pixels, q0: float) -> Pixels:
    """The diffusion coefficient c in [0, 1], one pixel smaller than the band on every side."""
    centre = band[1:-1, 1:-1]
    down, right = np.diff(band, axis=0)[:, 1:-1], np.diff(band, axis=1)[1:-1]
    south, north, east, west = down[1:], down[:-1], right[:, 1:], right[:, :-1]
    inverse = np.float32(1.0) / centre
    laplacian = (south - north + east - west) * inverse
    gradient = (south * south + north * north + east * east + west * west) * inverse * inverse
    variation = np.float32(0.25) * gradient - laplacian * laplacian / np.float32(16.0)
    q_squared = variation / (np.float32(1.0) + laplacian * np.float32(0.25)) ** 2
    excess = (q_squared - np.float32(q0 * q0)) / np.float32(q0 * q0 * (1.0 + q0 * q0))
    # For q below q0 the formula exceeds 1; the coefficient is limited to 1.
    coefficient: Pixels = np.float32(1.0) / (np.float32(1.0) + np.maximum(excess, 0.0))
    return coefficient


@dataclass(frozen=True)
class Settings:
    """Settings of one run of SRAD: number of steps, their length dt, speckle scale q0.

    ``measured`` is the speckle that was measured on the image, None where q0 was not.
    """

    steps: int
    time_step: float
    q0: float
    measured: float | None = field(default=None, compare=False)


def canonical_settings(speckle: float) -> Settings:
    """Steps and q0 for a measured coefficient of variation of the speckle.

    The diffusion time T = 0.3 + 1.7 q0 is within 0.2 dB of the smallest error on a speckled
    photograph and on speckled ultrasound for noise between 0.05 and 0.4 (grid of q0 and T). Longer
    runs begin to flatten faint edges, since q0 is known only on average.
    """
    q0 = min(max(speckle, 0.01), 0.6)
    return Settings(round((0.3 + 1.7 * q0) / CANONICAL_TIME_STEP), CANONICAL_TIME_STEP, q0)


def settings(pixels: Pixels, params: Mapping[str, ParameterValue]) -> Settings:
    """Settings of the preset, with given values in place of automatic ones.

    Parameters
    ----------
    pixels : ndarray, float32, shape (H, W), in [0, 1]
    params : mapping
        Resolved parameters `preset`, `steps`, `time_step`, `q0`.
    """
    q0, time_step = as_float_or_none(params, "q0"), as_float_or_none(params, "time_step")
    if params["preset"] == "paper":
        base = Settings(PAPER_STEPS, PAPER_TIME_STEP, q0 or PAPER_Q0)
    else:
        measured = estimate_speckle_noise(pixels) if q0 is None else None
        base = canonical_settings(measured if measured is not None else q0 or 0.0)
        base = replace(base, q0=q0 or base.q0, measured=measured)
        if measured is not None and measured < MIN_SPECKLE:
            base = replace(base, steps=0)
    if time_step is not None and base.steps > 0:
        # Keep the diffusion time with steps of the given length.
        steps = max(1, round(base.steps * base.time_step / time_step))
        base = replace(base, time_step=time_step, steps=steps)
    steps_given = as_float_or_none(params, "steps")
    return base if steps_given is None else replace(base, steps=int(steps_given))


def _lowered(current: Pixels, gray: Pixels) -> Pixels:
    """Without what the floor added, so that black stays black."""
    lift = np.maximum(gray, FLOOR)
    lift -= gray
    return np.subtract(current, lift, out=lift)


@skips_constant_images
def run(
    image: MedicalImage, params: Mapping[str, ParameterValue], *, seed: int, device: str
) -> Iterator[Step]:
    """Run SRAD on the luminance; one `Step` per iteration (see `Enhancer`)."""
    yield Step(0.0, note="measuring the speckle")
    gray = luminance(image.pixels)
    chosen = settings(gray, params)
    every = as_int(params, "preview_every")
    notes = _notes(chosen)
    if chosen.steps == 0:
        yield final_step(image.pixels, figures=_figures(chosen), notes=notes)
        return
    progress = ProgressTracker(chosen.steps)
    current = gray
    stages = srad(gray, steps=chosen.steps, time_step=chosen.time_step, q0=chosen.q0)
    for done, current in enumerate(stages, start=1):
        shown = done % every == 0 and gray.size <= LARGEST_PREVIEW
        preview = with_luminance(image.pixels, _lowered(current, gray)) if shown else None
        yield progress.step(done, preview)
    yield final_step(
        with_luminance(image.pixels, _lowered(current, gray)),
        figures=_figures(chosen),
        notes=notes,
    )


def _figures(chosen: Settings) -> tuple[Figure, ...]:
    return (
        Figure("q0", "Speckle scale q0", chosen.q0),
        Figure("steps", "Steps", chosen.steps),
        Figure("time", "Diffusion time", chosen.steps * chosen.time_step),
    )


def _notes(chosen: Settings) -> tuple[str, ...]:
    if chosen.measured is None:
        return ()
    if chosen.steps == 0:
        return (
            f"The speckle that was found ({chosen.measured:.2g} of the brightness) is no more than "
            "the texture of clean ultrasound, so nothing was removed. Give q0 to remove texture "
            "as well.",
        )
    return (f"Speckle of {chosen.measured:.2g} of the brightness was found and reduced.",)
