"""Models of the ratings of two methods, from which studies are simulated.

The mean of a reader's two ratings of a case, and their difference, vary between readers, patients
and cases, and by noise. Both are normal; ratings are then rounded to the points of the scale.
In a ranking the opinions of all images vary like those of the two methods; the other methods are
midway between them.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np
from scipy import optimize, stats

from study.domain.errors import ProtocolError
from study.domain.questions import Analysed, Question, QuestionKind
from study.stats.comparison.preference import Choice, Preference
from study.stats.comparison.rankings import worse_images
from study.stats.estimate import Floats

POINTS = 4.0
"""Length of the scale, from 1 to 5, on which the assumed spreads are."""
TIE = 0.25
"""Differences below this are assumed to be no preference."""
DEFAULT_EFFECT, DEFAULT_SHARE = 0.125, 0.65
"""Assumed difference as a part of the length of the scale, and share of wins."""
FURTHEST = 4.0
"""Largest difference of opinions in a ranking that is planned for, in standard deviations."""
STEPS = 50
"""Of the integral over the rounding of an opinion."""


@dataclass(frozen=True)
class Spread:
    """Standard deviations between readers, patients and cases of a patient, and of the noise."""

    reader: float
    patient: float
    case: float
    noise: float

    def times(self, factor: float) -> Spread:
        """All of them times a factor."""
        return Spread(
            *(factor * each for each in (self.reader, self.patient, self.case, self.noise))
        )

    @property
    def total(self) -> float:
        """Standard deviation of one value."""
        return math.hypot(self.reader, self.patient, self.case, self.noise)

    def draw(self, rng: np.random.Generator, readers: int, patient: np.ndarray) -> Floats:
        """Values of cases by readers; `patient` is that of each case, from 0."""
        cases = patient.size
        drawn: Floats = (
            self.reader * rng.normal(size=readers)
            + self.patient * rng.normal(size=int(patient.max()) + 1)[patient][:, None]
            + self.case * rng.normal(size=cases)[:, None]
            + self.noise * rng.normal(size=(cases, readers))
        )
        return drawn


SHARED = Spread(reader=0.3, patient=0.5, case=0.5, noise=0.42)
"""Assumed spread of the mean of two ratings on a scale from 1 to 5."""
DIFFERENCE = Spread(reader=0.25, patient=0.3, case=0.3, noise=0.85)
"""Assumed spread of their difference."""


@dataclass(frozen=True)
class RatingModel:
    """Ratings of two methods.

    Parameters
    ----------
    low, high : float
        Ends of the scale; infinite for measures without.
    whole : bool
        Whether ratings are whole points of it.
    mean : float
        Of both methods.
    effect : float
        Mean difference, first minus second, before rounding.
    shared, difference : Spread
        Of the mean and of the difference of two ratings.
    source : str
        Where the spreads come from.
    tie : float
        For a preference: differences below this are none. In a ranking, opinions are rounded to
        twice this, and equal ones share a rank.
    images : int
        Number of images that are ranked.
    """

    low: float
    high: float
    mean: float
    effect: float
    shared: Spread
    difference: Spread
    source: str
    tie: float = TIE
    whole: bool = True
    images: int = 2

    def ratings(self, rng: np.random.Generator, readers: int, patient: np.ndarray) -> Floats:
        """Scores of a study, shape (2, cases, readers)."""
        mean = self.mean + self.shared.draw(rng, readers, patient)
        half = self.opinions(rng, readers, patient) / 2
        both = np.stack([mean + half, mean - half])
        scores: Floats = np.clip(np.rint(both) if self.whole else both, self.low, self.high)
        return scores

    def opinions(self, rng: np.random.Generator, readers: int, patient: np.ndarray) -> Floats:
        """How much each reader thinks that the first is better, shape (cases, readers)."""
        return self.effect + self.difference.draw(rng, readers, patient)

    def choices(self, rng: np.random.Generator, readers: int, patient: np.ndarray) -> list[Choice]:
        """Preferences of a study, with sides that alternate."""
        opinions = self.opinions(rng, readers, patient)
        found = []
        for case, reader in np.ndindex(opinions.shape):
            opinion = float(opinions[case, reader])
            left, right = ("A", "B") if (case + reader) % 2 else ("B", "A")
            preferred = Preference.TIE
            if abs(opinion) > self.tie:
                preferred = Preference.LEFT if (opinion > 0) == (left == "A") else Preference.RIGHT
            found.append(
                Choice(f"{case}", f"R{reader}", left, right, preferred, f"P{patient[case]}")
            )
        return found

    def rankings(self, rng: np.random.Generator, readers: int, patient: np.ndarray) -> Floats:
        """How many images of a ranking are worse than each one, ties counted half, as in reports.

        Returns
        -------
        ndarray, shape (images, cases, readers)
            Of the first method, the second, and the others.
        """
        # Two opinions with these spreads differ with that of the difference.
        own = self.difference.times(math.sqrt(0.5))
        effects = (self.effect / 2, -self.effect / 2, *(0.0,) * (self.images - 2))
        opinions = self.shared.draw(rng, readers, patient) + np.stack([
            effect + own.draw(rng, readers, patient) for effect in effects
        ])  # fmt: skip
        rounded = np.rint(opinions / (2 * self.tie)) if self.tie else opinions
        return worse_images(-rounded, axis=0)

    def rank_difference(self, effect: float) -> float:
        """Expected difference of the mean ranks, if the mean difference of opinions is `effect`."""
        # Rounding to a width w keeps a difference d apart with a probability of min(|d| / w, 1).
        width = 2 * self.tie
        places = width * (np.arange(-STEPS, STEPS) + 0.5) / STEPS

        def apart(between: float) -> float:
            above = stats.norm.cdf((between - places) / self.difference.total)
            return float(2 * above.mean() - 1)

        return apart(effect) + (self.images - 2) * apart(effect / 2)

    def with_rank_difference(self, ranks: float) -> RatingModel:
        """The model in which the mean ranks differ by this.

        Raises
        ------
        ProtocolError
            The difference is nearly the length of the scale, or more.
        """
        most = FURTHEST * self.difference.total
        if abs(ranks) > self.rank_difference(most):
            raise ProtocolError(
                f"Mean ranks of {self.images} images cannot be planned to differ by {ranks:g}: "
                f"give --effect in ranks, at most {self.rank_difference(most):.1f}."
            )
        found = optimize.brentq(
            lambda effect: self.rank_difference(effect) - ranks, -2 * most, 2 * most
        )
        return replace(self, effect=float(found))

    def share(self, effect: float) -> float:
        """Share of the decided preferences for the first, if the mean difference is `effect`."""
        wins, losses = (
            float(stats.norm.cdf((sign * effect - self.tie) / self.difference.total))
            for sign in (1, -1)
        )
        return wins / (wins + losses)

    def with_share(self, share: float) -> RatingModel:
        """The model in which the first method wins this share of the decided preferences.

        Raises
        ------
        ProtocolError
            The share is not between 0.02 and 0.98.
        """
        if not 0.02 <= share <= 0.98:
            raise ProtocolError(
                f"A share of wins of {share:g} cannot be planned for: give one from 0.02 to 0.98."
            )
        most = 8 * self.difference.total
        found = optimize.brentq(lambda effect: self.share(effect) - share, -most, most)
        return replace(self, effect=float(found))


def ends_of(question: Question) -> tuple[float, float]:
    """Ends of the scores, measures or ranks of a question; infinite where they have none.

    Raises
    ------
    ProtocolError
        Its answers are none of these.
    """
    if question.ranks:
        return 0.0, question.span
    if question.analysed not in {Analysed.SCORES, Analysed.MEASURES}:
        raise ProtocolError(
            f"Power is simulated for scores, measures, preferences and rankings; {question.code} "
            f"is a {question.kind}: mark another question as primary, or plan with one of these."
        )
    if question.kind is QuestionKind.NUMBER:
        return question.low, question.high
    if whole_points(question):
        return float(question.minimum), float(question.maximum)
    return (0.0, question.span) if math.isfinite(question.span) else (-math.inf, math.inf)


def whole_points(question: Question) -> bool:
    """Whether answers are points of a scale."""
    return question.analysed is Analysed.SCORES


def assumed(question: Question) -> RatingModel:
    """The model without a pilot: typical spreads, as parts of the length of the scale.

    Raises
    ------
    ProtocolError
        Answers have no scale of which the spreads could be parts, or are categories.
    """
    opinions = question.ranks or question.of_pair
    low, high = (1.0, 5.0) if opinions else ends_of(question)
    if math.isinf(high - low):
        raise ProtocolError(
            f"The answers to {question.code} have no scale, so that their spread cannot be "
            "assumed: give the ratings of a pilot with --pilot."
        )
    factor = (high - low) / POINTS
    model = RatingModel(
        low, high, (low + high) / 2, DEFAULT_EFFECT * (high - low), SHARED.times(factor),
        DIFFERENCE.times(factor), "assumed spreads", TIE * factor, whole_points(question),
    )  # fmt: skip
    return of_ranks(model, question).with_share(DEFAULT_SHARE) if opinions else model


def of_ranks(model: RatingModel, question: Question) -> RatingModel:
    """A model of opinions as that of a ranking, where the question is one."""
    if not question.ranks:
        return model
    return replace(model, tie=model.tie if question.ties else 0.0, images=question.maximum)
