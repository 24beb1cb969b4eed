"""The operator of an MR scan, for what was sampled of k-space."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from enhancers.measured import CoilSpectrum, SampledSpectrum, smooth_phase
from enhancers.operators import CoilKSpace, RealImage

if TYPE_CHECKING:
    from torch import Tensor


def scan_operator(
    samples: CoilSpectrum | SampledSpectrum, *, smooth: bool
) -> tuple[CoilKSpace | RealImage, Tensor]:
    """The operator of a scan and its samples, (1, coils, H, W).

    Parameters
    ----------
    samples : CoilSpectrum or SampledSpectrum
        The latter has one coil.
    smooth : bool
        Whether the phase is assumed to be smooth: then it is part of the operator, and the image
        is real, as for a scan whose image is known to be real. Otherwise the image is complex.
    """
    import torch

    mask = torch.from_numpy(samples.sampled.astype(np.float32))
    if isinstance(samples, CoilSpectrum):
        seen, values = samples.sensitivities, samples.samples
    else:
        seen, values = np.ones((1, *mask.shape), np.complex64), samples.samples[None]
        smooth = smooth or samples.real
    if smooth:
        seen = seen * smooth_phase(samples)
    operator = CoilKSpace(mask, torch.from_numpy(seen))
    return RealImage(operator) if smooth else operator, torch.from_numpy(values)[None]
