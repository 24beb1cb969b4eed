"""DDNM's enlargement by a solver of second order instead of DDIM.

Lu et al., "DPM-Solver++: fast solver for guided sampling of diffusion probabilistic models", 2022,
Algorithm 2 (2M), on the estimate that agrees with the measurement.
"""

from __future__ import annotations

import math
from collections.abc import Iterator

from torch import Tensor

from enhancers.devices import GpuPacing
from enhancers.diffusion.null_space_steps import make_consistent
from enhancers.diffusion.timestep_noise import START, noise_for_timestep
from enhancers.evaluation.baselines.baseline import Work
from enhancers.evaluation.baselines.ddpm_chain import problem
from enhancers.image import Pixels
from enhancers.method_interface import ProgressTracker, Step, final_step
from enhancers.networks.timesteps import TimestepPair, timesteps

PREVIEW_EVERY = 5


def log_ratio(signal: float) -> float:
    """λ = log(a / s) of ābar, the variable in which the solver steps."""
    return 0.5 * math.log(signal / (1 - signal))


def step(
    moment: TimestepPair, x: Tensor, now: Tensor, before: tuple[Tensor, float] | None
) -> Tensor:
    """x_next from the estimate ``now`` and, where there is one, the estimate and λ before it."""
    if moment.next_signal == 1.0:
        return now
    here = log_ratio(moment.signal)
    ahead = log_ratio(moment.next_signal) - here
    estimate = now
    if before is not None:
        share = ahead / (2 * (here - before[1]))
        estimate = (1 + share) * now - share * before[0]
    shrink = moment.s / math.sqrt(1 - moment.signal)
    return shrink * x - moment.a * math.expm1(-ahead) * estimate


def run(gray: Pixels, work: Work, *, seed: int, device: str) -> Iterator[Step]:
    """Enlarge with one network call a step (see `Run`)."""
    found = problem(gray, work, device)
    line = timesteps(found.network.prior.signal, work.steps)
    watch, pace = ProgressTracker(len(line), "network call"), GpuPacing(device)
    x = noise_for_timestep(found.shape, seed, START).to(found.y.device)
    before: tuple[Tensor, float] | None = None
    for call, moment in enumerate(line, start=1):
        estimate = moment.clean(x, found.network.predict(x, moment.t)).clamp(-1, 1)
        estimate = estimate - found.operator.pinv(found.operator.forward(estimate) - found.y)
        x = step(moment, x, estimate, before)
        before = estimate, log_ratio(moment.signal)
        pace.tick()
        yield watch.step(call, found.image(estimate) if call % PREVIEW_EVERY == 0 else None)
    if work.sigma == 0.0:
        x = make_consistent(x, found.y, found.operator)
    yield final_step(found.image(x), calls=len(line), scale=work.factor, notes=found.network.notes)
