from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from enhancers.errors import MetricUnavailable, ParameterError
from enhancers.evaluation.measures import score
from enhancers.evaluation.problem import TestImage
from enhancers.evaluation.texture import (
    Cells,
    cells,
    detectability,
    disc_case,
    discs,
    noise_of,
    spectrum,
)
from enhancers.evaluation.texture.discs import CELL, CONTRAST, RADIUS
from enhancers.evaluation.texture.observer import INTERNAL, channels
from enhancers.image import Pixels
from enhancers.method import Modality

CASES = [disc_case(number, side=192) for number in range(4)]


def noisy(sigma: float, *, seed: int = 0) -> list[Pixels]:
    rng = np.random.default_rng(seed)
    return [
        (case.truth + sigma * rng.standard_normal(case.truth.shape)).astype(np.float32)
        for case in CASES
    ]


def seen(images: list[Pixels]) -> list[Cells]:
    return [
        cells(pixels, case.mask)
        for pixels, case in zip(images, CASES, strict=True)
        if case.mask is not None
    ]


def test_the_phantom_is_seeded_and_half_of_its_cells_hold_a_disc():
    one, again, other = discs(side=192, seed=3), discs(side=192, seed=3), discs(side=192, seed=4)
    assert one.pixels.tobytes() == again.pixels.tobytes()
    assert not np.array_equal(one.mask, other.mask)
    found = cells(one.pixels, one.mask)
    assert len(found.present) == len(found.absent) == (192 // CELL) ** 2 // 2
    area = one.mask.sum() / len(found.present)
    assert area == pytest.approx(math.pi * RADIUS**2, rel=0.06)


def test_discs_stand_out_by_the_contrast():
    drawn, bare = discs(side=96, seed=1), discs(side=96, seed=1, contrast=0.0)
    assert np.array_equal(drawn.mask, bare.mask)
    difference = drawn.pixels - bare.pixels
    assert difference[~drawn.mask].max() < CONTRAST
    assert difference.max() == pytest.approx(CONTRAST, rel=1e-4)
    assert discs(side=96, seed=1, contrast=-0.1).pixels.min() < bare.pixels.min()


@pytest.mark.parametrize("given", [{"side": 64}, {"seed": -1}, {"contrast": 0.9}])
def test_an_impossible_phantom_is_refused(given: dict):
    with pytest.raises(ParameterError, match="not possible"):
        discs(**given)


@pytest.mark.parametrize("sigma", [0.02, 0.1])
def test_white_noise_has_a_flat_spectrum_of_its_variance(sigma: float):
    found = spectrum(sigma * np.random.default_rng(0).standard_normal((300, 24, 24)))
    assert found.deviation == pytest.approx(sigma, rel=0.01)
    assert np.allclose(found.power[1:], sigma**2, rtol=0.1)
    assert found.frequencies[-1] == 0.5
    assert found.mean_frequency == pytest.approx(0.383, abs=0.005)


def test_shading_is_no_noise_and_smoothing_lowers_the_frequency():
    y, x = np.mgrid[:24, :24]
    shading = 0.3 + 0.01 * x - 0.02 * y
    assert spectrum(np.stack([shading] * 4)).deviation < 1e-12
    assert spectrum(np.stack([shading] * 4)).mean_frequency == 0.0
    white = np.random.default_rng(0).standard_normal((300, 40, 40))
    smooth = gaussian_filter(white, (0, 1.0, 1.0))[:, 8:32, 8:32]
    before, after = spectrum(white[:, 8:32, 8:32]), spectrum(smooth)
    assert after.mean_frequency < 0.5 * before.mean_frequency
    # The spectrum of filtered noise is that of the noise times the squared response of the filter.
    response = np.exp(-((2 * math.pi * after.frequencies) ** 2))
    assert np.allclose(after.power[1:6], before.power[1:6] * response[1:6], rtol=0.15)


@pytest.mark.parametrize("shape", [(0, 24, 24), (3, 4, 24), (24, 24)])
def test_regions_that_have_no_spectrum_are_refused(shape: tuple[int, ...]):
    with pytest.raises(ValueError, match="regions"):
        spectrum(np.zeros(shape))


def test_channels_are_orthonormal_and_round():
    basis = channels()
    assert np.allclose(basis.T @ basis, np.eye(basis.shape[1]), atol=1e-12)
    first = basis.reshape(CELL, CELL, -1)
    assert np.allclose(first, np.rot90(first), atol=1e-12)


@pytest.mark.parametrize("sigma", [0.05, 0.1, 0.2])
def test_in_white_noise_the_observer_is_as_good_as_theory_says(sigma: float):
    """d' of a known signal in white noise is its norm, in the channels, over σ."""
    drawn, bare = discs(side=96, seed=0), discs(side=96, seed=0, contrast=0.0)
    signal = cells(drawn.pixels - bare.pixels, drawn.mask).present[0]
    wanted = np.linalg.norm((signal - signal.mean()).ravel() @ channels()) / sigma
    rng = np.random.default_rng(1)
    images = [
        cells(case.truth + sigma * rng.standard_normal(case.truth.shape), case.mask)
        for case in CASES * 3
        if case.mask is not None
    ]
    found = detectability(images, internal=0.0)
    assert found.value == pytest.approx(wanted, rel=0.1)
    assert found.low < found.value < found.high
    assert found.present == found.absent == 12 * len(CASES[0].truth) ** 2 // CELL**2 // 2


def test_without_noise_the_internal_noise_sets_the_threshold():
    cases = [disc_case(number, contrast=0.006) for number in range(2)]
    found = detectability([cells(c.truth, c.mask) for c in cases if c.mask is not None])
    assert found.value == pytest.approx(1.0, abs=0.1)
    assert INTERNAL == 0.035


def test_smoothing_raises_psnr_and_loses_discs():
    before = noisy(0.1)
    after = [gaussian_filter(pixels, 4.0) for pixels in before]
    for one, other, case in zip(before, after, CASES, strict=True):
        assert np.mean((other - case.truth) ** 2) < 0.02 * np.mean((one - case.truth) ** 2)
    assert detectability(seen(after)).high < detectability(seen(before)).low
    assert noise_of(seen(after)).mean_frequency < 0.3 * noise_of(seen(before)).mean_frequency


def test_an_image_without_discs_has_none_to_detect():
    rng = np.random.default_rng(5)
    empty = [0.5 + 0.1 * rng.standard_normal(case.truth.shape) for case in CASES]
    found = detectability(seen([pixels.astype(np.float32) for pixels in empty]))
    assert found.low < 0.0 < found.high
    assert found.auc == pytest.approx(0.5, abs=0.1)


def test_the_observer_is_seeded_and_needs_enough_cells():
    images = seen(noisy(0.1))
    assert detectability(images) == detectability(images)
    few = Cells(images[0].present[:3], images[0].absent[:3])
    with pytest.raises(MetricUnavailable, match="too few"):
        detectability([few])


def test_the_measures_of_a_protocol_come_from_the_case_alone():
    keys = ["detectability", "noise_left", "noise_frequency"]
    [pixels, *_] = noisy(0.1)
    found = [one.value for one in score(pixels.clip(0, 1), CASES[0], keys)]
    [looked_at, *_] = seen([pixels.clip(0, 1), *noisy(0.1)[1:]])
    expected = detectability([looked_at]).value, noise_of([looked_at]).deviation
    assert found[:2] == pytest.approx(expected)
    assert found[2] == pytest.approx(0.38, abs=0.02)


def test_other_images_have_no_discs():
    one = CASES[0]
    foreign = TestImage("ct-1", Modality.CT, one.truth, one.mask, group="ct")
    for case in (foreign, TestImage("ct-2", Modality.CT, one.truth)):
        [found] = score(one.truth, case, ["detectability"])
        assert found.value is None
        assert "needs" in found.reason
