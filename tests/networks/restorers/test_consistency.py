"""Estimates are brought nearer to what was measured, and to the truth."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from skimage.filters import gaussian

from enhancers.degrade import degrade_image
from enhancers.image import MedicalImage, Window, from_array
from enhancers.method import Modality
from enhancers.networks.restorers.consistency import (
    correction,
    is_measured,
    is_projected,
)
from enhancers.networks.restorers.given import Given, given
from enhancers.operators import Projection

SIDE = 128
PARAMS = {"as_modality": "from the image"}


def disc(modality: str) -> MedicalImage:
    y, x = np.mgrid[:SIDE, :SIDE] / (SIDE - 1) * 2 - 1
    gray = 0.4 * (x**2 + y**2 < 0.6) + 0.3 * (x**2 + (y - 0.2) ** 2 < 0.1)
    return from_array(gray.astype(np.float32), Modality(modality))


def error(pixels: np.ndarray, clean: MedicalImage) -> float:
    return float(np.square(pixels - clean.pixels).mean())


def known(image: MedicalImage) -> Given:
    return given(image, PARAMS, 4)


def test_samples_of_k_space_are_kept() -> None:
    scan = degrade_image(disc("MR"), "kspace", 4.0, seed=0)
    assert scan.measured is not None
    spectrum = scan.measured.spectrum
    assert spectrum is not None

    def left(pixels: np.ndarray) -> float:
        found = np.fft.fft2(scan.window.to_source(pixels), norm="ortho")
        return float(np.abs((found - spectrum.samples)[spectrum.sampled]).mean())

    one = known(scan)
    correct = correction(one)
    assert correct is not None
    faint = 0.2 * one.planes[:, :1]
    assert left(one.pixels(correct(faint))) < 0.4 * left(one.pixels(faint))


def tissue(modality: str = "MR") -> MedicalImage:
    """An image that fills its field, so that opposite edges have other phases."""
    y, x = np.mgrid[:SIDE, :SIDE] / (SIDE - 1) * 2 - 1
    gray = 0.5 + 0.2 * np.sin(7 * x + 3 * y) * np.cos(5 * y) + 0.2 * (x**2 + (y - 0.2) ** 2 < 0.1)
    return from_array(gray.astype(np.float32), Modality(modality))


@pytest.mark.parametrize("clean", [disc("MR"), tissue()], ids=["disc", "tissue"])
@pytest.mark.parametrize("coils", [1, 4])
def test_the_estimate_of_a_scan_comes_nearer_to_the_truth(clean: MedicalImage, coils: int) -> None:
    scan = degrade_image(clean, "mr_undersample", 3.0, seed=0, settings={"coils": coils})
    one = known(scan)
    errors = [error(scan.pixels, clean)]
    for rounds in (1, 20):
        correct = correction(one, rounds=rounds)
        assert correct is not None
        errors.append(error(one.pixels(correct(one.planes[:, :1])), clean))
    assert errors[2] < errors[1] < errors[0]
    assert errors[2] < 0.8 * errors[0]


def test_noise_stays_out_of_a_good_estimate() -> None:
    clean = disc("MR")
    blurred = clean.with_pixels(gaussian(clean.pixels, 1.5).astype(np.float32))
    for snr, most in ((30.0, 0.5), (10.0, 1.0)):
        scan = degrade_image(clean, "mr_undersample", 3.0, seed=0, settings={"snr": snr})
        correct = correction(known(scan))
        assert correct is not None
        found = known(scan).pixels(correct(known(blurred).planes[:, :1]))
        assert error(found, clean) < most * error(blurred.pixels, clean)


def test_values_beyond_the_window_are_those_of_the_scan() -> None:
    clean = disc("MR")
    scan = degrade_image(clean, "mr_undersample", 2.0, seed=0, settings={"coils": 8})
    narrow = Window(0.0, 0.5)
    cut = replace(scan, pixels=narrow.to_unit(scan.pixels), window=narrow)
    one = known(cut)
    correct = correction(one)
    assert correct is not None
    truth = clean.with_pixels(narrow.to_unit(clean.pixels))
    assert error(one.pixels(correct(one.planes[:, :1])), truth) < 0.5 * error(cut.pixels, truth)


def test_the_estimate_comes_nearer_to_the_projections() -> None:
    scan = degrade_image(disc("CT"), "ct_dose", 1.0, seed=0)
    assert scan.measured is not None
    projections = scan.measured.projections
    assert projections is not None

    def left(pixels: np.ndarray) -> float:
        hu = np.where(pixels > 0, -160 + 400 * pixels, -1000).astype(np.float32)
        seen = Projection(projections.beam).forward(
            torch.from_numpy(np.maximum(0.0195 * (1 + hu / 1000), 0))[None, None]
        )
        return float((seen[0, 0] - torch.from_numpy(projections.values)).square().mean())

    one = known(scan)
    estimate = (one.planes[:, :1] + 0.3).clamp(-1, 1)
    correct = correction(one, 0.8)
    assert correct is not None
    assert left(one.pixels(correct(estimate))) < 0.5 * left(one.pixels(estimate))


def test_an_image_of_pixels_alone_has_nothing_to_be_consistent_with() -> None:
    image = disc("MR")
    assert not is_measured(image)
    assert correction(known(image)) is None
    assert correction(known(degrade_image(image, "missing", 0.3, seed=0))) is None
    projected = degrade_image(disc("CT"), "ct_dose", 1.0, seed=0)
    assert is_measured(projected)
    assert is_projected(projected)
    assert not is_projected(degrade_image(image, "kspace", 2.0, seed=0))
