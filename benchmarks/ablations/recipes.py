"""The trainings that are compared, as pure data."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from benchmarks.ablations.prediction_type import EPSILON, Target
from enhancers.networks.training.architectures import PIXEL_CHANNELS
from enhancers.networks.training.train import LOW_NOISE_BIAS

GAMMA = 5.0
"""γ of min-SNR weighting, as its authors recommend."""

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
    target : Target
    bias : float
        Timesteps are drawn as T u^bias.
    """

    key: str
    label: str
    share: Share = "all"
    widths: tuple[int, ...] = PIXEL_CHANNELS
    length: float = 1.0
    target: Target = EPSILON
    bias: float = LOW_NOISE_BIAS


BASE, SHIPPED = "base", "shipped"
RECIPES = (
    Recipe(BASE, "as the shipped prior: all data, noise prediction"),
    Recipe("half-steps", "half as many steps", length=0.5),
    Recipe("narrow", "half the channels", widths=tuple(width // 2 for width in PIXEL_CHANNELS)),
    Recipe("tenth", "a tenth of the images of each group", share="tenth"),
    Recipe("phantoms", "the project's phantoms alone", share="phantoms"),
    Recipe("even-times", "all noise levels alike, none preferred", bias=1.0),
    Recipe("v", "v prediction", target=Target("v_prediction")),
    Recipe("v-min-snr", "v prediction, min-SNR weights", target=Target("v_prediction", GAMMA)),
    Recipe("x0", "prediction of the clean image", target=Target("sample")),
)
"""Each recipe differs from the first in one choice."""
