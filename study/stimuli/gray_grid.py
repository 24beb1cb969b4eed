"""Gray levels that all images of a case have, so that rounding tells no image from another.

A file has the values of its source, such as whole numbers; a method computes any value in between.
All stimuli of a case are therefore rounded to one grid in source units: that of the original file,
or of the finest file that was not computed. Levels that this file leaves out between others that it
uses, as after a stretch of its contrast, are left out of all.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from enhancers.display import U16_MAX
from enhancers.image import Pixels, Window

Values = NDArray[np.floating]
Indices = NDArray[np.int64]

MOST_LEVELS = 1 << 14
"""A file with more levels in the window counts as computed, unless all files have as many."""
LEAST_LEVELS = 100
"""Levels in the window that a grid has at least."""
FIXED_LEVELS = 2048
"""Least number of levels in the window where no file has a grid."""
COARSER = 1.5
"""Ratio of the spacing of two images from which the coarser one can be recognised."""

_MANY = 12
"""Pixels of a gray level from which an unused level next to it is no accident."""
_REACH = 4
"""Largest gap that unused levels may fill, in usual gaps of the image."""
_FEW = 12
"""Gaps from which they may vary slowly; fewer must all be alike."""
_ALIKE = 1.6
"""Ratio up to which gaps are alike."""


@dataclass(frozen=True, eq=False)
class GrayGrid:
    """Gray levels ``origin + k * step`` in source units, some of which may be left out.

    Parameters
    ----------
    origin, step : float
        Source units.
    unused : ndarray of int
        Sorted values of k that are left out.
    """

    origin: float
    step: float
    unused: Indices = field(default_factory=lambda: np.empty(0, np.int64))

    def indices(self, values: Values) -> Indices:
        """The k of the nearest gray level, left out or not, for values in source units."""
        nearest = np.rint((np.asarray(values, np.float64) - self.origin) / self.step)
        return np.asarray(nearest, np.int64)

    def rounded(self, pixels: Pixels, window: Window) -> Pixels:
        """The pixels at the nearest gray levels of the window, in the 16 bits a screen gets.

        Parameters
        ----------
        pixels : ndarray, float32, in [0, 1] of ``window``
        window : Window

        Returns
        -------
        ndarray, float32, same shape, in [0, 1]
        """
        first, last = self._ends(window)
        levels = np.arange(first, last + 1)
        allowed = np.setdiff1d(levels, self.unused, assume_unique=True)
        nearest = allowed[np.searchsorted((allowed[1:] + allowed[:-1]) / 2, levels)]
        unit = window.to_unit(self.origin + nearest * self.step).astype(np.float64)
        table = (np.rint(unit * U16_MAX) / U16_MAX).astype(np.float32)
        places = np.clip(self.indices(window.to_source(pixels)), first, last) - first
        return np.asarray(table[places])

    def _ends(self, window: Window) -> tuple[int, int]:
        # A thousandth of a step is the rounding of a file in single precision.
        low, high = window.ends
        first = math.ceil((low - self.origin) / self.step - 1e-3)
        last = math.floor((high - self.origin) / self.step + 1e-3)
        return first, max(first, last)


@dataclass(frozen=True, eq=False)
class LevelUse:
    """How an image uses the levels of a grid, where its levels have enough pixels to say it.

    Parameters
    ----------
    gap : int
        The usual distance between neighbouring levels that it uses, in steps; 1 where unknown.
    unused : ndarray of int
        Sorted k of the levels that it leaves out between others.
    used : int
        Number of levels that it uses.
    """

    gap: int
    unused: Indices
    used: int


def common_grid(files: Sequence[Values], window: Window, lead: int | None = None) -> GrayGrid:
    """The grid of a case.

    Parameters
    ----------
    files : sequence of ndarray
        Values of each file in source units.
    window : Window
        Of the case.
    lead : int, optional
        Index of the original, if there is one.
    """
    seen = [_inside(values, window) for values in files]
    grid = _base_grid([grid_of(values) for values in seen], window, lead)
    uses = [level_use(grid, values) for values in seen]
    own = min(one.gap for one in uses) if lead is None else uses[lead].gap
    unused = np.unique(np.concatenate([one.unused for one in uses if one.gap <= COARSER * own]))
    first, last = grid._ends(window)
    inside = int(np.count_nonzero((unused >= first) & (unused <= last)))
    enough = last - first + 1 - inside >= LEAST_LEVELS
    return GrayGrid(grid.origin, grid.step, unused) if enough else grid


def _inside(values: Values, window: Window) -> Values:
    """The values that are not cut off, in one row."""
    low, high = window.ends
    return values[(values >= low) & (values <= high)]


def _base_grid(found: Sequence[GrayGrid | None], window: Window, lead: int | None) -> GrayGrid:
    width = window.width
    known = [one for one in found if one is not None and width / one.step <= U16_MAX]
    known = [one for one in known if width / one.step <= MOST_LEVELS] or known
    if not known:
        return GrayGrid(0.0, _round_step(width / FIXED_LEVELS))
    original = found[lead] if lead is not None else None
    chosen = original if original in known else min(known, key=lambda one: one.step)
    assert chosen is not None
    return GrayGrid(chosen.origin, chosen.step / _parts(chosen.step, width))


def _round_step(most: float) -> float:
    """The greatest of 1, 2 and 5 times a power of ten that is at most ``most``."""
    power = 10.0 ** math.floor(math.log10(most))
    return max(lead * power for lead in (1, 2, 5) if lead * power <= most * (1 + 1e-9))


def _parts(step: float, width: float) -> int:
    """Parts of a step that give a window enough levels; whole numbers stay whole."""
    least = math.ceil(LEAST_LEVELS * step / width)
    if step != round(step):
        return max(1, least)
    whole = round(step)
    return next((part for part in range(max(1, least), whole) if whole % part == 0), whole)


def grid_of(values: Values) -> GrayGrid | None:
    """The coarsest grid that has all values; None where there is none, as of computed ones."""
    found = np.unique(values).astype(np.float64)
    if len(found) < 2:
        return None
    gaps = np.diff(found)
    if (found == np.rint(found)).all():
        return GrayGrid(float(found[0]), float(np.gcd.reduce(gaps.astype(np.int64))))
    # Neighbours on the grid differ by a step, but for the rounding of single precision, which the
    # mean of all such gaps averages.
    step = float(gaps[gaps < 1.5 * gaps.min()].mean())
    step = float(gaps.sum() / np.rint(gaps / step).sum())
    off = (found - found[0]) / step
    exact = bool((np.abs(off - np.rint(off)) < 0.05).all())
    return GrayGrid(float(found[0]), step) if exact and len(found) > 2 else None


def level_use(grid: GrayGrid, values: Values) -> LevelUse:
    """How an image uses the levels of a grid.

    Parameters
    ----------
    grid : GrayGrid
    values : ndarray
        Source units.
    """
    if not values.size:
        return LevelUse(1, np.empty(0, np.int64), 0)
    places = grid.indices(values).reshape(-1)
    start = int(places.min())
    counts = np.bincount(places - start)
    used = np.flatnonzero(counts)
    strong = counts[used] >= _MANY
    gaps, sure = np.diff(used), strong[1:] & strong[:-1]
    known = gaps[sure]
    gap = int(np.median(known)) if len(known) and _regular(known) else 1
    holes = sure & (gaps > 1) & (gaps <= _REACH * gap)
    unused = [np.arange(used[i] + 1, used[i + 1]) for i in np.flatnonzero(holes)]
    return LevelUse(gap, np.concatenate([*unused, np.empty(0, np.int64)]) + start, len(used))


def _regular(gaps: Indices) -> bool:
    """Whether gaps are those of a scale, and not of a few shades."""
    if len(gaps) < 2:
        return False
    if len(gaps) < _FEW:
        return bool(gaps.max() <= _ALIKE * gaps.min())
    ratio = gaps[1:] / gaps[:-1]
    return bool(np.median(np.maximum(ratio, 1 / ratio)) <= _ALIKE)
