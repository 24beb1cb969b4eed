"""The trainings that are compared, as pure data."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from enhancers.networks.training.architectures import PIXEL_CHANNELS
from enhancers.networks.training.train import RESTORATION, PixelObjective

Share = Literal["all", "tenth", "phantoms"]
"""Training images: all, the first tenth of each group, or the phantoms alone."""


@dataclass(frozen=True)
class Recipe:
    """One training.

    Parameters
    ----------
    key, label : str
    share : {"all", "tenth", "phantoms"}
    widths : tuple of int
        Channels of the network, from the finest level to the coarsest.
    length : float
        Number of steps relative to the other trainings.
    objective : PixelObjective
    """

    key: str
    label: str
    share: Share = "all"
    widths: tuple[int, ...] = PIXEL_CHANNELS
    length: float = 1.0
    objective: PixelObjective = RESTORATION


BASE, SHIPPED = "base", "shipped"
RECIPES = (
    Recipe(BASE, "as the pixel network is trained"),
    Recipe("half-steps", "half as many steps", length=0.5),
    Recipe("narrow", "half the channels", widths=tuple(width // 2 for width in PIXEL_CHANNELS)),
    Recipe("tenth", "a tenth of the images of each group", share="tenth"),
    Recipe("phantoms", "the project's phantoms alone", share="phantoms"),
    Recipe(
        "even-times",
        "all timesteps alike, none preferred",
        objective=PixelObjective(restoration_share=0.0),
    ),
    Recipe("unclipped", "noise is never clipped", objective=PixelObjective(clipped_share=0.0)),
    Recipe("unbalanced", "little noise counts most", objective=PixelObjective(balanced=False)),
)
"""Each recipe differs from the first in one choice."""
