"""Pictures and measures the tests of the classical methods share."""

from collections.abc import Iterable

import numpy as np
import skimage.data

from enhancers.image import Pixels
from enhancers.method_interface import Result, Step


def photograph(side: int = 512) -> Pixels:
    """The cameraman, which ships inside scikit-image."""
    return (skimage.data.camera()[:side, :side] / 255.0).astype(np.float32)


def colour_photograph(side: int = 128) -> Pixels:
    return (skimage.data.astronaut()[:side, 100 : 100 + side] / 255.0).astype(np.float32)


def noisy(pixels: Pixels, sigma: float, seed: int = 0) -> Pixels:
    noise = np.random.default_rng(seed).normal(0.0, sigma, pixels.shape)
    return np.clip(pixels + noise, 0.0, 1.0).astype(np.float32)


def speckled(pixels: Pixels, sigma: float, seed: int = 0) -> Pixels:
    noise = np.random.default_rng(seed).normal(0.0, sigma, pixels.shape)
    return np.clip(pixels * (1.0 + noise), 0.0, 1.0).astype(np.float32)


def rician(pixels: Pixels, sigma: float, seed: int = 0) -> Pixels:
    real, imaginary = np.random.default_rng(seed).normal(0.0, sigma, (2, *pixels.shape))
    return np.clip(np.hypot(pixels + real, imaginary), 0.0, 1.0).astype(np.float32)


def psnr(pixels: Pixels, truth: Pixels) -> float:
    return float(-10.0 * np.log10(np.mean((np.clip(pixels, 0.0, 1.0) - truth) ** 2)))


def last(steps: Iterable[Step]) -> Result:
    *_, step = steps
    assert step.result is not None
    return step.result
