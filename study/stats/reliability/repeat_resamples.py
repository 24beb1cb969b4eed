"""Resamples of readers and patients for repeats, in a table for each reader and method."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import ArrayLike

from study.domain.inference import Random
from study.stats.estimate import Estimate, Floats
from study.stats.intervals import RESAMPLES, RandomOptions
from study.stats.reliability.repeat_strata import Stratum
from study.stats.table import Ratings
from study.stats.two_way_bootstrap import OpenScale, TwoWayResamples
from study.stats.weighted_sums import Cells


@dataclass(frozen=True)
class RepeatResamples:
    """Resamples of readers and patients, for items of several tables one after the other.

    Parameters
    ----------
    resamples : TwoWayResamples or None
        None without a bootstrap.
    cells : Cells
        Reader and patient of each item.
    """

    resamples: TwoWayResamples | None
    cells: Cells

    @classmethod
    def of(
        cls, tables: Sequence[Ratings], readers: Sequence[str], options: RandomOptions
    ) -> RepeatResamples:
        """Resamples of the items of some tables."""
        named = [reader for reader, table in zip(readers, tables, strict=True) for _ in table.items]
        clusters = [cluster for table in tables for cluster in table.clusters]
        cells = Cells(named, clusters, list(dict.fromkeys(named)))
        number, count = options.get("resamples", RESAMPLES), len(cells.order)
        if not number or not clusters:
            return cls(None, cells)
        # One reader speaks for nobody else: the patients alone are random.
        random = options.get("random", Random.BOTH) if count > 1 else Random.CASES
        seed = options.get("seed", 0)
        return cls(TwoWayResamples(count, cells.patients, random, number, seed), cells)

    def strata(self, tables: Sequence[Ratings]) -> list[Stratum]:
        """The tables with items, each of the items of one reader."""
        ends = np.cumsum([len(table.items) for table in tables])
        return [
            Stratum(table, self.cells.order.index(self.cells.readers[end - 1]),
                    self.cells.places[end - len(table.items) : end])
            for table, end in zip(tables, ends, strict=True)
            if table.items
        ]  # fmt: skip

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

        def of_sums(sums: Floats) -> Floats:
            ratios: Floats = sums[:, 0] / sums[:, 1]
            return np.sqrt(np.maximum(ratios, 0.0)) if root else ratios

        values = np.column_stack([above, below]).astype(np.float64)
        draws = self.resamples.draws(
            self.cells.weighted(values, of_sums), 2 * len(self.cells.order)
        )
        interval = self.resamples.interval(found.value, draws, found.level, scale)
        return replace(found, bootstrap=interval)
