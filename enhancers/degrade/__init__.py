"""Seeded degradations of a clean image, for samples and benchmarks with a known truth.

Some act on pixels (`enhancers.degrade.pixels`), others are simulated scanners, which keep what they
measured (`enhancers.degrade.acquisitions`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from enhancers.degrade.acquisitions import ACQUISITIONS
from enhancers.degrade.kinds import KINDS, Degradation
from enhancers.degrade.pixels import FUNCTIONS, known_pixels, kspace_mask, smooth_field
from enhancers.errors import ParameterError
from enhancers.image import MedicalImage, Pixels, check_pixels, from_array
from enhancers.low_dose import low_dose_noise
from enhancers.measured import Measured, SampledSpectrum
from enhancers.method import ParameterValue, nearest

__all__ = ["KINDS", "Degradation", "degrade", "degrade_image", "kspace_mask", "smooth_field"]

Settings = Mapping[str, ParameterValue]


def degrade(
    pixels: Pixels, kind: str, level: float, *, seed: int, settings: Settings | None = None
) -> Pixels:
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
    settings : mapping, optional
        Values of `KINDS[kind].parameters` that differ from the defaults.

    Returns
    -------
    ndarray, float32, in [0, 1]
        Of the same shape; H and W divided by the factor (rounded down) for "downsample". "low_dose"
        and "ct_dose" interpret [0, 1] as -160 to 240 HU across 400 mm; `degrade_image` uses the
        actual values.

    Raises
    ------
    ParameterError
        For an unknown kind or setting, a level or seed out of range, or an image too small for the
        factor.
    """
    value, rng, resolved = _checked(kind, level, seed, settings)
    check_pixels(pixels)
    if kind in ACQUISITIONS:
        return ACQUISITIONS[kind](from_array(pixels), value, rng, resolved).pixels
    result = FUNCTIONS[kind](pixels.astype(np.float64), value, rng)
    return np.ascontiguousarray(np.clip(result, 0.0, 1.0), np.float32)


def degrade_image(
    image: MedicalImage, kind: str, level: float, *, seed: int, settings: Settings | None = None
) -> MedicalImage:
    """`degrade` for a `MedicalImage`: window, spacing and units are used and kept.

    Doses are those of the image's own HU where it has them, and downsampling enlarges the pixel
    spacing, about the same centre. A gray image keeps what was measured: with "kspace" and
    "mr_undersample" the complex samples and their mask (complex data stay complex), with "ct_dose"
    the projections, with "missing" the mask of the known pixels. The tag "degraded" records what
    was done.
    """
    value, rng, resolved = _checked(kind, level, seed, settings)
    if kind in ACQUISITIONS:
        made = ACQUISITIONS[kind](image, value, rng, resolved)
    elif kind == "low_dose" and image.units == "HU" and not image.is_colour:
        width = image.window.high - image.window.low
        field = image.shape[1] * image.spacing[1] if image.spacing else 400.0
        noise = low_dose_noise(image.source.astype(np.float64), value, rng, field_mm=field)
        pixels = np.clip(image.pixels + noise / width, 0.0, 1.0).astype(np.float32)
        made = image.with_pixels(pixels)
    elif kind == "kspace" and image.measured and image.measured.spectrum:
        lines = kspace_mask(image.shape[0], value, rng)[:, None]
        left = image.measured.spectrum.restricted(lines)
        made = image.with_pixels(image.window.to_unit(np.abs(left.image)))
        made = replace(made, measured=Measured(spectrum=left))
    else:
        made = image.with_pixels(degrade(image.pixels, kind, value, seed=seed))
        made = replace(made, measured=_measured(image, kind, value, rng))
    if kind == "downsample":
        made = replace(
            made,
            spacing=image.spacing and (image.spacing[0] * value, image.spacing[1] * value),
            geometry=image.geometry and image.geometry.enlarged(1.0 / value),
        )
    said = [f"{kind}, {KINDS[kind].level} {value:g}"]
    said += [f"{name} {one:g}" if isinstance(one, float) else f"{name} {one}"
             for name, one in resolved.items()]  # fmt: skip
    note = ("degraded", ", ".join([*said, f"seed {seed}"]))
    return replace(made, tags=(*image.tags, note))


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


def _checked(
    kind: str, level: float, seed: int, settings: Settings | None
) -> tuple[float, np.random.Generator, Settings]:
    if kind not in KINDS:
        raise ParameterError(f"No degradation {kind}; {nearest(kind, list(KINDS))}.")
    if seed < 0:
        raise ParameterError(f"seed={seed} is not possible; give 0 or more.")
    entry = KINDS[kind]
    return entry.check(level), np.random.default_rng(seed), entry.resolve(settings or {})
