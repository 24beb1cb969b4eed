"""Marks that an image of a case has and its base does not: text, a logo, a bar, a square."""

from __future__ import annotations

import math
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from study.stimuli.image_similarity import Array, ComparedImage, gray

AnyArray = TypeVar("AnyArray", bound=NDArray[Any])

_MARK = 0.25
"""Least difference caused by sharp text or a logo, as a share of the window."""
_NOISE_LIMIT = 3.0
"""Standard deviations of the noise that such a difference must exceed."""
_FAINT = 0.03
"""Least difference that a faint mark leaves after smoothing."""
_FAINT_NOISE = 6.0
"""Standard deviations of the smoothed noise that it must exceed."""
_FAINT_OTHERS = 2.0
"""How many times it exceeds the greatest difference in 90 % of the tiles."""
_LONGEST = 0.25
"""Greatest length of a faint mark, as a share of the image's side."""
_NEAR = 6
"""Half of the distance in pixels at which pieces belong together."""
_SMOOTH = 1.5
"""Standard deviation of that smoothing in pixels."""
_MARK_SHARE = 0.01
"""Least share of a tile that must differ."""
_MARK_PIXELS = 3
"""Least number of pixels of a tile that must differ, in small images."""
_USUAL = 1.5
"""How many times the upper quartile of the local range inside the image is usual."""
_REACH = 3
"""Distance in pixels at which a filter finds the values that it gives to a pixel."""
_SAME = 0.15
"""Least squared correlation of two images that show the same."""
_LARGE = 64
"""Least side of an image in pixels in which a mark is a small part."""
_BORDER = 2
"""Width of the border that is not searched, in pixels."""
_FAINT_BORDER = 12
"""The same for faint marks: smoothing carries what a filter does there further inside."""
_TILES = 8
"""Tiles per side; a mark is in few of them."""
_AROUND = 4
"""How many times the share of a tile exceeds that of most others."""


def find_mark(image: ComparedImage, base: ComparedImage) -> str:
    """Where an image seems to have a mark, such as "bottom left edge"; empty where it has none.

    A mark is beyond everything that the other image has near the same place. What a filter makes of
    a bright border is not, and single pixels are noise.
    """
    one, other = gray(base.pixels), gray(image.pixels)
    return _sharp_mark(one, other) or _faint_mark(one, other)


def _sharp_mark(one: Array, other: Array) -> str:
    """A mark at the edge, where text usually is.

    If the images show the same, either may be the filtered one, unless strong noise hides it or a
    mark may be a large part of the image.
    """
    gain = _gain(one, other)
    found, noise = _differing(one, other, gain)
    if not found.any():
        return ""
    gain_back = _gain(other, one)
    inside = _inside(one), _inside(other)
    if _gain(*inside) * _gain(*reversed(inside)) > _SAME:
        found &= _differing(one, other, math.copysign(1.0, gain))[0]
        back, noise_back = _differing(other, one, gain_back)
        if _NOISE_LIMIT * max(noise, noise_back) < _MARK and min(one.shape) >= _LARGE:
            found &= back
    shares, pixels = _tile_shares(_without_border(found, _BORDER))
    usual_share = float(np.quantile(shares[1:-1, 1:-1], 0.9))
    pixels[1:-1, 1:-1] = 0.0
    return _conspicuous(shares, pixels, usual_share)


def _inside(image: Array) -> Array:
    """The middle of an image, where no mark is."""
    rows, columns = (slice(length // 4, length - length // 4) for length in image.shape)
    return image[rows, columns]


def _gain(one: Array, other: Array) -> float:
    """The contrast of the other image, as a multiple of that of one."""
    spread = one - one.mean()
    return float((spread * other).sum() / max(float((spread * spread).sum()), 1e-12))


def _differing(one: Array, other: Array, gain: float) -> tuple[NDArray[np.bool_], float]:
    """Where two images differ sharply at a gain of contrast, and their noise."""
    from scipy.ndimage import gaussian_filter

    # Differences of brightness, contrast or lighting are measured elsewhere.
    spread = one - one.mean()
    rest = other - gain * spread
    slow = gaussian_filter(rest, _lighting(one))
    sharp = np.abs(rest - slow)
    beyond, span = _beyond(gain * spread + slow, other)
    # Where both images vary more than inside, as at a bright border, a filter changes much; but it
    # takes its values from the neighbourhood.
    usual = span <= _USUAL * float(np.quantile(_inside(span), 0.75))
    noise = 1.4826 * float(np.median(sharp))
    return np.where(usual, sharp, beyond) > max(_MARK, _NOISE_LIMIT * noise), noise


def _faint_mark(one: Array, other: Array) -> str:
    """A mark anywhere, which noise may hide from a look at single pixels."""
    from scipy.ndimage import gaussian_filter

    one, other = (gaussian_filter(each, _SMOOTH) for each in (one, other))
    expected = _local_fit(one, other)
    beyond = _beyond(expected, other)[0]
    wide = min(_FAINT_BORDER, min(one.shape) // 6)
    noise = 1.4826 * float(np.median(np.abs(other - expected)))
    rows, columns = (np.arange(_TILES) * side // _TILES for side in one.shape)
    most = np.maximum.reduceat(
        np.maximum.reduceat(_without_border(beyond, wide), rows, 0), columns, 1
    )
    others = float(np.quantile(most, 0.9))
    least = max(_FAINT, _FAINT_NOISE * noise, _FAINT_OTHERS * others)
    found = (beyond > least) & ~_long(beyond > least / 3)
    shares, pixels = _tile_shares(_without_border(found, wide))
    return _conspicuous(shares, pixels, float(np.quantile(shares, 0.9)))


def _long(found: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Long shapes, such as a thin line of a table that a filter wiped out."""
    from scipy.ndimage import binary_dilation, find_objects, label

    # Noise breaks a line into pieces.
    labels, _ = label(binary_dilation(found, iterations=_NEAR))
    longest = min(found.shape) * _LONGEST + 2 * _NEAR
    long = np.zeros_like(found)
    for number, place in enumerate(find_objects(labels), 1):
        if max(part.stop - part.start for part in place) > longest:
            long[place] |= labels[place] == number
    return long


def _lighting(image: Array) -> float:
    """Standard deviation in pixels of the areas in which lighting and contrast may differ."""
    return max(4.0, float(min(image.shape)) / 16)


def _local_fit(one: Array, other: Array) -> Array:
    """The base with the brightness and contrast that the image has in each area."""
    from scipy.ndimage import gaussian_filter

    def around(values: Array) -> Array:
        return np.asarray(gaussian_filter(values, _lighting(one)))

    spread = one - one.mean()
    variance = float((spread * spread).mean())
    gain = float((spread * other).mean()) / max(variance, 1e-12)
    # A tenth of the variance keeps flat areas at the contrast of the whole image.
    ridge = max(0.1 * variance, 1e-9)
    first, second = around(one), around(other)
    shared, own = around(one * other) - first * second, around(one * one) - first * first
    return np.asarray((shared + ridge * gain) / (own + ridge) * (one - first) + second)


def _beyond(expected: Array, other: Array) -> tuple[Array, Array]:
    """By how much either image is outside the other's values nearby, and the range of those."""
    (low, high), (least, most) = _extremes(expected), _extremes(other)
    beyond = np.maximum.reduce([other - high, low - other, expected - most, least - expected])
    return beyond, np.minimum(high - low, most - least)


def _extremes(image: Array) -> tuple[Array, Array]:
    """The least and the greatest value around each pixel."""
    from scipy.ndimage import maximum_filter, minimum_filter

    side = 2 * _REACH + 1
    return np.asarray(minimum_filter(image, side)), np.asarray(maximum_filter(image, side))


def _without_border(values: AnyArray, wide: int) -> AnyArray:
    """Zero in the border: filters differ in what they assume beyond it."""
    kept: AnyArray = np.zeros_like(values)
    inside = (slice(wide, -wide), slice(wide, -wide))
    kept[inside] = values[inside]
    return kept


def _conspicuous(shares: Array, pixels: Array, usual: float) -> str:
    """The place of the tile with the most pixels, if others usually have far fewer."""
    tile = np.where(pixels >= _MARK_PIXELS, shares, 0.0)
    worst = float(tile.max())
    if worst < _MARK_SHARE or worst <= _AROUND * usual:
        return ""
    row, column = (int(i) for i in np.unravel_index(int(tile.argmax()), tile.shape))
    return _place(row, column)


def _tile_shares(mask: NDArray[np.bool_]) -> tuple[Array, Array]:
    """Share and number of marked pixels in each tile."""
    rows, columns = (np.arange(_TILES) * side // _TILES for side in mask.shape)
    sums = np.add.reduceat(np.add.reduceat(mask.astype(np.float64), rows, 0), columns, 1)
    height, width = mask.shape
    area = np.outer(np.diff(rows, append=height), np.diff(columns, append=width))
    return np.asarray(sums / area), np.asarray(sums)


def _place(row: int, column: int) -> str:
    last = _TILES - 1
    vertical = {0: "top", last: "bottom"}.get(row, "")
    horizontal = {0: "left", last: "right"}.get(column, "")
    if vertical or horizontal:
        return " ".join(word for word in (vertical, horizontal) if word) + " edge"
    third = ("upper", "middle", "lower")[row * 3 // _TILES]
    side = ("left", "centre", "right")[column * 3 // _TILES]
    return "centre" if (third, side) == ("middle", "centre") else f"{third} {side}"
