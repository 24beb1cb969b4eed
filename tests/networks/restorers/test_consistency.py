"""Estimates are brought nearer to what was measured, and to the truth."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from enhancers.degrade import degrade_image
from enhancers.image import MedicalImage, from_array
from enhancers.method import Modality
from enhancers.networks.restorers.consistency import (
    consistent,
    correction,
    is_measured,
    is_sampled,
    step_toward,
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


@pytest.mark.parametrize("coils", [1, 4])
def test_the_estimate_of_a_phased_scan_comes_nearer_to_the_truth(coils: int) -> None:
    clean = disc("MR")
    scan = degrade_image(
        clean, "mr_undersample", 2.0, seed=0, settings={"snr": 60.0, "coils": coils}
    )
    one = known(scan)
    estimate = one.planes[:, :1] + 0.2
    once, often = correction(one), correction(one, rounds=10)
    assert once is not None
    assert often is not None
    errors = [error(one.pixels(x), clean) for x in (estimate, once(estimate), often(estimate))]
    assert errors[1] < 0.5 * errors[0]
    assert errors[2] < errors[1]


@pytest.mark.parametrize("coils", [1, 4])
def test_opposite_frequencies_tell_of_each_other(coils: int) -> None:
    clean = disc("MR")
    scan = degrade_image(
        clean, "mr_undersample", 4.0, seed=0, settings={"snr": 60.0, "coils": coils}
    )
    assert error(consistent(scan), clean) < 0.5 * error(scan.pixels, clean)


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
    assert step_toward(degrade_image(image, "missing", 0.3, seed=0)) is None
    projected = degrade_image(disc("CT"), "ct_dose", 1.0, seed=0)
    assert is_measured(projected)
    assert not is_sampled(projected)
    for one in (image, projected):
        with pytest.raises(ValueError, match="no samples of k-space"):
            consistent(one)
