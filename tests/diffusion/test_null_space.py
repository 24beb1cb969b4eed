"""DDNM on a prior known in closed form: white Gaussian images of variance `VARIANCE`."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from torch import Tensor

from enhancers.degrade import degrade
from enhancers.diffusion.null_space import (
    START,
    Task,
    denoise_step,
    make_consistent,
    null_space_step,
    plan,
    read_task,
    sample,
)
from enhancers.diffusion.timestep_noise import noise_for_timestep
from enhancers.image import from_array
from enhancers.method import Modality
from enhancers.method_interface import load_method
from enhancers.networks.load import pixel_prior
from enhancers.networks.timesteps import timesteps
from enhancers.networks.training.architectures import scheduler
from enhancers.operators import BlockMean
from enhancers.phantoms import phantom
from enhancers.registry import resolve

SIGNAL = scheduler().alphas_cumprod
VARIANCE = 0.09
GRAY = np.full((16, 16), 0.5, np.float32)


def predict(x: Tensor, t: int) -> Tensor:
    """The exact noise prediction for the Gaussian prior."""
    kept = float(SIGNAL[t])
    return x * math.sqrt(1 - kept) / (kept * VARIANCE + 1 - kept)


def task(**given: object) -> Task:
    return read_task(resolve("null_space", Modality.MR, given), GRAY)  # type: ignore[arg-type]


def prior_image(seed: int, side: int = 64) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return math.sqrt(VARIANCE) * torch.randn((1, 1, side, side), generator=generator)


def drawn(wanted: Task, y: Tensor, seed: int = 0) -> Tensor:
    return list(sample(predict, wanted, SIGNAL, y, seed=seed))[-1][1]


def test_automatic_eta_is_that_of_the_task() -> None:
    assert task(sigma=0.1).eta == 0.3
    assert task(task="sr4").eta == 1.0
    assert task(task="sr4", sigma=0.05).eta == 0.3
    assert task(task="sr4", eta=0.85).eta == 0.85


def test_skipping_the_dead_calls_changes_no_bit() -> None:
    wanted = task(sigma=0.3)
    y = prior_image(0) + 0.6 * noise_for_timestep((1, 1, 64, 64), 1, 0)
    x = noise_for_timestep((1, 1, 64, 64), 5, START)
    for moment in timesteps(SIGNAL, 100):
        x0 = moment.clean(x, predict(x, moment.t)).clamp(-1, 1)
        x = denoise_step(
            moment,
            x0,
            y,
            noise_for_timestep((1, 1, 64, 64), 5, moment.t),
            sigma=0.6,
            eta=wanted.eta,
        )
    moments, dead = plan(wanted, SIGNAL)
    assert len(moments) - dead <= 20
    assert torch.equal(drawn(wanted, y, seed=5), x)


def test_the_embedded_network_needs_19_calls_for_what_the_schedule_does_in_100() -> None:
    """σ = 0.30 of [0, 1] (the paper's CT setting): the 81 calls above t* cannot change anything."""
    prior = pixel_prior("cpu")
    clean = torch.from_numpy(phantom("ct", size=32, seed=3).pixels)[None, None] * 2 - 1
    y = clean + 0.6 * noise_for_timestep((1, 1, 32, 32), 1, 0)
    wanted = task(sigma=0.3)
    steps = list(sample(prior.predict, wanted, prior.signal, y, seed=5))
    x = noise_for_timestep((1, 1, 32, 32), 5, START)
    for moment in timesteps(prior.signal, 100):
        x0 = moment.clean(x, prior.predict(x, moment.t)).clamp(-1, 1)
        z = noise_for_timestep((1, 1, 32, 32), 5, moment.t)
        x = denoise_step(moment, x0, y, z, sigma=0.6, eta=wanted.eta)
    assert steps[-1][0] == 19
    torch.testing.assert_close(steps[-1][1], x, rtol=0, atol=1e-5)


@pytest.mark.parametrize("name", ["denoise", "sr2"])
def test_slices_together_are_each_what_they_are_alone(name: str) -> None:
    wanted = task(task=name, sigma=0.1 if name == "denoise" else None, steps=10)
    side = 32 if name == "denoise" else 16
    slices = torch.cat([prior_image(seed, side) for seed in range(3)])
    together = list(sample(predict, wanted, SIGNAL, slices, seed=4, channels=3))[-1][1]
    assert together.shape == (3, 3, 32, 32)
    for one, alone in zip(together, slices, strict=True):
        expected = list(sample(predict, wanted, SIGNAL, alone[None], seed=4, channels=3))[-1][1]
        torch.testing.assert_close(one[None], expected)


@pytest.mark.parametrize("given", [{"sigma": 0.2}, {"task": "sr2"}, {"task": "sr4", "sigma": 0.1}])
def test_no_step_waits_for_the_device(given: dict[str, object]) -> None:
    """On the meta device reading any value back is an error."""
    y = torch.zeros((1, 1, 32, 32), device="meta")
    steps = list(sample(lambda x, t: x, task(steps=20, **given), SIGNAL, y, seed=0))
    assert steps[-1][1].device.type == "meta"


def test_samples_average_to_the_posterior_mean() -> None:
    sigma = 0.2
    truth = prior_image(0)
    y = truth + 2 * sigma * noise_for_timestep((1, 1, 64, 64), 1, 0)
    wanted = task(sigma=sigma)
    mean = torch.stack([drawn(wanted, y, seed) for seed in range(6)]).mean(dim=0)
    posterior = y * VARIANCE / (VARIANCE + 4 * sigma**2)
    error = (mean - posterior).square().mean()
    assert error < 0.25 * (y - posterior).square().mean()
    assert (mean - truth).square().mean() < 0.6 * (y - truth).square().mean()


def test_no_noise_returns_the_measurement() -> None:
    y = prior_image(0)
    assert torch.equal(drawn(task(sigma=0.0), y), y)


@pytest.mark.parametrize("factor", [2, 4, 8])
def test_noise_free_enlargement_is_consistent(factor: int) -> None:
    operator = BlockMean(factor)
    y = operator.forward(prior_image(3)).clamp(-0.98, 0.98)
    x = make_consistent(drawn(task(task=f"sr{factor}"), y), y, operator)
    assert x.min() >= -1
    assert x.max() <= 1
    assert (operator.forward(x) - y).abs().max() / 2 <= 1e-3


def test_enlargement_fills_the_null_space_with_the_priors_variance() -> None:
    operator = BlockMean(4)
    y = operator.forward(prior_image(3))
    x = drawn(task(task="sr4", steps=100, eta=0.0), y)
    free = x - operator.pinv(operator.forward(x))
    assert float(free.var()) == pytest.approx(VARIANCE * 15 / 16, rel=0.25)


def test_little_noise_in_the_measurement_is_nearly_none() -> None:
    operator = BlockMean(2)
    moment = timesteps(SIGNAL, 20)[5]
    x0, noise, z = prior_image(1), prior_image(2) / 0.3, noise_for_timestep((1, 1, 64, 64), 0, 0)
    y = operator.forward(prior_image(3))
    exact = null_space_step(moment, x0, noise, y, z, operator, sigma=0.0, eta=1.0)
    close = null_space_step(moment, x0, noise, y, z, operator, sigma=1e-6, eta=1.0)
    torch.testing.assert_close(exact, close, rtol=1e-3, atol=1e-3)


def test_noisy_enlargement_leaves_less_error_than_trusting_the_noise() -> None:
    operator = BlockMean(4)
    truth = prior_image(3)
    y = operator.forward(truth) + 0.4 * noise_for_timestep((1, 1, 16, 16), 9, 0)
    clean = operator.forward(truth)
    trusting = operator.forward(drawn(task(task="sr4"), y))
    wary = operator.forward(drawn(task(task="sr4", sigma=0.2), y))
    assert (wary - clean).square().mean() < 0.5 * (trusting - clean).square().mean()


def test_one_call_is_one_call() -> None:
    steps = list(
        sample(predict, task(sigma=0.1, output="one call"), SIGNAL, prior_image(0), seed=0)
    )
    assert [call for call, _ in steps] == [1]


def run(pixels: np.ndarray, **given: object) -> object:
    image = from_array(pixels, Modality.MR)
    params = resolve("null_space", Modality.MR, given)  # type: ignore[arg-type]
    return list(load_method("null_space").run(image, params, seed=0, device="cpu"))[-1].result


def test_enlarging_reports_its_consistency() -> None:
    small = phantom("cardiac_mr", size=64, seed=1).pixels
    result = run(small, task="sr2", steps=6)
    assert result.pixels.shape == (128, 128)
    assert result.scale == 2
    figures = {figure.name: figure.value for figure in result.figures}
    assert figures["consistency"] <= 1e-3
    means = result.pixels.astype(np.float64).reshape(64, 2, 64, 2).mean(axis=(1, 3))
    assert np.abs(means - small).max() <= 1e-3


def test_degrading_first_keeps_the_size() -> None:
    pixels = phantom("cardiac_mr", size=72, seed=1).pixels[:70, :66]
    result = run(np.ascontiguousarray(pixels), task="sr4", steps=5, degrade_first=True)
    assert result.pixels.shape == (70, 66)
    assert result.scale == 1


def test_the_embedded_prior_removes_noise() -> None:
    clean = phantom("echo", size=128, seed=77).pixels
    noisy = np.clip(clean + 0.1 * np.random.default_rng(0).standard_normal(clean.shape), 0, 1)
    result = run(noisy.astype(np.float32), sigma=0.1, noise="gaussian")
    before, after = (np.mean((p - clean) ** 2) for p in (noisy, result.pixels))
    assert after < 0.25 * before


def test_magnitude_mr_loses_the_bias_of_its_background() -> None:
    clean = phantom("cardiac_mr", size=96, seed=5).pixels
    noisy = degrade(clean, "rician", 0.05, seed=1)
    air = clean < 0.01
    result = run(noisy)
    assert noisy[air].mean() > 0.06
    assert result.pixels[air].mean() < 0.01
    told = run(noisy, noise="gaussian")
    errors = [float(np.mean((r.pixels - clean) ** 2)) for r in (result, told)]
    assert errors[0] < 0.25 * errors[1]
