from __future__ import annotations

import math
import subprocess
import sys
from collections.abc import Generator
from dataclasses import replace
from itertools import pairwise
from typing import get_args

import numpy as np
import pytest
import torch
from scipy.ndimage import gaussian_filter

from enhancers import registry
from enhancers.colour import luminance
from enhancers.degrade import degrade_image
from enhancers.errors import NetworkMissing, OutOfDeviceMemory, ParameterError
from enhancers.evaluation.baselines import (
    dark_channel,
    ddpm_chain,
    dip,
    dps,
    histogram,
    ilvr,
    retinex,
    second_order,
    zero_dce,
)
from enhancers.evaluation.baselines.baseline import Baseline, Work
from enhancers.evaluation.baselines.catalog import BASELINES, baseline
from enhancers.evaluation.problem import Degraded, Task
from enhancers.image import Pixels, from_array
from enhancers.measured import Measured
from enhancers.method import Modality
from enhancers.method_interface import Result, Step
from enhancers.networks.entry import Schedule
from enhancers.networks.load import pixel_prior
from enhancers.networks.timesteps import signal_of, timesteps
from enhancers.networks.training.architectures import scheduler
from enhancers.operators import BlockMean

STEPS = 2
"""Enough for what every baseline promises, and quick."""

everyone = pytest.mark.parametrize("one", BASELINES.values(), ids=lambda one: one.key)
iterating = pytest.mark.parametrize(
    "one", [one for one in BASELINES.values() if one.steps], ids=lambda one: one.key
)


def picture(height: int, width: int, *, colour: bool = False, noise: float = 0.05) -> Pixels:
    y, x = np.mgrid[:height, :width] / max(height, width)
    gray = 0.45 + 0.3 * np.sin(9 * x) * np.cos(7 * y) + 0.15 * (x > 0.5)
    pixels = gray[..., None] * [1.0, 0.8, 0.6] if colour else gray
    rng = np.random.default_rng(height * 1000 + width)
    return np.clip(pixels + rng.normal(0, noise, pixels.shape), 0, 1).astype(np.float32)


def given(pixels: Pixels, task: Task, sigma: float | None = 0.05) -> Degraded:
    if task in ("inpaint", "kspace"):
        kind, level = ("missing", 0.5) if task == "inpaint" else ("kspace", 2.0)
        left = degrade_image(from_array(luminance(pixels)), kind, level, seed=1).measured
        return Degraded(pixels, Modality.MR, 0.0, kind=kind, measured=left)
    return Degraded(pixels, Modality.MR, sigma, 2 if task == "enlarge" else 1)


def run(one: Baseline, degraded: Degraded, task: Task, *, seed: int = 3) -> list[Step]:
    steps = STEPS if one.steps else None
    return list(one.run(degraded, task, seed=seed, device="cpu", steps=steps))


def result(one: Baseline, pixels: Pixels, task: Task, *, seed: int = 3) -> Result:
    last = run(one, given(pixels, task), task, seed=seed)[-1].result
    assert last is not None
    return last


def test_the_table_is_complete_and_shares_no_key_with_the_methods():
    for key, one in BASELINES.items():
        assert key == one.key
        assert one.label
        assert one.summary
        assert one.citation.url.startswith("https://")
    assert not set(BASELINES) & {method.key for method in registry.METHODS}
    papers = {"pinv", "bicubic", "dip", "ilvr", "dps", "he", "gamma", "retinex", "dark_channel"}
    own = {"slices", "second_order", "zero_dce", "biharmonic", "tv_missing"}
    assert papers | own == set(BASELINES)


def test_an_unknown_baseline_names_the_nearest():
    with pytest.raises(ParameterError, match="retinex"):
        baseline("retinx")


def test_listing_the_baselines_imports_nothing_heavy():
    code = (
        "import sys, enhancers.evaluation.baselines\n"
        "print([name for name in ('torch', 'cv2', 'skimage', 'scipy') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


@everyone
@pytest.mark.parametrize(
    ("height", "width", "colour"), [(16, 16, False), (17, 33, False), (40, 24, True)]
)
def test_shape_type_and_range(one: Baseline, height: int, width: int, colour: bool):
    pixels = picture(height, width, colour=colour)
    before = pixels.copy()
    for task in one.tasks:
        found = result(one, pixels, task)
        factor = 2 if task == "enlarge" else 1
        assert found.pixels.shape == (height * factor, width * factor, *pixels.shape[2:])
        assert found.scale == factor
        assert found.pixels.dtype == np.float32
        assert np.isfinite(found.pixels).all()
        assert 0.0 <= found.pixels.min() <= found.pixels.max() <= 1.0
    assert np.array_equal(pixels, before), "the input was changed"


@everyone
def test_progress_rises_and_only_the_last_step_has_the_result(one: Baseline):
    task = one.tasks[0]
    taken = run(one, given(picture(24, 32), task), task)
    assert len(taken) >= 2
    assert all(a.fraction <= b.fraction for a, b in pairwise(taken))
    assert [step.result is not None for step in taken] == [False] * (len(taken) - 1) + [True]
    assert taken[-1].fraction == 1.0


@everyone
def test_the_same_seed_gives_the_same_bytes(one: Baseline):
    pixels, task = picture(24, 32), one.tasks[-1]
    first, second = result(one, pixels, task), result(one, pixels, task)
    assert first.pixels.tobytes() == second.pixels.tobytes()
    assert (first.figures, first.calls) == (second.figures, second.calls)
    other = result(one, pixels, task, seed=4)
    assert np.array_equal(first.pixels, other.pixels) == (not one.steps)


@everyone
def test_what_torch_has_drawn_before_does_not_matter(one: Baseline):
    pixels, task = picture(16, 16), one.tasks[0]
    torch.manual_seed(1)
    first = result(one, pixels, task)
    state = torch.random.get_rng_state()
    torch.manual_seed(2)
    assert result(one, pixels, task).pixels.tobytes() == first.pixels.tobytes()
    torch.manual_seed(1)
    assert torch.equal(torch.random.get_rng_state(), state), "the global generator was used"


@everyone
def test_closing_stops_mid_way(one: Baseline):
    task = one.tasks[0]
    running = one.run(given(picture(24, 32), task), task, seed=0, device="cpu")
    assert isinstance(running, Generator)
    assert next(running).result is None
    running.close()
    assert list(running) == []


@everyone
@pytest.mark.parametrize("level", [0.0, 0.37, 1.0])
def test_a_constant_image_stays_constant(one: Baseline, level: float):
    for task in one.tasks:
        found = result(one, np.full((16, 24), level, np.float32), task)
        assert np.ptp(found.pixels) == 0.0
        assert found.pixels[0, 0] == np.float32(level)
        assert found.pixels.shape == ((32, 48) if task == "enlarge" else (16, 24))


@iterating
def test_network_calls_are_counted_and_steps_are_obeyed(one: Baseline):
    found = result(one, picture(16, 16), one.tasks[0])
    assert found.calls == (STEPS if one.sampled else 0)
    with pytest.raises(ParameterError, match="steps=0"):
        one.run(given(picture(16, 16), one.tasks[0]), one.tasks[0], seed=0, device="cpu", steps=0)


@everyone
def test_a_task_it_cannot_do_and_a_wrong_factor_are_refused(one: Baseline):
    every: tuple[Task, ...] = get_args(Task)
    for task in every:
        if task not in one.tasks:
            with pytest.raises(ParameterError, match=f"cannot {task}"):
                one.run(given(picture(16, 16), task), task, seed=0, device="cpu")
        elif task != "enlarge":
            double = Degraded(picture(16, 16), Modality.MR, 0.0, 2)
            with pytest.raises(ParameterError, match="factor=2"):
                one.run(double, task, seed=0, device="cpu")


@pytest.mark.parametrize("wrong", [{"factor": 0}, {"sigma": -0.1}, {"sigma": 2.0}, {"steps": -1}])
def test_impossible_work_is_refused(wrong: dict):
    with pytest.raises(ParameterError, match="not possible"):
        Work(**wrong)


@pytest.mark.parametrize("key", ["ilvr", "dps"])
def test_an_unknown_network_is_named(key: str):
    with pytest.raises((ParameterError, NetworkMissing), match="nothing-like-it"):
        list(
            BASELINES[key].run(
                given(picture(16, 16), "denoise"), "denoise", seed=0, device="cpu",
                prior="nothing-like-it", steps=STEPS,
            )
        )  # fmt: skip


def test_noise_that_nobody_told_is_estimated(monkeypatch):
    told: list[float] = []

    def remember(gray: Pixels, work: Work, *, seed: int, device: str):
        told.append(work.sigma)
        yield Step(1.0, result=Result(gray))

    monkeypatch.setattr(dip, "run", remember)
    smooth = gaussian_filter(picture(128, 128, noise=0), 4)
    noisy = smooth + np.random.default_rng(0).normal(0, 0.1, smooth.shape).astype(np.float32)
    pixels = noisy.clip(0, 1).astype(np.float32)
    for sigma in (None, 0.03):
        list(BASELINES["dip"].run(given(pixels, "denoise", sigma), "denoise", seed=0, device="cpu"))
    assert told[0] == pytest.approx(0.1, rel=0.1)
    assert told[1] == 0.03


def test_the_pseudo_inverse_is_that_of_the_block_mean():
    low = torch.rand((1, 1, 6, 5), generator=torch.Generator().manual_seed(0))
    found = result(BASELINES["pinv"], low[0, 0].numpy(), "enlarge").pixels
    operator = BlockMean(2)
    assert np.array_equal(found, operator.pinv(low)[0, 0].numpy())
    assert torch.allclose(operator.forward(torch.from_numpy(found)[None, None]), low)


def test_bicubic_keeps_a_ramp_where_it_is():
    y, x = np.mgrid[:12, :16].astype(np.float32)
    low = (0.2 + 0.03 * x + 0.01 * y).astype(np.float32)
    found = result(BASELINES["bicubic"], low, "enlarge").pixels
    fine_y, fine_x = np.mgrid[:24, :32]
    expected = 0.2 + 0.03 * (fine_x - 0.5) / 2 + 0.01 * (fine_y - 0.5) / 2
    inside = np.s_[6:-6, 6:-6]
    assert np.allclose(found[inside], expected[inside], atol=2e-3)


@pytest.mark.parametrize("key", ["biharmonic", "tv_missing"])
def test_missing_pixels_are_filled_and_the_others_kept(key: str):
    y, x = np.mgrid[:32, :40].astype(np.float32)
    ramp = (0.2 + 0.01 * x + 0.005 * y).astype(np.float32)
    known = np.random.default_rng(0).random(ramp.shape) > 0.5
    asked = Degraded(ramp * known, Modality.MR, 0.0, measured=Measured(known))
    found = run(BASELINES[key], asked, "inpaint")[-1].result
    assert found is not None
    assert np.array_equal(found.pixels[known], ramp[known])
    assert np.abs(found.pixels - ramp).max() < 0.03
    for nothing in (None, Measured(np.zeros_like(known))):
        with pytest.raises(ParameterError, match="needs a mask"):
            run(BASELINES[key], replace(asked, measured=nothing), "inpaint")


def test_total_variation_agrees_with_the_samples_of_k_space():
    truth = (np.add.outer(np.arange(32), np.arange(40)) > 34).astype(np.float32) * 0.6 + 0.2
    left = degrade_image(from_array(truth), "kspace", 2, seed=3)
    asked = Degraded(left.pixels, Modality.MR, 0.0, measured=left.measured)
    found = run(BASELINES["tv_missing"], asked, "kspace")[-1].result
    assert found is not None
    assert left.measured is not None
    assert left.measured.spectrum is not None
    spectrum = np.fft.fft2(found.pixels, norm="ortho") - left.measured.spectrum.samples
    assert np.abs(spectrum)[left.measured.spectrum.sampled].max() < 0.01
    better = np.mean((left.pixels - truth) ** 2) / np.mean((found.pixels - truth) ** 2)
    assert better > 30, "zero-filled is hardly worse"


def test_equalised_gray_levels_are_even_and_in_order():
    pixels = (picture(96, 96) ** 3).astype(np.float32)
    found = histogram.equalised(pixels)
    counts, _ = np.histogram(found, bins=10, range=(0, 1))
    assert counts.max() < 1.15 * counts.min()
    order = np.argsort(pixels.ravel())
    assert (np.diff(found.ravel()[order]) >= 0).all()
    background = np.where(np.arange(96) < 48, np.float32(0), pixels)
    assert (histogram.equalised(background)[:, :48] == 0).all()


@pytest.mark.parametrize("exposure", [0.1, 0.3, 1.0])
def test_gamma_exposes_the_tissue_and_leaves_the_background(exposure: float):
    pixels = (exposure * picture(64, 64)).astype(np.float32)
    pixels[:, :20] = 0.0
    found = result(BASELINES["gamma"], pixels, "lighten").pixels
    assert found[:, 20:].mean() == pytest.approx(histogram.WELL_EXPOSED, abs=0.03)
    assert (found[:, :20] == 0).all()


def test_retinex_takes_shading_away():
    truth = picture(96, 96, noise=0)
    shade = np.linspace(0.15, 1.0, 96, dtype=np.float32)[None, :]
    dark = (truth * shade).astype(np.float32)
    found = result(BASELINES["retinex"], dark, "lighten").pixels
    assert np.corrcoef(found.ravel(), truth.ravel())[0, 1] > (
        np.corrcoef(dark.ravel(), truth.ravel())[0, 1] + 0.1
    )
    assert retinex.stretched(found).max() == 1.0


def test_the_dark_channel_brightens_and_keeps_white():
    pixels = (0.3 * picture(96, 96, noise=0)).astype(np.float32)
    pixels[40:56, 40:56] = 1.0
    found = result(BASELINES["dark_channel"], pixels, "lighten").pixels
    assert found.mean() > 1.5 * pixels.mean()
    assert found[46:50, 46:50].min() > 0.9
    assert np.array_equal(
        dark_channel.dark_channel(np.eye(5, dtype=np.float32) + 1, 3), np.ones((5, 5))
    )


def test_relighting_keeps_the_hue():
    pixels = (0.3 * picture(48, 48, colour=True, noise=0)).astype(np.float32)
    found = result(BASELINES["gamma"], pixels, "lighten").pixels
    chroma, before = found - luminance(found)[..., None], pixels - luminance(pixels)[..., None]
    lengths = np.linalg.norm(chroma, axis=2) * np.linalg.norm(before, axis=2)
    assert ((chroma * before).sum(axis=2) > 0.99 * lengths - 1e-6).all()


@pytest.mark.parametrize("t", [1, 40, 700])
def test_the_ancestral_step_is_that_of_ddpm(t: int):
    from diffusers import DDPMScheduler

    theirs = DDPMScheduler.from_config(
        scheduler().config, variance_type="fixed_small", clip_sample=True
    )
    signal = theirs.alphas_cumprod
    generator = torch.Generator().manual_seed(0)
    x, noise = (torch.randn((1, 1, 8, 8), generator=generator) for _ in range(2))
    z = torch.randn(x.shape, generator=torch.Generator().manual_seed(5))
    moment = timesteps(signal, 1000)[999 - t]
    assert moment.t == t
    found = ddpm_chain.ancestral(moment, x, moment.clean(x, noise).clamp(-1, 1), z)
    expected = theirs.step(noise, t, x, generator=torch.Generator().manual_seed(5)).prev_sample
    assert torch.allclose(found, expected, atol=5e-4)


def test_the_last_ancestral_step_is_the_clean_estimate():
    moment = timesteps(scheduler().alphas_cumprod, 10)[-1]
    x, x0, z = torch.randn((3, 1, 1, 4, 4))
    assert torch.allclose(ddpm_chain.ancestral(moment, x, x0, z), x0)


def test_the_low_pass_keeps_what_is_smooth_and_drops_what_is_not():
    flat = torch.full((1, 1, 16, 16), 0.3)
    assert torch.allclose(ilvr.low_pass(flat, 4), flat, atol=1e-6)
    checks = (torch.arange(16)[:, None] + torch.arange(16)[None]) % 2 * 2.0 - 1
    assert ilvr.low_pass(checks[None, None], 4)[..., 4:-4, 4:-4].abs().max() < 0.05


def test_ilvr_has_the_low_frequencies_of_the_measurement():
    truth = picture(64, 64, noise=0)
    low = truth.reshape(32, 2, 32, 2).mean((1, 3))
    run = BASELINES["ilvr"].run(
        given(low, "enlarge", 0.0), "enlarge", seed=0, device="cpu", steps=20
    )
    found = list(run)[-1].result
    assert found is not None
    means = found.pixels.reshape(16, 4, 16, 4).mean((1, 3))
    assert np.abs(means - truth.reshape(16, 4, 16, 4).mean((1, 3))).mean() < 0.03


def test_the_pull_of_dps_is_a_gradient_through_the_network():
    prior = pixel_prior("cpu")
    generator = torch.Generator().manual_seed(0)
    x, direction = (torch.randn((1, 1, 16, 16), generator=generator) for _ in range(2))
    y = 0.5 * torch.randn((1, 1, 8, 8), generator=generator)
    moment = timesteps(prior.signal, 10)[6]

    def error(state: torch.Tensor) -> float:
        x0 = moment.clean(state, prior.predict(state, moment.t)).clamp(-1, 1)
        return float(torch.linalg.vector_norm((y - BlockMean(2).forward(x0)).double()))

    x0, slope = dps.guided_estimate(prior, moment, x, y, BlockMean(2))
    assert x0.abs().max() <= 1
    step = 1e-3  # The network has kinks, which a longer one crosses.
    numeric = (error(x + step * direction) - error(x - step * direction)) / (2 * step)
    assert float((slope * direction).sum()) == pytest.approx(numeric, rel=0.05)
    assert not slope.requires_grad


def test_an_exact_fit_pulls_nowhere():
    prior = pixel_prior("cpu")
    x = torch.zeros((1, 1, 16, 16))
    moment = timesteps(prior.signal, 10)[5]
    x0, _ = dps.guided_estimate(prior, moment, x, torch.zeros((1, 1, 8, 8)), BlockMean(2))
    _, slope = dps.guided_estimate(prior, moment, x, BlockMean(2).forward(x0), BlockMean(2))
    assert torch.isfinite(slope).all()


def test_dps_comes_nearer_to_the_measurement(monkeypatch):
    low = picture(16, 16, noise=0)
    degraded = given(low, "enlarge", 0.0)

    def misfit() -> float:
        steps = BASELINES["dps"].run(degraded, "enlarge", seed=0, device="cpu", steps=12)
        found = list(steps)[-1].result
        assert found is not None
        return float(np.abs(found.pixels.reshape(16, 2, 16, 2).mean((1, 3)) - low).mean())

    pulled = misfit()
    monkeypatch.setattr(dps, "ZETA", 0.0)
    assert pulled < 0.5 * misfit()


def test_the_strength_of_dps_follows_size_and_steps():
    usual = dps.strength(dps.ZETA_ELEMENTS, dps.ZETA_STEPS, noisy=True)
    assert usual == dps.ZETA
    assert dps.strength(4 * dps.ZETA_ELEMENTS, 1000, noisy=True) == pytest.approx(2 * usual)
    assert dps.strength(dps.ZETA_ELEMENTS, 100, noisy=True) == pytest.approx(10 * usual)
    assert dps.strength(dps.ZETA_ELEMENTS, 1000, noisy=False) == 2 * usual


def test_dps_says_when_memory_is_short(monkeypatch):
    def full(*args: object) -> None:
        raise torch.OutOfMemoryError("CUDA out of memory.")

    monkeypatch.setattr(dps, "guided_estimate", full)
    with pytest.raises(OutOfDeviceMemory, match="16 x 16 pixels"):
        result(BASELINES["dps"], picture(16, 16), "denoise")


def test_the_deep_image_prior_finds_the_image_before_the_noise():
    truth = picture(32, 32, noise=0)
    noisy = picture(32, 32, noise=0.15)
    degraded = given(noisy, "denoise", 0.15)
    steps = BASELINES["dip"].run(degraded, "denoise", seed=0, device="cpu", steps=120)
    found = list(steps)[-1].result
    assert found is not None
    assert np.mean((found.pixels - truth) ** 2) < 0.5 * np.mean((noisy - truth) ** 2)


def test_the_deep_image_prior_stops_at_the_noise():
    degraded = given(picture(16, 16), "denoise", 0.9)
    steps = list(BASELINES["dip"].run(degraded, "denoise", seed=0, device="cpu", steps=200))
    found = steps[-1].result
    assert found is not None
    figures = {figure.name: figure.value for figure in found.figures}
    assert figures["iterations"] == dip.CHECK_EVERY
    assert figures["misfit"] <= 0.9


@pytest.mark.parametrize(
    ("side", "levels"), [(1, 1), (8, 1), (16, 2), (64, 4), (256, 5), (2048, 5)]
)
def test_the_depth_leaves_a_few_pixels(side: int, levels: int):
    assert dip.depth_for(side, 4096) == levels
    assert levels == 1 or side / 2**levels >= dip.SMALLEST
    assert math.isinf(dip.PriorFit(torch.zeros((1, 1, 4, 4)), BlockMean(1), 1, 1, 0).error())


def test_the_solver_is_exact_where_the_estimate_does_not_change():
    signal = signal_of(Schedule("linear", 1e-4, 0.02))
    clean, noise = torch.full((1, 1, 2, 2), 0.3), torch.full((1, 1, 2, 2), -1.2)
    line = timesteps(signal, 7)
    x = math.sqrt(line[0].signal) * clean + math.sqrt(1 - line[0].signal) * noise
    before = None
    for moment in line:
        x = second_order.step(moment, x, clean, before)
        assert torch.allclose(x, moment.a * clean + moment.s * noise, atol=1e-5)
        before = clean, second_order.log_ratio(moment.signal)


def test_the_solver_is_of_second_order_where_the_estimate_is_linear_in_log_ratio():
    # x0(λ) = λ has the solution x(λ) / s(λ) = C + the integral of e^λ λ = C + e^λ (λ - 1).
    signal = signal_of(Schedule("linear", 1e-4, 0.02))

    def error(steps: int) -> float:
        line = [moment for moment in timesteps(signal, steps) if moment.t > 200]
        first, last = second_order.log_ratio(line[0].signal), line[-1]
        end = second_order.log_ratio(last.next_signal)
        x = torch.zeros(1)
        before = None
        for moment in line:
            here = second_order.log_ratio(moment.signal)
            estimate = torch.tensor([here])
            x = second_order.step(moment, x, estimate, before)
            before = estimate, here
        exact = last.s * (math.exp(end) * (end - 1) - math.exp(first) * (first - 1))
        return abs(float(x) - exact)

    # A solver of first order would gain a factor of two.
    assert error(50) < error(25) / 3


def test_the_solver_agrees_with_the_measurement():
    low = picture(16, 16)
    found = result_of("second_order", low, "enlarge", 0.0)
    assert found.shape == (32, 32)
    assert np.abs(found.reshape(16, 2, 16, 2).mean((1, 3)) - low).max() < 1e-3


def result_of(key: str, pixels: Pixels, task: Task, sigma: float) -> Pixels:
    last = run(BASELINES[key], given(pixels, task, sigma), task)[-1].result
    assert last is not None
    return last.pixels


def test_a_zero_dce_curve_keeps_black_and_white_and_the_order_of_gray_levels():
    """LE + A LE (1 - LE) rises with LE for every A in [-1, 1] (section 3.1 of the paper)."""
    gray = torch.linspace(0, 1, 101).reshape(1, 1, 1, 101)
    for level in (-1.0, 0.3, 1.0):
        curve = zero_dce.enhanced(gray, torch.full((1, zero_dce.CURVES, 1, 101), level))
        assert curve[..., 0].item() == 0.0
        assert curve[..., -1].item() == 1.0
        assert (curve.diff() >= 0).all()


def test_the_trained_zero_dce_brightens_dark_images_and_bright_ones_hardly():
    dark, bright = (0.3 * picture(64, 64, noise=0.0), 0.5 + 0.5 * picture(64, 64, noise=0.0))
    one = baseline("zero_dce")
    assert result(one, dark, "lighten").pixels.mean() > 1.4 * dark.mean()
    assert abs(result(one, bright, "lighten").pixels.mean() - bright.mean()) < 0.15
    assert sum(p.numel() for p in zero_dce.network().parameters()) < 6_000
