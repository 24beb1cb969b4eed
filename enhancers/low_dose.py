"""Simulated noise of low-dose CT: Poisson counts and filtered back-projection."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

WATER_PER_MM = 0.0192
"""Attenuation of water at about 70 keV, the mean energy of a 120 kV beam."""

FULL_DOSE_PHOTONS = 1.3e6
"""Photons each mm of the detector receives in air, per view, at dose 1.

Chosen so that the centre of a 350 mm water cylinder has about 10 HU of noise at dose 1, as in an
abdominal scan.
"""

CUT_OFF_PER_MM = 0.32
"""Cutoff of the reconstruction kernel in cycles per mm; noise is independent of the image size."""

VIEWS = 256
OVERSAMPLING = 4


def soft_tissue_hu(unit: Array) -> Array:
    """HU of values in [0, 1] of the window -160 to 240 HU; black falls to air (-1000 HU).

    Below 0.1 (-120 HU, under fat) the window hides lung and air, so the curve drops to -1000 HU.
    """
    return np.interp(unit, [0.0, 0.1, 1.0], [-1000.0, -120.0, 240.0])


def low_dose_noise(hu: Array, dose: float, rng: np.random.Generator, *, field_mm: float) -> Array:
    """Noise in HU that a full-dose slice gains at a fraction of the dose.

    Parameters
    ----------
    hu : ndarray, shape (H, W)
        The slice, in HU.
    dose : float
        Fraction of the full dose, in (0, 1]; 1 adds nothing.
    rng : numpy Generator
    field_mm : float
        Width of the image in mm: thicker bodies let fewer photons through.

    Returns
    -------
    ndarray, shape (H, W)

    Notes
    -----
    The slice already has the noise of dose 1, whose variance 1/N a ray of N photons has in its
    line integral; at dose d it is 1/(d N). What is added is the difference, (1/d - 1)/N: the noise
    of d/(1 - d) times the photons.

    Parallel beams: each of `VIEWS` views has line integrals p, expected counts
    N = d/(1 - d) x `FULL_DOSE_PHOTONS` x exp(-p), Poisson counts n, and the error log(N) - log(n)
    (n at least 1: starved rays streak). Filtered back-projection is linear, so that the
    reconstruction of these errors alone is the image noise (the model of Zeng et al., IEEE Trans
    Nucl Sci 62 (2015), 2226, without electronic noise). The ramp filter is apodised by a Hann
    window, as a soft-tissue kernel is.
    """
    if dose >= 1.0:
        return np.zeros(hu.shape)
    height, width = hu.shape
    pixel = field_mm / width
    attenuation = np.maximum(WATER_PER_MM * (1.0 + hu / 1000.0), 0.0)
    coarse, shrink = _shrunk(attenuation)
    angles: Array = np.arange(VIEWS, dtype=np.float64) * (math.pi / VIEWS)
    detectors = 2 * (math.ceil(math.hypot(height, width)) // 2 + 2) + 1
    paths = _line_integrals(coarse, angles, detectors, shrink) * pixel
    expected = dose / (1.0 - dose) * FULL_DOSE_PHOTONS * pixel * np.exp(-paths)
    counts = np.maximum(rng.poisson(expected), 1)
    errors = np.log(np.maximum(expected, 1e-300)) - np.log(counts)
    # Limits the error of rays with almost no photons to the range of a detector.
    errors = np.clip(errors, -8.0, 8.0)
    image = _back_projected(_ramp_filtered(errors, pixel), angles, (height, width)) / pixel
    return np.asarray(image * (1000.0 / WATER_PER_MM), np.float64)


def _shrunk(attenuation: Array) -> tuple[Array, int]:
    """Block means with sides of at most about 256 pixels, which suffice for line integrals."""
    shrink = max(1, max(attenuation.shape) // 256)
    rows, columns = (side // shrink * shrink for side in attenuation.shape)
    blocks = attenuation[:rows, :columns].reshape(rows // shrink, shrink, columns // shrink, shrink)
    return np.asarray(blocks.mean((1, 3))), shrink


def _line_integrals(coarse: Array, angles: Array, detectors: int, shrink: int) -> Array:
    """Line integrals along parallel rays, in pixels of the full image; shape (views, detectors)."""
    from scipy.ndimage import uniform_filter1d

    rows, columns = coarse.shape
    y, x = np.mgrid[:rows, :columns].astype(np.float64) * shrink
    y -= 0.5 * shrink * (rows - 1)
    x -= 0.5 * shrink * (columns - 1)
    weights = (coarse * shrink * shrink).ravel()
    solid = weights > 0
    x, y, weights = x.ravel()[solid], y.ravel()[solid], weights[solid]
    sums = np.zeros((len(angles), detectors))
    for view, angle in enumerate(angles):
        place = x * math.cos(angle) + y * math.sin(angle) + detectors // 2
        left = place.astype(np.intp)
        part = weights * (place - left)
        sums[view] = np.bincount(left, weights - part, detectors + 1)[:detectors]
        sums[view, 1:] += np.bincount(left, part, detectors + 1)[: detectors - 1]
    # Accounts for the width of a pixel; without it oblique views show ripples.
    return np.asarray(uniform_filter1d(uniform_filter1d(sums, 2, axis=1), shrink + 1, axis=1))


def _ramp_filtered(sinogram: Array, pixel: float) -> Array:
    """Filter each view by the band-limited ramp (Kak and Slaney, eq. 3.61) and a Hann window."""
    detectors = sinogram.shape[1]
    length = 2 ** math.ceil(math.log2(2 * detectors))
    offset = np.fft.fftfreq(length, 1.0 / length)
    kernel = np.zeros(length)
    kernel[0] = 0.25
    odd = offset.astype(np.int64) % 2 == 1
    kernel[odd] = -1.0 / (math.pi * offset[odd]) ** 2
    share = np.minimum(np.fft.rfftfreq(length, pixel) / CUT_OFF_PER_MM, 1.0)
    response = np.fft.rfft(kernel).real * (0.5 + 0.5 * np.cos(np.pi * share))
    spectrum = np.fft.rfft(sinogram, length, axis=1) * response
    return np.asarray(np.fft.irfft(spectrum, length, axis=1)[:, :detectors])


def _back_projected(filtered: Array, angles: Array, shape: tuple[int, int]) -> Array:
    views, detectors = filtered.shape
    fine = np.linspace(0.0, detectors - 1.0, (detectors - 1) * OVERSAMPLING + 1)
    x = (np.arange(shape[1]) - 0.5 * (shape[1] - 1)) * OVERSAMPLING
    y = (np.arange(shape[0]) - 0.5 * (shape[0] - 1)) * OVERSAMPLING
    centre = detectors // 2 * OVERSAMPLING + 0.5
    image = np.zeros(shape)
    for view, angle in enumerate(angles):
        row = np.interp(fine, np.arange(detectors), filtered[view])
        place = (x * math.cos(angle))[None, :] + (y * math.sin(angle) + centre)[:, None]
        image += row[place.astype(np.int32)]
    return np.asarray(image * (math.pi / views), np.float64)
