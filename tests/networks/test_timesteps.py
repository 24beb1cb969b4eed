from __future__ import annotations

import math
import threading
import time
from itertools import pairwise

import pytest
import torch
from diffusers import DDIMScheduler

from enhancers.diffusion.timestep_noise import START, NoisePrefetcher, noise_for_timestep
from enhancers.networks.entry import Schedule
from enhancers.networks.timesteps import noise_level_step, signal_of, timestep_pairs, timesteps
from enhancers.networks.training.architectures import scheduler

SIGNAL = scheduler().alphas_cumprod


def test_a_hundred_steps_visit_990_to_0() -> None:
    visited = [moment.t for moment in timesteps(SIGNAL, 100)]
    assert visited == list(range(990, -1, -10))


def test_every_moment_ends_where_the_next_begins_and_the_last_without_noise() -> None:
    run = timesteps(SIGNAL, 7)
    for here, after in pairwise(run):
        assert here.next_signal == after.signal
    assert run[-1].next_signal == 1.0
    assert run[-1].s == 0.0


def test_the_timesteps_are_diffusers_leading_spacing() -> None:
    reference = scheduler()
    reference.set_timesteps(25)
    assert [m.t for m in timesteps(SIGNAL, 25)] == reference.timesteps.tolist()


def test_a_deterministic_step_is_diffusers_ddim_step() -> None:
    reference = scheduler()
    reference.set_timesteps(20)
    generator = torch.Generator().manual_seed(0)
    x = torch.randn((1, 1, 8, 8), generator=generator)
    noise = torch.randn((1, 1, 8, 8), generator=generator)
    for moment in timesteps(SIGNAL, 20):
        ours = moment.a * moment.clean(x, noise) + moment.s * noise
        theirs = reference.step(noise, moment.t, x, eta=0.0).prev_sample
        torch.testing.assert_close(ours, theirs, rtol=1e-4, atol=1e-4)


def test_clean_inverts_noising() -> None:
    x0, noise = torch.full((1, 1, 4, 4), 0.3), torch.full((1, 1, 4, 4), -1.2)
    for moment in timestep_pairs(SIGNAL, [5, 300]):
        x = math.sqrt(moment.signal) * x0 + math.sqrt(1 - moment.signal) * noise
        torch.testing.assert_close(moment.clean(x, noise), x0, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("sigma", [0.02, 0.2, 0.6, 2.0])
def test_the_step_of_a_noise_level_has_that_ratio(sigma: float) -> None:
    kept = float(SIGNAL[noise_level_step(SIGNAL, sigma)])
    assert math.sqrt((1 - kept) / kept) == pytest.approx(sigma, rel=0.08)


def test_noise_belongs_to_seed_sample_and_timestep() -> None:
    shape = (1, 1, 4, 4)
    base = noise_for_timestep(shape, 7, 500)
    assert torch.equal(base, noise_for_timestep(shape, 7, 500))
    for other in (
        noise_for_timestep(shape, 8, 500),
        noise_for_timestep(shape, 7, 490),
        noise_for_timestep(shape, 7, 500, 1),
    ):
        assert not torch.equal(base, other)


def test_a_schedule_of_its_own_is_diffusers_ddim() -> None:
    """Timesteps moved by one, and the last step ends at the signal of timestep 0, as in SD 1.5."""
    reference = DDIMScheduler(
        beta_start=0.00085,
        beta_end=0.012,
        beta_schedule="scaled_linear",
        clip_sample=False,
        set_alpha_to_one=False,
        steps_offset=1,
    )
    reference.set_timesteps(10)
    signal = reference.alphas_cumprod
    line = timesteps(signal, 10, offset=1, final=float(reference.final_alpha_cumprod))
    assert [moment.t for moment in line] == reference.timesteps.tolist()
    generator = torch.Generator().manual_seed(0)
    x, noise = (torch.randn((1, 4, 8, 8), generator=generator) for _ in range(2))
    for moment in line:
        ours = moment.a * moment.clean(x, noise) + moment.s * noise
        theirs = reference.step(noise, moment.t, x, eta=0.0).prev_sample
        torch.testing.assert_close(ours, theirs, rtol=1e-4, atol=1e-4)


def test_an_offset_never_leaves_the_schedule() -> None:
    assert [moment.t for moment in timesteps(SIGNAL, 1000, offset=1)][:2] == [999, 999]


@pytest.mark.parametrize(
    "schedule",
    [
        Schedule(),
        Schedule("scaled_linear", 0.00085, 0.012),
        Schedule("squaredcos_cap_v2"),
        Schedule("linear", 1e-3, 0.1, 200),
    ],
)
def test_a_schedule_is_known_without_its_network(schedule: Schedule) -> None:
    reference = DDIMScheduler(
        num_train_timesteps=schedule.steps,
        beta_start=schedule.start,
        beta_end=schedule.end,
        beta_schedule=schedule.name,
    )
    torch.testing.assert_close(signal_of(schedule), reference.alphas_cumprod, rtol=1e-4, atol=1e-7)


def test_the_embedded_schedule_is_known_to_the_bit() -> None:
    assert torch.equal(signal_of(Schedule()), SIGNAL)


@pytest.mark.parametrize("threads", [None, 1, 3])
def test_noise_drawn_ahead_is_the_keyed_noise(threads: int | None) -> None:
    shape, times = (1, 3, 16, 16), [START, *range(990, -1, -90)]
    with NoisePrefetcher(shape, 7, times, torch.device("cpu"), 2, threads=threads) as noises:
        for t in times:
            assert torch.equal(noises.take(t), noise_for_timestep(shape, 7, t, 2))


def test_noise_that_was_not_planned_is_drawn_as_well() -> None:
    with NoisePrefetcher((1, 1, 4, 4), 7, [900, 800], torch.device("cpu"), threads=1) as noises:
        for t in (50, 900, 3, 800, 800):
            assert torch.equal(noises.take(t), noise_for_timestep((1, 1, 4, 4), 7, t))


def test_a_run_that_is_stopped_leaves_no_thread_drawing() -> None:
    before = threading.active_count()
    with NoisePrefetcher(
        (1, 1, 64, 64), 7, list(range(500)), torch.device("cpu"), threads=2
    ) as noises:
        noises.take(0)
    until = time.monotonic() + 5
    while threading.active_count() > before and time.monotonic() < until:
        time.sleep(0.01)
    # Threads of tests before may end meanwhile.
    assert threading.active_count() <= before
