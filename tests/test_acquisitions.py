"""Simulated scanners: their values, noise and samples against theory."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from enhancers.degrade import degrade, degrade_image
from enhancers.degrade.acquisitions import echoes_of
from enhancers.degrade.ct import Scanner, reconstructed, scanned
from enhancers.degrade.kinds import KINDS
from enhancers.degrade.mr import Acquisition, acquired, sampled_lines, sensitivities, zero_filled
from enhancers.degrade.ultrasound import Probe, echoes
from enhancers.errors import ParameterError
from enhancers.image import MedicalImage, Window, from_array
from enhancers.measured import CoilSpectrum, SampledSpectrum
from enhancers.method import Modality
from enhancers.phantoms import phantom

QUIET = Scanner(photons=1e12, electronic=0.0)
SIDE, PIXEL = 96, 3.0


def _cylinder(hu: float = 0.0, radius: float = 100.0) -> np.ndarray:
    axis = (np.arange(SIDE) - (SIDE - 1) / 2) * PIXEL
    return np.where(np.hypot(*np.meshgrid(axis, axis)) < radius, hu, -1000.0)


def _inner(image: np.ndarray) -> np.ndarray:
    return image[SIDE // 2 - 12 : SIDE // 2 + 12, SIDE // 2 - 12 : SIDE // 2 + 12]


@pytest.mark.parametrize("fan", [False, True])
def test_a_scan_without_noise_gives_hu_back(fan: bool) -> None:
    hu = _cylinder(60.0)
    found = reconstructed(
        scanned(hu, 1.0, np.random.default_rng(0), replace(QUIET, fan=fan), pixel=PIXEL)
    )
    assert _inner(found).mean() == pytest.approx(60.0, abs=12.0)
    assert found[:8, :8].mean() == pytest.approx(-1000.0, abs=20.0)


def test_a_quarter_of_the_photons_doubles_the_noise() -> None:
    hu = _cylinder()
    spread = {}
    for dose in (1.0, 0.25):
        noise = [
            _inner(reconstructed(scanned(hu, dose, np.random.default_rng(seed), Scanner(
                electronic=0.0), pixel=PIXEL))) for seed in range(4)
        ]  # fmt: skip
        spread[dose] = float(np.std(np.array(noise) - np.mean(noise, axis=0)))
    assert spread[0.25] / spread[1.0] == pytest.approx(2.0, rel=0.12)


def test_the_noise_of_a_ray_is_that_of_its_counts() -> None:
    """Variance of log counts: 1 / N exp(p), and more by the electronics where few arrive."""
    hu = _cylinder()
    scanner = Scanner(photons=2e4, electronic=30.0)
    clean = scanned(hu, 1.0, np.random.default_rng(0), QUIET, pixel=PIXEL).values
    noisy = [
        scanned(hu, 1.0, np.random.default_rng(seed), scanner, pixel=PIXEL).values
        for seed in range(6)
    ]
    errors = np.array(noisy) - clean
    middle = clean.shape[1] // 2
    for rays in (slice(middle - 2, middle + 3), slice(0, 5)):
        counts = 2e4 * np.exp(-clean[:, rays])
        expected = float((1 / counts + 30.0**2 / counts**2).mean())
        assert errors[:, :, rays].var() == pytest.approx(expected, rel=0.1)


def test_starved_rays_stay_finite() -> None:
    found = scanned(_cylinder(1500.0), 0.005, np.random.default_rng(0), Scanner(), pixel=PIXEL)
    assert np.isfinite(found.values).all()
    assert np.isfinite(reconstructed(found)).all()


def test_a_ct_keeps_its_hu_beyond_the_window_and_its_shape() -> None:
    hu = _cylinder(60.0)[8:88].astype(np.float32)
    window = Window(-160.0, 240.0)
    image = MedicalImage(
        pixels=window.to_unit(hu), window=window, source=hu, units="HU", modality=Modality.CT,
        spacing=(PIXEL, PIXEL),
    )  # fmt: skip
    scan = degrade_image(
        image, "ct_dose", 1.0, seed=0, settings={"photons": 1e8, "electronic": 0.0}
    )
    assert scan.shape == (80, SIDE)
    assert float(scan.source[:4, :4].mean()) == pytest.approx(-1000.0, abs=30.0)
    assert scan.measured is not None
    projections = scan.measured.projections
    assert projections is not None
    assert projections.shape == (80, SIDE)
    assert projections.beam.pixel == PIXEL
    (_, said) = scan.tags[-1]
    assert "dose fraction 1" in said
    assert "photons 1e+08" in said
    assert "beam parallel" in said


def test_a_large_image_is_not_scanned() -> None:
    with pytest.raises(ParameterError, match="640 pixels"):
        degrade(np.full((16, 700), 0.5, np.float32), "ct_dose", 0.25, seed=0)


def test_lines_are_as_many_as_the_acceleration_says() -> None:
    rng = np.random.default_rng(0)
    for equispaced in (False, True):
        how = Acquisition(centre=0.08, equispaced=equispaced)
        found = [sampled_lines(240, 6, rng, how) for _ in range(40)]
        assert {int(one.sum()) for one in found} == {40}
        frequency = np.abs(np.fft.fftfreq(240)) * 240
        assert all(one[frequency <= 9].all() for one in found)
        density = np.mean(found, axis=0)
        near, far = density[(frequency > 12) & (frequency < 40)], density[frequency > 90]
        assert (near.mean() > 2 * far.mean()) is not equispaced
    steps = np.diff(np.flatnonzero(np.fft.fftshift(found[-1])))
    assert {int(step) for step in steps} <= {1, 10, 11, 12, *range(2, 12)}


def test_all_lines_without_noise_are_the_image() -> None:
    image = phantom("cardiac_mr", size=64, seed=0).pixels.astype(np.float64)
    for coils in (1, 8):
        how = Acquisition(coils=coils, snr=300.0)
        found = acquired(image, 1.0, np.random.default_rng(0), how)
        assert isinstance(found, CoilSpectrum if coils > 1 else SampledSpectrum)
        np.testing.assert_allclose(zero_filled(found), image, atol=1e-5)


def test_the_squares_of_sensitivities_add_up_to_one() -> None:
    found = sensitivities(8, (48, 40), np.random.default_rng(0))
    np.testing.assert_allclose((np.abs(found) ** 2).sum(0), 1.0)
    weights = np.abs(found).reshape(8, -1)
    assert (weights.max(1) > 2 * weights.min(1)).all(), "every coil has a place that it sees best"


def test_noise_in_k_space_has_the_stated_power() -> None:
    image = phantom("cardiac_mr", size=128, seed=0).pixels.astype(np.float64)
    quiet, noisy = (
        acquired(image, 1.0, np.random.default_rng(3), Acquisition(snr=snr)) for snr in (300, 10)
    )
    noise = np.abs(noisy.samples - quiet.samples) ** 2
    assert noise.mean() == pytest.approx((image**2).mean() / 10, rel=0.05)


def test_unsampled_lines_have_no_noise() -> None:
    image = phantom("cardiac_mr", size=64, seed=0).pixels.astype(np.float64)
    found = acquired(image, 6.0, np.random.default_rng(0), Acquisition(coils=4))
    assert not found.samples[:, ~found.sampled].any()
    assert found.samples[:, found.sampled].all()


def test_k_space_of_hu_is_refused() -> None:
    image = replace(from_array(np.full((32, 32), 0.5, np.float32)), window=Window(-160.0, 240.0))
    with pytest.raises(ParameterError, match="ct_dose for CT"):
        degrade_image(image, "mr_undersample", 4, seed=0)


def test_speckle_of_even_tissue_is_rayleigh_distributed() -> None:
    """The amplitude has a mean 1.91 times its deviation, and the mean power of the tissue."""
    probe = Probe(axial=1.0, lateral=2.0, dynamic_range=60.0)
    found = echoes(np.full((400, 400), 0.6), 60.0, np.random.default_rng(0), probe).speckled
    amplitude = 10 ** ((found - 1) * 60 / 20)
    assert amplitude.mean() / amplitude.std() == pytest.approx(1.913, rel=0.03)
    assert 10 * np.log10((amplitude**2).mean()) == pytest.approx(-0.4 * 60, abs=0.2)


def test_speckle_is_as_wide_as_the_point_spread() -> None:
    probe = Probe(axial=1.0, lateral=3.0)
    found = echoes(np.full((300, 300), 0.6), 60.0, np.random.default_rng(0), probe).speckled
    power = 10 ** ((found - 1) * 60 / 10)
    power -= power.mean()
    spectrum = np.abs(np.fft.fft2(power)) ** 2
    correlation = np.fft.ifft2(spectrum).real / spectrum.mean()
    # Of the amplitude exp(-d² / 4 s²), of the power its square.
    for axis, width in ((0, 1.0), (1, 3.0)):
        line = correlation.take(0, axis=1 - axis)
        assert line[int(width)] == pytest.approx(
            np.exp(-(int(width) ** 2) / (2 * width**2)), abs=0.1
        )


@pytest.mark.parametrize("snr", [-6.0, 6.0])
def test_noise_has_the_stated_power_over_the_field(snr: float) -> None:
    image = phantom("echo", size=256, seed=0).pixels
    image = 0.8 * image  # so that no bright echo is cut off
    probe = KINDS["us_snr"].resolve({"range": 120.0})
    clean, noisy = (
        echoes_of(from_array(image), level, np.random.default_rng(0), probe).noisy
        for level in (60.0, snr)
    )
    power = [10 ** ((one - 1) * 120 / 10) for one in (clean, noisy)]
    signal = power[0][image > 0].mean()
    # Where there is no signal, all is noise.
    black = power[1][image == 0] if (image == 0).sum() > 100 else power[1] - power[0]
    assert 10 * np.log10(signal / black.mean()) == pytest.approx(snr, abs=0.8)


def test_black_stays_black_without_noise() -> None:
    image = phantom("echo", size=128, seed=0).pixels
    found = degrade(image, "us_snr", 60.0, seed=0)
    assert float(found[image == 0].mean()) < 0.05


def test_a_setting_that_is_not_there_is_named() -> None:
    with pytest.raises(ParameterError, match="ct_dose has no parameter coils"):
        degrade(np.full((32, 32), 0.5, np.float32), "ct_dose", 0.5, seed=0, settings={"coils": 2})
    with pytest.raises(ParameterError, match="beam=cone"):
        degrade(
            np.full((32, 32), 0.5, np.float32), "ct_dose", 0.5, seed=0, settings={"beam": "cone"}
        )
    with pytest.raises(ParameterError, match="it has none"):
        degrade(np.full((32, 32), 0.5, np.float32), "blur", 1, seed=0, settings={"size": 2})
