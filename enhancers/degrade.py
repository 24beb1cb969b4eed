"""Seeded degradations of a clean image, for samples and benchmarks with a known truth."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

from enhancers.errors import ParameterError
from enhancers.image import MedicalImage, Pixels, check_pixels
from enhancers.low_dose import low_dose_noise, soft_tissue_hu
from enhancers.measured import Known, Measured, SampledSpectrum
from enhancers.method import nearest

SOFT_TISSUE_WIDTH = 400.0
"""HU from black to white of an array whose window is not known (-160 to 240 HU)."""

LOW_LIGHT_DROP, LOW_LIGHT_NOISE = 1.0, 0.02
"""Of low light: the logarithm of the brightest over the darkest lighting, and σ of the noise."""
VEIL = 0.2
"""Maximum of the under-exposure mask M, as a share of the exposure factor f."""


@dataclass(frozen=True)
class Degradation:
    """One kind of degradation, as pure data.

    ``level`` names the quantity that `degrade` takes as its level. It lies in [low, high], or is
    one of ``choices`` if these are given.
    """

    key: str
    label: str
    help: str
    level: str
    low: float
    high: float
    default: float
    choices: tuple[float, ...] = ()

    def check(self, level: float) -> float:
        """Return ``level`` as a float, or raise ParameterError with the valid values."""
        value = float(level)
        inside = math.isfinite(value) and self.low <= value <= self.high
        if not inside or (self.choices and value not in self.choices):
            wanted = f"{self.low:g} to {self.high:g}"
            if self.choices:
                wanted = "one of " + ", ".join(f"{choice:g}" for choice in self.choices)
            raise ParameterError(
                f"{self.level}={value:g} is not possible for {self.key}; give {wanted}."
            )
        return value


_ALL = (
    Degradation("gaussian", "Gaussian noise", "Adds white noise; 1 is the full gray range.",
                "σ", 0.0, 0.5, 0.1),
    Degradation("speckle", "Speckle", "Multiplies by 1 + η: noise that grows with brightness.",
                "σ", 0.0, 1.0, 0.2),
    Degradation("rician", "Rician noise", "Magnitude of a complex MR signal with noise.",
                "σ", 0.0, 0.5, 0.04),
    Degradation("low_dose", "Low-dose CT", "Photon noise of a CT taken with part of the dose.",
                "dose fraction", 0.005, 1.0, 0.1),
    Degradation("downsample", "Downsampling", "Block means: the image becomes smaller.",
                "factor", 2, 8, 4, (2, 4, 8)),
    Degradation("under_exposure", "Under-exposure", "Darkens by a factor and adds a smooth veil.",
                "exposure factor", 0.05, 1.0, 0.3),
    Degradation("low_light", "Low light", "Darkens unevenly and adds sensor noise.",
                "exposure factor", 0.05, 1.0, 0.3),
    Degradation("bias_field", "Bias field", "Smooth shading, as of an MR surface coil.",
                "strength", 0.0, 1.5, 0.5),
    Degradation("kspace", "Undersampled k-space", "Drops phase-encoding lines of an MR scan.",
                "acceleration", 1.0, 16.0, 4.0),
    Degradation("missing", "Missing pixels", "Makes pixels black at random places.",
                "share of missing pixels", 0.0, 0.99, 0.7),
    Degradation("blur", "Blur", "Gaussian point spread.", "σ in pixels", 0.0, 10.0, 1.5),
)  # fmt: skip

KINDS: Mapping[str, Degradation] = MappingProxyType({kind.key: kind for kind in _ALL})
"""Every degradation by its key."""


def degrade(pixels: Pixels, kind: str, level: float, *, seed: int) -> Pixels:
    """Degrade an image; the same arguments give the same bytes.

    Parameters
    ----------
    pixels : ndarray, float32, shape (H, W) or (H, W, 3), in [0, 1]
    kind : str
        A key of `KINDS`.
    level : float
        Strength in the units of the kind, named by `KINDS[kind].level`.
    seed : int
        Seed of the noise, the mask or the field, at least 0.

    Returns
    -------
    ndarray, float32, in [0, 1]
        Of the same shape; H and W divided by the factor (rounded down) for "downsample". "low_dose"
        interprets [0, 1] as -160 to 240 HU across 400 mm; `degrade_image` uses the actual values.

    Raises
    ------
    ParameterError
        For an unknown kind, a level or seed out of range, or an image too small for the factor.
    """
    value, rng = _checked(kind, level, seed)
    check_pixels(pixels)
    result = _FUNCTIONS[kind](pixels.astype(np.float64), value, rng)
    return np.ascontiguousarray(np.clip(result, 0.0, 1.0), np.float32)


def degrade_image(image: MedicalImage, kind: str, level: float, *, seed: int) -> MedicalImage:
    """`degrade` for a `MedicalImage`: window, spacing and units are used and kept.

    Low dose is computed on the image's own HU where it has them, and downsampling enlarges the
    pixel spacing, about the same centre. With "kspace" the image keeps the complex samples and
    their mask (a gray image; complex data stay complex), with "missing" the mask of the known
    pixels. The tag "degraded" records what was done.
    """
    value, rng = _checked(kind, level, seed)
    measured: Measured | None = None
    if kind == "low_dose" and image.units == "HU" and not image.is_colour:
        width = image.window.high - image.window.low
        field = image.shape[1] * image.spacing[1] if image.spacing else 400.0
        noise = low_dose_noise(image.source.astype(np.float64), value, rng, field_mm=field)
        pixels = np.clip(image.pixels + noise / width, 0.0, 1.0).astype(np.float32)
    elif kind == "kspace" and image.measured and image.measured.spectrum:
        lines = kspace_mask(image.shape[0], value, rng)[:, None]
        left = image.measured.spectrum.restricted(lines)
        pixels, measured = image.window.to_unit(np.abs(left.image)), Measured(spectrum=left)
    else:
        pixels = degrade(image.pixels, kind, value, seed=seed)
        measured = _measured(image, kind, value, rng)
    spacing, geometry = image.spacing, image.geometry
    if kind == "downsample":
        spacing = spacing and (spacing[0] * value, spacing[1] * value)
        geometry = geometry and geometry.enlarged(1.0 / value)
    note = ("degraded", f"{kind}, {KINDS[kind].level} {value:g}, seed {seed}")
    return replace(
        image.with_pixels(pixels), spacing=spacing, geometry=geometry, tags=(*image.tags, note),
        measured=measured,
    )  # fmt: skip


def _measured(
    image: MedicalImage, kind: str, value: float, rng: np.random.Generator
) -> Measured | None:
    """What the degradation leaves; ``rng`` is as the degradation itself found it."""
    if kind == "missing":
        return Measured(known=known_pixels(image.shape, value, rng))
    if kind != "kspace" or image.is_colour:
        return None
    source = image.window.to_source(image.pixels)
    samples = np.fft.fft2(source, norm="ortho").astype(np.complex64)
    whole = SampledSpectrum(samples, np.ones(samples.shape, np.bool_), real=True)
    lines = kspace_mask(image.shape[0], value, rng)
    return Measured(spectrum=whole.restricted(lines[:, None]))


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


def _checked(kind: str, level: float, seed: int) -> tuple[float, np.random.Generator]:
    if kind not in KINDS:
        raise ParameterError(f"No degradation {kind}; {nearest(kind, list(KINDS))}.")
    if seed < 0:
        raise ParameterError(f"seed={seed} is not possible; give 0 or more.")
    return KINDS[kind].check(level), np.random.default_rng(seed)


Array = NDArray[np.float64]


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


_FUNCTIONS: Mapping[str, Callable[[Array, float, np.random.Generator], Array]] = {
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
