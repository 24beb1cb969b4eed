"""DDNM's one call on an image and its neighbouring slices, averaged where they agree.

Non-local means along a stack, on estimates instead of noisy values: Buades, Coll, Morel, "Nonlocal
image and movie denoising", International Journal of Computer Vision 76, 2008. Two things were tried
as well and dropped. Mixing at every step of three samples that share their noise takes seven times
the calls, is no better where slices are alike and worse where they are not: what they do not share
is lost at every step. Mixing the noisy values by the same weights before a second call is worse
than the slice alone: the weights follow the noise.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

import numpy as np

from enhancers.devices import GpuPacing
from enhancers.evaluation.baselines.baseline import Work
from enhancers.evaluation.baselines.ddpm_chain import problem
from enhancers.image import Pixels
from enhancers.method_interface import ProgressTracker, Step, final_step
from enhancers.networks.timesteps import noise_level_step, timestep_pairs
from enhancers.restore_clipped import restore_clipped

WINDOW = 1.5
"""Gaussian σ in pixels of the neighbourhood in which two slices are compared."""
OWN_ERROR = 0.2
"""Difference between estimates of the same anatomy, as a share of σ; it counts as agreement."""
BANDWIDTH = 0.3
"""Difference beyond that at which a neighbour's weight is 0.6, as a share of σ.

Both chosen on one subject of the training's and on phantoms.
"""


def agreement(middle: Pixels, other: Pixels, sigma: float) -> Pixels:
    """The weight of ``other`` at every pixel, 0 to 1, where ``middle`` has 1.

    w = exp(-d² / 2h²), d² the local mean square difference less what the estimates' own error
    explains, and h in proportion to the noise.
    """
    from scipy.ndimage import gaussian_filter

    apart = gaussian_filter((other - middle) ** 2, WINDOW)
    excess = np.maximum(apart - (OWN_ERROR * sigma) ** 2, 0.0)
    weight: Pixels = np.exp(-excess / (2 * (BANDWIDTH * sigma) ** 2)).astype(np.float32)
    return weight


def mixed(middle: Pixels, others: Sequence[Pixels], sigma: float) -> Pixels:
    """The mean of estimates (H, W), the others weighted by `agreement`."""
    total, weights = middle.copy(), np.ones_like(middle)
    for other in others:
        weight = agreement(middle, other, sigma)
        total += weight * other
        weights += weight
    return total / weights


def run(gray: Pixels, work: Work, *, seed: int, device: str) -> Iterator[Step]:
    """Denoise with one network call a slice (see `Run`); without neighbours, as if alone."""
    # Without noise there is nothing that a neighbour could know better.
    slices = (gray, *work.neighbours) if work.sigma > 0 else (gray,)
    watch, pace = ProgressTracker(len(slices), "network call"), GpuPacing(device)
    estimates: list[Pixels] = []
    notes: dict[str, None] = {}
    for place, pixels in enumerate(slices):
        # Each its own draws: what is the same in all would not cancel.
        found = problem(restore_clipped(pixels, work.sigma, seed=seed + place), work, device)
        signal = found.network.prior.signal
        (moment,) = timestep_pairs(signal, [noise_level_step(signal, 2 * work.sigma)])
        x = math.sqrt(moment.signal) * found.y
        estimates.append(found.image(moment.clean(x, found.network.predict(x, moment.t))))
        notes |= dict.fromkeys(found.network.notes)
        pace.tick()
        yield watch.step(place + 1, estimates[0])
    result = mixed(estimates[0], estimates[1:], work.sigma)
    yield final_step(result, calls=len(slices), notes=tuple(notes))
