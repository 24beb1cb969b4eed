"""RED-CNN, which spandrel does not have: a residual encoder-decoder for low-dose CT.

H. Chen et al., "Low-dose CT with a residual encoder-decoder convolutional neural network", IEEE
Transactions on Medical Imaging 36(12), 2017, https://doi.org/10.1109/TMI.2017.2715284. The last
rectification of the paper is left out: it only sets negative values to zero, as the limit to [0, 1]
does, and networks on normalised values (LDCT-bench) are trained without it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

from spandrel import Architecture, ImageModelDescriptor, SizeRequirements
from torch import Tensor, nn
from torch.nn import functional

KERNEL, DEPTH = 5, 5
LEAST = 32
"""Smallest side: five convolutions without padding take 20 pixels."""


class RedCnn(nn.Module):
    """The network on images (B, 1, H, W).

    Parameters
    ----------
    width : int
        Channels of its layers.
    mean, deviation : float
        By which values are normalised before the first layer, and restored after the last one.
    """

    def __init__(self, width: int = 96, mean: float = 0.0, deviation: float = 1.0) -> None:
        super().__init__()
        self.mean, self.deviation = mean, deviation
        for number in range(1, DEPTH + 1):
            encoder = nn.Conv2d(width if number > 1 else 1, width, KERNEL)
            decoder = nn.ConvTranspose2d(width, width if number < DEPTH else 1, KERNEL)
            self.add_module(f"conv{number}", encoder)
            self.add_module(f"tconv{number}", decoder)

    def forward(self, image: Tensor) -> Tensor:
        """The restored image; the skips are around two layers each, from the input inward."""
        x = (image - self.mean) / self.deviation
        skips = []
        for number in range(1, DEPTH + 1):
            if number % 2:
                skips.append(x)
            x = functional.relu(self.get_submodule(f"conv{number}")(x))
        for number in range(1, DEPTH + 1):
            x = self.get_submodule(f"tconv{number}")(x)
            if number % 2:
                x = x + skips.pop()
            if number < DEPTH:
                x = functional.relu(x)
        return x * self.deviation + self.mean


class RedCnnArchitecture(Architecture[RedCnn]):  # type: ignore[misc]
    """Recognition and loading of RED-CNN for spandrel's registry.

    Parameters
    ----------
    mean, deviation : float
        As of `RedCnn`.
    """

    def __init__(self, mean: float = 0.0, deviation: float = 1.0) -> None:
        super().__init__(id="RED-CNN", detect=_is_red_cnn)
        self._normalisation = mean, deviation

    def load(self, state_dict: dict[str, Any]) -> ImageModelDescriptor[RedCnn]:
        """The network with these weights."""
        width = int(state_dict["conv1.weight"].shape[0])
        return ImageModelDescriptor(
            RedCnn(width, *self._normalisation),
            state_dict,
            architecture=self,
            purpose="Restoration",
            tags=[f"{width}nf"],
            supports_half=False,
            supports_bfloat16=True,
            scale=1,
            input_channels=1,
            output_channels=1,
            size_requirements=SizeRequirements(minimum=LEAST),
        )


def _is_red_cnn(state: Mapping[str, Any]) -> bool:
    names = {
        f"{kind}{number}.{what}"
        for kind in ("conv", "tconv")
        for number in range(1, DEPTH + 1)
        for what in ("weight", "bias")
    }
    if set(state) != names:
        return False
    shape = cast(Tensor, state["conv1.weight"]).shape
    return tuple(shape[1:]) == (1, KERNEL, KERNEL)
