"""Total variation denoising by Chambolle's projection (J. Math. Imaging Vis. 20, 2004).

The result minimises |u - image|² / 2 + weight x TV(u), which keeps edges and flattens everything
else. scikit-image's implementation cannot be interrupted, so large images are processed in
overlapping tiles.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np
from numpy.typing import NDArray
from skimage.restoration import denoise_tv_chambolle

from enhancers.colour import luminance, with_luminance
from enhancers.image import MedicalImage, Pixels
from enhancers.method import ParameterValue
from enhancers.method_interface import (
    Figure,
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
from enhancers.parameter_values import as_float_or_none, as_int
from enhancers.restore_clipped import restore_clipped

TILE = 512
OVERLAP = 32
"""Pixels over which neighbouring tiles are blended; each iteration reaches one pixel further."""

TOLERANCE = 2e-4
WEIGHT_PER_SIGMA = 0.85
"""Within 0.3 dB of the best weight on CT and chest X-ray slices with σ from 0.02 to 0.2."""
MIN_WEIGHT = 1e-4
DRAW = 0
"""Seed of the restored noise. A draw suits this filter better than the expected value does."""


def automatic_weight(sigma: float) -> float:
    """The weight for noise of standard deviation ``sigma`` (in [0, 1] units)."""
    return WEIGHT_PER_SIGMA * sigma


def tv(pixels: Pixels, *, weight: float, iterations: int) -> Pixels:
    """Denoise an image by total variation.

    Parameters
    ----------
    pixels : ndarray, float32, shape (H, W)
        In [0, 1], or beyond where clipped noise was restored.
    weight : float
        A larger weight removes more. Below 1e-4 the image is returned unchanged.
    iterations : int
        Maximum; iteration stops when the cost changes by less than 2e-4 of its first value.

    Returns
    -------
    ndarray, float32, shape (H, W)
    """
    return assembled(tv_tiles(pixels, weight=weight, iterations=iterations), pixels.shape)


def tv_tiles(pixels: Pixels, *, weight: float, iterations: int) -> Iterator[Tile]:
    """The overlapping tiles whose sum is the result of `tv`, blended where they overlap.

    An image of at most 512 x 512 pixels is one tile.
    """
    height, width = pixels.shape
    for rows in _spans(height):
        for columns in _spans(width):
            part = pixels[rows, columns]
            if weight >= MIN_WEIGHT:
                part = denoise_tv_chambolle(
                    part, weight=weight, eps=TOLERANCE, max_num_iter=iterations
                )
            fade = _fade(rows, height)[:, None] * _fade(columns, width)[None, :]
            yield (rows, columns), (part * fade).astype(np.float32, copy=False)


def _spans(length: int) -> list[slice]:
    if length <= TILE:
        return [slice(0, length)]
    count = -(-(length - OVERLAP) // (TILE - OVERLAP))
    starts = np.linspace(0, length - TILE, count).astype(int)
    return [slice(int(start), int(start) + TILE) for start in starts]


def _fade(span: slice, length: int) -> NDArray[np.float32]:
    """Blending weights over a span; the weights of all spans sum to one everywhere."""
    weights = [_ramp(other, length) for other in _spans(length)]
    total = np.sum(weights, axis=0)
    own = _ramp(span, length)
    shares: NDArray[np.float32] = (own / total)[span].astype(np.float32)
    return shares


def _ramp(span: slice, length: int) -> NDArray[np.float64]:
    places = np.arange(length)
    inside = np.minimum(places - span.start + 1, span.stop - places)
    ramp: NDArray[np.float64] = np.clip(inside / OVERLAP, 0.0, 1.0)
    if span.start == 0:
        ramp[: span.stop - OVERLAP] = 1.0
    if span.stop == length:
        ramp[span.start + OVERLAP :] = 1.0
    return ramp


@skips_constant_images
def run(
    image: MedicalImage, params: Mapping[str, ParameterValue], *, seed: int, device: str
) -> Iterator[Step]:
    """Run total variation on the luminance; one `Step` per tile (see `Enhancer`)."""
    yield Step(0.0, note="measuring the noise")
    gray = luminance(image.pixels)
    weight, told = as_float_or_none(params, "weight"), as_float_or_none(params, "sigma")
    noise: NoiseSpectrum | None = None
    if told is not None:
        noise = NoiseSpectrum.white(told)
    elif weight is None or params["unclip"]:
        noise = measure_noise(gray)
    figures, notes = tuple[Figure, ...](), tuple[str, ...]()
    sigma = 0.0 if noise is None else noise.sigma
    if noise is not None:
        figures = noise_figures(noise)
        if params["unclip"]:
            gray = restore_clipped(gray, sigma, seed=DRAW)
    if weight is None:
        weight = automatic_weight(sigma)
        least = MIN_WEIGHT / WEIGHT_PER_SIGMA
        notes = noise_notes(sigma, told=told is not None, least=least)
    progress = ProgressTracker(len(_spans(gray.shape[0])) * len(_spans(gray.shape[1])), "tile")
    tiles = tv_tiles(gray, weight=weight, iterations=as_int(params, "iterations"))
    result = yield from assemble(tiles, gray.shape, progress)
    yield final_step(
        with_luminance(image.pixels, result),
        figures=(*figures, Figure("weight", "Weight", weight)),
        notes=notes,
    )
