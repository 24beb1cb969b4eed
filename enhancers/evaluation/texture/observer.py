"""A channelised Hotelling observer: how well faint discs can be told from none, as d'.

Gallas and Barrett, J Opt Soc Am A 20(9), 2003: Laguerre-Gauss channels for round signals at known
places. The observer's template is learnt on one half of the cells and tried on the other, and the
other way round, so that d' is not flattered by what was learnt by heart.

A Hotelling observer undoes every blur, however faint it leaves a disc; an eye does not. So this one
has internal noise (Brankov, Phys Med Biol 58(20), 2013), which a disc must exceed to be seen.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from enhancers.errors import MetricUnavailable
from enhancers.evaluation.texture.discs import RADIUS, Cells, distances

Array = NDArray[np.float64]

CHANNELS = 4
"""More gain nothing for a disc and must be learnt from as few cells."""
CHANNEL_WIDTH = 2.0 * RADIUS
"""Scale a of the Laguerre-Gauss functions, in pixels."""
INTERNAL = 0.035
"""Internal noise, as white noise of this standard deviation in gray levels would act. Without any
other noise a disc is then seen (d' = 1) at a contrast of 0.6 % of the gray range."""
LEAST_CELLS = 8
"""Cells of each kind that the covariance of the channels needs."""
DRAWS = 500
LEVEL = 0.95
FLAT = 1e-9
"""Standard deviation of a channel below which it holds nothing."""


@dataclass(frozen=True)
class Detectability:
    """d' with its interval (`LEVEL`, bootstrap over cells), and the cells with and without."""

    value: float
    low: float
    high: float
    present: int
    absent: int

    @property
    def auc(self) -> float:
        """Share of pairs in which the disc is chosen: Φ(d' / √2)."""
        return 0.5 * (1.0 + math.erf(self.value / 2.0))


def channels() -> Array:
    """The channels as columns, shape (pixels of a cell, `CHANNELS`), orthonormal."""
    squared = 2.0 * math.pi * (distances().ravel() / CHANNEL_WIDTH) ** 2
    columns = [np.exp(-squared / 2.0) * _laguerre(order, squared) for order in range(CHANNELS)]
    basis, _ = np.linalg.qr(np.stack(columns, axis=1))
    return np.asarray(basis)


def _laguerre(order: int, x: Array) -> Array:
    before, now = np.zeros_like(x), np.ones_like(x)
    for n in range(order):
        before, now = now, ((2 * n + 1 - x) * now - n * before) / (n + 1)
    return now


def detectability(
    looked_at: Sequence[Cells], *, internal: float = INTERNAL, seed: int = 0
) -> Detectability:
    """The observer's d' over the cells of one or more images of one method.

    Parameters
    ----------
    looked_at : sequence of Cells
    internal : float
        Internal noise in gray levels; 0 for an ideal reader of the channels.
    seed : int
        Of the bootstrap.

    Raises
    ------
    MetricUnavailable
        There are too few cells.
    """
    basis = channels()
    present, absent = (
        np.concatenate([_seen(getattr(one, name), basis) for one in looked_at])
        for name in ("present", "absent")
    )
    if min(len(present), len(absent)) < LEAST_CELLS:
        raise MetricUnavailable(
            f"{len(present)} cells with a disc and {len(absent)} without are too few; "
            f"it needs {LEAST_CELLS} of each"
        )
    folds = [_tried(present, absent, half, internal) for half in (0, 1)]
    value = float(np.mean([fold.separation() for fold in folds]))
    rng = np.random.default_rng(seed)
    drawn = np.mean([fold.redrawn(rng).separation() for fold in folds], axis=0)
    tail = 50.0 * (1.0 - LEVEL)
    low, high = np.percentile(drawn, (tail, 100.0 - tail))
    return Detectability(value, float(low), float(high), len(present), len(absent))


@dataclass(frozen=True, eq=False)
class _Scores:
    """The observer's scores of cells with a disc and without, and its own variance."""

    present: Array
    absent: Array
    internal: float

    def separation(self) -> Array:
        """Difference of the means over the root of the mean variance, along the last axis."""
        spread = (self.present.var(axis=-1, ddof=1) + self.absent.var(axis=-1, ddof=1)) / 2.0
        difference = self.present.mean(axis=-1) - self.absent.mean(axis=-1)
        return np.asarray(difference / np.sqrt(np.maximum(spread + self.internal, FLAT**2)))

    def redrawn(self, rng: np.random.Generator) -> _Scores:
        """`DRAWS` bootstrap samples."""
        present, absent = (
            rng.choice(one, (DRAWS, len(one))) for one in (self.present, self.absent)
        )
        return _Scores(present, absent, self.internal)


def _seen(cells: Array, basis: Array) -> Array:
    """What the channels say of each cell, whose own mean is taken away: shading is no signal."""
    flat = cells.reshape(len(cells), -1)
    return np.asarray((flat - flat.mean(axis=1, keepdims=True)) @ basis)


def _tried(present: Array, absent: Array, half: int, internal: float) -> _Scores:
    """The observer's scores of one half of the cells, having learnt from the other."""
    learn = present[half::2], absent[half::2]
    rest = present[1 - half :: 2], absent[1 - half :: 2]
    covariance = (np.cov(learn[0].T) + np.cov(learn[1].T)) / 2.0
    # A method may leave nothing in a channel, whose variance must not vanish for that.
    floor = max(internal**2, 1e-6 * float(np.trace(covariance)) / CHANNELS, FLAT**2)
    difference = learn[0].mean(axis=0) - learn[1].mean(axis=0)
    template = np.linalg.solve(covariance + floor * np.eye(CHANNELS), difference)
    # What the template is multiplied by does not matter to d'.
    template /= max(float(np.linalg.norm(template)), 1e-300)
    return _Scores(rest[0] @ template, rest[1] @ template, internal**2)
