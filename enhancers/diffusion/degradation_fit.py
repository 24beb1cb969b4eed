"""The model y = f x + M as the published code of UniMIE fits it."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from enhancers.diffusion.lighting import MIN_GAIN


@dataclass(eq=False)
class PixelDegradationFit:
    """The published code's model: a mask per pixel, plain gradient steps of rate 1."""

    y: Tensor
    gain: Tensor
    mask: Tensor

    def residual(self, u: Tensor) -> Tensor:
        """The residual f u + M - y of an estimate ``u`` in [0, 1]."""
        return self.gain * u + self.mask - self.y

    def fit(self, u: Tensor) -> None:
        """One gradient step on mean(r²); the mean over all pixels keeps M near zero."""
        r = self.residual(u)
        self.gain = (self.gain - 2 * (r * u).mean()).clamp_min(MIN_GAIN)
        self.mask = self.mask - 2 * r / r.numel()
