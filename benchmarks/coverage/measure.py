"""How often the tests reject and the intervals cover, over many simulated studies."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np

from benchmarks.coverage.agreement_truth import SCALE, population
from benchmarks.coverage.simulation import Clustering, Design, SimulatedStudy, simulate
from study.domain.inference import Random
from study.stats.agreement.coefficients import fleiss_kappa, gwet_ac
from study.stats.agreement.krippendorff import krippendorff_alpha
from study.stats.comparison.bradley_terry import bradley_terry
from study.stats.comparison.paired import compare_pair
from study.stats.comparison.preference import win_rates
from study.stats.comparison.rankings import concordance, mean_ranks, worse_images
from study.stats.estimate import Estimate, Interval, PValue
from study.stats.reliability.inter_reader import reliability
from study.stats.table import from_matrix

DESIGNS = (Design(20, 5), Design(10, 3), Design(100, 1), Design(10, 3, readers=2))
CLUSTERINGS = (Clustering.NONE, Clustering.PATIENT, Clustering.READER)
SPAN = 4.0
RESAMPLES = 150
REJECTION, COVERAGE = (0.03, 0.08), (0.91, 0.98)
"""Bounds at a nominal level of 5 % and 95 %."""


@dataclass(frozen=True)
class Kind:
    """What is measured.

    Parameters
    ----------
    key : str
    label : str
    rejects : bool
        Whether a test's rejections are counted, else an interval's coverage.
    naive : bool
        Whether it takes cases as independent and readers as fixed.
    """

    key: str
    label: str
    rejects: bool
    naive: bool = False

    @property
    def bounds(self) -> tuple[float, float]:
        """The least and largest acceptable rate."""
        return REJECTION if self.rejects else COVERAGE


KINDS = (
    Kind("score_test", "Mean scores, Obuchowski–Rockette test", rejects=True),
    Kind("score_interval", "Mean scores, its interval", rejects=False),
    Kind("preference_test", "Preferences, bootstrap test", rejects=True),
    Kind("preference_interval", "Win rate, bootstrap interval", rejects=False),
    Kind("strength_interval", "Bradley–Terry strength, bootstrap interval", rejects=False),
    Kind("rank_test", "Ranks, Obuchowski–Rockette test", rejects=True),
    Kind("rank_interval", "Mean rank, its interval", rejects=False),
    Kind("concordance_interval", "Correlation of rankings, bootstrap interval", rejects=False),
    Kind("kappa_interval", "Fleiss’ κ, bootstrap interval", rejects=False),
    Kind("quadratic_interval", "Fleiss’ κ, quadratic, bootstrap interval", rejects=False),
    Kind("ac2_interval", "AC2, quadratic, bootstrap interval", rejects=False),
    Kind("alpha_interval", "Krippendorff’s α, ordinal, bootstrap interval", rejects=False),
    Kind("icc_interval", "ICC(A,1), bootstrap interval", rejects=False),
    Kind("sem_interval", "SEM, bootstrap interval", rejects=False),
    Kind("naive_score_test", "Mean scores, paired t of cases", rejects=True, naive=True),
    Kind("naive_preference_interval", "Win rate, Wilson", rejects=False, naive=True),
    Kind("naive_kappa_interval", "Fleiss’ κ, Gwet’s error", rejects=False, naive=True),
)


@dataclass
class Rate:
    """How often something was true; studies that leave it undefined are counted apart."""

    true: int = 0
    defined: int = 0
    undefined: int = 0

    def add(self, outcome: bool | None) -> None:
        """Count one study."""
        if outcome is None:
            self.undefined += 1
        else:
            self.true, self.defined = self.true + outcome, self.defined + 1

    @property
    def share(self) -> float | None:
        """The share of true among defined."""
        return self.true / self.defined if self.defined else None


@dataclass(frozen=True)
class Scenario:
    """The rates of one design with one clustering."""

    design: Design
    clustering: Clustering
    rates: dict[str, Rate] = field(default_factory=dict)


def measure(
    studies: int,
    designs: tuple[Design, ...] = DESIGNS,
    clusterings: tuple[Clustering, ...] = CLUSTERINGS,
    *,
    seed: int = 0,
    random: Random = Random.BOTH,
) -> Iterator[Scenario]:
    """Simulate studies of every design and clustering.

    Parameters
    ----------
    studies : int
        Number for each.
    designs : tuple of Design
    clusterings : tuple of Clustering
    seed : int
    random : Random
        What the tests and intervals take as random; the truth has both.
    """
    for design in designs:
        for clustering in clusterings:
            truth = population(clustering, seed)
            rng = np.random.default_rng((seed, design.patients, CLUSTERINGS.index(clustering)))
            scenario = Scenario(design, clustering, {kind.key: Rate() for kind in KINDS})
            for number in range(studies):
                found = _outcomes(simulate(design, clustering, rng), truth, number, random)
                for key, outcome in found.items():
                    scenario.rates[key].add(outcome)
            yield scenario


def first_study(seed: int = 0) -> str:
    """Every statistic of a small simulated study, which tells whether a page is of this code."""
    design, clustering = Design(10, 3), Clustering.READER
    rng = np.random.default_rng((seed, design.patients, CLUSTERINGS.index(clustering)))
    found = _statistics(simulate(design, clustering, rng), seed, Random.BOTH)
    return "; ".join(
        f"{kind.label} {_words(found[kind.key])}" for kind in KINDS if found[kind.key] is not None
    )


def _outcomes(
    study: SimulatedStudy, truth: dict[str, float], seed: int, random: Random
) -> dict[str, bool | None]:
    true = {
        **{f"{name}_interval": value for name, value in truth.items()},
        "score_interval": 0.0, "preference_interval": 0.5, "strength_interval": 0.0,
        "rank_interval": 2.0,
        "naive_preference_interval": 0.5, "naive_kappa_interval": truth["kappa"],
    }  # fmt: skip
    return {
        key: _rejects(found) if isinstance(found, PValue) else _covers(found, true[key])
        for key, found in _statistics(study, seed, random).items()
    }


def _statistics(study: SimulatedStudy, seed: int, random: Random) -> dict[str, Found]:
    """The tests and intervals of a study, by the keys of `KINDS`."""
    scores, clusters = study.scores, study.design.clusters
    pair = compare_pair("A", "B", scores[0] - scores[1], clusters, random=random, span=SPAN)
    choices = study.choices()
    [rate] = win_rates(choices, resamples=RESAMPLES, seed=seed, random=random)
    strength = bradley_terry(choices, "B", resamples=RESAMPLES, seed=seed, random=random).of("A")
    worse, rankings = worse_images(study.ranks, axis=0), study.rankings()
    ranked = compare_pair("A", "B", worse[0] - worse[1], clusters, random=random, span=2.0)
    [mean_rank] = mean_ranks(rankings, ["A"], random)
    order = concordance(rankings, resamples=RESAMPLES, seed=seed, random=random)
    ratings = from_matrix(scores[0], SCALE, clusters=clusters)
    kappa = fleiss_kappa(ratings, resamples=RESAMPLES, seed=seed, random=random)
    quadratic = fleiss_kappa(ratings, "quadratic", resamples=RESAMPLES, seed=seed, random=random)
    ac2 = gwet_ac(ratings, "quadratic", resamples=RESAMPLES, seed=seed, random=random)
    alpha = krippendorff_alpha(ratings, resamples=RESAMPLES, seed=seed, random=random)
    errors = reliability(ratings, resamples=RESAMPLES, seed=seed, random=random)
    return {
        "score_test": pair.inference.test,
        "score_interval": pair.inference.difference,
        "preference_test": rate.test,
        "preference_interval": rate.rate.bootstrap,
        "strength_interval": strength.bootstrap,
        "rank_test": ranked.inference.test,
        "rank_interval": mean_rank,
        "concordance_interval": order.correlation,
        "kappa_interval": kappa.bootstrap,
        "quadratic_interval": quadratic.bootstrap,
        "ac2_interval": ac2.bootstrap,
        "alpha_interval": alpha,
        "icc_interval": errors.form("A,1").bootstrap,
        "sem_interval": errors.sem_agreement.bootstrap,
        "naive_score_test": pair.t_test,
        "naive_preference_interval": rate.rate,
        "naive_kappa_interval": kappa,
    }


Found = PValue | Interval | Estimate | None


def _words(found: Found) -> str:
    if isinstance(found, PValue):
        return "undefined" if found.p is None else f"p {found.p:.4f}"
    if found is None or found.low is None or found.high is None:
        return "undefined"
    return f"{found.low:.4f} to {found.high:.4f}"


def _rejects(test: PValue) -> bool | None:
    return None if test.p is None else test.p < 0.05


def _covers(interval: Interval | Estimate | None, truth: float) -> bool | None:
    if interval is None or interval.low is None or interval.high is None:
        return None
    return interval.low <= truth <= interval.high
