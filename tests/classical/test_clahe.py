import cv2
import numpy as np
import pytest
from scipy.ndimage import gaussian_filter
from skimage.color import rgb2lab

from enhancers import registry
from enhancers.classical.clahe import clahe, lightness
from enhancers.image import Pixels, from_array
from enhancers.method import Modality
from enhancers.method_interface import load_method
from enhancers.phantoms import phantom
from tests.support.classical_images import colour_photograph, last, noisy, photograph, psnr


def eight_bit(pixels: Pixels, clip_limit: float, tiles: int = 8) -> Pixels:
    levels = np.rint(pixels * 255).astype(np.uint8)
    return cv2.createCLAHE(clip_limit, (tiles, tiles)).apply(levels).astype(np.float32) / 255


@pytest.mark.parametrize("clip_limit", [1.0, 2.0, 4.0])
@pytest.mark.parametrize("precision", ["8 bit", "float", "filtered"])
@pytest.mark.parametrize("subject", ["photograph", "chest_xray", "cardiac_mr"])
def test_close_to_the_8_bit_result_at_every_precision(
    subject: str, precision: str, clip_limit: float
) -> None:
    pixels = photograph() if subject == "photograph" else phantom(subject, size=256, seed=3).pixels
    if precision == "8 bit":
        pixels = (np.rint(pixels * 255) / 255).astype(np.float32)
    elif precision == "float":
        pixels = noisy(pixels, 0.01)
    else:
        pixels = gaussian_filter(pixels, 2.0)
    result = clahe(pixels, clip_limit=clip_limit, tiles=8)
    assert psnr(result, eight_bit(pixels, clip_limit)) >= 30.0
    assert clip_limit < 2.0 or psnr(result, pixels) < 30.0


def test_fine_gradations_survive() -> None:
    ramp = np.linspace(0.2, 0.6, 128 * 128, dtype=np.float32).reshape(128, 128)
    assert len(np.unique(clahe(ramp, clip_limit=2.0, tiles=2))) > 4096


def test_contrast_gain_is_limited() -> None:
    pixels = (0.5 + 0.02 * (photograph(256) - 0.5)).astype(np.float32)
    gains = [np.ptp(clahe(pixels, clip_limit=clip, tiles=1)) / np.ptp(pixels) for clip in (1, 2, 4)]
    for gain, clip in zip(gains, (1, 2, 4), strict=True):
        assert 1.0 < gain <= clip + 1.01
    assert gains[0] < gains[1] < gains[2]


def test_a_tiny_limit_changes_little() -> None:
    pixels = photograph(128)
    assert psnr(clahe(pixels, clip_limit=0.1, tiles=8), pixels) > 35.0


def test_black_stays_black_and_order_is_kept_in_a_tile() -> None:
    pixels = photograph(64).copy()
    pixels[:32] = 0.0
    result = clahe(pixels, clip_limit=20.0, tiles=1)
    assert np.abs(result[:32]).max() == 0.0
    order = np.argsort(pixels, axis=None)
    assert np.all(np.diff(result.ravel()[order]) >= -1e-6)


def test_bands_do_not_show(monkeypatch: pytest.MonkeyPatch) -> None:
    pixels = photograph(100)[:, :70]
    whole = clahe(pixels, clip_limit=2.0, tiles=8)
    monkeypatch.setattr("enhancers.classical.clahe.BAND_PIXELS", 1)
    assert np.array_equal(clahe(pixels, clip_limit=2.0, tiles=8), whole)


def test_colour_changes_lightness_and_keeps_hue() -> None:
    pixels = colour_photograph()
    params = registry.resolve("clahe", Modality.FUNDUS)
    image = from_array(pixels, Modality.FUNDUS)
    result = last(load_method("clahe").run(image, params, seed=0, device="cpu")).pixels
    expected = clahe(lightness(pixels), clip_limit=2.0, tiles=8)
    assert np.abs(lightness(result) - expected).max() < 0.002
    before, after = rgb2lab(pixels), rgb2lab(result)
    colours = [np.hypot(lab[..., 1], lab[..., 2]) for lab in (before, after)]
    clear = (colours[0] > 10) & (colours[1] > 10)
    turns = np.angle(
        np.exp(
            1j * np.arctan2(after[..., 2], after[..., 1])
            - 1j * np.arctan2(before[..., 2], before[..., 1])
        )
    )
    assert clear.mean() > 0.2
    assert np.degrees(np.abs(turns[clear])).max() < 1.0
