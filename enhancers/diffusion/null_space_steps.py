"""Update steps of DDNM in closed form; images and noise levels are in network space, [-1, 1]."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from enhancers.networks.coloured_noise import filtered
from enhancers.networks.timesteps import TimestepPair
from enhancers.operators import NullSpaceOperator

CONSISTENCY = 5e-4
"""Largest |H x - y| after the final projections, in [0, 1] units."""
MAX_ROUNDS = 200


def denoise_step(
    pair: TimestepPair, x0: Tensor, y: Tensor, z: Tensor, *, sigma: float, eta: float
) -> Tensor:
    """Next state for denoising (H = I) from the clean estimate ``x0`` and the measurement ``y``."""
    a, s = pair.a, pair.s
    if s >= a * sigma:
        return a * y + math.sqrt(s * s - a * a * sigma * sigma) * z
    pull = s * math.sqrt(1 - eta * eta) / (a * sigma)
    return a * (x0 - pull * (x0 - y)) + s * eta * z


def coloured_step(
    pair: TimestepPair, x0: Tensor, y: Tensor, z: Tensor, *, spectrum: Tensor, eta: float
) -> Tensor:
    """`denoise_step` for noise with a covariance that is diagonal in frequency.

    Parameters
    ----------
    pair : TimestepPair
    x0, y, z : Tensor, shape (B, C, H, W)
    spectrum : Tensor, shape (H, W // 2 + 1)
        Amplitude of the noise at each frequency of `torch.fft.rfft2`, such that white noise of
        standard deviation σ has σ everywhere.
    eta : float

    Notes
    -----
    Each frequency is treated as `denoise_step` treats the image, with its own σ: the measurement is
    kept while its noise, a σ(f), is below that of the step, and what is missing is filled up by
    z, so that the state has white noise as the network expects.
    """
    a, s = pair.a, pair.s
    level = a * spectrum
    kept = level <= s
    pull = torch.where(kept, 1.0, s * math.sqrt(1 - eta * eta) / level)
    fresh = torch.where(kept, (s * s - level * level).clamp(min=0.0).sqrt(), s * eta)
    return a * (x0 + filtered(y - x0, pull)) + filtered(z, fresh)


def null_space_step(
    pair: TimestepPair,
    x0: Tensor,
    noise: Tensor,
    y: Tensor,
    z: Tensor,
    operator: NullSpaceOperator,
    *,
    sigma: float,
    eta: float,
) -> Tensor:
    """Next state for enlarging: range space from the measurement, null space from the network.

    ``sigma`` = 0 is the noise-free form; otherwise the range space is denoised at noise level
    σ / singular value, in closed form by block means.
    """
    a, s = pair.a, pair.s
    if sigma == 0.0:
        consistent = x0 - operator.pinv(operator.forward(x0) - y)
        return a * consistent + s * (eta * z + math.sqrt(1 - eta * eta) * noise)

    def in_range(x: Tensor) -> Tensor:
        return operator.pinv(operator.forward(x))

    level = sigma / operator.norm
    z_range, x0_range = in_range(z), in_range(x0)
    if s >= a * level:
        kept = a * operator.pinv(y) + math.sqrt(s * s - a * a * level * level) * z_range
    else:
        pull = s * math.sqrt(1 - eta * eta) / (a * level)
        kept = a * (x0_range - pull * (x0_range - operator.pinv(y))) + s * eta * z_range
    free = a * (x0 - x0_range)
    free = free + s * (eta * (z - z_range) + math.sqrt(1 - eta * eta) * (noise - in_range(noise)))
    return kept + free


def make_consistent(x: Tensor, y: Tensor, operator: NullSpaceOperator) -> Tensor:
    """Alternate clipping to [-1, 1] with H x = y until both hold to `CONSISTENCY`."""
    for _ in range(MAX_ROUNDS):
        x = x.clamp(-1, 1)
        residual = operator.forward(x) - y
        if float(residual.abs().max()) / 2 <= CONSISTENCY:
            break
        x = x - operator.pinv(residual)
    return x.clamp(-1, 1)
