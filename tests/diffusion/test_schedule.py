from __future__ import annotations

import math
from itertools import pairwise

import pytest
import torch

from enhancers.diffusion.schedule import keyed_noise, moments, noise_level_step, timeline
from enhancers.priors.networks import scheduler

SIGNAL = scheduler().alphas_cumprod


def test_a_hundred_steps_visit_990_to_0() -> None:
    visited = [moment.t for moment in timeline(SIGNAL, 100)]
    assert visited == list(range(990, -1, -10))


def test_every_moment_ends_where_the_next_begins_and_the_last_without_noise() -> None:
    run = timeline(SIGNAL, 7)
    for here, after in pairwise(run):
        assert here.next_signal == after.signal
    assert run[-1].next_signal == 1.0
    assert run[-1].s == 0.0


def test_the_timesteps_are_diffusers_leading_spacing() -> None:
    reference = scheduler()
    reference.set_timesteps(25)
    assert [m.t for m in timeline(SIGNAL, 25)] == reference.timesteps.tolist()


def test_a_deterministic_step_is_diffusers_ddim_step() -> None:
    reference = scheduler()
    reference.set_timesteps(20)
    generator = torch.Generator().manual_seed(0)
    x = torch.randn((1, 1, 8, 8), generator=generator)
    noise = torch.randn((1, 1, 8, 8), generator=generator)
    for moment in timeline(SIGNAL, 20):
        ours = moment.a * moment.clean(x, noise) + moment.s * noise
        theirs = reference.step(noise, moment.t, x, eta=0.0).prev_sample
        torch.testing.assert_close(ours, theirs, rtol=1e-4, atol=1e-4)


def test_clean_inverts_noising() -> None:
    x0, noise = torch.full((1, 1, 4, 4), 0.3), torch.full((1, 1, 4, 4), -1.2)
    for moment in moments(SIGNAL, [5, 300]):
        x = math.sqrt(moment.signal) * x0 + math.sqrt(1 - moment.signal) * noise
        torch.testing.assert_close(moment.clean(x, noise), x0, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("sigma", [0.02, 0.2, 0.6, 2.0])
def test_the_step_of_a_noise_level_has_that_ratio(sigma: float) -> None:
    kept = float(SIGNAL[noise_level_step(SIGNAL, sigma)])
    assert math.sqrt((1 - kept) / kept) == pytest.approx(sigma, rel=0.08)


def test_noise_belongs_to_seed_sample_and_timestep() -> None:
    shape = (1, 1, 4, 4)
    base = keyed_noise(shape, 7, 500)
    assert torch.equal(base, keyed_noise(shape, 7, 500))
    for other in (
        keyed_noise(shape, 8, 500),
        keyed_noise(shape, 7, 490),
        keyed_noise(shape, 7, 500, 1),
    ):
        assert not torch.equal(base, other)
