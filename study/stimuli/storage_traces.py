"""Traces of how an image was stored: fewer gray levels than the others, and JPEG compression."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from functools import cache

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from study.stimuli.gray_grid import COARSER, GrayGrid, LevelUse, Values, level_use

_CROWDED = 12
"""Pixels for each level from which an image that is not posterised uses nearly all levels."""
_USED = 0.6
"""Share of the levels in its range that such an image uses at least, compared to the others."""
_BLOCK = 8
_SIDE = 256
"""Side of the part in which JPEG blocks are looked for."""
_FIRST = 4
"""Frequencies that are enough to find where blocks begin."""
_LOW = ((0, 1), (1, 0), (1, 1), (0, 2), (2, 0), (1, 2), (2, 1), (2, 2), (0, 3), (3, 0))
"""Frequencies of a block that most images have."""
_STEPS = range(3, 41)
"""Steps of the coefficients that are tried, in gray levels."""
_BIN, _BINS = 0.25, 1024
"""Width and number of the bins in which sizes of coefficients are counted."""
_LEAST = 50
"""Least number of coefficients that are not zero."""
_JPEG, _NONE = 0.15, 0.07
"""Values of `jpeg_trace` from which an image was a JPEG file, and up to which it was not."""
_LUMA = (0.299, 0.587, 0.114)


def level_differences(images: Mapping[str, Values], grid: GrayGrid) -> dict[str, str]:
    """Phrases about the images that have fewer gray levels than the others, by their names.

    Parameters
    ----------
    images : mapping
        Source values of each image.
    grid : GrayGrid
        Of the case.
    """
    uses = {name: level_use(grid, values) for name, values in images.items()}
    finest = min(uses, key=lambda name: uses[name].gap)
    shares = {name: _share_used(grid, values) for name, values in images.items()}
    best = max((share for share in shares.values() if share is not None), default=0.0)
    found = {}
    for name, use in uses.items():
        share = shares[name]
        if use.gap > COARSER * uses[finest].gap:
            found[name] = (
                f"{name} has {use.used} gray levels, about every {_nth(use, uses[finest])} "
                f"of those of {finest}"
            )
        elif share is not None and share < _USED * best:
            found[name] = (
                f"{name} uses {share:.0%} of the gray levels in its range, others {best:.0%}"
            )
    return found


def _nth(use: LevelUse, finest: LevelUse) -> str:
    number = round(use.gap / finest.gap)
    return f"{number}th" if number > 3 else {1: "", 2: "second", 3: "third"}[number]


def _share_used(grid: GrayGrid, values: Values) -> float | None:
    """Share of the levels between the deciles that an image uses; None with too few pixels."""
    places = grid.indices(values).reshape(-1)
    low, high = (int(one) for one in np.quantile(places, (0.1, 0.9)))
    inside = places[(places >= low) & (places <= high)]
    levels = high - low + 1
    if levels < _CROWDED or inside.size < _CROWDED * levels:
        return None
    return len(np.unique(inside)) / levels


def jpeg_trace(levels: NDArray[np.integer]) -> float:
    """How clearly the frequencies of 8 x 8 blocks are multiples of a step, as JPEG makes them.

    After the idea of Fan and de Queiroz (IEEE Trans. Image Process. 12, 2003): the coefficients of
    an image that was a JPEG file lie near multiples of the steps of its table.

    Parameters
    ----------
    levels : ndarray, shape (H, W) or (H, W, 3)
        Gray levels as a file has them, in whole numbers.

    Returns
    -------
    float
        0 where there is no trace; up to 1.
    """
    image = levels @ np.array(_LUMA) if levels.ndim == 3 else levels.astype(np.float64)
    begun = _traces(_centre(image, _SIDE // 2), _LOW[:_FIRST], 1)
    row, column = np.unravel_index(begun.argmax(), begun.shape)
    return float(_traces(_centre(image, _SIDE)[row:, column:], _LOW, _BLOCK)[0, 0])


def _centre(image: NDArray[np.float64], side: int) -> NDArray[np.float64]:
    """The middle of an image, from the beginning of a block if the image begins with one."""
    top, left = (max(0, length - side) // 2 // _BLOCK * _BLOCK for length in image.shape)
    return image[top : top + side, left : left + side]


def _traces(
    image: NDArray[np.float64], frequencies: Sequence[tuple[int, int]], apart: int
) -> NDArray[np.float64]:
    """The trace for blocks that begin at each of some pixels of the first block.

    Parameters
    ----------
    image : ndarray, shape (H, W)
    frequencies : sequence of (int, int)
        Frequencies along rows and columns, of which the mean is taken.
    apart : int
        1 for blocks that begin at any pixel, 8 for those that begin at the first.
    """
    starts = _BLOCK // apart
    if math.prod(side // _BLOCK for side in image.shape) < _LEAST:
        return np.zeros((starts, starts))
    cosines = _cosines()
    down = sliding_window_view(image, _BLOCK, axis=0)[::apart]
    sizes = [
        np.abs(sliding_window_view(down @ cosines[u], _BLOCK, axis=1)[:, ::apart] @ cosines[v])
        for u, v in frequencies
    ]
    places = np.rint(np.stack(sizes) / _BIN).astype(np.int64)
    number, row, column = np.ogrid[tuple(slice(length) for length in places.shape)]
    curves = (number * starts + row % starts) * starts + column % starts
    shape = (len(frequencies), starts, starts, _BINS)
    counted = (curves * _BINS + places)[places < _BINS]
    counts = np.bincount(counted, minlength=math.prod(shape)).astype(np.float64)
    mean: NDArray[np.float64] = _periodic(counts.reshape(shape)).mean(axis=0)
    return mean


def _periodic(counts: NDArray[np.float64]) -> NDArray[np.float64]:
    """The best fit of multiples of a step to counted sizes, less what chance gives."""
    waves, large = _waves()
    numbers = np.maximum(counts @ large.T, 1.0)
    fits = (counts @ waves.T) / numbers - 3.5 / np.sqrt(2 * numbers)
    best: NDArray[np.float64] = np.max(fits, axis=-1, initial=0.0, where=numbers >= _LEAST)
    return best


@cache
def _cosines() -> NDArray[np.float64]:
    """The waves of the discrete cosine transform of a block, one in each row."""
    from scipy.fft import dct

    waves: NDArray[np.float64] = dct(np.eye(_BLOCK), axis=0, norm="ortho")
    return waves


@cache
def _waves() -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """For each step, a wave with its period over sizes above half of it, and where those are."""
    sizes, steps = np.arange(_BINS) * _BIN, np.array(_STEPS)[:, None]
    large = (sizes > steps / 2).astype(np.float64)
    return np.cos(2 * np.pi * sizes / steps) * large, large


def jpeg_differences(images: Mapping[str, NDArray[np.integer]]) -> dict[str, str]:
    """Phrases about the images that were JPEG files while others were not, by their names.

    Parameters
    ----------
    images : mapping
        Gray levels of each image, see `jpeg_trace`.
    """
    traces = {name: jpeg_trace(levels) for name, levels in images.items()}
    clean = [name for name, trace in traces.items() if trace <= _NONE]
    if not clean:
        return {}
    return {
        name: f"{name} has the blocks of a JPEG file and {clean[0]} has none"
        for name, trace in traces.items()
        if trace >= _JPEG
    }
