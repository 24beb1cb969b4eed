"""Resamples of readers and patients for repeats, in a table for each reader and method."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import ArrayLike, NDArray

from study.domain.inference import Random
from study.stats.estimate import Estimate, Floats
from study.stats.intervals import RESAMPLES, RandomOptions
from study.stats.table import Ratings
from study.stats.two_way_bootstrap import Draws, OpenScale, TwoWayResamples


@dataclass(frozen=True)
class RepeatResamples:
    """Resamples of readers and patients, for items of several tables one after the other.

    Parameters
    ----------
    resamples : TwoWayResamples or None
        None without a bootstrap.
    readers : ndarray of int
        Reader of each item.
    """

    resamples: TwoWayResamples | None
    readers: NDArray[np.int64]

    @classmethod
    def of(
        cls, tables: Sequence[Ratings], readers: Sequence[str], options: RandomOptions
    ) -> RepeatResamples:
        """Resamples of the items of some tables."""
        named = [reader for reader, table in zip(readers, tables, strict=True) for _ in table.items]
        order = {reader: place for place, reader in enumerate(dict.fromkeys(named))}
        places = np.array([order[reader] for reader in named], dtype=np.int64)
        clusters = [cluster for table in tables for cluster in table.clusters]
        number = options.get("resamples", RESAMPLES)
        if not number or not clusters:
            return cls(None, places)
        # One reader speaks for nobody else: the patients alone are random.
        random = options.get("random", Random.BOTH) if len(order) > 1 else Random.CASES
        seed = options.get("seed", 0)
        return cls(TwoWayResamples(len(order), clusters, random, number, seed), places)

    def draws(self, statistic: Callable[[Floats], Floats], size: int = 1) -> Draws:
        """Draws of a statistic that takes weights of the items, shape (resamples, items)."""
        assert self.resamples is not None
        return self.resamples.draws(
            lambda readers, items: statistic(readers[:, self.readers] * items),
            size * self.readers.size,
        )

    def ratio(
        self,
        found: Estimate,
        above: ArrayLike,
        below: ArrayLike,
        scale: OpenScale,
        *,
        root: bool = False,
    ) -> Estimate:
        """The estimate with a bootstrap interval of the ratio of two sums over items."""
        if self.resamples is None or found.value is None:
            return found
        sums = np.stack([above, below]).astype(np.float64)

        def statistic(weights: Floats) -> Floats:
            ratios: Floats = (weights @ sums[0]) / (weights @ sums[1])
            return np.sqrt(np.maximum(ratios, 0.0)) if root else ratios

        draws = self.draws(statistic)
        interval = self.resamples.interval(found.value, draws, found.level, scale)
        return replace(found, bootstrap=interval)
