"""Intervals of any statistic from a bootstrap over readers and patients.

Readers and patients are drawn on their own and together. What both draws together add to the two
on their own is the noise, which is in either of them and counts once: a bootstrap of both alone
takes it three times (Owen). The weights of a resample go only a part of the way from all ones to
those of a drawn sample, and the variance is scaled up: every reader and patient stays in every
resample, so that five readers do not give resamples of one, or strengths that are infinite. Few
clusters are allowed for by n / (n - 1) and by the t distribution.

References
----------
A. B. Owen, "The pigeonhole bootstrap", Annals of Applied Statistics 1(2), 2007.
A. C. Cameron, J. B. Gelbach, D. L. Miller, "Robust inference with multiway clustering", Journal of
Business and Economic Statistics 29(2), 2011.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache

import numpy as np
from scipy.special import expit

from study.domain.errors import StatisticsError
from study.domain.formatting import plural
from study.domain.inference import Random
from study.stats.estimate import LEVEL, Floats, Interval
from study.stats.intervals import t_interval
from study.stats.random_effects import Variance, components
from study.stats.weighted_sums import Statistic, places_of

PART = 0.25
"""How far the weights of a resample go from all ones to those of a drawn sample."""
ENTRIES = 4_000_000
"""Most entries of an array of resamples."""
AGREE = "all resamples give the same value"
NOTHING = 1e-20
"""A variance below this is zero."""
NO_MORE = "with so few readers and patients nothing is left of the variance but noise"
AT_END = "the value is at the end of its range"


@dataclass(frozen=True)
class Draws:
    """Draws of a statistic; None for what is not random.

    Parameters
    ----------
    readers, patients, both : ndarray or None, shape (resamples,) or (resamples, values)
        Over readers with all patients, over patients with all readers, and over both.
    """

    readers: Floats | None
    patients: Floats | None
    both: Floats | None

    def of(self, place: int) -> Draws:
        """The draws of one of several values."""
        return self.each(lambda draws: draws[:, place])

    def minus(self, other: Draws) -> Draws:
        """The draws of the difference of two statistics."""
        mine = (self.readers, self.patients, self.both)
        theirs = (other.readers, other.patients, other.both)
        return Draws(
            *(None if a is None or b is None else a - b for a, b in zip(mine, theirs, strict=True))
        )

    def usable(self) -> Draws | None:
        """The resamples in which every draw is finite; None if these are less than half."""
        known = [each for each in (self.readers, self.patients, self.both) if each is not None]
        kept = np.isfinite(np.stack(known)).all(axis=0)
        return self.each(lambda draws: draws[kept]) if 2 * kept.sum() >= kept.size else None

    @property
    def constant(self) -> bool:
        """Whether all draws are the same: a sample without disagreement."""
        known = (each for each in (self.readers, self.patients, self.both) if each is not None)
        return all(np.ptp(each) <= 1e-12 * max(1.0, float(np.abs(each).max())) for each in known)

    def each(self, change: Callable[[Floats], Floats]) -> Draws:
        """The draws of another statistic, which is computed from these."""
        drawn = (self.readers, self.patients, self.both)
        return Draws(*(None if each is None else change(each) for each in drawn))


@dataclass(frozen=True)
class OpenScale:
    """A scale without ends, on which an interval is taken.

    Parameters
    ----------
    name : str
        In words, for the description of the interval.
    ends : (float, float)
        Ends of the values, which have no place on the scale.
    to, back : callable
        To the scale, and back.
    slope : callable
        Derivative of `to`.
    """

    name: str
    ends: tuple[float, float]
    to: Callable[[float], float]
    back: Callable[[float], float]
    slope: Callable[[float], float]


PLAIN = OpenScale("", (-math.inf, math.inf), lambda x: x, lambda y: y, lambda _: 1.0)
LOG_ODDS = OpenScale(
    " of the log odds",
    (0.0, 1.0),
    lambda x: math.log(x / (1 - x)),
    lambda y: float(expit(y)),
    lambda x: 1 / (x * (1 - x)),
)
FISHER_Z = OpenScale(" of Fisher's z", (-1.0, 1.0), math.atanh, math.tanh, lambda x: 1 / (1 - x**2))
LOG = OpenScale(" of the logarithm", (0.0, math.inf), math.log, math.exp, lambda x: 1 / x)
LOG_DISTANCE = OpenScale(
    " of log(1 - value)",
    (-math.inf, 1.0),
    lambda x: -math.log(1 - x),
    lambda y: -math.expm1(min(-y, 50.0)),
    lambda x: 1 / (1 - x),
)


@dataclass(frozen=True)
class TwoWayResamples:
    """Resamples of readers and patients.

    Parameters
    ----------
    readers : int
        Number of readers.
    clusters : sequence of str
        Patient of each item.
    random : Random
        What is drawn.
    resamples : int
        Number of samples, at least 1.
    seed : int
        Seed of PCG64; the same seed gives the same samples.
    of_pairs : bool
        Whether the statistic compares readers with each other, as agreement does. Its variance
        over n readers is that of the jackknife, larger by ((n - 1) / (n - 2))²; chance agreement,
        from the same patients, takes one degree of freedom more.
    """

    readers: int
    clusters: Sequence[str]
    random: Random
    resamples: int
    seed: int
    of_pairs: bool = False

    def __post_init__(self) -> None:
        if self.resamples < 1:
            raise StatisticsError(f"a bootstrap needs at least one resample, got {self.resamples}")

    @cached_property
    def patients(self) -> int:
        """Number of patients."""
        return len(self._names)

    @cached_property
    def _names(self) -> list[str]:
        return list(dict.fromkeys(self.clusters))

    @property
    def method(self) -> str:
        """The bootstrap in words."""
        readers, patients = plural(self.readers, "reader"), plural(self.patients, "patient")
        drawn = {
            Random.READERS: readers,
            Random.CASES: patients,
            Random.BOTH: f"{readers} and {patients}",
        }[self.random]
        return f"bootstrap of {drawn}, {self.resamples} resamples, seed {self.seed}"

    def draws(self, statistic: Statistic, size: int = 1) -> Draws:
        """Draws of a statistic over readers, over patients, and over both, as far as needed.

        `size` is the number of entries that the statistic needs for one resample: it is taken in
        parts that fit the memory, and only then has every item the weight of its patient.
        """
        step = max(1, ENTRIES // max(size, len(self.clusters), 1))
        of_readers, of_patients = _weights(self.readers, self.patients, self.resamples, self.seed)
        places = places_of(self.clusters, self._names)
        parts = [slice(first, first + step) for first in range(0, self.resamples, step)]
        readers: list[Floats] = []
        patients: list[Floats] = []
        both: list[Floats] = []
        if self.random is not Random.CASES:
            once = statistic(np.ones((1, len(self.clusters))))
            readers = [once(of_readers[part]) for part in parts]
        if self.random is not Random.READERS:
            everyone = np.ones((1, self.readers))
            for part in parts:
                drawn = statistic(of_patients[part][:, places])
                patients.append(drawn(everyone))
                if self.random is Random.BOTH:
                    both.append(drawn(of_readers[part]))
        return Draws(
            *(np.concatenate(each) if each else None for each in (readers, patients, both))
        )

    def interval(
        self,
        value: float,
        draws: Draws,
        level: float = LEVEL,
        scale: OpenScale = PLAIN,
    ) -> Interval:
        """The t interval of a value with the standard error of its draws."""
        found = self.variance(draws)
        if not isinstance(found, str) and not scale.ends[0] < value < scale.ends[1]:
            found = AT_END
        if isinstance(found, str):
            return Interval(None, None, self.method, found, level)
        se = math.sqrt(found.value) * scale.slope(value)
        ends = t_interval(scale.to(value), se, found.df, level)
        low, high = (None if end is None else scale.back(end) for end in (ends.low, ends.high))
        return Interval(low, high, f"{self.method}, {ends.method}{scale.name}", ends.reason, level)

    def variance(self, draws: Draws) -> Variance | str:
        """The variance of a statistic from its draws, or the reason why there is none.

        It is undefined with too few readers or patients, if most draws are undefined, and if all
        of them are equal: a sample without disagreement says nothing on its variability.
        """
        least = 3 if self.of_pairs else 2
        if self.random is not Random.CASES and self.readers < least:
            return (
                f"{plural(self.readers, 'reader')}: how readers differ cannot be estimated, it "
                f"needs {least}"
            )
        if self.random is not Random.READERS and self.patients < least:
            return f"{plural(self.patients, 'patient')}: it needs {least}"
        kept = draws.usable()
        if kept is None:
            return "most resamples are undefined"
        if kept.constant:
            return AGREE
        readers, patients = self._factor(self.readers), self._factor(self.patients)
        if self.of_pairs and self.random is not Random.CASES:
            readers *= (self.readers - 1) / (self.readers - 2)
        of_readers = of_patients = 0.0
        if kept.readers is not None:
            of_readers = readers * float(kept.readers.var())
        if kept.patients is not None:
            of_patients = patients * float(kept.patients.var())
        if kept.readers is not None and kept.patients is not None and kept.both is not None:
            noise = kept.both - kept.readers - kept.patients
            of_patients -= readers * patients * float(noise.var())
        found = components(self.random, of_readers, of_patients, self.readers, self.patients)
        return found if found.value > NOTHING else NO_MORE

    def _factor(self, count: int) -> float:
        """From the variance of draws to that of the statistic, for a small number of clusters."""
        lost = 2 if self.of_pairs else 1
        return count / max(count - lost, 1) / PART**2


@lru_cache(maxsize=2)
def _weights(readers: int, patients: int, resamples: int, seed: int) -> tuple[Floats, Floats]:
    """Of the readers and of the patients, in each resample."""
    rng = np.random.default_rng(seed)
    of_patients = _draw(rng, patients, resamples)
    return _draw(rng, readers, resamples), of_patients


def _draw(rng: np.random.Generator, count: int, resamples: int) -> Floats:
    drawn = rng.multinomial(count, [1 / count] * count, size=resamples)
    weights: Floats = 1 + PART * (drawn.astype(np.float64) - 1)
    return weights
