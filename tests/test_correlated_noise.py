"""Noise that is correlated between pixels: its amount by frequency, and what is not noise."""

import numpy as np
import pytest
from pydicom.data import get_testdata_file
from scipy.ndimage import gaussian_filter
from scipy.signal import detrend

from enhancers.colour import luminance
from enhancers.correlated_noise import correlated_noise
from enhancers.degrade import degrade
from enhancers.image import Pixels
from enhancers.load import load
from enhancers.noise import measure_noise
from enhancers.noise_spectrum import NoiseSpectrum
from enhancers.phantoms import phantom

KINDS = ("ct", "echo", "chest_xray", "cardiac_mr")


def correlated(clean: Pixels, sigma: float, blur: tuple[float, float], seed: int = 1) -> Pixels:
    """With noise of standard deviation ``sigma`` before clipping, blurred by ``blur`` pixels."""
    noise = gaussian_filter(np.random.default_rng(seed).standard_normal(clean.shape), blur)
    noisy: Pixels = np.clip(clean + sigma * noise / noise.std(), 0, 1).astype(np.float32)
    return noisy


@pytest.fixture(scope="module", params=KINDS)
def clean(request: pytest.FixtureRequest) -> Pixels:
    return phantom(request.param, size=256, seed=7).pixels


@pytest.mark.parametrize("sigma", [0.03, 0.06])
@pytest.mark.parametrize("blur", [(0.7, 0.7), (0.5, 1.2)], ids=["round", "wide"])
def test_blurred_noise_within_twenty_percent(
    clean: Pixels, sigma: float, blur: tuple[float, float]
) -> None:
    found = measure_noise(correlated(clean, sigma, blur))
    assert not found.is_white
    assert found.sigma == pytest.approx(sigma, rel=0.2)
    assert found.correlation > 0.4


@pytest.mark.parametrize("dose", [0.1, 0.05])
def test_noise_of_low_dose_ct(dose: float) -> None:
    full = phantom("ct", size=256, seed=3).pixels
    noisy = degrade(full, "low_dose", dose, seed=1)
    inside = (noisy > 0) & (noisy < 1)
    found = measure_noise(noisy)
    assert found.sigma == pytest.approx(float((noisy - full)[inside].std()), rel=0.2)
    # The sixth difference alone reads a fifth of it.
    assert found.amplitude((256, 256))[128, 128] < 0.4 * found.sigma


@pytest.mark.parametrize("sigma", [0.02, 0.05, 0.15])
def test_white_noise_stays_white(clean: Pixels, sigma: float) -> None:
    found = measure_noise(degrade(clean, "gaussian", sigma, seed=2))
    assert found.is_white
    assert found.sigma == pytest.approx(sigma, rel=0.06)


def test_a_clean_phantom_has_no_correlated_noise(clean: Pixels) -> None:
    assert measure_noise(clean).sigma < 0.005


def test_texture_of_one_tissue_is_not_noise() -> None:
    # A quarter of the image has texture, as a tissue has; noise is everywhere.
    texture = correlated(np.full((256, 256), 0.5, np.float32), 0.05, (0.8, 0.8)) - 0.5
    texture[:128] *= 0.02
    texture[:, :128] *= 0.02
    assert measure_noise(0.5 + texture).sigma < 0.005


def test_the_noise_of_a_real_scan_is_that_of_its_flat_tissue() -> None:
    pixels = luminance(load(get_testdata_file("J2K_pixelrep_mismatch.dcm", download=False)).pixels)
    flat = pixels[352:384, 288:320]
    for axis in (0, 1):
        flat = detrend(flat, axis=axis)
    assert measure_noise(pixels).sigma == pytest.approx(float(flat.std()), rel=0.2)


@pytest.mark.parametrize("shape", [(8, 8), (24, 20), (30, 30)])
def test_too_few_blocks_give_no_spectrum(shape: tuple[int, int]) -> None:
    image = correlated(np.full(shape, 0.5, np.float32), 0.05, (0.7, 0.7))
    assert correlated_noise(image, 0.005) is None


def test_an_image_of_black_and_white_gives_no_spectrum() -> None:
    checks = (np.indices((96, 96)).sum(0) // 16 % 2).astype(np.float32)
    assert correlated_noise(checks, 0.0) is None


def test_a_large_image_reads_as_a_small_one() -> None:
    large, small = (
        measure_noise(correlated(np.full(shape, 0.5, np.float32), 0.04, (0.7, 0.7)))
        for shape in ((1200, 900), (200, 160))
    )
    assert small.sigma == pytest.approx(0.04, rel=0.2)
    assert large.sigma == pytest.approx(small.sigma, rel=0.1)


def test_sigma_and_correlation_are_those_of_noise_with_the_spectrum() -> None:
    spectrum = NoiseSpectrum((0.05, 0.2, 0.5), (0.08, 0.05, 0.01))
    white = np.fft.rfft2(np.random.default_rng(0).standard_normal((512, 512)))
    noise = np.fft.irfft2(white * spectrum.amplitude((512, 512)), s=(512, 512))
    assert spectrum.sigma == pytest.approx(noise.std(), rel=0.02)
    neighbours = np.mean(noise * np.roll(noise, 1, axis=1)) / noise.var()
    assert spectrum.correlation == pytest.approx(neighbours, abs=0.01)
    assert spectrum.peak == 0.08
    assert spectrum.scaled(2.0).sigma == pytest.approx(2.0 * spectrum.sigma)


def test_a_white_spectrum() -> None:
    white = NoiseSpectrum.white(0.1)
    assert white.is_white
    assert white.sigma == pytest.approx(0.1)
    assert white.correlation == pytest.approx(0.0, abs=1e-9)
    assert np.array_equal(white.amplitude((4, 6)), np.full((4, 4), 0.1))
