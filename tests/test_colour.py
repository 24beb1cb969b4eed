import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from enhancers.colour import LUMA, luminance, with_luminance

rgb = hnp.arrays(np.float32, (4, 5, 3), elements=st.floats(0, 1, width=32))
gray = hnp.arrays(np.float32, (4, 5), elements=st.floats(0, 1, width=32))


def test_luminance_weighs_as_rec_601() -> None:
    assert np.allclose(luminance(np.eye(3, dtype=np.float32)[None])[0], [0.299, 0.587, 0.114])
    assert LUMA.sum() == pytest.approx(1.0)


def test_gray_passes_through() -> None:
    pixels = np.random.default_rng(0).random((3, 4)).astype(np.float32)
    assert luminance(pixels) is pixels
    assert np.array_equal(with_luminance(pixels, pixels[::-1]), pixels[::-1])


@settings(deadline=None)
@given(rgb, st.sampled_from(["chroma", "saturation"]))
def test_round_trip(pixels: np.ndarray, keep: str) -> None:
    assert np.abs(with_luminance(pixels, luminance(pixels), keep=keep) - pixels).max() < 1e-5


@settings(deadline=None)
@given(rgb, gray, st.sampled_from(["chroma", "saturation"]))
def test_luminance_is_replaced_and_hue_kept(pixels: np.ndarray, new: np.ndarray, keep: str) -> None:
    result = with_luminance(pixels, new, keep=keep)
    assert result.dtype == np.float32
    assert result.min() >= 0.0
    assert result.max() <= 1.0
    assert np.abs(luminance(result) - new).max() < 1e-5
    before, after = pixels - luminance(pixels)[..., None], result - new[..., None]
    # The chroma only changes length: no component turns sign or leaves the direction.
    assert np.abs(np.cross(before, after)).max() < 1e-5
    assert (before * after).sum(-1).min() > -1e-6


def test_chroma_is_kept_exactly_where_it_fits() -> None:
    pixels = np.full((2, 2, 3), [0.5, 0.4, 0.3], np.float32)
    new = luminance(pixels) + np.float32(0.2)
    assert np.allclose(with_luminance(pixels, new), pixels + 0.2, atol=1e-6)


def test_saturation_follows_the_lighting() -> None:
    bright = np.random.default_rng(1).uniform(0.1, 0.9, (6, 6, 3)).astype(np.float32)
    dark = bright * np.float32(0.3)
    assert np.allclose(
        with_luminance(dark, luminance(bright), keep="saturation"), bright, atol=0.02
    )


def test_enlarged_luminance_gets_enlarged_chroma() -> None:
    pixels = np.zeros((4, 6, 3), np.float32)
    pixels[:, :3], pixels[:, 3:] = [0.6, 0.3, 0.3], [0.3, 0.3, 0.6]
    new = np.kron(luminance(pixels), np.ones((4, 4), np.float32))
    result = with_luminance(pixels, new)
    assert result.shape == (16, 24, 3)
    assert np.abs(luminance(result) - new).max() < 1e-5
    assert np.allclose(result[0, 0], [0.6, 0.3, 0.3], atol=0.02)
    assert np.allclose(result[0, -1], [0.3, 0.3, 0.6], atol=0.02)


def test_other_sizes_and_words_are_refused() -> None:
    pixels = np.zeros((4, 6, 3), np.float32)
    with pytest.raises(ValueError, match="whole multiple"):
        with_luminance(pixels, np.zeros((8, 13), np.float32))
    with pytest.raises(ValueError, match="keep"):
        with_luminance(pixels, np.zeros((4, 6), np.float32), keep="hue")
