"""What a diffusion network is trained to predict, and how much each noise level counts.

Noise (ε; Ho et al. 2020), the clean image (x0) or their rotation v = a ε - s x0 (Salimans and Ho,
2022), where x_t = a x0 + s ε; the weight is 1, or min-SNR-γ (Hang et al., ICCV 2023).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from torch import Tensor, ones_like

Kind = Literal["epsilon", "v_prediction", "sample"]
"""As the schedulers of diffusers call them."""


@dataclass(frozen=True)
class Target:
    """A prediction and its weight.

    Parameters
    ----------
    kind : {"epsilon", "v_prediction", "sample"}
    gamma : float, optional
        Of min-SNR-γ: the signal-to-noise ratio is cut off there; None weighs all times alike.
    """

    kind: Kind = "epsilon"
    gamma: float | None = None

    def of(self, clean: Tensor, noise: Tensor, kept: Tensor) -> Tensor:
        """What the network should answer; ``kept`` is ābar, broadcastable to the images."""
        if self.kind == "epsilon":
            return noise
        if self.kind == "sample":
            return clean
        return kept.sqrt() * noise - (1 - kept).sqrt() * clean

    def noise(self, answer: Tensor, noisy: Tensor, kept: Tensor) -> Tensor:
        """ε as the network's answer implies it."""
        if self.kind == "epsilon":
            return answer
        if self.kind == "sample":
            return (noisy - kept.sqrt() * answer) / (1 - kept).sqrt()
        return kept.sqrt() * answer + (1 - kept).sqrt() * noisy

    def weight(self, kept: Tensor) -> Tensor:
        """Weight of the squared error at ābar ``kept``, of the same shape."""
        if self.gamma is None:
            return ones_like(kept)
        ratio = kept / (1 - kept)
        least = ratio.clamp_max(self.gamma)
        # Each is the clean image's weight in terms of the error that is measured.
        if self.kind == "epsilon":
            return least / ratio
        return least if self.kind == "sample" else least / (ratio + 1)


EPSILON = Target()
"""Of the embedded priors and of the published networks."""
