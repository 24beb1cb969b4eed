import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from enhancers import registry
from enhancers.classical.srad import FLOOR, canonical_settings, settings, srad
from enhancers.image import Pixels, from_array
from enhancers.method import Modality
from enhancers.method_interface import load_method
from enhancers.phantoms import phantom
from tests.support.classical_images import last, photograph, psnr, speckled


def run(pixels: Pixels, **given: object) -> Pixels:
    params = registry.resolve("srad", Modality.US, given)
    image = from_array(pixels, Modality.US)
    return last(load_method("srad").run(image, params, seed=0, device="cpu")).pixels


def final(pixels: Pixels, **given: float) -> Pixels:
    *_, result = srad(pixels, **given)
    return result


def test_paper_preset_is_the_heat_equation() -> None:
    pixels = photograph(128)
    paper = run(pixels, preset="paper")
    blurred = gaussian_filter(np.maximum(pixels, FLOOR), 1.0, mode="nearest")
    assert psnr(paper, blurred) > 45.0


@pytest.mark.parametrize("sigma", [0.1, 0.2, 0.3])
@pytest.mark.parametrize("subject", ["photograph", "echo"])
def test_canonical_against_paper(sigma: float, subject: str) -> None:
    truth = photograph() if subject == "photograph" else phantom("echo", size=256, seed=2).pixels
    degraded = speckled(truth, sigma)
    canonical, paper = run(degraded), run(degraded, preset="paper")
    assert psnr(canonical, truth) > psnr(paper, truth) + (0.0 if sigma == 0.1 else -0.5)
    if subject == "photograph":
        assert psnr(canonical, truth) > psnr(degraded, truth) + 4.0


def test_one_step_against_the_formula_written_pixel_by_pixel() -> None:
    image = np.random.default_rng(0).uniform(0.2, 0.9, (6, 7)).astype(np.float32)
    padded = np.pad(image.astype(float), 2, mode="edge")
    q0, dt = 0.3, 0.1

    def coefficient(row: int, column: int) -> float:
        centre = padded[row, column]
        steps = [
            padded[row + dy, column + dx] - centre for dy, dx in ((1, 0), (-1, 0), (0, 1), (0, -1))
        ]
        g2 = 0.5 * sum(step**2 for step in steps) / centre**2
        lap = sum(steps) / centre
        q2 = (0.5 * g2 - lap**2 / 16) / (1 + lap / 4) ** 2
        return float(np.clip(1 / (1 + (q2 - q0**2) / (q0**2 * (1 + q0**2))), 0, 1))

    expected = np.empty(image.shape)
    for row, column in np.ndindex(*image.shape):
        y, x = row + 2, column + 2
        flow = sum(
            0.5
            * (coefficient(y, x) + coefficient(y + dy, x + dx))
            * (padded[y + dy, x + dx] - padded[y, x])
            for dy, dx in ((1, 0), (-1, 0), (0, 1), (0, -1))
            if 0 <= row + dy < image.shape[0] and 0 <= column + dx < image.shape[1]
        )
        expected[row, column] = padded[y, x] + dt * flow
    assert np.allclose(final(image, steps=1, time_step=dt, q0=q0), expected, atol=1e-5)


def test_mean_is_conserved_and_range_not_left() -> None:
    pixels = speckled(photograph(96), 0.3)
    result = final(pixels, steps=40, time_step=0.25, q0=0.3)
    assert result.mean() == pytest.approx(np.maximum(pixels, FLOOR).mean(), abs=1e-5)
    assert result.min() >= FLOOR * 0.999
    assert result.max() <= pixels.max() + 1e-6


def test_black_stays_black() -> None:
    pixels = speckled(photograph(48), 0.2)
    pixels[:20] = 0.0
    assert np.abs(run(pixels)[:16]).max() < 1e-6


def test_no_direction_is_preferred() -> None:
    pixels = speckled(photograph(64), 0.2)[:40]
    straight = final(pixels, steps=8, time_step=0.1, q0=0.2)
    for turned in (np.flipud, np.fliplr, np.transpose):
        other = final(np.ascontiguousarray(turned(pixels)), steps=8, time_step=0.1, q0=0.2)
        assert np.allclose(other, turned(straight), atol=1e-5)


def test_bands_do_not_show(monkeypatch: pytest.MonkeyPatch) -> None:
    pixels = speckled(photograph(64), 0.2)
    whole = final(pixels, steps=3, time_step=0.1, q0=0.2)
    monkeypatch.setattr("enhancers.classical.srad.BAND_PIXELS", 1)
    assert np.array_equal(final(pixels, steps=3, time_step=0.1, q0=0.2), whole)


def test_a_clear_edge_stays() -> None:
    pixels = np.full((32, 32), 0.2, np.float32)
    pixels[:, 16:] = 0.8
    result = final(pixels, steps=20, time_step=0.1, q0=0.1)
    assert result[16, 16] - result[16, 15] > 0.55


def test_given_values_replace_automatic_ones() -> None:
    pixels = speckled(photograph(64), 0.2)
    automatic = settings(pixels, registry.resolve("srad", Modality.US))
    assert automatic == canonical_settings(automatic.q0)
    halved = settings(pixels, registry.resolve("srad", Modality.US, {"time_step": 0.025}))
    assert halved.steps * halved.time_step == pytest.approx(
        automatic.steps * automatic.time_step, abs=0.03
    )
    given = {"steps": 7, "q0": 1.5, "preset": "paper"}
    chosen = settings(pixels, registry.resolve("srad", Modality.US, given))
    assert (chosen.steps, chosen.time_step, chosen.q0) == (7, 0.02, 1.5)


def test_it_yields_every_iteration_with_previews() -> None:
    params = registry.resolve("srad", Modality.US, {"steps": 10, "preview_every": 4})
    image = from_array(speckled(photograph(32), 0.2), Modality.US)
    steps = list(load_method("srad").run(image, params, seed=0, device="cpu"))
    assert len(steps) == 12
    assert [i for i, step in enumerate(steps) if step.preview is not None] == [4, 8]


@pytest.mark.parametrize(("time_step", "q0"), [(0.3, 0.1), (0.0, 0.1), (0.1, 0.0)])
def test_impossible_settings_are_refused(time_step: float, q0: float) -> None:
    with pytest.raises(ValueError, match=r"time_step|q0"):
        final(photograph(16), steps=1, time_step=time_step, q0=q0)


def textured() -> Pixels:
    """Tissue of two brightnesses with a grain of about 3 pixels, as ultrasound has."""
    grain = gaussian_filter(np.random.default_rng(1).normal(0.0, 1.0, (160, 160)), 2.0)
    base = np.where(np.arange(160) < 80, 0.3, 0.55)[:, None]
    return (base * (1.0 + 0.15 * grain / grain.std())).astype(np.float32)


def test_without_speckle_texture_stays_and_this_is_told() -> None:
    pixels = textured()
    params = registry.resolve("srad", Modality.US)
    image = from_array(pixels, Modality.US)
    result = last(load_method("srad").run(image, params, seed=0, device="cpu"))
    assert np.array_equal(result.pixels, pixels)
    assert "nothing was removed" in result.notes[0]
    assert psnr(run(pixels, q0=0.15), pixels) < 50.0


@pytest.mark.parametrize("sigma", [0.04, 0.1, 0.2])
def test_speckle_on_texture_is_reduced_not_made_worse(sigma: float) -> None:
    truth = textured()
    degraded = speckled(truth, sigma)
    assert psnr(run(degraded), truth) > psnr(degraded, truth)
