"""Non-local means with a bandwidth per pixel and Rician bias correction.

Every pixel becomes the mean of the pixels around it, weighted by the similarity of their patches
(Buades, Coll and Morel, CVPR 2005). Magnitude MR has Rician noise: the bandwidth grows with the
signal, and the bias of the squared magnitude, 2σ², is subtracted at the end (Coupé et al., IEEE TMI
27(4), 2008; Wiest-Daesslé et al., MICCAI 2008). Noise makes two patches of the same tissue differ
by 2σ² per pixel. Subtracting this first (Buades, Coll and Morel, IPOL 1, 2011) smooths dark
background too, where the bandwidth alone would leave every pixel unchanged. On magnitude MR at σ
0.02, 0.04 and 0.066 this gains 1.8, 3.5 and 5.7 dB.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Literal

import cv2
import numpy as np
from numpy.typing import NDArray

from enhancers.colour import luminance, with_luminance
from enhancers.image import MedicalImage, Pixels
from enhancers.method import ParameterValue
from enhancers.method_interface import (
    ProgressTracker,
    Step,
    Tile,
    assemble,
    assembled,
    final_step,
    noise_figures,
    noise_notes,
    skips_constant_images,
)
from enhancers.noise import measure_noise
from enhancers.noise_spectrum import NoiseSpectrum
from enhancers.parameter_values import as_float, as_float_or_none, as_int
from enhancers.restore_clipped import restore_clipped

NoiseModel = Literal["gaussian", "rician"]
Distance = Literal["corrected", "plain"]
Mode = Literal["reflect", "symmetric"]

TILE = 256
"""Side of the tiles in pixels, such that their arrays fit into the processor's cache."""

MIN_SIGMA = 1e-4
"""Less noise (a fortieth of an 8-bit gray level) is not removed."""


def nlm(
    pixels: Pixels,
    *,
    sigma: float,
    beta: float,
    noise: NoiseModel,
    patch: int,
    search: int,
    distance: Distance = "corrected",
) -> Pixels:
    """Denoise an image by non-local means.

    Parameters
    ----------
    pixels : ndarray, float32, shape (H, W)
        In [0, 1], or beyond where clipped noise was restored.
    sigma : float
        Standard deviation of the noise, in [0, 1] units; for Rician noise that of each of the two
        channels.
    beta : float
        Strength. With S the SUM of squared differences over a patch of p x p pixels the weight is
        exp(-S / h²), where h = β σ sqrt(max(1, I/σ)) for Rician noise and h = p β σ for Gaussian
        noise (that is, β σ for the mean over the patch).
    noise : {"gaussian", "rician"}
        "rician" also returns sqrt(max(u² - 2σ², 0)) of the mean u.
    distance : {"corrected", "plain"}
        For Rician noise, whether S is less what noise alone gives, max(S - 2 p² σ², 0).
    patch, search : int
        Odd sides of the patch and of the search window, in pixels.

    Returns
    -------
    ndarray, float32, shape (H, W)

    Raises
    ------
    ValueError
        If a side is even, or ``sigma`` or ``beta`` is negative.
    """
    tiles = nlm_tiles(
        pixels, sigma=sigma, beta=beta, noise=noise, patch=patch, search=search, distance=distance
    )
    return assembled(tiles, pixels.shape)


def nlm_tiles(
    pixels: Pixels,
    *,
    sigma: float,
    beta: float,
    noise: NoiseModel,
    patch: int,
    search: int,
    distance: Distance = "corrected",
) -> Iterator[Tile]:
    """The result of `nlm` in tiles, row by row; it does not depend on the tiling."""
    if patch % 2 == 0 or search % 2 == 0:
        raise ValueError(f"patch and search must be odd, got {patch} and {search}")
    if sigma < 0.0 or beta < 0.0:
        raise ValueError(f"sigma and beta must not be negative, got {sigma} and {beta}")
    height, width = pixels.shape
    margin = patch // 2 + search // 2
    corrected = noise == "rician" and distance == "corrected"
    expected = 2.0 * (patch * sigma) ** 2 if corrected else 0.0
    mode: Mode = "reflect" if min(height, width) > margin else "symmetric"
    # Each tile is padded by itself: a padded copy would take 4 bytes per pixel.
    rows, columns = (np.pad(np.arange(side), margin, mode=mode) for side in pixels.shape)
    for top in range(0, height, TILE):
        for left in range(0, width, TILE):
            where = (slice(top, min(top + TILE, height)), slice(left, min(left + TILE, width)))
            if sigma < MIN_SIGMA or beta <= 0.0:
                yield where, pixels[where].copy()
                continue
            around = [slice(each.start, each.stop + 2 * margin) for each in where]
            block = pixels[np.ix_(rows[around[0]], columns[around[1]])]
            square = _square_bandwidth(pixels[where], sigma, beta, noise, patch)
            mean = _weighted_mean(block, square, expected, patch, search)
            yield where, _without_bias(mean, sigma) if noise == "rician" else mean


def _square_bandwidth(
    tile: Pixels, sigma: float, beta: float, noise: NoiseModel, patch: int
) -> Pixels:
    if noise == "rician":
        growth: Pixels = np.maximum(tile / np.float32(sigma), np.float32(1.0))
        return growth * np.float32((beta * sigma) ** 2)
    return np.full_like(tile, (patch * beta * sigma) ** 2)


def _without_bias(mean: Pixels, sigma: float) -> Pixels:
    corrected: Pixels = np.sqrt(np.maximum(mean * mean - np.float32(2.0 * sigma * sigma), 0.0))
    return corrected


def _weighted_mean(
    block: Pixels, square_bandwidth: Pixels, expected: float, patch: int, search: int
) -> Pixels:
    """The weighted mean over the search window, for the interior of a block with margins.

    ``expected`` is the patch distance that noise alone causes. The patch distance between x and
    x + d is symmetric: it is computed once, for d in half of the window, and weighted twice, since
    the bandwidth differs at the two ends.
    """
    reach, half = search // 2, patch // 2
    rows, columns = square_bandwidth.shape
    margin = reach + half
    scale = np.float32(-1.0) / square_bandwidth
    centre = block[margin : margin + rows, margin : margin + columns]
    total, mean = np.ones_like(centre), centre.copy()
    for dy in range(reach + 1):
        for dx in range(-reach, reach + 1):
            if dy == 0 and dx <= 0:
                continue
            distance = _patch_distance(block, (dy, dx), reach, (rows, columns), patch)
            if expected:
                distance = np.maximum(distance - np.float32(expected), np.float32(0.0))
            ahead, behind = max(dx, 0), max(-dx, 0)
            for distances, (sy, sx) in (
                (distance[dy : dy + rows, ahead : ahead + columns], (dy, dx)),
                (distance[:rows, behind : behind + columns], (-dy, -dx)),
            ):
                weight = np.multiply(distances, scale)
                np.exp(weight, out=weight)
                other = block[margin + sy : margin + sy + rows, margin + sx : margin + sx + columns]
                total += weight
                weight *= other
                mean += weight
    mean /= total
    return mean


def _patch_distance(
    block: Pixels, offset: tuple[int, int], reach: int, shape: tuple[int, int], patch: int
) -> NDArray[np.float32]:
    """Sum over the patch of (I(x) - I(x + d))² for x in the tile and in the tile shifted by -d.

    Row 0 of the result is row -dy of the tile; column 0 is column -max(dx, 0).
    """
    (dy, dx), (rows, columns) = offset, shape
    top, left = reach - dy, reach - max(dx, 0)
    height, width = rows + dy + patch - 1, columns + abs(dx) + patch - 1
    here = block[top : top + height, left : left + width]
    there = block[top + dy : top + dy + height, left + dx : left + dx + width]
    difference = here - there
    difference *= difference
    summed: NDArray[np.float32] = cv2.boxFilter(
        difference, -1, (patch, patch), normalize=False, borderType=cv2.BORDER_CONSTANT
    )
    half = patch // 2
    return summed[half : height - half, half : width - half]


@skips_constant_images
def run(
    image: MedicalImage, params: Mapping[str, ParameterValue], *, seed: int, device: str
) -> Iterator[Step]:
    """Run non-local means on the luminance (see `Enhancer`)."""
    yield Step(0.0, note="measuring the noise")
    gray = luminance(image.pixels)
    noise: NoiseModel = "rician" if params["noise"] == "rician" else "gaussian"
    told = as_float_or_none(params, "sigma")
    if told is None:
        found = measure_noise(gray, rician=noise == "rician")
    else:
        found = NoiseSpectrum.white(told)
    restored = gray
    if noise == "gaussian" and params["unclip"]:
        restored = restore_clipped(gray, found.sigma, seed=None)
    tiles = nlm_tiles(
        restored,
        sigma=found.sigma,
        beta=as_float(params, "beta"),
        noise=noise,
        patch=as_int(params, "patch"),
        search=as_int(params, "search"),
        distance="plain" if params["distance"] == "plain" else "corrected",
    )
    progress = ProgressTracker(-(-gray.shape[0] // TILE) * -(-gray.shape[1] // TILE), "tile")
    result = yield from assemble(tiles, gray.shape, progress)
    yield final_step(
        with_luminance(image.pixels, result),
        figures=noise_figures(found),
        notes=noise_notes(found.sigma, told=told is not None, least=MIN_SIGMA),
    )
