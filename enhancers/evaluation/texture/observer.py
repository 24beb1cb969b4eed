"""A channelised Hotelling observer: the detectability d' of faint discs.

Gallas and Barrett, J Opt Soc Am A 20(9), 2003: Laguerre-Gauss channels for round signals at known
places. The template is trained on one half of the cells and tested on the other, and vice versa, so
that d' is not biased upwards.

A Hotelling observer can undo any blur, which an eye cannot. So this one has internal noise
(Brankov, Phys Med Biol 58(20), 2013), which a disc must exceed to be visible.
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
"""More channels do not help for a disc, and the number of training cells is limited."""
CHANNEL_WIDTH = 2.0 * RADIUS
"""Scale a of the Laguerre-Gauss functions, in pixels."""
INTERNAL = 0.035
"""Internal noise, equivalent to white noise of this standard deviation in gray levels.

Without other noise a disc has d' = 1 at a contrast of 0.6 % of the gray range."""
LEAST_CELLS = 8
"""Cells of each kind that are needed for the covariance of the channels."""
DRAWS = 500
LEVEL = 0.95
FLAT = 1e-9
"""Standard deviation below which a channel is empty."""


@dataclass(frozen=True)
class Detectability:
    """d' with its interval (`LEVEL`, bootstrap over cells), and the numbers of cells."""

    value: float
    low: float
    high: float
    present: int
    absent: int

    @property
    def auc(self) -> float:
        """Share of pairs in which the cell with the disc is chosen: Φ(d' / √2)."""
        return 0.5 * (1.0 + math.erf(self.value / 2.0))


def channels() -> Array:
    """The channels as orthonormal columns, shape (pixels of a cell, `CHANNELS`)."""
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
    images: Sequence[Cells], *, internal: float = INTERNAL, seed: int = 0
) -> Detectability:
    """The observer's d' over the cells of one or more images of a method.

    Parameters
    ----------
    images : sequence of Cells
    internal : float
        Internal noise in gray levels; 0 for an ideal observer of the channels.
    seed : int
        Of the bootstrap.

    Raises
    ------
    MetricUnavailable
        There are too few cells.
    """
    basis = channels()
    present, absent = (
        np.concatenate([_responses(getattr(one, name), basis) for one in images])
        for name in ("present", "absent")
    )
    if min(len(present), len(absent)) < LEAST_CELLS:
        raise MetricUnavailable(
            f"{len(present)} cells with a disc and {len(absent)} without are too few; "
            f"it needs {LEAST_CELLS} of each"
        )
    folds = [_cross_validated(present, absent, half, internal) for half in (0, 1)]
    value = float(np.mean([fold.separation() for fold in folds]))
    rng = np.random.default_rng(seed)
    drawn = np.mean([fold.redrawn(rng).separation() for fold in folds], axis=0)
    tail = 50.0 * (1.0 - LEVEL)
    low, high = np.percentile(drawn, (tail, 100.0 - tail))
    return Detectability(value, float(low), float(high), len(present), len(absent))


@dataclass(frozen=True, eq=False)
class _Scores:
    """The observer's scores of cells with and without a disc, and its internal variance."""

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


def _responses(cells: Array, basis: Array) -> Array:
    """The responses of the channels to each cell, without its mean: shading is no signal."""
    flat = cells.reshape(len(cells), -1)
    return np.asarray((flat - flat.mean(axis=1, keepdims=True)) @ basis)


def _cross_validated(present: Array, absent: Array, half: int, internal: float) -> _Scores:
    """The observer's scores of one half of the cells, after training on the other."""
    learn = present[half::2], absent[half::2]
    rest = present[1 - half :: 2], absent[1 - half :: 2]
    covariance = (np.cov(learn[0].T) + np.cov(learn[1].T)) / 2.0
    # The variance must not vanish where a method leaves a channel empty.
    floor = max(internal**2, 1e-6 * float(np.trace(covariance)) / CHANNELS, FLAT**2)
    difference = learn[0].mean(axis=0) - learn[1].mean(axis=0)
    template = np.linalg.solve(covariance + floor * np.eye(CHANNELS), difference)
    # The scale of the template does not affect d'.
    template /= max(float(np.linalg.norm(template)), 1e-300)
    return _Scores(rest[0] @ template, rest[1] @ template, internal**2)
