"""A model of ratings from the data of a pilot: its spreads, and the difference it saw."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import combinations

import numpy as np
from scipy import stats

from study.analysis.comparison import main_choices
from study.analysis.dataset import Dataset
from study.analysis.rankings import given_rankings
from study.analysis.scores import first_ratings, score_rows
from study.domain.errors import ProtocolError, StatisticsError
from study.domain.questions import Analysed, Question
from study.planning.power.model import RatingModel, Spread, ends_of, of_ranks, whole_points
from study.stats.comparison.preference import Choice, Preference, by_pair
from study.stats.comparison.rankings import Ranking, implied_choices
from study.stats.estimate import Floats
from study.stats.models.linear_mixed import linear_mixed
from study.stats.models.random_factors import Factor
from study.stats.panel import Panel, panel_of
from study.stats.table import RatingRow

LEAST = 8
"""Fewest values of a pair of methods from which spreads are estimated."""
ROUNDING = 1 / 12
"""Variance that rounding to whole points adds to a rating."""


@dataclass(frozen=True)
class Pilot:
    """What a pilot says.

    Parameters
    ----------
    model : RatingModel
        Its effect is that of the pilot.
    readers, patients, cases : int
    pair : (str, str)
        The methods of the effect.
    """

    model: RatingModel
    readers: int
    patients: int
    cases: int
    pair: tuple[str, str]

    @property
    def cases_per_patient(self) -> float:
        """Mean number of cases of a patient."""
        return self.cases / self.patients


def pilot_scores(
    panel: Panel, ends: tuple[float, float], pair: Sequence[str] = (), *, whole: bool = True
) -> Pilot:
    """The model of scores.

    Parameters
    ----------
    panel : Panel
        Scores of at least two methods.
    ends : (float, float)
        Ends of the scale.
    whole : bool
        Whether scores are whole points of the scale.
    pair : sequence of str
        The methods of the effect; by default the first two. Spreads are means over all pairs.

    Raises
    ------
    StatisticsError
        There are fewer than two methods, or no pair with enough values.
    """
    methods = tuple(panel.methods)
    if len(methods) < 2:
        raise StatisticsError(f"a pilot needs two methods, got {', '.join(methods) or 'none'}")
    first, second = (pair[0], pair[1]) if pair else methods[:2]
    shared, difference, rounding = [], [], ROUNDING if whole else 0.0
    for one, other in combinations(methods, 2):
        scores = panel.scores[:, :, [panel.place(one), panel.place(other)]]
        mean, apart = scores.mean(axis=2), scores[:, :, 0] - scores[:, :, 1]
        if (~np.isnan(apart)).sum() >= LEAST:
            shared.append(_spread(mean, panel.clusters, rounding / 2))
            difference.append(_spread(apart, panel.clusters, 2 * rounding))
    if not shared:
        raise StatisticsError(
            f"the pilot has fewer than {LEAST} ratings of two methods of the same cases: plan with "
            "the assumed spreads, without --pilot"
        )
    effect = panel.differences(first, second)
    both = panel.scores[:, :, [panel.place(first), panel.place(second)]]
    model = RatingModel(
        *ends, float(np.nanmean(both)), float(np.nanmean(effect)), _mean(shared),
        _mean(difference), "spreads of the pilot", whole=whole,
    )  # fmt: skip
    return Pilot(
        model, len(panel.readers), len(set(panel.clusters)), len(panel.items), (first, second)
    )


def pilot_choices(choices: Sequence[Choice], pair: Sequence[str] = ()) -> Pilot:
    """The model of preferences, on a scale on which opinions have a standard deviation of 1.

    Raises
    ------
    StatisticsError
        There are too few answers to a pair, or they are all alike.
    """
    pairs = by_pair([choice for choice in choices if choice.preferred is not None])
    first, second = (pair[0], pair[1]) if pair else next(iter(pairs), ("", ""))
    low, high = sorted((first, second))
    answers = pairs.get((low, high), [])
    if len(answers) < LEAST:
        raise StatisticsError(
            f"the pilot has {len(answers)} preferences between {first!r} and {second!r}: it needs "
            f"{LEAST}"
        )
    values = np.array([
        0.0 if one.preferred is Preference.TIE else 1.0 if one.winner == first else -1.0
        for one in answers
    ])  # fmt: skip
    if not np.ptp(values):
        raise StatisticsError("all preferences of the pilot are equal: they show no spread")
    # A share of 0 or 1 is not known that well from a few answers.
    wins, losses = (
        float(stats.norm.ppf((float((values == sign).sum()) + 0.5) / (values.size + 1)))
        for sign in (1.0, -1.0)
    )
    raw = _components(values, [one.reader for one in answers], [one.item for one in answers],
                      [one.group for one in answers])  # fmt: skip
    spread = raw.times(1 / raw.total)
    tie, effect = max(-(wins + losses) / 2, 0.0), (wins - losses) / 2
    model = RatingModel(1, 5, 3.0, effect, spread, spread, "spreads of the pilot", tie)
    readers, items = {one.reader for one in answers}, {one.item for one in answers}
    return Pilot(
        model, len(readers), len({one.group for one in answers}), len(items), (first, second)
    )


def pilot_rankings(
    rankings: Sequence[Ranking], question: Question, pair: Sequence[str] = ()
) -> Pilot:
    """The model of rankings, from the preferences that they imply.

    Raises
    ------
    StatisticsError
        There are too few rankings of both methods, or they are all alike.
    """
    found = pilot_choices(implied_choices(rankings), pair)
    return replace(found, model=of_ranks(found.model, question))


def table_rankings(rows: Iterable[RatingRow]) -> list[Ranking]:
    """The rankings in a table of ranks, in which 1 is the best."""
    ranked: dict[tuple[str, str], list[RatingRow]] = {}
    for row in rows:
        if row.value is not None:
            ranked.setdefault((row.item, row.rater), []).append(row)
    return [
        Ranking(
            item, reader, tuple(row.method for row in own),
            tuple(row.value for row in own if row.value is not None), own[0].cluster,
        )
        for (item, reader), own in ranked.items()
    ]  # fmt: skip


def pilot_study(data: Dataset, question: Question) -> Pilot:
    """The model of the answers to a question in a closed study; methods stay masked.

    Raises
    ------
    ProtocolError
        The study has no such question, or it is on another scale.
    StatisticsError
        There are too few answers.
    """
    asked = next((one for one in data.protocol.questions if one.code == question.code), None)
    if asked is None or asked.kind is not question.kind or asked.scale != question.scale:
        raise ProtocolError(
            f"The pilot has no question {question.code} on the same scale: its questions are "
            f"{', '.join(one.code for one in data.protocol.questions)}."
        )
    pair = data.protocol.primary_pair
    if question.analysed is Analysed.PREFERENCES:
        return pilot_choices(main_choices(data, asked), pair)
    if question.ranks:
        return pilot_rankings(given_rankings(first_ratings(data, asked)), question, pair)
    panel, whole = panel_of(score_rows(data, asked)), whole_points(question)
    return pilot_scores(panel, ends_of(question), pair, whole=whole)


def _spread(values: Floats, clusters: Sequence[str], rounding: float) -> Spread:
    """Spreads of values of cases by readers, NaN where missing, without that of rounding."""
    places = np.argwhere(~np.isnan(values))
    found = _components(
        values[places[:, 0], places[:, 1]],
        [str(reader) for _, reader in places],
        [str(case) for case, _ in places],
        [clusters[case] for case, _ in places],
    )
    noise = math.sqrt(max(found.noise**2 - rounding, 0.1 * found.noise**2))
    return Spread(found.reader, found.patient, found.case, noise)


def _components(
    values: Floats, readers: Sequence[str], cases: Sequence[str], patients: Sequence[str]
) -> Spread:
    """Spreads by restricted maximum likelihood; a patient of one case is a patient."""
    factors = [
        Factor.of("reader", readers),
        Factor.of("patient", patients),
        Factor.of("case", cases),
    ]
    reader, patient, case = factors
    chosen = [reader] if reader.levels > 1 else []
    chosen += [patient] if patient.levels > 1 else []
    chosen += [case] if case.levels > patient.levels else []
    if not np.ptp(values) or not chosen:
        deviation = float(values.std())
        return Spread(0.0, 0.0, 0.0, deviation)
    found = linear_mixed(values, np.ones((values.size, 1)), ("mean",), chosen)
    by_name = {name: math.sqrt(max(variance, 0.0)) for name, variance in found.variances}
    return Spread(
        by_name.get("reader", 0.0), by_name.get("patient", 0.0), by_name.get("case", 0.0),
        by_name["residual"],
    )  # fmt: skip


def _mean(spreads: Sequence[Spread]) -> Spread:
    """Root mean squares over pairs of methods."""

    def root(name: str) -> float:
        return math.sqrt(float(np.mean([getattr(each, name) ** 2 for each in spreads])))

    return Spread(root("reader"), root("patient"), root("case"), root("noise"))
