from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pytest

from enhancers.degrade import degrade_image
from enhancers.diffusion.measured_part import Parts, parts
from enhancers.image import MedicalImage, Pixels, from_array
from enhancers.method import Modality, ParameterValue
from enhancers.registry import resolve

DRAWN = np.random.default_rng(0).random((24, 20)).astype(np.float32)
IMAGE = from_array(DRAWN, Modality.MR)
RESULT = np.random.default_rng(1).random((24, 20)).astype(np.float32)


def split(image: MedicalImage, result: Pixels, **params: ParameterValue) -> Parts:
    return parts(image, resolve("null_space", Modality.MR, params), result)


def blocks(pixels: Pixels, factor: int) -> Pixels:
    height, width = pixels.shape
    return pixels.reshape(height // factor, factor, width // factor, factor).mean((1, 3))


CASES: Mapping[str, tuple[MedicalImage, Mapping[str, ParameterValue]]] = {
    "denoise": (IMAGE, {"task": "denoise"}),
    "sr2": (degrade_image(IMAGE, "downsample", 2, seed=0), {"task": "sr2"}),
    "sr8, not divisible": (IMAGE, {"task": "sr8", "degrade_first": True}),
    "inpaint": (degrade_image(IMAGE, "missing", 0.6, seed=0), {"task": "inpaint"}),
    "kspace": (degrade_image(IMAGE, "kspace", 3.0, seed=0), {"task": "kspace"}),
    "kspace, simulated": (IMAGE, {"task": "kspace", "degrade_first": True}),
}


@pytest.mark.parametrize("case", CASES)
def test_the_parts_sum_to_the_result(case: str) -> None:
    image, params = CASES[case]
    found = split(image, RESULT, **params)
    total = found.measured + found.added + found.corrected
    assert np.allclose(total, RESULT, atol=2e-6)


def test_nothing_is_added_by_denoising() -> None:
    found = split(IMAGE, RESULT, task="denoise")
    assert not found.added.any()
    assert np.array_equal(found.measured, DRAWN)


def test_what_enlarging_adds_has_no_block_mean() -> None:
    found = split(CASES["sr2"][0], RESULT, task="sr2")
    assert np.abs(blocks(found.added, 2)).max() < 1e-6
    assert np.allclose(blocks(found.measured, 2), CASES["sr2"][0].pixels, atol=1e-6)
    assert np.abs(found.added).max() > 0.1


def test_what_inpainting_adds_is_where_pixels_are_missing() -> None:
    image = CASES["inpaint"][0]
    assert image.measured is not None
    assert image.measured.known is not None
    known = image.measured.known
    found = split(image, RESULT, task="inpaint")
    assert not found.added[known].any()
    assert np.allclose(found.added[~known], RESULT[~known], atol=1e-6)
    assert np.allclose(found.measured, np.where(known, DRAWN, 0), atol=1e-6)


def test_what_kspace_adds_was_not_sampled() -> None:
    image = CASES["kspace"][0]
    assert image.measured is not None
    assert image.measured.spectrum is not None
    found = split(image, RESULT, task="kspace")
    spectrum = np.fft.fft2(found.added, norm="ortho")
    assert np.abs(spectrum[image.measured.spectrum.sampled]).max() < 1e-4
    # A result that has the samples is not corrected.
    assert np.abs(split(image, DRAWN, task="kspace").corrected).max() < 1e-5


def test_colour_images_are_split_by_their_luminance() -> None:
    colour = from_array(np.stack([DRAWN, DRAWN, DRAWN], -1))
    found = split(colour, np.stack([RESULT] * 3, -1), task="denoise")
    assert np.allclose(found.measured + found.corrected, RESULT, atol=1e-5)
