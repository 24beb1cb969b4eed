"""What was measured goes with the image where it stays true, and into its record."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from enhancers.compare import Request
from enhancers.compare.runs import resolve_request
from enhancers.degrade import KINDS, degrade_image
from enhancers.image import MedicalImage, Window, from_array
from enhancers.input_facts import InputFacts
from enhancers.measured import Measured, SampledSpectrum
from enhancers.method import Modality

PIXELS = np.random.default_rng(0).random((32, 24)).astype(np.float32)
IMAGE = from_array(PIXELS, Modality.MR)
MEASURING = ("kspace", "missing", "ct_dose", "mr_undersample")
"""Kinds of degradation of which it is kept what was measured."""

SPARSE = degrade_image(IMAGE, "kspace", 2, seed=0)
KNOWN = PIXELS > 0.3


def _key(image: MedicalImage) -> str:
    return resolve_request(image, Request("nlm", {}), 0, "cpu").key


def test_another_modality_keeps_it_and_other_pixels_do_not() -> None:
    for image in (SPARSE, IMAGE.with_known(KNOWN)):
        assert image.with_modality(Modality.OTHER).measured is image.measured
        assert image.with_pixels(PIXELS).measured is None


@pytest.mark.parametrize("kind", [key for key in KINDS if key not in MEASURING])
def test_no_other_degradation_keeps_it(kind: str) -> None:
    level = KINDS[kind].default
    assert degrade_image(SPARSE, kind, level, seed=0).measured is None


def test_a_mask_comes_and_goes_without_the_samples() -> None:
    assert SPARSE.measured is not None
    masked = SPARSE.with_known(KNOWN)
    assert masked.measured is not None
    assert masked.measured.known is KNOWN
    for image in (masked, masked.with_known(None)):
        assert image.measured is not None
        assert image.measured.spectrum is SPARSE.measured.spectrum
    assert IMAGE.with_known(KNOWN).with_known(None).measured is None


def test_a_simulated_scan_has_the_samples_of_its_image_in_source_units() -> None:
    window = Window(-50.0, 150.0)
    source = window.to_source(PIXELS).astype(np.float32)
    image = replace(IMAGE, window=window, source=source)
    scan = degrade_image(image, "kspace", 2, seed=0)
    assert scan.measured is not None
    spectrum = scan.measured.spectrum
    assert spectrum is not None
    assert spectrum.real
    expected = np.fft.fft2(source, norm="ortho")
    np.testing.assert_allclose(
        spectrum.samples[spectrum.sampled], expected[spectrum.sampled], atol=1e-3
    )
    assert not spectrum.samples[~spectrum.sampled].any()
    np.testing.assert_array_equal(scan.pixels, degrade_image(IMAGE, "kspace", 2, seed=0).pixels)


def test_a_second_undersampling_keeps_what_the_first_left() -> None:
    twice = degrade_image(SPARSE, "kspace", 2, seed=5)
    assert SPARSE.measured is not None
    assert twice.measured is not None
    first, second = SPARSE.measured.spectrum, twice.measured.spectrum
    assert first is not None
    assert second is not None
    assert not (second.sampled & ~first.sampled).any()
    assert second.share < first.share


def test_missing_pixels_are_black_and_the_mask_says_which() -> None:
    image = degrade_image(IMAGE, "missing", 0.4, seed=3)
    assert image.measured is not None
    known = image.measured.known
    assert known is not None
    np.testing.assert_array_equal(image.pixels, PIXELS * known)
    assert 0.5 < known.mean() < 0.7


def test_record_and_key_tell_masks_apart() -> None:
    images = [
        IMAGE, IMAGE.with_known(KNOWN), IMAGE.with_known(~KNOWN),
        replace(IMAGE, measured=SPARSE.measured),
    ]  # fmt: skip
    assert len({_key(image) for image in images}) == len(images)
    facts = InputFacts.of(images[1]).measured
    assert facts is not None
    assert facts.pixels == pytest.approx(KNOWN.mean())
    assert facts.spectrum is None
    assert InputFacts.of(images[0]).measured is None


def test_sizes_must_agree() -> None:
    with pytest.raises(ValueError, match="differ"):
        IMAGE.with_known(KNOWN[:-1])
    with pytest.raises(ValueError, match="differ"):
        SampledSpectrum(np.zeros((4, 4), np.complex64), np.ones((4, 5), np.bool_))
    with pytest.raises(ValueError, match="differ"):
        replace(IMAGE, pixels=PIXELS[1:], source=PIXELS[1:], measured=Measured(KNOWN))
