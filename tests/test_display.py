"""What the screen shows is exact: windowing, presets, difference maps, buffers."""

from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from enhancers.display import (
    U16_MAX,
    raw_buffer,
    signed_difference,
    ssim_map,
    thumbnail,
    to_u16,
    window_levels,
    window_u8,
)
from enhancers.errors import ParameterError
from enhancers.image import EACH_SLICE, MedicalImage, NamedWindow, Window, from_array
from enhancers.method import Modality
from enhancers.windows import PRESETS, auto_window, full_window, presets_for, window_limits

CT_WINDOW = Window(-1024.0, 3071.0)
BLACK = from_array(np.zeros((16, 16)))


@pytest.fixture
def image():
    return np.random.default_rng(5).random((40, 56)).astype(np.float32)


def test_every_16_bit_level_survives_the_way_to_the_screen():
    levels = np.arange(U16_MAX + 1, dtype=np.uint16).reshape(256, 256)
    assert np.array_equal(to_u16((levels / U16_MAX).astype(np.float32)), levels)


def test_to_u16_refuses_what_is_not_an_image():
    with pytest.raises(ValueError, match="finite"):
        to_u16(np.full((4, 4), np.nan, np.float32))


@given(
    low=st.integers(-200_000, 200_000),
    width=st.integers(1, 300_000),
    level=st.integers(0, U16_MAX),
)
def test_windowing_is_the_rounded_linear_map(low, width, level):
    shown = int(window_u8(np.array([level], np.uint16), low, low + width)[0])
    exact = Fraction((level - low) * 255, width)
    rounded = (exact + Fraction(1, 2)).__floor__()
    assert shown == min(max(rounded, 0), 255)


def test_the_full_window_is_plain_rounding_to_8_bits():
    levels = np.arange(U16_MAX + 1, dtype=np.uint16)
    expected = np.floor(levels / 257.0 + 0.5).astype(np.uint8)
    assert np.array_equal(window_u8(levels, 0, U16_MAX), expected)


def test_an_8_bit_image_comes_back_byte_for_byte():
    levels = np.arange(256, dtype=np.uint8).reshape(16, 16)
    assert np.array_equal(window_u8(to_u16((levels / 255).astype(np.float32)), 0, U16_MAX), levels)


def test_an_empty_window_is_refused():
    with pytest.raises(ValueError, match="low < high"):
        window_u8(np.zeros(1, np.uint16), 5, 5)


def test_window_levels_follow_the_affine_map():
    assert window_levels(CT_WINDOW.low, CT_WINDOW.high, CT_WINDOW) == (0, U16_MAX)
    low, high = window_levels(-160.0, 240.0, CT_WINDOW)
    back = CT_WINDOW.to_source(np.array([low, high]) / U16_MAX)
    assert back == pytest.approx([-160.0, 240.0], abs=4095 / U16_MAX)
    assert window_levels(5.0, 5.0001, CT_WINDOW)[1] - window_levels(5.0, 5.0001, CT_WINDOW)[0] == 1


def test_presets_of_ct_are_the_customary_ones():
    known = {preset.key: (preset.low, preset.high) for preset in PRESETS[Modality.CT]}
    assert known == {
        "soft-tissue": (-160, 240),
        "lung": (-1350, 150),
        "bone": (-450, 1050),
        "brain": (0, 80),
        "liver": (-20, 140),
    }


def test_presets_are_offered_only_where_their_values_were_kept(image):
    keys = [preset.key for preset in presets_for(Modality.CT, CT_WINDOW, "HU", image)]
    assert keys == ["full", "auto", "soft-tissue", "lung", "bone", "brain", "liver"]
    narrow = presets_for(Modality.CT, Window(-160.0, 240.0), "HU", image)
    assert [preset.key for preset in narrow] == ["full", "auto", "soft-tissue", "brain", "liver"]
    assert [p.key for p in presets_for(Modality.CT, Window(0.0, 1.0), "a.u.")] == ["full"]
    assert [p.key for p in presets_for(Modality.MR, CT_WINDOW, "HU", image)] == ["full", "auto"]


def test_the_automatic_window_leaves_one_percent_on_each_side(image):
    low, high = auto_window(image, Window(0.0, 100.0))
    source = image * 100.0
    assert np.mean(source < low) == pytest.approx(0.01, abs=0.002)
    assert np.mean(source > high) == pytest.approx(0.01, abs=0.002)
    flat = np.full((8, 8), 0.5, np.float32)
    assert auto_window(flat, CT_WINDOW) == (CT_WINDOW.low, CT_WINDOW.high)


def test_the_signed_difference_is_half_for_equal_pixels_and_its_ends_are_the_largest():
    a = np.array([[0.25, 0.0, 1.0, 0.5]], np.float32)
    b = np.array([[0.25, 1.0, 0.0, 0.6]], np.float32)
    assert np.allclose(signed_difference(a, b), [[0.5, 1.0, 0.0, 0.55]], atol=1e-7)


def test_colour_images_are_compared_by_luminance(image):
    colour = np.repeat(image[..., None], 3, axis=2)
    other = image[::-1].copy()
    expected = signed_difference(image, other)
    assert np.allclose(signed_difference(colour, other), expected, atol=1e-5)


def test_differences_that_make_no_sense_are_refused(image):
    with pytest.raises(ValueError, match="subtracted"):
        signed_difference(image, image[:20])


@pytest.mark.parametrize(
    ("source", "window", "full"),
    [
        ((-1024.0, 3071.0), (-160.0, 240.0), (-1024.0, 3071.0)),
        ((10.0, 200.0), (0.0, 255.0), (0.0, 255.0)),
        ((0.0, 1e6), (0.0, 10.0), (0.0, 325.0)),
    ],
)
def test_the_full_window_shows_every_value_unless_one_is_far_away(source, window, full):
    values = np.array([source], np.float32)
    own = Window(*window)
    image = MedicalImage(own.to_unit(values), own, values, "HU", Modality.CT)
    assert full_window(image) == Window(*full)


@pytest.mark.parametrize("shape", [(3, 5), (3, 5, 3)])
def test_a_raw_buffer_is_little_endian_rows(shape):
    pixels = np.random.default_rng(1).random(shape).astype(np.float32)
    buffer = raw_buffer(pixels)
    assert len(buffer) == 2 * pixels.size
    first = round(float(pixels.reshape(-1)[1]) * U16_MAX)
    assert buffer[2:4] == bytes([first % 256, first // 256])
    assert np.array_equal(np.frombuffer(buffer, "<u2").reshape(shape), to_u16(pixels))


@pytest.mark.parametrize(("shape", "expected"), [((300, 200), (64, 42)), ((10, 12), (10, 12))])
def test_a_thumbnail_is_small_and_keeps_the_mean(shape, expected):
    pixels = np.random.default_rng(2).random((*shape, 3)).astype(np.float32)
    small = thumbnail(pixels, 64)
    assert small.shape == (*expected, 3)
    assert small.dtype == np.uint8
    assert small.mean() == pytest.approx(pixels.mean() * 255, abs=1.0)
    assert thumbnail(np.ones((500, 3), np.float32), 64).tolist() == [[255]] * 64


def test_the_map_of_structural_similarity_is_that_of_scikit_image() -> None:
    from skimage.metrics import structural_similarity

    random = np.random.default_rng(0)
    a = random.random((40, 32)).astype(np.float32)
    b = np.clip(a + random.normal(0, 0.1, a.shape), 0, 1).astype(np.float32)
    _, wanted = structural_similarity(
        a.astype(np.float64), b.astype(np.float64), data_range=1.0, full=True,
        gaussian_weights=True, sigma=1.5, use_sample_covariance=False,
    )  # fmt: skip
    inside = (slice(5, -5), slice(5, -5))
    assert np.allclose(ssim_map(a, b)[inside], wanted[inside], atol=1e-5)
    assert np.allclose(ssim_map(a, a), 1.0)
    colour = np.stack([a, a, a], -1)
    assert np.allclose(ssim_map(colour, b), ssim_map(a, b), atol=1e-4)
    with pytest.raises(ValueError, match="cannot be compared"):
        ssim_map(a, b[1:])


@pytest.mark.parametrize(
    ("text", "limits"),
    [
        ("-1000:400", (-1000.0, 400.0)), ("0.5:1e3", (0.5, 1000.0)), ("lung", (-1350.0, 150.0)),
        ("Soft Tissue", (-160.0, 240.0)), ("soft-tissue", (-160.0, 240.0)),
        ("abdomen", (-100.0, 200.0)), ("bone", (0.0, 5.0)), ("each-slice", (7.0, 9.0)),
    ],
)  # fmt: skip
def test_a_window_by_its_limits_or_its_name(text, limits):
    stated = {"Abdomen": (-100, 200), "Bone": (0, 5), EACH_SLICE: (7, 9)}
    windows = tuple(NamedWindow(name, Window(*ends)) for name, ends in stated.items())
    scan = replace(BLACK, units="HU", modality=Modality.CT, windows=windows)
    assert window_limits(scan, text) == limits


@pytest.mark.parametrize("text", ["5:5", "9:1", "1:", ":", "nan:1", "0:inf", "a:b"])
def test_limits_that_are_no_window_are_refused(text):
    with pytest.raises(ParameterError, match="the lower one first"):
        window_limits(BLACK, text)


@pytest.mark.parametrize("text", ["", "kidney", "b", "each"])
def test_an_unknown_or_unclear_name_lists_the_known_ones(text):
    scan = replace(BLACK, units="HU", modality=Modality.CT)
    with pytest.raises(ParameterError, match="Soft tissue, Lung, Bone, Brain, Liver"):
        window_limits(scan, text)
    with pytest.raises(ParameterError, match=r"give LOW:HIGH in gray level\.$"):
        window_limits(replace(BLACK, units="gray level"), text)


def test_windows_of_an_inverted_image() -> None:
    """MONOCHROME1: black is the upper end of every window, and levels rise with brightness."""
    source = np.linspace(-1000, 1000, 64 * 64, dtype=np.float32).reshape(64, 64)
    window = Window(240.0, -160.0)
    image = MedicalImage(window.to_unit(source), window, source, "HU", Modality.CT)
    full = full_window(image)
    assert full == Window(1000.0, -1000.0)
    pixels = full.to_unit(image.source)
    for preset in presets_for(Modality.CT, full, "HU", pixels):
        assert preset.low > preset.high
        first, last = window_levels(preset.low, preset.high, full)
        assert first < last
    shown = window_u8(to_u16(pixels), *window_levels(240.0, -160.0, full))
    assert np.abs(shown / 255.0 - image.pixels).max() < 0.01
    assert np.abs(full.to_source(pixels) - source).max() < 1e-3
