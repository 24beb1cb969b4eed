from __future__ import annotations

import numpy as np
import pytest

from enhancers.compare import enhance
from enhancers.image import from_array
from enhancers.noise_spectrum import NoiseSpectrum
from enhancers.restore_clipped import restore_clipped

RANDOM = np.random.default_rng(0)


@pytest.mark.parametrize("sigma", [0.05, 0.1, 0.2])
@pytest.mark.parametrize("level", [0.0, 0.03, 0.5, 1.0])
def test_the_noise_is_gaussian_again(level: float, sigma: float) -> None:
    noisy = np.clip(level + sigma * RANDOM.standard_normal((256, 256)), 0, 1).astype(np.float32)
    restored = restore_clipped(noisy, sigma, seed=1)
    assert restored.mean() == pytest.approx(level, abs=0.06 * sigma + 2e-3)
    assert restored.std() == pytest.approx(sigma, rel=0.08)


def test_what_was_not_clipped_is_untouched() -> None:
    noisy = np.clip(0.1 + 0.1 * RANDOM.standard_normal((64, 64)), 0, 1).astype(np.float32)
    restored = restore_clipped(noisy, 0.1, seed=1)
    inside = (noisy > 0) & (noisy < 1)
    assert np.array_equal(restored[inside], noisy[inside])
    assert (restored[noisy == 0] <= 0).all()


def test_same_seed_same_bytes() -> None:
    noisy = np.zeros((32, 32), np.float32)
    assert (
        restore_clipped(noisy, 0.1, seed=3).tobytes()
        == restore_clipped(noisy, 0.1, seed=3).tobytes()
    )
    assert (
        restore_clipped(noisy, 0.1, seed=3).tobytes()
        != restore_clipped(noisy, 0.1, seed=4).tobytes()
    )


@pytest.mark.parametrize("level", [0.0, 0.03, 0.5, 1.0])
def test_the_expected_value_has_the_mean_before_clipping(level: float) -> None:
    noisy = np.clip(level + 0.1 * RANDOM.standard_normal((256, 256)), 0, 1).astype(np.float32)
    restored = restore_clipped(noisy, 0.1, seed=None)
    assert restored.mean() == pytest.approx(level, abs=0.008)
    assert np.array_equal(restored, restore_clipped(noisy, 0.1, seed=None))


@pytest.mark.parametrize("seed", [None, 1])
def test_bands_do_not_show(seed: int | None, monkeypatch: pytest.MonkeyPatch) -> None:
    noisy = np.clip(0.2 * RANDOM.standard_normal((70, 40)), 0, 1).astype(np.float32)
    whole = restore_clipped(noisy, 0.2, seed=seed)
    monkeypatch.setattr("enhancers.restore_clipped.BAND", 40 * 9)
    assert np.array_equal(whole, restore_clipped(noisy, 0.2, seed=seed))


@pytest.mark.parametrize("seed", [None, 1])
def test_a_black_and_a_white_pixel_far_beyond_the_noise_stay_where_they_are(
    seed: int | None,
) -> None:
    image = np.full((32, 32), 0.7, np.float32)
    image[8, 8], image[20, 20] = 0.0, 1.0
    restored = restore_clipped(image, 0.002, seed=seed)
    assert np.abs(restored - image).max() < 1e-3


@pytest.mark.parametrize("method", ["nlm", "tv"])
@pytest.mark.parametrize("sigma", [None, 0.1])
def test_filters_return_a_black_background_to_black(method: str, sigma: float | None) -> None:
    truth = np.zeros((64, 64), np.float32)
    truth[:, 32:] = 0.5
    noisy = np.clip(truth + 0.1 * RANDOM.standard_normal(truth.shape), 0, 1).astype(np.float32)

    def background(unclip: bool) -> float:
        params = {"unclip": unclip, "sigma": sigma}
        return float(enhance(from_array(noisy), method, params=params).pixels[:, :26].mean())

    assert background(unclip=False) > 0.03
    assert background(unclip=True) < 0.01


def test_no_noise_changes_nothing() -> None:
    image = np.zeros((16, 16), np.float32)
    assert restore_clipped(image, 0.0, seed=0) is image


def test_correlated_noise_is_drawn_correlated() -> None:
    spectrum = NoiseSpectrum((0.05, 0.4), (0.2, 0.01))
    black = np.zeros((128, 128), np.float32)
    restored = restore_clipped(black, spectrum.sigma, seed=1, spectrum=spectrum)
    offsets = restored - restored.mean()
    neighbours = np.mean(offsets[:, 1:] * offsets[:, :-1]) / restored.var()
    assert neighbours == pytest.approx(spectrum.correlation, abs=0.1)
    white = restore_clipped(black, spectrum.sigma, seed=1)
    assert restored.std() == pytest.approx(white.std(), rel=0.1)
