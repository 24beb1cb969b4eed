"""What the rival denoisers get: σ as every method does, and the image with its noise restored."""

from __future__ import annotations

from enhancers.classical.restore_phase import in_phase
from enhancers.evaluation.problem import Degraded
from enhancers.image import Pixels
from enhancers.noise import estimate_rician_sigma, estimate_sigma
from enhancers.restore_clipped import restore_clipped


def noise_of(degraded: Degraded) -> float:
    """The σ of an image, known or estimated; 0 where there is less than methods remove."""
    from enhancers.networks.tiled_networks import LEAST_SIGMA

    sigma = degraded.sigma
    if sigma is None:
        rician = degraded.kind == "rician"
        sigma = (estimate_rician_sigma if rician else estimate_sigma)(degraded.pixels)
    return sigma if sigma >= LEAST_SIGMA else 0.0


def restored(degraded: Degraded, sigma: float, seed: int) -> Pixels:
    """The image with clipped noise restored to its mean, or the real part of a magnitude.

    The mean serves them better than a draw, by 0.02 dB and 0.003 of SSIM.
    """
    if degraded.kind == "rician":
        return in_phase(degraded.pixels, sigma, seed)
    return restore_clipped(degraded.pixels, sigma, seed=None)
