"""Agreement expected by chance, by four models, and the contribution of each item to it.

Everything is computed from a `Resample`, which weighs items and raters, so the point estimate (all
weights 1) and the bootstraps over patients and readers share one code path.

References
----------
K. L. Gwet, "Handbook of inter-rater reliability", 4th edition, 2014, chapters 2 to 5; variances
from K. L. Gwet, "Computing inter-rater reliability and its variance in the presence of high
agreement", British Journal of Mathematical and Statistical Psychology 61, 2008.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from study.domain.errors import StatisticsError
from study.stats.estimate import Floats
from study.stats.scale import Scale
from study.stats.table import Codes, Ratings

WEIGHTINGS = ("identity", "linear", "quadratic")
CERTAIN = 1e-12
"""Chance agreement this close to 1 leaves a coefficient undefined."""


def beyond_chance(observed: Floats, chance: Floats) -> Floats:
    """The share of the possible agreement beyond chance that is reached; NaN where none is."""
    share: Floats = (observed - chance) / np.where(1 - chance < CERTAIN, np.nan, 1 - chance)
    return share


def agreement_weights(scale: Scale, weighting: str) -> Floats:
    """Agreement weight of each pair of categories: 1 on the diagonal, 0 for the two ends.

    Raises
    ------
    StatisticsError
        The weighting is unknown.
    """
    scores = np.asarray(scale.scores)
    distance = np.abs(scores[:, None] - scores[None, :])
    if weighting == "identity":
        return np.eye(scale.size)
    if weighting not in WEIGHTINGS:
        raise StatisticsError(f"no weighting {weighting!r}: choose from {', '.join(WEIGHTINGS)}")
    share: Floats = distance / max(float(distance.max()), np.finfo(float).tiny)
    return 1 - share if weighting == "linear" else 1 - share**2


@dataclass(frozen=True, eq=False)
class RatedItems:
    """Rated items, with the quantities that every coefficient is computed from.

    Parameters
    ----------
    ratings : Ratings
        Without empty items and raters.
    weights : ndarray, shape (categories, categories)
        Agreement weights.
    """

    ratings: Ratings
    weights: Floats

    @cached_property
    def totals(self) -> Floats:
        """Number of ratings of each item, at least 1."""
        totals: Floats = self.ratings.counts.sum(axis=1)
        return totals

    @cached_property
    def paired(self) -> Floats:
        """1 for items with two ratings or more, 0 for those with one."""
        return (self.totals >= 2).astype(np.float64)

    @cached_property
    def shares(self) -> Floats:
        """Share of each category among an item's ratings."""
        shares: Floats = self.ratings.counts / self.totals[:, None]
        return shares

    @cached_property
    def agreeing(self) -> Floats:
        """Weighted share of an item's pairs of ratings that agree; 0 without a pair."""
        counts = self.ratings.counts
        pairs = np.maximum(self.totals * (self.totals - 1), 1)
        agreeing = (counts * (counts @ self.weights - 1)).sum(axis=1) / pairs
        share: Floats = np.where(self.paired > 0, agreeing, 0.0)
        return share

    @cached_property
    def chosen(self) -> Floats:
        """1 where a rater chose a category, shape (items, raters, categories)."""
        codes = self.ratings.codes
        chosen: Floats = (codes[:, :, None] == np.arange(self.weights.shape[0])).astype(np.float64)
        return chosen

    @cached_property
    def rated(self) -> Floats:
        """1 where a rater rated an item, shape (items, raters)."""
        return (self.ratings.codes >= 0).astype(np.float64)

    @cached_property
    def pairs(self) -> tuple[Codes, Codes]:
        """The first and the second rater of every pair."""
        first, second = np.triu_indices(len(self.ratings.raters), 1)
        return first, second

    @cached_property
    def agreeing_pairs(self) -> Floats:
        """Agreement of every pair of raters on an item, 0 where one is missing; (items, pairs)."""
        first, second = (self.ratings.codes[:, each] for each in self.pairs)
        both = (first >= 0) & (second >= 0)
        agreeing: Floats = np.where(both, self.weights[first, second], 0.0)
        return agreeing

    def resample(self, items: Floats, raters: Floats | None = None) -> Resample:
        """The sample with weights of the items, and of the raters where not all count once."""
        return Resample(self, items, raters)


@dataclass(frozen=True, eq=False)
class Resample:
    """Resamples of rated items.

    Parameters
    ----------
    sample : RatedItems
    items : ndarray, shape (resamples or 1, items)
        Times that each item is drawn.
    raters : ndarray, shape (resamples or 1, raters), optional
        Times that each rater is drawn; a rater drawn twice is not compared with themselves. By
        default every rater counts once.
    """

    sample: RatedItems
    items: Floats
    raters: Floats | None = None

    @cached_property
    def observed(self) -> Floats:
        """Observed agreement of each resample: the mean over items with a pair of ratings."""
        with np.errstate(invalid="ignore", divide="ignore"):
            observed: Floats
            if self.raters is None:
                once = self.sample
                observed = (self.items @ once.agreeing) / (self.items @ once.paired)
                return observed
            rated, (first, second) = self.sample.rated.T, self.sample.pairs
            pairs = ((self.raters @ rated) ** 2 - self.raters**2 @ rated) / 2
            shares = np.where(pairs > 0, self.items / pairs, 0.0) @ self.sample.agreeing_pairs
            drawn = self.raters[:, first] * self.raters[:, second]
            observed = (drawn * shares).sum(axis=1) / (self.items * (pairs > 0)).sum(axis=1)
            return observed

    @cached_property
    def prevalence(self) -> Floats:
        """Mean share of each category, shape (resamples, categories)."""
        prevalence: Floats
        if self.raters is None:
            prevalence = (self.items @ self.sample.shares) / self.items.sum(axis=1)[:, None]
            return prevalence
        totals = self.raters @ self.sample.rated.T
        weights = np.where(totals > 0, self.items / np.where(totals > 0, totals, 1), 0.0)
        chosen = np.tensordot(weights, self.sample.chosen, axes=1)
        with np.errstate(invalid="ignore"):
            prevalence = (self.raters[:, :, None] * chosen).sum(axis=1)
            prevalence /= (self.items * (totals > 0)).sum(axis=1)[:, None]
        return prevalence

    @cached_property
    def profiles(self) -> Floats:
        """Distribution of each rater's ratings, shape (resamples, raters, categories)."""
        rated = self.items @ self.sample.rated
        with np.errstate(invalid="ignore", divide="ignore"):
            profiles: Floats = (
                np.tensordot(self.items, self.sample.chosen, axes=1) / rated[:, :, None]
            )
        return profiles

    @cached_property
    def drawn_raters(self) -> Floats:
        """Times that each rater is drawn, shape (resamples, raters)."""
        if self.raters is not None:
            return self.raters
        return np.ones((len(self.items), len(self.sample.ratings.raters)))


@dataclass(frozen=True)
class ChanceModel:
    """A model of chance agreement.

    Parameters
    ----------
    name : str
        Name of the coefficient that uses it.
    source : str
        Author and year.
    expected : callable
        Chance agreement of each of the resamples.
    by_item : callable
        Contribution of each item to the chance agreement of the sample, given the latter.
    """

    name: str
    source: str
    expected: Callable[[Resample], Floats]
    by_item: Callable[[RatedItems, float], Floats]


def _fleiss(drawn: Resample) -> Floats:
    expected: Floats = ((drawn.prevalence @ drawn.sample.weights) * drawn.prevalence).sum(axis=1)
    return expected


def _fleiss_items(sample: RatedItems, _: float) -> Floats:
    items: Floats = sample.shares @ (sample.weights @ _prevalence(sample))
    return items


def _gwet_factor(sample: RatedItems) -> float:
    size = sample.weights.shape[0]
    # With one category the factor is 0/0; chance agreement is 0 for every larger scale.
    return float(sample.weights.sum()) / (size * (size - 1)) if size > 1 else 0.0


def _gwet(drawn: Resample) -> Floats:
    spread: Floats = (drawn.prevalence * (1 - drawn.prevalence)).sum(axis=1)
    return _gwet_factor(drawn.sample) * spread


def _gwet_items(sample: RatedItems, _: float) -> Floats:
    items: Floats = _gwet_factor(sample) * (sample.shares @ (1 - _prevalence(sample)))
    return items


def _uniform(drawn: Resample) -> Floats:
    return np.full(len(drawn.prevalence), drawn.sample.weights.mean())


def _uniform_items(sample: RatedItems, expected: float) -> Floats:
    return np.full(len(sample.totals), expected)


def _conger(drawn: Resample) -> Floats:
    weights, times = drawn.sample.weights, drawn.drawn_raters
    profiles = np.where(times[:, :, None] > 0, drawn.profiles, 0.0)
    together = (times[:, :, None] * profiles).sum(axis=1)
    all_pairs = ((together @ weights) * together).sum(axis=1)
    alone = (((profiles @ weights) * profiles).sum(axis=2) * times**2).sum(axis=1)
    pairs = times.sum(axis=1) ** 2 - (times**2).sum(axis=1)
    expected: Floats = (all_pairs - alone) / np.where(pairs > 0, pairs, np.nan)
    return expected


def _conger_items(sample: RatedItems, _: float) -> Floats:
    items, raters, _size = sample.chosen.shape
    rated = (sample.ratings.codes >= 0).astype(np.float64)
    share = rated.mean(axis=0)
    profiles = sample.resample(np.ones((1, items))).profiles[0]
    # A missing rating is replaced by the rater's profile, the distribution of their ratings.
    excess = sample.chosen - (rated - share)[:, :, None] * profiles[None, :, :]
    excess = excess @ sample.weights / share[None, :, None]
    others = profiles.sum(axis=0)[None, :] - profiles
    items_expected: Floats = np.einsum("igk,gk->i", excess, others) / max(raters * (raters - 1), 1)
    return items_expected


def _prevalence(sample: RatedItems) -> Floats:
    prevalence: Floats = sample.resample(np.ones((1, len(sample.totals)))).prevalence[0]
    return prevalence


FLEISS = ChanceModel("Fleiss' kappa", "Fleiss 1971", _fleiss, _fleiss_items)
GWET = ChanceModel("AC1", "Gwet 2008", _gwet, _gwet_items)
UNIFORM = ChanceModel(
    "Brennan-Prediger kappa", "Brennan and Prediger 1981", _uniform, _uniform_items
)
CONGER = ChanceModel("Conger's kappa", "Conger 1980", _conger, _conger_items)
BY_PREVALENCE = (FLEISS, GWET, UNIFORM)
"""Models that need no more than the prevalence of the categories."""
