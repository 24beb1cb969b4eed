"""Correlated noise made white for a network: what its spectrum lacks is added."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from enhancers.networks.timesteps import TimestepPair
from enhancers.noise_spectrum import NoiseSpectrum

STRENGTHS = (1.0, 2.0)
STRONG_SIGMA = 0.03
"""Correlated noise is taken with its amplitude times its σ over this, within `STRENGTHS`: weak
noise is measured with some texture; strong noise is uneven and has more than the flattest tissue,
in which it is measured (on low-dose CT of training subjects 1 is best at σ 0.03 and less, 1.5 at
0.05 and 2 above 0.06)."""


def strengthened(noise: NoiseSpectrum) -> NoiseSpectrum:
    """The measured spectrum with the amplitude that restoration takes."""
    return noise.scaled(float(np.clip(noise.sigma / STRONG_SIGMA, *STRENGTHS)))


def amplitudes(noise: NoiseSpectrum, like: Tensor) -> Tensor:
    """Amplitude in network units, twice that in [0, 1], at each frequency of `torch.fft.rfft2`.

    For an image ``like`` (B, C, H, W); shape (H, W // 2 + 1).
    """
    amplitude = 2 * noise.amplitude((like.shape[-2], like.shape[-1]))
    return torch.from_numpy(amplitude).to(like.device, like.dtype)


def missing_noise(pair: TimestepPair, spectrum: Tensor) -> Tensor:
    """Amplitude that a measurement with this ``spectrum`` lacks to the white noise of ``pair``.

    For the state sqrt(ābar) y at the beginning of the step; shape (H, W // 2 + 1).
    """
    return ((1.0 - pair.signal) - pair.signal * spectrum**2).clamp(min=0.0).sqrt()


def filtered(x: Tensor, gain: Tensor) -> Tensor:
    """``x`` (B, C, H, W) with each frequency multiplied by ``gain`` (H, W // 2 + 1)."""
    result: Tensor = torch.fft.irfft2(torch.fft.rfft2(x) * gain, s=x.shape[-2:])
    return result
