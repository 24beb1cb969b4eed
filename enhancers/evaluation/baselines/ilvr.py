"""ILVR: ancestral sampling whose low frequencies are those of the noised reference.

Choi et al., "ILVR: conditioning method for denoising diffusion probabilistic models", ICCV 2021,
Algorithm 1: after each step x <- x - φ(x) + φ(reference at that noise), φ a low-pass of scale N.
"""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor
from torch.nn import functional as F

from enhancers.devices import GpuPacing
from enhancers.diffusion.timestep_noise import START, noise_for_timestep
from enhancers.evaluation.baselines.baseline import Work
from enhancers.evaluation.baselines.bicubic import enlarged
from enhancers.evaluation.baselines.ddpm_chain import Problem, ancestral, problem
from enhancers.image import Pixels
from enhancers.method_interface import ProgressTracker, Step, final_step
from enhancers.networks.timesteps import noise_level_step, timesteps

DENOISING_SCALE = 2
"""N where nothing is enlarged: better than 1 and 4 at σ 0.1 on validation images."""
PREVIEW_EVERY = 10
SAMPLE, REFERENCE = 0, 1
"""Keys of the noise of the chain and of the reference, which are independent."""


def low_pass(x: Tensor, scale: int) -> Tensor:
    """φ: bicubic reduction by ``scale``, with its antialiasing, and enlargement."""
    size = (max(1, x.shape[-2] // scale), max(1, x.shape[-1] // scale))
    small = F.interpolate(x, size=size, mode="bicubic", antialias=True, align_corners=False)
    return F.interpolate(small, size=x.shape[-2:], mode="bicubic", align_corners=False)


def reference(found: Problem) -> Tensor:
    """The measurement at the size of the image, in network space."""
    planes = [enlarged(plane.cpu().numpy(), found.factor) for plane in found.y[0]]
    stacked = torch.stack([torch.from_numpy(plane) for plane in planes])[None]
    return stacked.to(found.y.device).clamp(-1, 1)


def run(gray: Pixels, work: Work, *, seed: int, device: str) -> Iterator[Step]:
    """Sample with the reference's low frequencies; one network call a step (see `Run`)."""
    found = problem(gray, work, device)
    signal = found.network.prior.signal
    moments = timesteps(signal, work.steps)
    scale = work.factor if work.factor > 1 else DENOISING_SCALE
    known = reference(found) if work.factor > 1 else found.y
    # Below the noise of the measurement its frequencies would put that noise into the image. A
    # pixel of a block mean is compared with the chain's noise in that block, factor times less.
    last = noise_level_step(signal, 2 * work.sigma * work.factor) if work.sigma > 0 else 0
    watch, pace = ProgressTracker(len(moments), "network call"), GpuPacing(device)

    def noise(t: int, which: int) -> Tensor:
        return noise_for_timestep(found.shape, seed, t, which).to(known.device)

    x = noise(START, SAMPLE)
    for call, moment in enumerate(moments, start=1):
        x0 = moment.clean(x, found.network.predict(x, moment.t)).clamp(-1, 1)
        x = ancestral(moment, x, x0, noise(moment.t, SAMPLE))
        if moment.t > last:
            at_noise = moment.a * known + moment.s * noise(moment.t, REFERENCE)
            x = x + low_pass(at_noise - x, scale)
        pace.tick()
        yield watch.step(call, found.image(x0) if call % PREVIEW_EVERY == 0 else None)
    yield final_step(
        found.image(x), calls=len(moments), scale=work.factor, notes=found.network.notes
    )
