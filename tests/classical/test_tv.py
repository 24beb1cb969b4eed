import numpy as np
import pytest
from skimage.restoration import denoise_tv_chambolle

from enhancers import registry
from enhancers.classical.tv import tv
from enhancers.image import from_array
from enhancers.method import Modality
from enhancers.method_interface import load_method
from tests.support.classical_images import last, noisy, photograph, psnr


def variation(pixels: np.ndarray) -> float:
    return float(np.abs(np.diff(pixels, axis=0)).sum() + np.abs(np.diff(pixels, axis=1)).sum())


def test_a_small_image_is_the_librarys_result() -> None:
    pixels = noisy(photograph(96), 0.1)
    expected = denoise_tv_chambolle(pixels, weight=0.1, eps=2e-4, max_num_iter=200)
    assert np.allclose(tv(pixels, weight=0.1, iterations=200), expected, atol=1e-6)


@pytest.mark.parametrize("sigma", [0.05, 0.1])
def test_automatic_weight_reduces_the_noise(sigma: float) -> None:
    truth = photograph(192)
    degraded = noisy(truth, sigma)
    params = registry.resolve("tv", Modality.CT)
    image = from_array(degraded, Modality.CT)
    result = last(load_method("tv").run(image, params, seed=0, device="cpu"))
    assert psnr(result.pixels, truth) > psnr(degraded, truth) + 3.0


def test_more_weight_leaves_less_variation() -> None:
    pixels = noisy(photograph(96), 0.1)
    results = [tv(pixels, weight=weight, iterations=100) for weight in (0.0, 0.02, 0.1, 0.5)]
    assert np.array_equal(results[0], pixels)
    assert np.all(np.diff([variation(result) for result in results]) < 0)


def test_tiles_hardly_show(monkeypatch: pytest.MonkeyPatch) -> None:
    truth = photograph()[:200, :331]
    pixels = noisy(truth, 0.05)
    whole = tv(pixels, weight=0.0425, iterations=200)
    monkeypatch.setattr("enhancers.classical.tv.TILE", 128)
    tiled = tv(pixels, weight=0.0425, iterations=200)
    # A tile may stop an iteration earlier than the whole: about one 8-bit level in the mean.
    assert np.sqrt(np.mean((tiled - whole) ** 2)) < 0.004
    assert psnr(tiled, truth) == pytest.approx(psnr(whole, truth), abs=0.1)


def test_tiles_of_an_unchanged_image_add_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("enhancers.classical.tv.TILE", 64)
    pixels = photograph(150)[:, :90]
    assert np.allclose(tv(pixels, weight=0.0, iterations=10), pixels, atol=1e-6)
