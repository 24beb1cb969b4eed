"""Degradations of pixels, with a generator of random numbers; all by their kind in `FUNCTIONS`."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
from numpy.typing import NDArray

from enhancers.errors import ParameterError
from enhancers.low_dose import low_dose_noise, soft_tissue_hu
from enhancers.measured import Known

SOFT_TISSUE_WIDTH = 400.0
"""HU from black to white of an array whose window is not known (-160 to 240 HU)."""

LOW_LIGHT_DROP, LOW_LIGHT_NOISE = 1.0, 0.02
"""Of low light: the logarithm of the brightest over the darkest lighting, and σ of the noise."""
VEIL = 0.2
"""Maximum of the under-exposure mask M, as a share of the exposure factor f."""

Array = NDArray[np.float64]


def kspace_mask(lines: int, acceleration: float, rng: np.random.Generator) -> NDArray[np.bool_]:
    """Mask of the kept phase-encoding lines, in FFT order.

    The central 32 % of the kept lines are contiguous, the rest is drawn at random, as in the
    Cartesian masks of the fastMRI challenge (Zbontar et al., arXiv 1811.08839, section 4.2).
    """
    kept = max(1, round(lines / acceleration))
    centre = max(1, round(0.32 * kept))
    order = np.argsort(np.abs(np.fft.fftfreq(lines)), kind="stable")
    mask = np.zeros(lines, np.bool_)
    mask[order[:centre]] = True
    mask[rng.choice(order[centre:], kept - centre, replace=False)] = True
    return mask


def known_pixels(shape: tuple[int, int], missing: float, rng: np.random.Generator) -> Known:
    """Mask of the pixels that are left where each is missing with probability ``missing``."""
    return np.asarray(rng.random(shape) >= missing)


def smooth_field(shape: tuple[int, int], rng: np.random.Generator) -> NDArray[np.float64]:
    """A random field from 0 to 1 with no detail finer than about half the image."""
    y, x = np.meshgrid(*(np.linspace(0.0, 1.0, side) for side in shape), indexing="ij")
    field = np.zeros(shape)
    for _ in range(6):
        fx, fy = rng.uniform(-1.0, 1.0, 2)
        field += rng.uniform(0.5, 1.0) * np.cos(2 * np.pi * (fx * x + fy * y + rng.random()))
    field -= field.min()
    return field / max(float(field.max()), 1e-12)


def _as_factor(field: Array, like: Array) -> Array:
    """The field with an axis for the channels of a colour image, which share it."""
    return field[..., None] if like.ndim == 3 else field


def _gaussian(x: Array, sigma: float, rng: np.random.Generator) -> Array:
    """Compute y = x + σ n, independent in each channel."""
    return x + sigma * rng.standard_normal(x.shape)


def _speckle(x: Array, sigma: float, rng: np.random.Generator) -> Array:
    """Compute y = x (1 + σ η): fully developed speckle after log compression is near Gaussian.

    Colour channels share η, since speckle affects brightness.
    """
    return x * (1.0 + sigma * _as_factor(rng.standard_normal(x.shape[:2]), x))


def _rician(x: Array, sigma: float, rng: np.random.Generator) -> Array:
    """Compute y = sqrt((x + σ n1)² + (σ n2)²).

    Gudbjartsson and Patz, Magn Reson Med 34 (1995), 910, eq. 1.
    """
    real = x + sigma * rng.standard_normal(x.shape)
    return np.asarray(np.hypot(real, sigma * rng.standard_normal(x.shape)))


def _low_dose(x: Array, dose: float, rng: np.random.Generator) -> Array:
    """Noise of `low_dose_noise` on the luminance read as a soft-tissue window."""
    gray = x.mean(2) if x.ndim == 3 else x
    noise = low_dose_noise(soft_tissue_hu(gray), dose, rng, field_mm=400.0)
    return x + _as_factor(noise / SOFT_TISSUE_WIDTH, x)


def _downsample(x: Array, factor: float, rng: np.random.Generator) -> Array:
    """Mean of each factor x factor block; rows and columns left over are dropped."""
    side = int(factor)
    rows, columns = x.shape[0] // side, x.shape[1] // side
    if rows < 1 or columns < 1:
        raise ParameterError(
            f"factor={side} is too large for an image of {x.shape[1]} x {x.shape[0]} pixels."
        )
    blocks = x[: rows * side, : columns * side].reshape(rows, side, columns, side, *x.shape[2:])
    return np.asarray(blocks.mean((1, 3)))


def _under_exposure(x: Array, exposure: float, rng: np.random.Generator) -> Array:
    """Compute y = f x + M (Fei et al., arXiv 2407.10236, section 2.1) with a smooth M.

    M reaches `VEIL` f (1 - f): it vanishes with f and at full exposure, so that f = 1 leaves the
    image as it is.
    """
    mask = VEIL * exposure * (1.0 - exposure) * smooth_field((x.shape[0], x.shape[1]), rng)
    return exposure * x + _as_factor(mask, x)


def _low_light(x: Array, exposure: float, rng: np.random.Generator) -> Array:
    """Compute y = f L x + n with a smooth lighting L and white noise n."""
    lighting = np.exp(-LOW_LIGHT_DROP * smooth_field((x.shape[0], x.shape[1]), rng))
    noise = LOW_LIGHT_NOISE * rng.standard_normal(x.shape)
    return exposure * x * _as_factor(lighting, x) + noise


def _bias_field(x: Array, strength: float, rng: np.random.Generator) -> Array:
    """Compute y = x exp(-strength s) with s smooth from 0 to 1: multiplicative, as N4 assumes."""
    return x * _as_factor(np.exp(-strength * smooth_field((x.shape[0], x.shape[1]), rng)), x)


def _kspace(x: Array, acceleration: float, rng: np.random.Generator) -> Array:
    """Magnitude of the zero-filled inverse FFT of the kept rows of k-space."""
    kept = kspace_mask(x.shape[0], acceleration, rng).astype(np.float64)
    mask = _as_factor(kept[:, None], x)
    spectrum = np.fft.fft2(x, axes=(0, 1)) * mask
    return np.abs(np.fft.ifft2(spectrum, axes=(0, 1)))


def _missing(x: Array, share: float, rng: np.random.Generator) -> Array:
    """Black where `known_pixels` says so."""
    known = known_pixels((x.shape[0], x.shape[1]), share, rng)
    return x * _as_factor(known.astype(np.float64), x)


def _blur(x: Array, sigma: float, rng: np.random.Generator) -> Array:
    """Convolution with a Gaussian, mirrored at the borders."""
    from scipy.ndimage import gaussian_filter

    spread = (sigma, sigma, 0.0)[: x.ndim]
    return np.asarray(gaussian_filter(x, spread, mode="reflect"))


FUNCTIONS: Mapping[str, Callable[[Array, float, np.random.Generator], Array]] = {
    "gaussian": _gaussian,
    "speckle": _speckle,
    "rician": _rician,
    "low_dose": _low_dose,
    "downsample": _downsample,
    "under_exposure": _under_exposure,
    "low_light": _low_light,
    "bias_field": _bias_field,
    "kspace": _kspace,
    "missing": _missing,
    "blur": _blur,
}
