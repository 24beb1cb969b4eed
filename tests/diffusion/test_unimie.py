from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.ndimage import gaussian_filter

from enhancers.degrade import degrade
from enhancers.diffusion.lighting import (
    Usual,
    find_degradation,
    foreground,
    lighting_field,
    rounding_noise,
)
from enhancers.diffusion.unimie import paper_step, plan, work
from enhancers.diffusion.unimie_problem import from_planes, to_planes
from enhancers.diffusion.unimie_reference import cell_means
from enhancers.evaluation.measures.fit import fit
from enhancers.image import Pixels, from_array
from enhancers.method import Modality, ParameterValue
from enhancers.method_interface import Result, load_method
from enhancers.networks.timesteps import timesteps
from enhancers.networks.training.architectures import scheduler
from enhancers.phantoms import phantom
from enhancers.registry import resolve

CLEAN = phantom("cardiac_mr", size=128, seed=5).pixels
DARK = degrade(CLEAN, "under_exposure", 0.3, seed=1)
NOISY = degrade(DARK, "gaussian", 0.02, seed=2)
SIGNAL = scheduler().alphas_cumprod


def result(pixels: Pixels, modality: Modality = Modality.MR, **given: ParameterValue) -> Result:
    image = from_array(pixels, modality)
    params = resolve("unimie", modality, {"steps": 4} | given)
    found = list(load_method("unimie").run(image, params, seed=0, device="cpu"))[-1].result
    assert found is not None
    return found


def run(pixels: Pixels, modality: Modality = Modality.MR, **given: ParameterValue) -> Pixels:
    return result(pixels, modality, **given).pixels


def error(pixels: Pixels, truth: Pixels) -> float:
    return float(np.sqrt(np.mean((fit(pixels, truth).pixels - truth) ** 2)))


@pytest.fixture(scope="module")
def restored() -> Result:
    return result(NOISY)


def test_a_dark_image_becomes_brighter_in_both_variants(restored: Result) -> None:
    assert restored.pixels.mean() > 1.5 * NOISY.mean()
    reference = result(DARK, variant="reference", evenness=0.5)
    assert reference.pixels.mean() > 1.5 * DARK.mean()
    assert reference.notes[0] == "Even out the lighting has no effect in the variant reference."


def test_the_exposure_is_a_dial() -> None:
    body = foreground(DARK)
    means = [
        float((run(DARK, exposure=e, steps=2) * body).sum() / body.sum()) for e in (0.2, 0.35, 0.5)
    ]
    assert means[0] < means[1] < means[2]
    assert means[1] == pytest.approx(0.35, abs=0.08)


def test_the_anatomy_is_kept_and_a_black_background_stays_black(restored: Result) -> None:
    assert np.corrcoef(restored.pixels.ravel(), CLEAN.ravel())[0, 1] > 0.97
    assert restored.pixels[foreground(DARK) < 0.01].mean() < 0.12


def test_the_network_takes_the_noise_that_brightening_would_amplify(restored: Result) -> None:
    assert error(restored.pixels, CLEAN) < 0.75 * error(NOISY, CLEAN)
    # No gain and offset of the input does what the network did.
    assert error(NOISY, restored.pixels) > 3 / 255


def test_the_run_reports_what_the_network_changed(restored: Result) -> None:
    figures = {figure.name: figure.value for figure in restored.figures}
    assert figures["noise"] == pytest.approx(0.02 / figures["gain"], rel=0.3)
    assert figures["network_rms"] > 1.0
    assert 0.0 < figures["network_share"] <= 100.0
    assert restored.notes == ()
    smooth = gaussian_filter(DARK, 2.0)
    least, unused = result(smooth, sigma=0.0, exposure_weight=0.05).notes
    assert "hardly any noise" in least
    assert unused == "Exposure weight has no effect in the variant paper."


def test_a_bright_image_is_not_darkened() -> None:
    bright = phantom("chest_xray", size=128, seed=3).pixels
    assert run(bright, Modality.XR).mean() > 0.97 * bright.mean()


def test_the_lighting_of_an_even_sample_is_found_in_spite_of_dark_cells() -> None:
    y, x = np.mgrid[:192, :256] / 192 - 0.5
    field = np.exp(0.8 * y - 0.5 * x - 0.9 * x * y).astype(np.float32)
    cells = np.where((np.hypot(y % 0.25 - 0.1, x % 0.25 - 0.1) < 0.05), 0.3, 0.8)
    gray = (0.6 * cells * field / field.max()).astype(np.float32)
    found = lighting_field(gray, np.ones_like(gray), 1.0)
    ratio = found / field
    assert ratio.max() / ratio.min() < 1.15
    assert field.max() / field.min() > 2.0


def test_the_usual_variation_of_anatomy_is_not_taken_for_lighting() -> None:
    y = np.linspace(-1, 1, 128, dtype=np.float32)[:, None].repeat(128, axis=1)
    everywhere = np.ones_like(y)
    mild, strong = (0.4 * np.exp(slope * y) for slope in (0.15, 1.0))
    assert np.ptp(lighting_field(mild, everywhere, None, 0.15)) == 0.0
    rest = strong / lighting_field(strong, everywhere, None, 0.15)
    assert np.log(rest.max() / rest.min()) < 0.2 * np.log(strong.max() / strong.min())


def test_without_evenness_the_gain_is_the_same_everywhere() -> None:
    degradation = find_degradation(DARK, foreground(DARK), None, 0.0, Usual(), 0.0)
    assert np.ptp(degradation.gain) == 0.0
    assert degradation.uneven == 1.0


def test_the_rounding_to_gray_levels_counts_as_noise() -> None:
    levels = np.round(CLEAN * 255).astype(np.float32) / np.float32(255)
    assert rounding_noise(levels) == pytest.approx(1 / 255 / 12**0.5, rel=0.01)
    assert rounding_noise(NOISY) < 1e-4


def test_opponent_planes_keep_the_colours() -> None:
    rgb = np.random.default_rng(0).random((5, 4, 3), np.float32)
    planes = to_planes(rgb)
    assert planes.min() >= 0.0
    assert planes.max() <= 1.0
    np.testing.assert_allclose(from_planes(planes), rgb, atol=1e-6)


def test_the_noise_of_colours_is_taken_with_their_hue_kept() -> None:
    clean = phantom("fundus", size=64, seed=4).pixels
    dark = degrade(0.35 * clean, "gaussian", 0.02, seed=1)
    found = run(dark, Modality.FUNDUS, evenness=0.0, steps=2)
    fitted, given = fit(found, clean).pixels, fit(dark, clean).pixels
    for chroma in (1, 2):
        truth, ours, theirs = (to_planes(one)[chroma] for one in (clean, fitted, given))
        assert np.std(ours - truth) < 0.7 * np.std(theirs - truth)


def test_the_measurement_counts_as_much_as_its_noise_allows() -> None:
    shape = (1, 1, 8, 8)
    x, noise, z = (torch.full(shape, value) for value in (0.3, 0.5, -1.0))
    v = torch.zeros(shape)
    pair = timesteps(SIGNAL, 100)[40]
    level = pair.s / pair.a
    network = pair.clean(x, noise).clamp(-1, 1)
    high, kept = paper_step(pair, x, noise, v, torch.full(shape, 0.5 * level), z, 0.5)
    torch.testing.assert_close(kept, torch.full(shape, 0.5))
    torch.testing.assert_close(high, torch.full(shape, -(0.75**0.5) * pair.s))
    for share in (2.0, 4.0):
        _, kept = paper_step(pair, x, noise, v, torch.full(shape, share * level), z, 0.5)
        torch.testing.assert_close(2 * kept - 1, network * (1 - 0.5 / share))
    last = timesteps(SIGNAL, 100)[-1]
    _, kept = paper_step(last, x, noise, v, torch.full(shape, 0.1), z, 0.5)
    torch.testing.assert_close(2 * kept - 1, last.clean(x, noise).clamp(-1, 1))


def test_steps_lie_below_the_noise() -> None:
    few, many = plan(SIGNAL, 0.01, 20), plan(SIGNAL, 0.1, 20)
    assert len(few) < len(many) == 20
    assert few[0].t < many[0].t
    assert few[-1].t == many[-1].t == 0


def test_cell_means_keep_the_size_and_the_mean() -> None:
    u = torch.rand((1, 1, 48, 40), generator=torch.Generator().manual_seed(0))
    means = cell_means(u, 16)
    assert means.shape == u.shape
    torch.testing.assert_close(means[0, 0, 5, 7], u[0, 0, :16, :16].mean())


def test_512_takes_nine_patches_a_step_and_colour_three_times_as_many() -> None:
    params = resolve("unimie", Modality.CT, {"steps": 10, "sigma": 0.1})
    for shape, expected in (((512, 512), 90), ((512, 512, 3), 270)):
        image = from_array(np.zeros(shape, np.float32), Modality.CT)
        assert work(image, params) == expected


def test_no_step_waits_for_the_device() -> None:
    """On the meta device reading any value back is an error."""
    x, level = (torch.zeros((1, channels, 64, 64), device="meta") for channels in (3, 1))
    for moment in timesteps(SIGNAL, 3):
        x, u = paper_step(moment, x, x, x, level, x, 0.5)
    assert u.shape == (1, 3, 64, 64)
