"""A simulated MR acquisition: phase, coils, sampled lines of k-space, and noise in them."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from enhancers.measured import CoilSpectrum, SampledSpectrum

Complex = NDArray[np.complex128]

PHASE_SPREAD = 1.0
"""Standard deviation of each coefficient of the phase, a polynomial of third order, in radians."""
COIL_REACH = 0.9
"""Width of a coil's sensitivity, in half sides of the image."""
DENSITY_POWER = 1.5
"""How fast the density of random lines falls with their distance from the centre."""


@dataclass(frozen=True)
class Acquisition:
    """How a slice is acquired.

    Parameters
    ----------
    centre : float
        Share of the lines around the zero frequency that are all sampled.
    equispaced : bool
        The others at equal distances, in place of at random, denser near the centre.
    coils : int
    snr : float
        10 log10 of the mean power of the image over that of the complex noise, in dB.
    """

    centre: float = 0.04
    equispaced: bool = False
    coils: int = 1
    snr: float = 30.0


def acquired(
    magnitude: NDArray[np.float64], acceleration: float, rng: np.random.Generator, how: Acquisition
) -> SampledSpectrum | CoilSpectrum:
    """The noisy samples of k-space of a magnitude image, shape (H, W), with a drawn phase.

    One in ``acceleration`` rows is sampled, that is, phase is encoded along the columns.
    """
    image = magnitude * np.exp(1j * smooth_phase(magnitude.shape, rng))
    lines = sampled_lines(magnitude.shape[0], acceleration, rng, how)
    sampled = np.broadcast_to(lines[:, None], magnitude.shape).copy()
    power = float(np.square(magnitude).mean()) / 10 ** (how.snr / 10)
    if how.coils == 1:
        samples = _with_noise(image[None], sampled, power, rng)[0]
        return SampledSpectrum(samples, sampled)
    seen = sensitivities(how.coils, magnitude.shape, rng)
    samples = _with_noise(image * seen, sampled, power, rng)
    return CoilSpectrum(samples, sampled, seen.astype(np.complex64))


def zero_filled(measured: SampledSpectrum | CoilSpectrum) -> NDArray[np.float64]:
    """The magnitude with zeros for what was not sampled; of coils the root of the sum of squares.

    Shape (H, W), in the units of the samples.
    """
    images = np.fft.ifft2(measured.samples, norm="ortho", axes=(-2, -1))
    power = np.abs(images) ** 2
    return np.asarray(np.sqrt(power.sum(0) if power.ndim == 3 else power), np.float64)


def smooth_phase(shape: tuple[int, int], rng: np.random.Generator) -> NDArray[np.float64]:
    """A random phase in radians: a polynomial of third order in both directions, shape (H, W)."""
    y, x = np.meshgrid(*(np.linspace(-1.0, 1.0, side) for side in shape), indexing="ij")
    orders = [(i, j) for i in range(4) for j in range(4 - i)]
    return np.asarray(sum(PHASE_SPREAD * rng.standard_normal() * y**i * x**j for i, j in orders))


def sensitivities(coils: int, shape: tuple[int, int], rng: np.random.Generator) -> Complex:
    """Smooth complex sensitivities of coils around an image; squared magnitudes add up to 1.

    Returns
    -------
    ndarray, complex128, shape (coils, H, W)
    """
    y, x = np.meshgrid(*(np.linspace(-1.0, 1.0, side) for side in shape), indexing="ij")
    found = np.empty((coils, *shape), np.complex128)
    for coil in range(coils):
        angle = 2 * math.pi * (coil + 0.2 * rng.standard_normal()) / coils
        distance = np.hypot(y - 1.2 * math.sin(angle), x - 1.2 * math.cos(angle))
        turn, slope = rng.uniform(0, 2 * math.pi), rng.normal(0, 0.5, 2)
        phase = turn + slope[0] * y + slope[1] * x
        found[coil] = np.exp(-((distance / (2 * COIL_REACH)) ** 2) + 1j * phase)
    return np.asarray(found / np.sqrt((np.abs(found) ** 2).sum(0)), np.complex128)


def sampled_lines(
    lines: int, acceleration: float, rng: np.random.Generator, how: Acquisition
) -> NDArray[np.bool_]:
    """Which of the lines are sampled, zero frequency first, shape (lines,)."""
    kept = max(1, round(lines / acceleration))
    order = np.argsort(np.abs(np.fft.fftfreq(lines)), kind="stable")
    centre = min(kept, max(1, round(how.centre * lines)))
    found = np.zeros(lines, np.bool_)
    found[order[:centre]] = True
    rest, wanted = order[centre:], kept - centre
    if wanted and how.equispaced:
        # From the lowest frequency to the highest.
        along = np.sort((rest + lines // 2) % lines)
        places = (np.arange(wanted) + rng.random()) * len(along) / wanted
        found[(along[places.astype(int)] - lines // 2) % lines] = True
    elif wanted:
        density = (1 + np.abs(np.fft.fftfreq(lines)[rest]) * lines) ** -DENSITY_POWER
        found[rng.choice(rest, wanted, replace=False, p=density / density.sum())] = True
    return found


def _with_noise(
    images: Complex, sampled: NDArray[np.bool_], power: float, rng: np.random.Generator
) -> NDArray[np.complex64]:
    """Spectra of images with complex noise of a mean power, where they were sampled."""
    spectra = np.fft.fft2(images, norm="ortho", axes=(-2, -1))
    parts = rng.standard_normal((2, *spectra.shape)) * math.sqrt(power / 2)
    return np.where(sampled, spectra + parts[0] + 1j * parts[1], 0).astype(np.complex64)
