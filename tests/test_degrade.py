import numpy as np
import pytest

from enhancers.degrade import KINDS, degrade, degrade_image, kspace_mask, smooth_field
from enhancers.errors import ParameterError
from enhancers.image import MedicalImage, Pixels, Window, check_pixels, from_array
from enhancers.low_dose import low_dose_noise, soft_tissue_hu
from enhancers.method import Modality
from enhancers.phantoms import phantom

GRAY = phantom("ct", size=64, seed=0).pixels
COLOUR = phantom("fundus", size=64, seed=0).pixels
FLAT = np.full((256, 256), 0.5, np.float32)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("pixels", [GRAY, COLOUR], ids=["gray", "colour"])
def test_same_seed_same_bytes_and_valid_pixels(kind: str, pixels: Pixels) -> None:
    level = KINDS[kind].default
    first, again = (degrade(pixels, kind, level, seed=3) for _ in range(2))
    check_pixels(first)
    assert first.tobytes() == again.tobytes()
    assert first.ndim == pixels.ndim
    assert first.shape != pixels.shape or np.abs(first - pixels).max() > 0.01


@pytest.mark.parametrize("kind", [key for key in KINDS if key not in {"downsample", "blur"}])
def test_another_seed_draws_anew(kind: str) -> None:
    level = KINDS[kind].default
    assert np.any(degrade(GRAY, kind, level, seed=0) != degrade(GRAY, kind, level, seed=1))


@pytest.mark.parametrize(
    ("kind", "level"),
    [("gaussian", 0), ("speckle", 0), ("rician", 0), ("under_exposure", 1), ("bias_field", 0),
     ("kspace", 1), ("blur", 0), ("low_dose", 1)],
)  # fmt: skip
def test_the_null_level_changes_nothing(kind: str, level: float) -> None:
    for pixels in (GRAY, COLOUR):
        np.testing.assert_allclose(degrade(pixels, kind, level, seed=0), pixels, atol=1e-6)


@pytest.mark.parametrize("kind", KINDS)
def test_default_lies_in_the_range(kind: str) -> None:
    entry = KINDS[kind]
    assert entry.key == kind
    assert entry.check(entry.default) == entry.default
    for level in (entry.low - 1.0, entry.high + 1.0, float("nan"), float("inf")):
        with pytest.raises(ParameterError, match="is not possible"):
            degrade(GRAY, kind, level, seed=0)


def test_errors_name_what_was_given() -> None:
    with pytest.raises(ParameterError, match="did you mean speckle"):
        degrade(GRAY, "spekle", 0.1, seed=0)
    with pytest.raises(ParameterError, match=r"factor=3 .* one of 2, 4, 8"):
        degrade(GRAY, "downsample", 3, seed=0)
    with pytest.raises(ParameterError, match="seed=-1"):
        degrade(GRAY, "gaussian", 0.1, seed=-1)
    with pytest.raises(ParameterError, match="factor=8 is too large"):
        degrade(GRAY[:4], "downsample", 8, seed=0)


def test_gaussian_has_its_sigma() -> None:
    noise = degrade(FLAT, "gaussian", 0.1, seed=0) - FLAT
    assert noise.std() == pytest.approx(0.1, rel=0.02)
    assert abs(float(noise.mean())) < 2e-3


def test_speckle_is_multiplicative_and_shared_by_the_channels() -> None:
    for level in (0.2, 0.5):
        part = degrade(np.full((256, 256), level, np.float32), "speckle", 0.15, seed=0)
        assert part.std() / part.mean() == pytest.approx(0.15, rel=0.02)
    grain = degrade(np.full((32, 32, 3), 0.5, np.float32), "speckle", 0.1, seed=0)
    assert np.ptp(grain, axis=2).max() == 0.0


def test_rician_is_rayleigh_in_air_and_gaussian_in_tissue() -> None:
    air = degrade(np.zeros((256, 256), np.float32), "rician", 0.05, seed=0)
    assert air.mean() == pytest.approx(0.05 * np.sqrt(np.pi / 2), rel=0.01)
    assert air.std() == pytest.approx(0.05 * np.sqrt(2 - np.pi / 2), rel=0.01)
    tissue = degrade(FLAT, "rician", 0.05, seed=0)
    assert (tissue.astype(np.float64) ** 2).mean() == pytest.approx(0.25 + 2 * 0.05**2, rel=0.01)


def test_downsampling_is_the_block_mean() -> None:
    x = np.arange(64, dtype=np.float32).reshape(8, 8) / 63
    expected = [[x[:4, :4].mean(), x[:4, 4:].mean()], [x[4:, :4].mean(), x[4:, 4:].mean()]]
    np.testing.assert_allclose(degrade(x, "downsample", 4, seed=0), expected, atol=1e-6)
    assert degrade(COLOUR[:63, :50], "downsample", 8, seed=0).shape == (7, 6, 3)


def test_under_exposure_is_a_factor_plus_a_small_smooth_veil() -> None:
    veil = degrade(GRAY, "under_exposure", 0.3, seed=0) - 0.3 * GRAY
    assert veil.min() >= -1e-6
    assert 0.01 < veil.max() < 0.1
    assert np.abs(np.diff(veil, axis=0)).max() < 0.1 * veil.max()
    tint = degrade(COLOUR, "under_exposure", 0.3, seed=0) - 0.3 * COLOUR
    assert np.ptp(tint, axis=2).max() < 1e-6


def test_bias_field_is_smooth_and_never_brightens() -> None:
    field = degrade(FLAT, "bias_field", 0.7, seed=0) / FLAT
    assert field.max() == pytest.approx(1.0, abs=1e-6)
    assert field.min() == pytest.approx(np.exp(-0.7), abs=1e-6)
    assert np.abs(np.diff(field, axis=1)).max() < 0.05


def test_kspace_keeps_the_sampled_lines_of_a_consistent_image() -> None:
    mask = kspace_mask(64, 4.0, np.random.default_rng(0))
    assert mask.sum() == 16
    assert mask[[0, 1, -1]].all()
    # A constant lives in the centre of k-space, which is always kept.
    np.testing.assert_allclose(degrade(FLAT, "kspace", 4, seed=0), FLAT, atol=1e-6)


def test_blur_keeps_the_mean() -> None:
    soft = degrade(GRAY, "blur", 2.0, seed=0)
    assert soft.mean() == pytest.approx(GRAY.mean(), rel=1e-3)
    assert np.abs(np.diff(soft, axis=0)).mean() < np.abs(np.diff(GRAY, axis=0)).mean()


def test_smooth_field_fills_the_unit_range() -> None:
    field = smooth_field((40, 60), np.random.default_rng(0))
    assert field.shape == (40, 60)
    assert field.min() == 0.0
    assert field.max() == 1.0


def _cylinder(size: int) -> np.ndarray:
    y, x = np.mgrid[:size, :size] - (size - 1) / 2
    return np.where(np.hypot(x, y) < 0.4375 * size, 0.0, -1000.0)


def _centre(noise: np.ndarray) -> np.ndarray:
    middle, part = noise.shape[0] // 2, noise.shape[0] // 8
    return noise[middle - part : middle + part, middle - part : middle + part]


def test_half_the_dose_adds_the_noise_of_an_abdominal_scan() -> None:
    noise = low_dose_noise(_cylinder(256), 0.5, np.random.default_rng(0), field_mm=400.0)
    assert 8.0 < _centre(noise).std() < 12.5
    assert abs(_centre(noise).mean()) < 2.0


def test_noise_follows_the_dose_the_path_and_not_the_pixel_count() -> None:
    def spread(size: int, dose: float, field: float = 400.0) -> float:
        rng = np.random.default_rng(1)
        return float(_centre(low_dose_noise(_cylinder(size), dose, rng, field_mm=field)).std())

    half = spread(128, 0.5)
    assert spread(128, 0.25) == pytest.approx(np.sqrt(3.0) * half, rel=0.1)
    assert spread(128, 0.8) == pytest.approx(0.5 * half, rel=0.1)
    assert spread(128, 0.5, 250.0) < 0.6 * half
    assert spread(256, 0.5) == pytest.approx(spread(512, 0.5), rel=0.15)


def test_projections_reconstruct_the_cylinder() -> None:
    from enhancers.low_dose import VIEWS, _back_projected, _line_integrals, _ramp_filtered

    disc = (_cylinder(128) == 0.0).astype(np.float64)
    angles = np.arange(VIEWS) * np.pi / VIEWS
    views = _line_integrals(disc, angles, 185, 1)
    assert views.max() == pytest.approx(2 * 0.4375 * 128, rel=0.03)
    image = _back_projected(_ramp_filtered(views, 1.5625), angles, (128, 128))
    assert _centre(image).mean() == pytest.approx(1.0, abs=0.01)
    assert np.abs(image[:8, :8]).mean() < 0.05


def test_soft_tissue_scale() -> None:
    np.testing.assert_allclose(soft_tissue_hu(np.array([0.0, 0.1, 1.0])), [-1000, -120, 240])


def _ct() -> MedicalImage:
    source = _cylinder(64).astype(np.float32)
    window = Window(-160.0, 240.0)
    return MedicalImage(
        window.to_unit(source), window, source, "HU", Modality.CT, "file", spacing=(6.0, 6.0)
    )


def test_image_keeps_its_meaning() -> None:
    image = _ct()
    small = degrade_image(image, "downsample", 4, seed=0)
    assert small.spacing == (24.0, 24.0)
    assert small.window == image.window
    assert small.source.shape == (16, 16)
    assert small.tags[-1] == ("degraded", "downsample, factor 4, seed 0")
    assert small.digest != image.digest


def test_image_in_hu_uses_its_own_values_for_the_dose() -> None:
    image = _ct()
    noisy = degrade_image(image, "low_dose", 0.1, seed=2)
    noise = low_dose_noise(
        image.source.astype(np.float64), 0.1, np.random.default_rng(2), field_mm=64 * 6.0
    )
    expected = np.clip(image.pixels + noise / 400.0, 0, 1)
    np.testing.assert_allclose(noisy.pixels, expected, atol=1e-6)


def test_image_without_units_is_degraded_as_an_array() -> None:
    image = from_array(GRAY, Modality.CT)
    noisy = degrade_image(image, "low_dose", 0.1, seed=2)
    np.testing.assert_array_equal(noisy.pixels, degrade(GRAY, "low_dose", 0.1, seed=2))
