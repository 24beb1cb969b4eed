"""Images as a simulated scanner would have made them, with what it measured."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import replace

import numpy as np

from enhancers.colour import luminance, with_luminance
from enhancers.degrade.ct import AIR_HU, Scanner, reconstructed, scanned
from enhancers.degrade.mr import Acquisition, acquired, zero_filled
from enhancers.degrade.ultrasound import Echoes, Probe, echoes
from enhancers.errors import ParameterError
from enhancers.image import MedicalImage, Pixels, Window
from enhancers.measured import CoilSpectrum, Measured
from enhancers.method import ParameterValue
from enhancers.parameter_values import as_float, as_int

SOFT_TISSUE = Window(-160.0, 240.0)
"""HU of an image whose values are not in HU."""
FIELD_MM = 300.0
"""Width of an image whose spacing is not known."""

Settings = Mapping[str, ParameterValue]


def hu_window(image: MedicalImage) -> Window:
    """What black and white of an image are in HU."""
    return image.window if image.units == "HU" else SOFT_TISSUE


def ct_scan(
    image: MedicalImage, dose: float, rng: np.random.Generator, settings: Settings
) -> MedicalImage:
    """A slice scanned with a fraction of the dose and reconstructed (`ct.scanned`).

    Values beyond the window are those of the file where it has HU. Otherwise gray is -160 to 240 HU
    and black, which may be anything from air to fat, is taken for air, since a body embedded in fat
    would let no photons through.
    """
    scanner = Scanner(
        photons=as_float(settings, "photons"),
        electronic=as_float(settings, "electronic"),
        views=as_int(settings, "views"),
        fan=settings["beam"] == "fan",
    )
    window = hu_window(image)
    known = image.units == "HU" and not image.is_colour
    hu = image.source if known else _with_air(luminance(image.pixels), window)
    spacing = image.spacing or (FIELD_MM / image.shape[1],) * 2
    pixel = math.sqrt(spacing[0] * spacing[1])
    projections = scanned(hu.astype(np.float64), dose, rng, scanner, pixel=pixel)
    found = reconstructed(projections)
    pixels = with_luminance(image.pixels, window.to_unit(found))
    measured = None if image.is_colour else Measured(projections=projections)
    made = replace(image.with_pixels(pixels), measured=measured)
    return replace(made, source=found.astype(np.float32)) if known else made


def _with_air(gray: Pixels, window: Window) -> Pixels:
    return np.where(gray > 0, window.to_source(gray), AIR_HU).astype(np.float32)


def mr_acquisition(
    image: MedicalImage, acceleration: float, rng: np.random.Generator, settings: Settings
) -> MedicalImage:
    """A slice of which part of k-space was sampled, zero-filled (`mr.acquired`).

    Raises
    ------
    ParameterError
        The image has negative values, which a magnitude has not.
    """
    if min(image.window.ends) < 0:
        raise ParameterError(
            f"mr_undersample takes magnitudes; this image has negative values ({image.units}). "
            "Use an MR image, or ct_dose for CT."
        )
    how = Acquisition(
        centre=as_float(settings, "centre"),
        equispaced=settings["lines"] == "equispaced",
        coils=as_int(settings, "coils"),
        snr=as_float(settings, "snr"),
    )
    magnitude = image.window.to_source(luminance(image.pixels))
    found = acquired(magnitude, acceleration, rng, how)
    pixels = with_luminance(image.pixels, image.window.to_unit(zero_filled(found)))
    if image.is_colour:
        return image.with_pixels(pixels)
    measured = (
        Measured(coils=found) if isinstance(found, CoilSpectrum) else Measured(spectrum=found)
    )
    return replace(image.with_pixels(pixels), measured=measured)


def ultrasound(
    image: MedicalImage, snr: float, rng: np.random.Generator, settings: Settings
) -> MedicalImage:
    """A log-compressed image with speckle and noise (`echoes_of`)."""
    noisy = echoes_of(image, snr, rng, settings).noisy.astype(np.float32)
    return image.with_pixels(with_luminance(image.pixels, noisy))


def echoes_of(
    image: MedicalImage, snr: float, rng: np.random.Generator, settings: Settings
) -> Echoes:
    """The luminance with speckle, with noise and without (`ultrasound.echoes`)."""
    probe = Probe(*(as_float(settings, name) for name in ("axial", "lateral", "range")))
    return echoes(luminance(image.pixels).astype(np.float64), snr, rng, probe)


Acquire = Callable[[MedicalImage, float, np.random.Generator, Settings], MedicalImage]

ACQUISITIONS: Mapping[str, Acquire] = {
    "ct_dose": ct_scan,
    "mr_undersample": mr_acquisition,
    "us_snr": ultrasound,
}
"""How each simulated scanner makes an image of another, by its kind."""
