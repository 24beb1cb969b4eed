"""Agreement expected by chance, by four models, and the contribution of each item to it.

Every function takes resampling weights of shape (resamples, items), so the point estimate (all
weights 1) and the bootstrap share one code path.

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
from study.stats.table import Ratings

WEIGHTINGS = ("identity", "linear", "quadratic")


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

    def observed(self, resampling: Floats) -> Floats:
        """Observed agreement of each resample: the mean over items with a pair of ratings."""
        with np.errstate(invalid="ignore", divide="ignore"):
            observed: Floats = (resampling @ self.agreeing) / (resampling @ self.paired)
        return observed

    def prevalence(self, resampling: Floats) -> Floats:
        """Mean share of each category, shape (resamples, categories)."""
        prevalence: Floats = (resampling @ self.shares) / resampling.sum(axis=1)[:, None]
        return prevalence


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
        Chance agreement of each resample.
    by_item : callable
        Contribution of each item to the chance agreement of the sample, given the latter.
    """

    name: str
    source: str
    expected: Callable[[RatedItems, Floats], Floats]
    by_item: Callable[[RatedItems, float], Floats]


def _fleiss(sample: RatedItems, resampling: Floats) -> Floats:
    prevalence = sample.prevalence(resampling)
    expected: Floats = ((prevalence @ sample.weights) * prevalence).sum(axis=1)
    return expected


def _fleiss_items(sample: RatedItems, _: float) -> Floats:
    prevalence = sample.prevalence(np.ones((1, len(sample.totals))))[0]
    items: Floats = sample.shares @ (sample.weights @ prevalence)
    return items


def _gwet_factor(sample: RatedItems) -> float:
    size = sample.weights.shape[0]
    # With one category the factor is 0/0; chance agreement is 0 for every larger scale.
    return float(sample.weights.sum()) / (size * (size - 1)) if size > 1 else 0.0


def _gwet(sample: RatedItems, resampling: Floats) -> Floats:
    prevalence = sample.prevalence(resampling)
    expected: Floats = _gwet_factor(sample) * (prevalence * (1 - prevalence)).sum(axis=1)
    return expected


def _gwet_items(sample: RatedItems, _: float) -> Floats:
    prevalence = sample.prevalence(np.ones((1, len(sample.totals))))[0]
    items: Floats = _gwet_factor(sample) * (sample.shares @ (1 - prevalence))
    return items


def _uniform(sample: RatedItems, resampling: Floats) -> Floats:
    return np.full(resampling.shape[0], sample.weights.mean())


def _uniform_items(sample: RatedItems, expected: float) -> Floats:
    return np.full(len(sample.totals), expected)


def _rater_profiles(sample: RatedItems, resampling: Floats) -> Floats:
    rated = resampling @ (sample.ratings.codes >= 0)
    with np.errstate(invalid="ignore", divide="ignore"):
        profiles: Floats = np.tensordot(resampling, sample.chosen, axes=1) / rated[:, :, None]
    return profiles


def _conger(sample: RatedItems, resampling: Floats) -> Floats:
    profiles = _rater_profiles(sample, resampling)
    raters = profiles.shape[1]
    together = profiles.sum(axis=1)
    all_pairs = ((together @ sample.weights) * together).sum(axis=1)
    with_itself = ((profiles @ sample.weights) * profiles).sum(axis=(1, 2))
    expected: Floats = (all_pairs - with_itself) / max(raters * (raters - 1), 1)
    return expected


def _conger_items(sample: RatedItems, _: float) -> Floats:
    items, raters, _size = sample.chosen.shape
    rated = (sample.ratings.codes >= 0).astype(np.float64)
    share = rated.mean(axis=0)
    profiles = _rater_profiles(sample, np.ones((1, items)))[0]
    # A missing rating is replaced by the rater's profile, the distribution of their ratings.
    excess = sample.chosen - (rated - share)[:, :, None] * profiles[None, :, :]
    excess = excess @ sample.weights / share[None, :, None]
    others = profiles.sum(axis=0)[None, :] - profiles
    items_expected: Floats = np.einsum("igk,gk->i", excess, others) / max(raters * (raters - 1), 1)
    return items_expected


FLEISS = ChanceModel("Fleiss' kappa", "Fleiss 1971", _fleiss, _fleiss_items)
GWET = ChanceModel("AC1", "Gwet 2008", _gwet, _gwet_items)
UNIFORM = ChanceModel(
    "Brennan-Prediger kappa", "Brennan and Prediger 1981", _uniform, _uniform_items
)
CONGER = ChanceModel("Conger's kappa", "Conger 1980", _conger, _conger_items)
