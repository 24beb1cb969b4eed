"""DPS: ancestral sampling, each step pulled down the gradient of the measurement's error.

Chung et al., "Diffusion posterior sampling for general noisy inverse problems", ICLR 2023,
Algorithm 1: x <- x' - ζ ∇ ||y - H x̂0(x_t)||, the norm not squared, the gradient taken through the
network.
"""

from __future__ import annotations

import math
from collections.abc import Iterator

import torch
from torch import Tensor

from enhancers.devices.oom import is_out_of_memory
from enhancers.diffusion.timestep_noise import START, noise_for_timestep
from enhancers.errors import OutOfDeviceMemory
from enhancers.evaluation.baselines.baseline import Work
from enhancers.evaluation.baselines.ddpm_chain import Problem, ancestral, problem
from enhancers.image import Pixels
from enhancers.method_interface import ProgressTracker, Step, final_step
from enhancers.networks.priors import PixelPrior, as_noise
from enhancers.networks.timesteps import TimestepPair, timesteps
from enhancers.operators import Operator

ZETA, NOISE_FREE = 0.8, 2.0
"""ζ for `ZETA_ELEMENTS` and `ZETA_STEPS`, and how much more where the measurement has no noise.

The paper chooses ζ for each task (0.3 to 1 with its networks), and so was this, by PSNR on
validation images of four modalities: twice or half as much loses 1 to 3 dB of denoising.
"""
ZETA_ELEMENTS, ZETA_STEPS = 256 * 256, 1000
PREVIEW_EVERY = 20


def strength(elements: int, steps: int, *, noisy: bool) -> float:
    """ζ for an image of so many elements, sampled in so many steps.

    The gradient of a norm is about as long whatever the image's size, so that ζ must grow with the
    root of the number of elements: the best was 0.1 for 32 x 32 and 0.2 for 64 x 64. Fewer steps
    must each pull more: 50, 100 and 400 steps then give the same within 0.3 dB.
    """
    size = math.sqrt(elements / ZETA_ELEMENTS)
    return ZETA * (1.0 if noisy else NOISE_FREE) * size * ZETA_STEPS / steps


def network_noise(prior: PixelPrior, x: Tensor, t: int) -> Tensor:
    """The noise in ``x`` by torch's forward pass, which can be differentiated."""
    dtype = next(prior.unet.parameters()).dtype
    output = prior.unet(x.to(dtype), torch.tensor([t], device=x.device)).sample
    return as_noise(output[:, : prior.channels].float(), x, t, prior.betas)


def guided_estimate(
    prior: PixelPrior, moment: TimestepPair, x: Tensor, y: Tensor, operator: Operator
) -> tuple[Tensor, Tensor]:
    """x̂0, clipped, and the gradient of ||y - H x̂0|| with respect to ``x``."""
    # Repeatable on a GPU: cuDNN would otherwise choose sums of varying order.
    with torch.enable_grad(), torch.backends.cudnn.flags(deterministic=True, benchmark=False):
        state = x.detach().requires_grad_(True)
        x0 = moment.clean(state, network_noise(prior, state, moment.t)).clamp(-1, 1)
        error = torch.linalg.vector_norm(y - operator.forward(x0))
        (slope,) = torch.autograd.grad(error, state)
    # The norm of an exact fit has no gradient.
    return x0.detach(), torch.nan_to_num(slope)


def run(gray: Pixels, work: Work, *, seed: int, device: str) -> Iterator[Step]:
    """Sample under the measurement's pull; one network call and its gradient a step.

    Raises
    ------
    OutOfDeviceMemory
        The gradient through the network on the complete image does not fit.
    """
    found = problem(gray, work, device)
    moments = timesteps(found.network.prior.signal, work.steps)
    pull = strength(math.prod(found.shape), len(moments), noisy=work.sigma > 0)
    watch = ProgressTracker(len(moments), "network call")
    x = noise_for_timestep(found.shape, seed, START).to(found.y.device)
    for call, moment in enumerate(moments, start=1):
        x0, slope = _on_device(found, moment, x, device)
        z = noise_for_timestep(found.shape, seed, moment.t).to(x.device)
        x = ancestral(moment, x, x0, z) - pull * slope
        yield watch.step(call, found.image(x0) if call % PREVIEW_EVERY == 0 else None)
    yield final_step(
        found.image(x), calls=len(moments), scale=work.factor, notes=found.network.notes
    )


def _on_device(
    found: Problem, moment: TimestepPair, x: Tensor, device: str
) -> tuple[Tensor, Tensor]:
    try:
        return guided_estimate(found.network.prior, moment, x, found.y, found.operator)
    except Exception as error:
        if not is_out_of_memory(error):
            raise
    raise OutOfDeviceMemory(
        f"DPS stores all activations of the network, and {device} has too little memory for "
        f"{x.shape[-1]} x {x.shape[-2]} pixels; use a smaller image or another device."
    )
