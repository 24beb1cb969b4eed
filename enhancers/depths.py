"""The images of one input at several depths, and their weights; without torch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from enhancers.colour import luminance
from enhancers.errors import ParameterError
from enhancers.image import MedicalImage, Pixels
from enhancers.method import ParameterValue
from enhancers.parameter_values import as_float
from enhancers.registry import DEPTH_WEIGHTS

MOST_DEPTHS = 9


def depth_weights(count: int, known: Sequence[float] = DEPTH_WEIGHTS) -> tuple[float, ...]:
    """The weight of each of ``count`` depths, from superficial to deep, with a sum of 1.

    ``known`` are those of equally spaced depths over the same range; in between they are
    interpolated.

    Raises
    ------
    ParameterError
        ``count`` is not 1 to 9, or the weights are negative or all 0.
    """
    if not 1 <= count <= MOST_DEPTHS:
        raise ParameterError(f"{count} depths cannot be fused; give 1 to {MOST_DEPTHS} images.")
    if not known or min(known) < 0 or not 0 < sum(known) < np.inf:
        raise ParameterError(
            f"weights={list(known)} are not possible; give none below 0, some above."
        )
    places = np.linspace(0, len(known) - 1, count) if count > 1 else [(len(known) - 1) / 2]
    found = np.interp(places, np.arange(len(known)), known)
    if not found.sum() > 0:
        raise ParameterError(f"weights={list(known)} leave none of {count} depths; give others.")
    return tuple(float(weight) for weight in found / found.sum())


def weights_of(params: Mapping[str, ParameterValue]) -> tuple[float, ...]:
    """The weights of five equally spaced depths."""
    return tuple(as_float(params, f"weight_{place}") for place in range(1, len(DEPTH_WEIGHTS) + 1))


def depths_of(image: MedicalImage, params: Mapping[str, ParameterValue]) -> Pixels:
    """The depths (D, H, W) of an image in [0, 1] of its window, from superficial to deep."""
    if image.depths is None:
        return luminance(image.pixels)[None]
    depths = np.stack([image.window.to_unit(one) for one in image.depths])
    return depths[::-1] if params["order"] == "deep first" else depths


def depths_with_weights(
    image: MedicalImage, params: Mapping[str, ParameterValue]
) -> list[tuple[Pixels, float]]:
    """The depths of an input (H, W) in [0, 1], from superficial to deep, and their weights."""
    depths = depths_of(image, params)
    return list(zip(depths, depth_weights(len(depths), weights_of(params)), strict=True))
