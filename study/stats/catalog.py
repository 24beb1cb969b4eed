"""The kinds of statistics that ``python -m study stats KIND`` prints."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from study.domain.errors import StatisticsError
from study.domain.formatting import plural
from study.stats.agreement import coefficients as agreement
from study.stats.agreement.chance_agreement import WEIGHTINGS
from study.stats.agreement.cohen import pairwise_kappas
from study.stats.agreement.krippendorff import METRICS, krippendorff_alpha
from study.stats.comparison.methods import compare_methods, friedman
from study.stats.estimate import Json, to_plain
from study.stats.intervals import RESAMPLES, IntervalOptions
from study.stats.panel import panel_of
from study.stats.ratings_file.csv_input import ColumnChoice, read_ratings
from study.stats.reliability.inter_reader import FORMS, reliability
from study.stats.reliability.intra_reader import all_repeats
from study.stats.scale import Scale
from study.stats.summary import summarise
from study.stats.table import RatingRow, Ratings, tabulate
from study.stats.text import result_lines

Entries = dict[str, object]
"""Results by key, in the order of output."""


@dataclass(frozen=True)
class MethodResults:
    """The results of one method, or of all ratings if none names a method.

    Parameters
    ----------
    method : str
        Empty if the ratings name no method.
    items, raters, ratings : int
        Numbers of each, without missing ratings.
    results : mapping
        Estimates, tests, and containers of them, by key.
    """

    method: str
    items: int
    raters: int
    ratings: int
    results: Mapping[str, object]


@dataclass(frozen=True)
class StatsResult:
    """The result of one kind of statistics.

    Parameters
    ----------
    kind : str
        One of `KINDS`.
    parts : tuple of MethodResults
        One, or one for each method.
    scale : Scale or None
        The categories; None if the kind uses none and none were declared.
    seed : int
        Seed of the bootstrap.
    notes : tuple of str
        Remarks needed to interpret the numbers.
    """

    kind: str
    parts: tuple[MethodResults, ...]
    scale: Scale | None
    seed: int
    notes: tuple[str, ...] = ()

    def to_dict(self) -> dict[str, Json]:
        """JSON values, with ``results`` by key, or ``methods``, each with its results."""
        shown: Entries = {
            "kind": self.kind,
            "scale": self.scale
            and {"categories": self.scale.labels, "declared": self.scale.declared},
            "seed": self.seed,
            "notes": self.notes,
        }
        if [part.method for part in self.parts] == [""]:
            shown |= vars(self.parts[0])
            del shown["method"]
        else:
            shown["methods"] = self.parts
        found = to_plain(shown)
        assert isinstance(found, dict)
        return found

    def as_text(self) -> str:
        """Lines for a terminal."""
        shown = [self.kind if self.scale is None else f"{self.kind}, scale {self.scale}"]
        for part in self.parts:
            label = f"method {part.method}: " if part.method else ""
            counts = ((part.items, "item"), (part.raters, "rater"), (part.ratings, "rating"))
            shown.append(label + ", ".join(plural(number, noun) for number, noun in counts))
            for key, result in part.results.items():
                shown += result_lines(key, result)
        return "\n".join([*shown, *map(_noted, self.notes)])


def compute(
    kind: str,
    rows: Sequence[RatingRow],
    scale: Scale | None = None,
    *,
    seed: int = 0,
    resamples: int = RESAMPLES,
) -> StatsResult:
    """Compute a kind of statistics on ratings in long form.

    Ratings that name methods give one result per method, except in paired and friedman, which
    compare methods. Repeat readings (replicate 2 and more) are used by reliability only.

    Raises
    ------
    StatisticsError
        The kind is unknown, or the ratings do not fit it.
    """
    check_kind(kind)
    rows = list(rows)
    notes = []
    counted = scale or Scale.derived(row.value for row in rows if row.value is not None)
    if scale is None and kind in SCALED:
        notes.append(
            f"no scale was declared: the categories are those that occur ({counted}). "
            "Declare it if others could have been used"
        )
    shown = counted if kind in SCALED else scale
    first = [row for row in rows if row.replicate == 1]
    if len(first) < len(rows) and kind != "reliability":
        notes.append(f"{len(rows) - len(first)} repeat readings are left out")
    options = IntervalOptions(resamples=resamples, seed=seed)
    if kind in COMPARING:
        results = COMPARING[kind](first, options)
        return StatsResult(kind, (_part("", first, results),), shown, seed, tuple(notes))
    groups: dict[str, list[RatingRow]] = {}
    for row in rows if kind == "reliability" else first:
        groups.setdefault(row.method, []).append(row)
    parts = []
    for method, of_method in groups.items():
        if kind == "reliability":
            found = _reliability(of_method, counted, options)
        else:
            found = DESCRIBING[kind](tabulate(of_method, counted), options)
        parts.append(_part(method, of_method, found))
    return StatsResult(kind, tuple(parts), shown, seed, tuple(notes))


def run_kind(
    kind: str,
    path: Path,
    scale: str | None = None,
    seed: int = 0,
    columns: ColumnChoice | None = None,
) -> StatsResult:
    """Compute a kind of statistics on a table of text; see `read_ratings` for its columns.

    Parameters
    ----------
    kind : str
        One of `KINDS`.
    path : Path
    scale : str or None
        For example ``1:5``, ``1,2,3,5`` or ``poor,fair,good``.
    seed : int
        Seed of the bootstrap.
    columns : ColumnChoice, optional
        Names of columns, and the question, where they are not the usual ones.

    Raises
    ------
    StatisticsError
        The kind, the scale or the file cannot be used.
    """
    check_kind(kind)
    declared = Scale.parse(scale) if scale else None
    read = read_ratings(path, declared, columns)
    found = compute(kind, read.rows, declared, seed=seed)
    return replace(found, notes=(*read.notes, *found.notes))


def check_kind(kind: str) -> None:
    """Raise an error for an unknown kind.

    Raises
    ------
    StatisticsError
        The kind is not one of `KINDS`; the message lists them.
    """
    if kind not in KINDS:
        raise StatisticsError(f"no statistics called {kind!r}: choose from {', '.join(KINDS)}")


def _noted(note: str) -> str:
    """A line of a note; a warning is called one already."""
    return note if note.startswith("warning: ") else f"note: {note}"


def _part(method: str, rows: Sequence[RatingRow], results: Entries) -> MethodResults:
    given = [row for row in rows if row.value is not None]
    items, raters = {row.item for row in given}, {row.rater for row in given}
    return MethodResults(method, len(items), len(raters), len(given), results)


def _fleiss(ratings: Ratings, options: IntervalOptions) -> Entries:
    return {
        "kappa": agreement.fleiss_kappa(ratings, **options),
        "kappa_linear": agreement.fleiss_kappa(ratings, "linear", **options),
        "kappa_quadratic": agreement.fleiss_kappa(ratings, "quadratic", **options),
        "kappa_per_category": agreement.category_kappas(ratings),
        "null_test": agreement.null_test(ratings),
        "conger": agreement.conger_kappa(ratings, **options),
        # Kappa collapses where one category prevails, so these are always reported with it.
        "agreement": agreement.raw_agreement(ratings, **options),
        "ac1": agreement.gwet_ac(ratings, **options),
        "summary": summarise(ratings),
    }


def _gwet(ratings: Ratings, options: IntervalOptions) -> Entries:
    found: Entries = {}
    metrics = {"identity": "nominal", "quadratic": "interval"}
    for weighting in WEIGHTINGS:
        ending = "" if weighting == "identity" else f"_{weighting}"
        found[f"ac2{ending}" if ending else "ac1"] = agreement.gwet_ac(
            ratings, weighting, **options
        )
        found[f"fleiss{ending}"] = agreement.fleiss_kappa(ratings, weighting, **options)
        found[f"conger{ending}"] = agreement.conger_kappa(ratings, weighting, **options)
        found[f"brennan_prediger{ending}"] = agreement.brennan_prediger(
            ratings, weighting, **options
        )
        if weighting in metrics:
            found[f"krippendorff{ending}"] = krippendorff_alpha(
                ratings, metrics[weighting], **options
            )
        found[f"agreement{ending}"] = agreement.raw_agreement(ratings, weighting, **options)
    return found


def _alpha(ratings: Ratings, options: IntervalOptions) -> Entries:
    return {metric: krippendorff_alpha(ratings, metric, **options) for metric in METRICS}


def _cohen(ratings: Ratings, _: IntervalOptions) -> Entries:
    names = {"identity": "unweighted"}
    return {names.get(each, each): pairwise_kappas(ratings, each) for each in WEIGHTINGS}


def _icc(ratings: Ratings, options: IntervalOptions) -> Entries:
    found = reliability(ratings, **options)
    forms = dict(zip((f"ICC({form})" for form in FORMS), found.icc, strict=True))
    return {
        **forms,
        "anova": found.anova,
        "complete_items": found.items - found.incomplete,
        "incomplete_items": found.incomplete,
        "flagged_below_0.8": found.flagged,
    }


def _reliability(rows: Sequence[RatingRow], scale: Scale, options: IntervalOptions) -> Entries:
    first = [row for row in rows if row.replicate == 1]
    found: Entries = {}
    if len({row.rater for row in first}) > 1 or len(first) == len(rows):
        found["between_readers"] = reliability(tabulate(first, scale), **options)
    if len(first) < len(rows):
        found["within_reader"] = all_repeats(rows, scale, **options)
    return found


def _paired(rows: Sequence[RatingRow], _: IntervalOptions) -> Entries:
    return vars(compare_methods(panel_of(rows)))


def _friedman(rows: Sequence[RatingRow], _: IntervalOptions) -> Entries:
    return vars(friedman(panel_of(rows)))


DESCRIBING: Mapping[str, Callable[[Ratings, IntervalOptions], Entries]] = {
    "fleiss": _fleiss,
    "gwet": _gwet,
    "alpha": _alpha,
    "icc": _icc,
    "cohen": _cohen,
}
"""Kinds that describe one table of ratings."""
COMPARING: Mapping[str, Callable[[Sequence[RatingRow], IntervalOptions], Entries]] = {
    "paired": _paired,
    "friedman": _friedman,
}
"""Kinds that compare methods."""
KINDS = (*DESCRIBING, "reliability", *COMPARING)
SCALED = frozenset({"fleiss", "gwet", "alpha", "cohen"})
"""Kinds that depend on all categories of the scale, including unused ones."""
