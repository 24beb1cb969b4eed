"""The spectrum of correlated noise, from the blocks of an image that have least structure.

Noise is everywhere, structure is not: in the flattest blocks of an image their spectrum is that of
the noise (compare Ponomarenko et al., "Automatic estimation of spatially correlated noise variance
in spectral domain", SPIE 6497 (2007)). What the flattest blocks of an image without noise hold is
fine texture, whose spectrum falls more steeply and whose amount differs more from block to block.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from enhancers.image import Pixels
from enhancers.noise_spectrum import NoiseSpectrum

Array = NDArray[np.float64]

BLOCK = 12
"""Side of a block in pixels."""

EDGES = (0.02, 0.06, 0.10, 0.17, 0.24, 0.31, 0.39, 0.47, 0.71)
"""Borders of the frequency bands, in cycles per pixel."""

CENTRES = tuple(0.5 * (low + high) for low, high in pairwise(EDGES))

STRIDE = 4
MAX_BLOCKS = 4000
FLAT_SHARE = 0.1
"""Share of the blocks, those of least energy, from which noise is estimated."""

FEWEST = 30
ROUNDS = 8

WHITE_SHARE = 0.55
"""Noise is white where the highest frequencies have at least this share of what the middle ones
have. White noise of σ 0.02 has 0.63 to 1.03 of it, correlated noise 0.03 to 0.56."""

TEXTURE = 0.010
"""σ of the texture that the flattest tissue of CT phantoms without noise has; taken off in squares.
"""

EVENNESS, SLOPE, AMOUNT, BIAS = -1.93, -4.70, 4.74, 23.56
"""Logistic regression of whether the flattest blocks hold noise, on the logarithms of: the ratio of
the 30th to the 5th percentile of the blocks' energies; that of the amplitudes at 0.08 and at 0.2
cycles per pixel; σ. Fitted on phantoms and on slices of CT, MR, ultrasound and X-ray, without noise
and with noise of CT, blurred or compressed noise: 4 of 52 without noise are read as noisy (2 of MR,
2 phantoms of CT, both with less than a fifth of their amplitude), 1 of 208 with noise as clean."""

EVEN = 1.5
"""Largest ratio of the median to the 5th percentile of the blocks' energies of even noise."""

UNEVEN_SIGMAS = (0.04, 0.08)
"""σ from which, and in full from which, the noise of the median block is taken and not that of the
flattest: the energy of most blocks is then the noise's. Noise of low-dose CT is uneven."""

MEDIAN_TO_MEAN = 0.4549
"""Median over mean of the square of a Gaussian variable."""


@dataclass(frozen=True, eq=False)
class _Blocks:
    """Squared DCT coefficients, shape (blocks, coefficients), with band and parity of each."""

    power: Array
    band: NDArray[np.intp]
    odd: NDArray[np.bool_]


def correlated_noise(pixels: Pixels, highest: float) -> NoiseSpectrum | None:
    """The spectrum of an image's noise, if it is clearly correlated noise.

    Parameters
    ----------
    pixels : ndarray, float32, shape (H, W), in [0, 1]
    highest : float
        The amplitude at the highest frequencies, as `enhancers.noise` measures it.

    Returns
    -------
    NoiseSpectrum or None
        None where the noise is white, where it cannot be told from texture, and for images of less
        than `FEWEST` blocks.

    Notes
    -----
    The coefficients of a block's DCT are nearly independent. Blocks are chosen by the even
    coefficients (i + j) and measured by the odd ones, and the other way round, so that the choice
    of blocks of little energy does not lower the estimate. Noise that is correlated over more than
    two or three pixels looks like texture and is not found.
    """
    blocks = _blocks(pixels)
    if blocks is None:
        return None
    power = _floor(blocks)
    amplitude = np.sqrt(power)
    # Below 0.1 cycles per pixel even the flattest blocks hold anatomy.
    amplitude[:2] = np.minimum(amplitude[:2], 1.2 * amplitude[2])
    spectrum = NoiseSpectrum(CENTRES, tuple(float(value) for value in amplitude))
    if highest >= WHITE_SHARE * amplitude[4] or spectrum.sigma <= TEXTURE:
        return None
    energy = _energy(blocks, power, blocks.band >= 1)
    low, high, median = np.quantile(energy, [0.05, 0.3, 0.5])
    score = (
        EVENNESS * math.log(high / low)
        + SLOPE * 0.5 * math.log(power[1] / power[3])
        + AMOUNT * math.log(spectrum.sigma)
        + BIAS
    )
    noise = min(1.0, max(0.0, score))
    noise *= 1.0 - (TEXTURE / spectrum.sigma) ** 2
    strong = float(np.interp(spectrum.sigma, UNEVEN_SIGMAS, (0.0, 1.0)))
    uneven = 1.0 + strong * (math.sqrt(max(1.0, median / low / EVEN)) - 1.0)
    found = spectrum.scaled(uneven * math.sqrt(noise))
    return found if found.sigma > highest else None


def _blocks(pixels: Pixels) -> _Blocks | None:
    """The blocks away from black and white, of which at most `MAX_BLOCKS` are taken."""
    from scipy.fft import dctn

    if min(pixels.shape) < 2 * BLOCK:
        return None
    stride = max(STRIDE, math.ceil(math.sqrt(pixels.size / MAX_BLOCKS)))
    windows = sliding_window_view(pixels, (BLOCK, BLOCK))[::stride, ::stride]
    values = windows.reshape(-1, BLOCK, BLOCK).astype(np.float64)
    clipped = ((values <= 0.0) | (values >= 1.0)).mean((1, 2))
    mean = values.mean((1, 2))
    for usable in ((clipped < 0.02) & (mean > 0.03) & (mean < 0.97), clipped < 0.5):
        if usable.sum() >= FEWEST:
            break
    else:
        return None
    rows, columns = np.indices((BLOCK, BLOCK))
    band = np.digitize(np.hypot(rows, columns) / (2 * BLOCK), EDGES) - 1
    inside = band >= 0
    power = dctn(values[usable], axes=(1, 2), norm="ortho")[:, inside] ** 2
    return _Blocks(power, band[inside], ((rows + columns) % 2 == 1)[inside])


def _floor(blocks: _Blocks) -> Array:
    """Power of each band in the flattest blocks, shape (bands,)."""
    power = _by_band(blocks, _typical(blocks.power))
    few = max(FEWEST, int(FLAT_SHARE * len(blocks.power)))
    for _ in range(ROUNDS):
        typical = np.empty(len(blocks.band))
        for odd in (True, False):
            flattest = np.argsort(_energy(blocks, power, blocks.odd == odd))[:few]
            typical[blocks.odd != odd] = _typical(blocks.power[flattest][:, blocks.odd != odd])
        found = _by_band(blocks, typical)
        settled = bool(np.all(np.abs(found / power - 1.0) < 0.02))
        power = found
        if settled:
            break
    return power


def _typical(squares: Array) -> Array:
    """The mean of squares of Gaussian values along the first axis, by their median."""
    return np.maximum(np.median(squares, axis=0) / MEDIAN_TO_MEAN, 1e-12)


def _by_band(blocks: _Blocks, power: Array) -> Array:
    """Mean of the coefficients' ``power`` over each band."""
    bands = len(CENTRES)
    return np.bincount(blocks.band, power, bands) / np.bincount(blocks.band, minlength=bands)


def _energy(blocks: _Blocks, power: Array, chosen: NDArray[np.bool_]) -> Array:
    """Mean energy of each block's chosen coefficients, relative to the ``power`` of their bands."""
    relative: Array = blocks.power[:, chosen] @ (1.0 / power[blocks.band[chosen]]) / chosen.sum()
    return relative
