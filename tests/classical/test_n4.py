import numpy as np
import pytest
import SimpleITK

from enhancers import registry
from enhancers.classical.n4 import CONVERGENCE, divide, effective_shrink, foreground_mask, n4
from enhancers.degrade import degrade, smooth_field
from enhancers.image import Pixels, from_array
from enhancers.method import Modality, ParameterValue
from enhancers.method_interface import Result, load_method
from enhancers.phantoms import phantom
from tests.support.classical_images import last


def drift(height: int, width: int) -> Pixels:
    y, x = np.mgrid[:height, :width] / [[[height]], [[width]]] * 2 - 1
    return np.exp(0.35 * x - 0.2 * y * y).astype(np.float32)


def tissues(height: int, width: int) -> Pixels:
    """Three tissues in many small pieces, in air: the case the method is made for."""
    rng = np.random.default_rng(4)
    pieces = rng.choice([0.3, 0.45, 0.6], size=(-(-height // 8), -(-width // 8)))
    image = np.kron(pieces, np.ones((8, 8)))[:height, :width]
    image += rng.normal(0, 0.01, image.shape)
    y, x = np.mgrid[:height, :width] / [[[height]], [[width]]] * 2 - 1
    image[x * x + y * y > 0.9] = 0.0
    return np.clip(image, 0, 1).astype(np.float32)


def log_field(pixels: Pixels, mask: np.ndarray, **given: int) -> np.ndarray:
    settings = {"shrink": 4, "levels": 3, "iterations": 50} | given
    *_, field = n4(pixels, mask, **settings)
    return field.log_field


def test_a_known_field_is_removed() -> None:
    truth = tissues(160, 192)
    field = drift(160, 192)
    degraded = np.clip(truth * field, 0, 1)
    mask = foreground_mask(degraded)
    error = np.log(field) - log_field(degraded, mask, shrink=2)
    assert error[mask].std() < 0.4 * np.log(field)[mask].std()


def test_round_by_round_is_what_one_call_computes() -> None:
    pixels = np.clip(tissues(128, 128) * drift(128, 128), 0, 1)
    mask = foreground_mask(pixels)
    full = SimpleITK.GetImageFromArray(pixels)
    fit = SimpleITK.N4BiasFieldCorrectionImageFilter()
    fit.SetMaximumNumberOfIterations([10, 10, 10])
    fit.SetConvergenceThreshold(CONVERGENCE)
    small_mask = SimpleITK.GetImageFromArray(mask.astype(np.uint8))
    fit.Execute(SimpleITK.Shrink(full, [2, 2]), SimpleITK.Shrink(small_mask, [2, 2]))
    expected = SimpleITK.GetArrayFromImage(fit.GetLogBiasFieldAsImage(full))
    found = log_field(pixels, mask, shrink=2, iterations=10)
    assert np.abs(found - expected)[mask].max() < 1e-4


def test_a_large_image_has_the_field_of_a_small_one(monkeypatch: pytest.MonkeyPatch) -> None:
    pixels = np.clip(tissues(300, 260) * drift(300, 260), 0, 1)
    mask = foreground_mask(pixels)
    exact = log_field(pixels, mask, shrink=3)
    monkeypatch.setattr("enhancers.classical.n4.MAX_SIDE", 128)
    assert np.abs(log_field(pixels, mask, shrink=3) - exact).max() < 3e-3


def test_the_mean_of_the_mask_is_kept_and_air_stays_black() -> None:
    pixels = phantom("cardiac_mr", size=128, seed=0).pixels * np.float32(0.8)
    pixels = np.clip(pixels * drift(128, 128), 0, 1)
    mask = foreground_mask(pixels)
    corrected = divide(pixels, log_field(pixels, mask), mask)
    assert corrected[mask].mean() == pytest.approx(pixels[mask].mean(), rel=1e-4)
    assert np.all(corrected[pixels == 0] == 0)


def test_mask_is_above_zero() -> None:
    pixels = tissues(64, 64)
    mask = foreground_mask(pixels)
    assert pixels[mask].min() > 0
    assert 0.4 < mask.mean() < 0.9


@pytest.mark.parametrize(
    ("shape", "asked", "used"),
    [((256, 256), 4, 4), ((300, 140), 4, 2), ((16, 16), 8, 1), ((4096, 4096), 4, 8)],
)
def test_shrinking_is_kept_in_limits(shape: tuple[int, int], asked: int, used: int) -> None:
    assert effective_shrink(shape, asked) == used


def test_every_round_is_a_step() -> None:
    image = from_array(np.clip(tissues(64, 64) * drift(64, 64), 0, 1), Modality.MR)
    given: dict[str, ParameterValue] = {"levels": 2, "iterations": 20, "apply": "always"}
    params = registry.resolve("n4", Modality.MR, given)
    steps = list(load_method("n4").run(image, params, seed=0, device="cpu"))
    assert 4 <= len(steps) <= 6
    assert last(steps).figures[0].value > 1.0


def corrected(pixels: Pixels, **given: str) -> Result:
    params = registry.resolve("n4", Modality.MR, given)
    image = from_array(pixels, Modality.MR)
    return last(load_method("n4").run(image, params, seed=0, device="cpu"))


@pytest.mark.parametrize("noise", [0.0, 0.04])
def test_an_image_without_a_field_is_left_alone_and_told(noise: float) -> None:
    pixels = phantom("cardiac_mr", size=192, seed=3).pixels
    pixels = degrade(pixels, "rician", noise, seed=1)
    result = corrected(pixels)
    assert np.array_equal(result.pixels, pixels)
    assert "No bias field was found" in result.notes[0]
    assert result.figures[0].value == 1.0
    assert not np.array_equal(corrected(pixels, apply="always").pixels, pixels)


@pytest.mark.parametrize("noise", [0.0, 0.04])
def test_a_field_of_forty_percent_is_found_removed_and_told(noise: float) -> None:
    truth = phantom("cardiac_mr", size=256, seed=3).pixels
    field = np.exp(-0.4 * smooth_field(truth.shape, np.random.default_rng(3))).astype(np.float32)
    noisy = degrade(truth * field, "rician", noise, seed=1)
    result = corrected(noisy)
    assert "A bias field was found" in result.notes[0]
    mask = foreground_mask(noisy) & (result.pixels < 1.0)
    removed = np.log(noisy[mask] / result.pixels[mask])
    assert (np.log(field[mask]) - removed).std() < 0.75 * np.log(field[mask]).std()
