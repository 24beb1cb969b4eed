"""Every method finishes on the largest image it is promised for, with the fewest steps it has."""

import numpy as np
import pytest

from enhancers.image import from_array
from enhancers.method import Method, Modality
from enhancers.method_interface import load_method
from enhancers.phantoms import phantom
from enhancers.registry import METHODS, resolve

CLASSICAL_SIDE, GENERATIVE_SIDE = 4096, 1024
PARTS = {"n4", "nlm", "clahe"}
"""Methods that the classical pipeline for MR runs one after the other."""


def _large(side: int) -> np.ndarray:
    """A cardiac MR phantom as mosaic, noisy, so that no part is constant."""
    tile = phantom("cardiac_mr", size=256, seed=1).pixels
    mosaic = np.tile(tile, (side // 256, side // 256))
    noise = np.random.default_rng(0).normal(0, 0.02, mosaic.shape)
    return np.clip(mosaic + noise, 0, 1).astype(np.float32)


def _fewest(method: Method) -> dict[str, int]:
    """The least work: the lower ends of the parameters that set how long a method runs."""
    return {
        parameter.name: int(parameter.low)
        for parameter in method.parameters
        if parameter.name in {"steps", "iterations"}
    }


@pytest.mark.exhaustive
@pytest.mark.timeout(600)
@pytest.mark.parametrize(
    "method", [m for m in METHODS if m.key not in PARTS], ids=lambda method: method.key
)
def test_the_largest_image(method: Method) -> None:
    side = CLASSICAL_SIDE if method.family == "classical" else GENERATIVE_SIDE
    image = from_array(_large(side), Modality.MR)
    params = resolve(method.key, Modality.MR, _fewest(method))
    *_, last = load_method(method.key).run(image, params, seed=0, device="cpu")
    assert last.result is not None
    assert last.result.pixels.shape == (side, side)
    assert np.isfinite(last.result.pixels).all()
    assert not np.array_equal(last.result.pixels, image.pixels)
    # What is made of several depths does not show one of them.
    assert (
        method.depths
        or np.corrcoef(last.result.pixels[::16, ::16].ravel(), image.pixels[::16, ::16].ravel())[
            0, 1
        ]
        > 0.6
    ), "the result has lost the image"
