import numpy as np
import pytest

from enhancers import registry
from enhancers.classical.nlm import nlm
from enhancers.image import Pixels, from_array
from enhancers.method import Modality
from enhancers.method_interface import load_method
from enhancers.phantoms import phantom
from tests.support.classical_images import colour_photograph, last, noisy, photograph, psnr, rician

SETTINGS = {"beta": 1.2, "patch": 5, "search": 11}


def by_definition(
    pixels: Pixels, sigma: float, noise: str, patch: int, search: int, distance: str
) -> Pixels:
    """The double sum as it is written, pixel by pixel, away from the border."""
    half, reach = patch // 2, search // 2
    corrected = noise == "rician" and distance == "corrected"
    expected = 2 * (patch * sigma) ** 2 if corrected else 0.0
    edge = half + reach
    image = pixels.astype(float)
    result = image.copy()
    for y in range(edge, image.shape[0] - edge):
        for x in range(edge, image.shape[1] - edge):
            square = (1.2 * sigma) ** 2 * (
                max(1.0, image[y, x] / sigma) if noise == "rician" else patch**2
            )
            here = image[y - half : y + half + 1, x - half : x + half + 1]
            total = mean = 0.0
            for v in range(y - reach, y + reach + 1):
                for u in range(x - reach, x + reach + 1):
                    there = image[v - half : v + half + 1, u - half : u + half + 1]
                    apart = max(((here - there) ** 2).sum() - expected, 0.0)
                    weight = np.exp(-apart / square)
                    total, mean = total + weight, mean + weight * image[v, u]
            result[y, x] = mean / total
    if noise == "rician":
        result = np.sqrt(np.maximum(result**2 - 2 * sigma**2, 0))
    return result[edge:-edge, edge:-edge].astype(np.float32)


@pytest.mark.parametrize("distance", ["corrected", "plain"])
@pytest.mark.parametrize("noise", ["gaussian", "rician"])
def test_against_the_definition(noise: str, distance: str) -> None:
    pixels = noisy(photograph(), 0.03)[100:122, 200:225]
    result = nlm(pixels, sigma=0.03, beta=1.2, noise=noise, patch=3, search=7, distance=distance)
    expected = by_definition(pixels, 0.03, noise, 3, 7, distance)
    assert np.allclose(result[4:-4, 4:-4], expected, atol=1e-5)


@pytest.mark.parametrize("sigma", [0.02, 0.04])
def test_rician_noise_is_reduced(sigma: float) -> None:
    truth = phantom("cardiac_mr", size=192, seed=1).pixels
    degraded = rician(truth, sigma)
    result = nlm(degraded, sigma=sigma, noise="rician", **SETTINGS)
    plain = nlm(degraded, sigma=sigma, noise="rician", distance="plain", **SETTINGS)
    assert psnr(plain, truth) > psnr(degraded, truth) + 1.5
    assert psnr(result, truth) > psnr(plain, truth) + 1.5


@pytest.mark.parametrize("sigma", [0.02, 0.05, 0.1])
def test_gaussian_noise_is_reduced(sigma: float) -> None:
    truth = photograph(192)
    degraded = noisy(truth, sigma)
    result = nlm(degraded, sigma=sigma, noise="gaussian", **SETTINGS)
    assert psnr(result, truth) > psnr(degraded, truth) + 2.0


def test_the_rician_bias_of_the_background_is_removed() -> None:
    degraded = rician(np.zeros((64, 64), np.float32), 0.05)
    result = nlm(degraded, sigma=0.05, noise="rician", **SETTINGS)
    assert degraded.mean() > 0.06
    assert result.mean() < 0.1 * degraded.mean()


def test_tiles_do_not_show(monkeypatch: pytest.MonkeyPatch) -> None:
    pixels = noisy(photograph(), 0.05)[:70, :90]
    whole = nlm(pixels, sigma=0.05, noise="rician", **SETTINGS)
    monkeypatch.setattr("enhancers.classical.nlm.TILE", 32)
    assert np.allclose(nlm(pixels, sigma=0.05, noise="rician", **SETTINGS), whole, atol=1e-6)


def test_no_noise_means_no_change() -> None:
    pixels = photograph(64)
    assert np.array_equal(nlm(pixels, sigma=0.0, noise="rician", **SETTINGS), pixels)


def test_even_sides_are_refused() -> None:
    with pytest.raises(ValueError, match="odd"):
        nlm(photograph(32), sigma=0.1, beta=1.2, noise="gaussian", patch=4, search=11)


def test_automatic_noise_and_colour() -> None:
    truth = colour_photograph()
    image = from_array(noisy(truth, 0.05), Modality.OTHER)
    params = registry.resolve("nlm", Modality.OTHER)
    result = last(load_method("nlm").run(image, params, seed=0, device="cpu"))
    assert psnr(result.pixels, truth) > psnr(image.pixels, truth)
    # The luminance of three independent channels has less noise than each.
    assert 0.02 < result.figures[0].value < 0.05
