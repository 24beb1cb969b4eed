"""Update steps of DDNM in closed form; images and noise levels are in network space, [-1, 1]."""

from __future__ import annotations

import math

from torch import Tensor

from enhancers.diffusion.schedule import TimestepPair
from enhancers.operators import Operator

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


def null_space_step(
    pair: TimestepPair,
    x0: Tensor,
    noise: Tensor,
    y: Tensor,
    z: Tensor,
    operator: Operator,
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

    level = sigma / operator.singular_value
    z_range, x0_range = in_range(z), in_range(x0)
    if s >= a * level:
        kept = a * operator.pinv(y) + math.sqrt(s * s - a * a * level * level) * z_range
    else:
        pull = s * math.sqrt(1 - eta * eta) / (a * level)
        kept = a * (x0_range - pull * (x0_range - operator.pinv(y))) + s * eta * z_range
    free = a * (x0 - x0_range)
    free = free + s * (eta * (z - z_range) + math.sqrt(1 - eta * eta) * (noise - in_range(noise)))
    return kept + free


def make_consistent(x: Tensor, y: Tensor, operator: Operator) -> Tensor:
    """Alternate clipping to [-1, 1] with H x = y until both hold to `CONSISTENCY`."""
    for _ in range(MAX_ROUNDS):
        x = x.clamp(-1, 1)
        residual = operator.forward(x) - y
        if float(residual.abs().max()) / 2 <= CONSISTENCY:
            break
        x = x - operator.pinv(residual)
    return x.clamp(-1, 1)
