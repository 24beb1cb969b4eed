"""What a diffusion network is trained to predict, and the weight of each noise level.

Noise (ε; Ho et al. 2020), the clean image (x0) or their rotation v = a ε - s x0 (Salimans and Ho,
2022), where x_t = a x0 + s ε; the weight is 1, or min-SNR-γ (Hang et al., ICCV 2023).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from torch import Tensor, ones_like

Kind = Literal["epsilon", "v_prediction", "sample"]
"""Named as in the schedulers of diffusers."""


@dataclass(frozen=True)
class Target:
    """The quantity that a network predicts, and how the noise levels are weighted.

    Parameters
    ----------
    kind : {"epsilon", "v_prediction", "sample"}
    gamma : float, optional
        Limit of the signal-to-noise ratio in min-SNR-γ weights; None for equal weights.
    """

    kind: Kind = "epsilon"
    gamma: float | None = None

    def of(self, clean: Tensor, noise: Tensor, abar: Tensor) -> Tensor:
        """The network's target; ``abar`` must be broadcastable to the images (B, C, H, W)."""
        if self.kind == "epsilon":
            return noise
        if self.kind == "sample":
            return clean
        return abar.sqrt() * noise - (1 - abar).sqrt() * clean

    def noise(self, answer: Tensor, noisy: Tensor, abar: Tensor) -> Tensor:
        """The noise ε that the network's answer implies."""
        if self.kind == "epsilon":
            return answer
        if self.kind == "sample":
            return (noisy - abar.sqrt() * answer) / (1 - abar).sqrt()
        return abar.sqrt() * answer + (1 - abar).sqrt() * noisy

    def weight(self, abar: Tensor) -> Tensor:
        """Weight of the squared error at ābar ``abar``, of the same shape."""
        if self.gamma is None:
            return ones_like(abar)
        ratio = abar / (1 - abar)
        least = ratio.clamp_max(self.gamma)
        # The weight of the clean image's error, converted to the error of the prediction.
        if self.kind == "epsilon":
            return least / ratio
        return least if self.kind == "sample" else least / (ratio + 1)


EPSILON = Target()
"""The target of the embedded and of the published networks."""
