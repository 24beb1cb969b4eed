"""Restoration of noise that was clipped at black and white.

Values outside [0, 1] were stored as 0 and 1, which raises the mean of a black background by 0.4 σ
and makes its noise one-sided. A network trained on Gaussian noise does not know such noise, and the
data term pulls the result to the raised mean. Saturated pixels are censored samples of x + n: each
is replaced by a draw from the truncated part of its Gaussian (imputation of censored data; Tobin,
"Estimation of relationships for limited dependent variables", 1958).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from enhancers.image import Pixels

WINDOW_SIGMA = 2.0
"""Gaussian σ in pixels of the window from which the mean of a saturated pixel is estimated."""


def restore_clipped(pixels: Pixels, sigma: float, *, seed: int) -> Pixels:
    """Replace saturated values by draws from the clipped tail of their Gaussian.

    Parameters
    ----------
    pixels : ndarray, float32, shape (H, W), in [0, 1]
    sigma : float
        Noise level in the same units; 0 changes nothing.
    seed : int

    Returns
    -------
    ndarray, float32, shape (H, W)
        Values between 0 and 1 are unchanged; zeros become negative, ones become larger than 1.
    """
    from scipy.ndimage import gaussian_filter
    from scipy.stats import truncnorm

    low, high = pixels <= 0.0, pixels >= 1.0
    if sigma <= 0.0 or not (low.any() or high.any()):
        return pixels
    clean = _mean_before_clipping(gaussian_filter(pixels, WINDOW_SIGMA), sigma)
    share = np.random.default_rng(seed).uniform(size=pixels.shape)
    restored = pixels.astype(np.float64)
    for cut, (start, end) in (
        (low, (-np.inf, -clean / sigma)),
        (high, ((1.0 - clean) / sigma, np.inf)),
    ):
        bounds = [np.broadcast_to(bound, pixels.shape)[cut] for bound in (start, end)]
        restored[cut] = clean[cut] + sigma * truncnorm.ppf(share[cut], *bounds)
    return restored.astype(np.float32)


def _mean_before_clipping(mean: Pixels, sigma: float) -> NDArray[np.float64]:
    """The x in [0, 1] for which x plus noise, clipped, has this mean."""
    from scipy.stats import norm

    x = np.linspace(0.0, 1.0, 513)
    above, below = x / sigma, (1.0 - x) / sigma
    clipped = (
        x * (norm.cdf(above) - norm.cdf(-below))
        + sigma * (norm.pdf(above) - norm.pdf(below))
        + norm.cdf(-below)
    )
    return np.interp(mean, clipped, x)
