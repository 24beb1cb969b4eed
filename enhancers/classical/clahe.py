"""Contrast-limited adaptive histogram equalisation (Zuiderveld, Graphics Gems IV, 1994).

OpenCV's CLAHE limits the count of each histogram bin. At 16 bits it has 65,536 bins, nearly all of
them empty or at a count of one, so that the limit acts on images converted from 8 bits but not on
16-bit or filtered ones (11 to 14 dB from the 8-bit result, measured). Here the histogram always has
256 bins and the mapping is interpolated between their centres, which gives the 8-bit result for
every input, at the precision of float32.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
from skimage import color

from enhancers.image import MedicalImage, Pixels
from enhancers.method import ParameterValue
from enhancers.method_interface import (
    ProgressTracker,
    Step,
    Tile,
    assemble,
    assembled,
    final_step,
    skips_constant_images,
)
from enhancers.parameter_values import as_float, as_int

BINS = 256
MIN_TILE = 8
"""Smallest side of a tile in pixels; fewer pixels give no usable histogram."""

BAND_PIXELS = 1 << 18
GAMUT_ROUNDS = 8
GAMUT_TOLERANCE = 0.05
"""In units of L, a and b; a difference of 1 is just visible."""


def clahe(pixels: Pixels, *, clip_limit: float, tiles: int) -> Pixels:
    """Equalise the histogram of an image locally, with limited contrast (in colour, of L of Lab).

    Parameters
    ----------
    pixels : ndarray, float32, shape (H, W) or (H, W, 3), in [0, 1]
    clip_limit : float
        Maximum count of a bin, relative to a flat histogram of 256 bins; the contrast gain is at
        most about one more than this.
    tiles : int
        Number of tiles per side; fewer where tiles would be smaller than 8 pixels.

    Returns
    -------
    ndarray, float32, of the same shape, in [0, 1]
        Black stays black; the gray-level mapping of each tile is monotonic.
    """
    return assembled(clahe_bands(pixels, clip_limit=clip_limit, tiles=tiles), pixels.shape)


def clahe_bands(pixels: Pixels, *, clip_limit: float, tiles: int) -> Iterator[Tile]:
    """The result of `clahe` in bands of rows, from the top."""
    height, width = pixels.shape[:2]
    grid = max(1, min(tiles, height // MIN_TILE, width // MIN_TILE))
    tile = (-(-height // grid), -(-width // grid))
    maps = _tile_maps(pixels, grid, tile, clip_limit)
    across = (np.arange(width, dtype=np.float32) + 0.5) / tile[1] - 0.5
    rows = band_rows(width)
    for top in range(0, height, rows):
        band = pixels[top : top + rows]
        down = (np.arange(top, top + len(band), dtype=np.float32) + 0.5) / tile[0] - 0.5
        where = np.empty((3, *band.shape[:2]), np.float32)
        where[0], where[1] = down[:, None], across[None, :]
        where[2] = lightness(band) * np.float32(BINS - 1)
        mapped = ndimage.map_coordinates(maps, where, np.float32, order=1, mode="nearest")
        done = clahe_colour(band, mapped) if pixels.ndim == 3 else mapped
        yield (slice(top, top + len(band)),), done


def band_rows(width: int) -> int:
    """Number of rows in a band of an image of this width."""
    return max(1, BAND_PIXELS // width)


def _tile_maps(
    pixels: Pixels, grid: int, tile: tuple[int, int], clip_limit: float
) -> NDArray[np.float32]:
    """The gray-level map of each tile at the bin centres, shape (grid, grid, 256)."""
    height, width = pixels.shape[:2]
    short = (grid * tile[0] - height, grid * tile[1] - width)
    levels = np.empty((height, width), np.uint8)
    rows = band_rows(width)
    for top in range(0, height, rows):
        gray = lightness(pixels[top : top + rows])
        levels[top : top + rows] = np.rint(gray * np.float32(BINS - 1))
    levels = np.pad(levels, ((0, short[0]), (0, short[1])), mode="reflect")
    maps = np.empty((grid, grid, BINS), np.float32)
    for row in range(grid):
        for column in range(grid):
            part = levels[
                row * tile[0] : (row + 1) * tile[0], column * tile[1] : (column + 1) * tile[1]
            ]
            maps[row, column] = _gray_map(np.bincount(part.ravel(), minlength=BINS), clip_limit)
    return maps


def _gray_map(counts: NDArray[np.intp], clip_limit: float) -> NDArray[np.float64]:
    share = counts / counts.sum()
    limit = clip_limit / BINS
    excess = np.maximum(share - limit, 0.0).sum()
    share = np.minimum(share, limit) + excess / BINS
    cumulative = np.cumsum(share)
    # The share of the darkest level is subtracted, so that an empty background stays at 0.
    rising: NDArray[np.float64] = (cumulative - cumulative[0]) / (1.0 - cumulative[0])
    return rising


def clahe_colour(pixels: Pixels, lightness: Pixels) -> Pixels:
    """Replace L of Lab and keep a and b, reduced toward gray where the colour leaves the gamut.

    Parameters
    ----------
    pixels : ndarray, float32, shape (H, W, 3), in [0, 1]
        The original, interpreted as sRGB.
    lightness : ndarray, float32, shape (H, W), in [0, 1]
        The new L / 100.
    """
    lab = _to_lab(pixels)
    lab[..., 0] = np.clip(lightness, 0.0, 1.0) * np.float32(100.0)
    result = _to_rgb(lab)
    # The conversion to RGB clips each channel, which shifts the hue: such pixels change their Lab.
    wrong = np.abs(_to_lab(result) - lab).max(axis=-1) > GAMUT_TOLERANCE
    if wrong.any():
        result[wrong] = _into_gamut(lab[wrong])
    inside: Pixels = np.clip(result, 0.0, 1.0)
    return inside


def lightness(pixels: Pixels) -> Pixels:
    """L / 100 of Lab of a colour image; a gray image is returned unchanged.

    Parameters
    ----------
    pixels : ndarray, float32, shape (H, W) or (H, W, 3), in [0, 1]
    """
    if pixels.ndim == 2:
        return pixels
    scaled: Pixels = np.clip(_to_lab(pixels)[..., 0] / np.float32(100.0), 0.0, 1.0)
    return scaled


def _into_gamut(lab: Pixels) -> Pixels:
    """RGB of Lab colours, shape (N, 3), with the largest chroma in the gamut, by bisection."""
    low = np.zeros(len(lab), np.float32)
    high = np.ones(len(lab), np.float32)
    for _ in range(GAMUT_ROUNDS):
        middle = (low + high) / 2
        tried = lab * np.stack([np.ones_like(middle), middle, middle], axis=-1)
        back = _to_lab(_to_rgb(tried[None]))[0]
        fits = np.abs(back - tried).max(axis=-1) <= GAMUT_TOLERANCE
        low, high = np.where(fits, middle, low), np.where(fits, high, middle)
    fitted = lab * np.stack([np.ones_like(low), low, low], axis=-1)
    rgb: Pixels = _to_rgb(fitted[None])[0]
    return rgb


def _to_lab(rgb: Pixels) -> Pixels:
    lab: Pixels = color.rgb2lab(rgb)
    return lab


def _to_rgb(lab: Pixels) -> Pixels:
    # Colours with a negative Z are outside every gamut; scikit-image warns about them.
    yellowest = (lab[..., 0] + np.float32(16.0)) * np.float32(200.0 / 116.0)
    possible = np.stack([lab[..., 0], lab[..., 1], np.minimum(lab[..., 2], yellowest)], axis=-1)
    rgb: Pixels = color.lab2rgb(possible)
    return rgb


@skips_constant_images
def run(
    image: MedicalImage, params: Mapping[str, ParameterValue], *, seed: int, device: str
) -> Iterator[Step]:
    """Run CLAHE, on L of Lab for a colour image (see `Enhancer`)."""
    progress = ProgressTracker(-(-image.shape[0] // band_rows(image.shape[1])), "band")
    yield progress.step(0)
    bands = clahe_bands(
        image.pixels, clip_limit=as_float(params, "clip_limit"), tiles=as_int(params, "tiles")
    )
    yield final_step((yield from assemble(bands, image.pixels.shape, progress)))
