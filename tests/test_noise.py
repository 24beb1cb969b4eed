from functools import cache

import numpy as np
import pytest
import skimage.data
from pydicom.data import get_testdata_file
from scipy.ndimage import gaussian_filter

from enhancers.colour import luminance
from enhancers.degrade import degrade
from enhancers.image import Pixels
from enhancers.load import load
from enhancers.noise import (
    estimate_rician_sigma,
    estimate_sigma,
    estimate_speckle_noise,
)
from enhancers.phantoms import phantom

SEEDS = (0, 1, 2)
GRAY_KINDS = ("cardiac_mr", "ct", "echo", "chest_xray")
REAL = {
    "mr": "examples_overlay.dcm",
    "ct": "J2K_pixelrep_mismatch.dcm",
    "us": "examples_jpeg2k.dcm",
}
"""Real slices that pydicom has in its package."""


@cache
def clean(kind: str, seed: int) -> Pixels:
    return phantom(kind, size=256, seed=seed).pixels


@cache
def real(name: str) -> Pixels:
    """A real slice under the window of its file, or scikit-image's micrograph of a cell."""
    if name == "microscopy":
        return (skimage.data.cell() / 255.0).astype(np.float32)
    return luminance(load(get_testdata_file(REAL[name], download=False)).pixels)


@pytest.mark.parametrize("kind", GRAY_KINDS)
@pytest.mark.parametrize("sigma", [0.05, 0.1, 0.15, 0.2])
def test_clipped_gaussian_within_ten_percent(kind: str, sigma: float) -> None:
    for seed in SEEDS:
        found = estimate_sigma(degrade(clean(kind, seed), "gaussian", sigma, seed=seed))
        assert found == pytest.approx(sigma, rel=0.1)


@pytest.mark.parametrize("kind", GRAY_KINDS)
def test_a_clean_phantom_reads_as_nearly_free_of_noise(kind: str) -> None:
    for seed in SEEDS:
        assert estimate_sigma(clean(kind, seed)) < 0.005


@pytest.mark.parametrize("name", [*REAL, "microscopy"])
@pytest.mark.parametrize("sigma", [0.05, 0.1, 0.15, 0.2])
def test_clipped_gaussian_on_real_slices(name: str, sigma: float) -> None:
    for seed in SEEDS:
        found = estimate_sigma(degrade(real(name), "gaussian", sigma, seed=seed))
        assert found == pytest.approx(sigma, rel=0.06)


@pytest.mark.parametrize(
    ("name", "least", "most"),
    [("mr", 0.0, 0.01), ("microscopy", 0.0, 0.01), ("ct", 0.02, 0.03), ("us", 0.02, 0.05)],
)
def test_noise_that_a_real_image_has(name: str, least: float, most: float) -> None:
    # The head CT has correlated noise of 0.03 in its white matter, the ultrasound image speckle.
    assert least <= estimate_sigma(real(name)) < most


def test_levels_beyond_the_contract_keep_their_order() -> None:
    found = [
        estimate_sigma(degrade(clean("ct", 0), "gaussian", s, seed=0)) for s in (0.01, 0.02, 0.3)
    ]
    assert found[0] == pytest.approx(0.01, rel=0.25)
    assert found[1] == pytest.approx(0.02, rel=0.15)
    assert found[2] == pytest.approx(0.3, rel=0.15)


def test_colour_channels_are_averaged() -> None:
    noisy = degrade(clean("fundus", 0), "gaussian", 0.1, seed=0)
    assert estimate_sigma(noisy) == pytest.approx(0.1, rel=0.1)


@pytest.mark.parametrize("value", [0.0, 0.4, 1.0])
@pytest.mark.parametrize("shape", [(16, 16), (1, 1), (40, 17), (20, 20, 3)])
def test_a_constant_image_has_no_noise(value: float, shape: tuple[int, ...]) -> None:
    image = np.full(shape, value, np.float32)
    assert estimate_sigma(image) == 0.0
    assert estimate_rician_sigma(image) == 0.0
    assert estimate_speckle_noise(image) == pytest.approx(0.0, abs=1e-6)


def test_a_black_frame_does_not_lower_the_estimate() -> None:
    framed = np.zeros((400, 400), np.float32)
    framed[72:328, 72:328] = degrade(clean("chest_xray", 0), "gaussian", 0.1, seed=0)
    assert estimate_sigma(framed) == pytest.approx(0.1, rel=0.1)


def test_nothing_but_black_and_white_still_gives_a_number() -> None:
    checks = (np.indices((64, 64)).sum(0) // 8 % 2).astype(np.float32)
    assert 0.0 <= estimate_sigma(checks) <= 0.5


def test_a_small_image_is_estimated() -> None:
    flat = np.full((16, 16), 0.5, np.float32)
    found = [estimate_sigma(degrade(flat, "gaussian", 0.1, seed=seed)) for seed in range(8)]
    assert np.mean(found) == pytest.approx(0.1, rel=0.25)


@pytest.mark.parametrize("sigma", [0.02, 0.04, 0.1])
def test_rician_on_phantoms(sigma: float) -> None:
    for seed in SEEDS:
        noisy = degrade(clean("cardiac_mr", seed), "rician", sigma, seed=seed)
        assert estimate_rician_sigma(noisy) == pytest.approx(sigma, rel=0.12)


def test_rician_with_the_background_set_to_zero() -> None:
    noisy = degrade(clean("cardiac_mr", 0), "rician", 0.04, seed=0)
    masked = np.where(clean("cardiac_mr", 0) > 0.03, noisy, 0.0).astype(np.float32)
    assert estimate_rician_sigma(masked) == pytest.approx(0.04, rel=0.15)


@pytest.mark.parametrize("sigma", [0.02, 0.04])
def test_rician_on_a_real_slice(sigma: float) -> None:
    for seed in SEEDS:
        found = estimate_rician_sigma(degrade(real("mr"), "rician", sigma, seed=seed))
        assert found == pytest.approx(sigma, rel=0.05)


@pytest.mark.parametrize("level", [0.1, 0.2, 0.3])
def test_speckle_of_a_flat_field(level: float) -> None:
    flat = np.full((256, 256), 0.4, np.float32)
    found = estimate_speckle_noise(degrade(flat, "speckle", level, seed=0))
    assert found == pytest.approx(level, rel=0.12)


@pytest.mark.parametrize(("level", "spread"), [(0.05, 0.0), (0.2, 0.0), (0.1, 0.7)])
def test_speckle_noise_of_a_textured_field(level: float, spread: float) -> None:
    rng = np.random.default_rng(0)
    texture, grain = (
        gaussian_filter(rng.standard_normal((256, 256)), width) for width in (3.0, spread)
    )
    image = 0.4 * (1.0 + 0.15 * texture / texture.std()) * (1.0 + level * grain / grain.std())
    found = estimate_speckle_noise(np.clip(image, 0.0, 1.0).astype(np.float32))
    assert found == pytest.approx(level, rel=0.2)


def test_speckle_grows_with_what_was_added() -> None:
    for seed in SEEDS:
        image = clean("echo", seed)
        found = [estimate_speckle_noise(image)]
        found += [
            estimate_speckle_noise(degrade(image, "speckle", s, seed=0)) for s in (0.1, 0.2, 0.3)
        ]
        assert found == sorted(found)
        # The tissue's own grain adds in squares.
        assert found[3] == pytest.approx(np.hypot(0.3, found[0]), rel=0.15)
