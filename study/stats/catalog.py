"""One statistic, or family of statistics, by name: what ``python -m study stats KIND`` prints."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from study.domain.errors import StatisticsError
from study.stats import agreement
from study.stats.chance_agreement import WEIGHTINGS
from study.stats.cohen import pairwise_kappas
from study.stats.comparison import compare_methods, friedman
from study.stats.csv_input import read_rows
from study.stats.estimate import Json, plain
from study.stats.intervals import RESAMPLES
from study.stats.intra_reader import all_repeats
from study.stats.krippendorff import METRICS, krippendorff_alpha
from study.stats.panel import panel_of
from study.stats.reliability import FORMS, reliability
from study.stats.scale import Scale
from study.stats.summary import summarise
from study.stats.table import RatingRow, Ratings, tabulate
from study.stats.text import lines

Entries = dict[str, object]
"""Results by key, in the order in which they are shown."""


@dataclass(frozen=True)
class Part:
    """The results of one method, or of all ratings where none is named.

    Parameters
    ----------
    method : str
        Empty if the ratings name no method.
    items, raters, ratings : int
        What they rest on; a missing rating is not counted.
    results : mapping
        Estimates, tests, and what holds them, by key.
    """

    method: str
    items: int
    raters: int
    ratings: int
    results: Mapping[str, object]


@dataclass(frozen=True)
class StatsResult:
    """What one kind of statistics gives.

    Parameters
    ----------
    kind : str
        One of `KINDS`.
    parts : tuple of Part
        One, or one for each method.
    scale : Scale or None
        The categories counted with; None if no category matters and none was declared.
    seed : int
        Of the bootstrap.
    notes : tuple of str
        What a reader of the numbers must know.
    """

    kind: str
    parts: tuple[Part, ...]
    scale: Scale | None
    seed: int
    notes: tuple[str, ...] = ()

    def to_dict(self) -> dict[str, Json]:
        """JSON values: ``results`` by key, or ``methods``, each with its results."""
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
        found = plain(shown)
        assert isinstance(found, dict)
        return found

    def as_text(self) -> str:
        """Lines for a terminal."""
        shown = [self.kind if self.scale is None else f"{self.kind}, scale {self.scale}"]
        for part in self.parts:
            label = f"method {part.method}: " if part.method else ""
            shown.append(f"{label}{part.items} items, {part.raters} raters, {part.ratings} ratings")
            for key, result in part.results.items():
                shown += lines(key, result)
        return "\n".join([*shown, *(f"note: {note}" for note in self.notes)])


@dataclass(frozen=True)
class _Options:
    resamples: int
    seed: int


def compute(
    kind: str,
    rows: Sequence[RatingRow],
    scale: Scale | None = None,
    *,
    seed: int = 0,
    resamples: int = RESAMPLES,
) -> StatsResult:
    """The statistics of a kind on long ratings.

    Ratings that name methods give one part a method, except in paired and friedman, which
    compare them. Second readings (replicate 2) serve reliability and are left out elsewhere.

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
    options = _Options(resamples, seed)
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


def run_kind(kind: str, path: Path, scale: str | None = None, seed: int = 0) -> StatsResult:
    """The statistics of a kind on a CSV file, see `read_rows` for its columns.

    Parameters
    ----------
    kind : str
        One of `KINDS`.
    path : Path
        The file.
    scale : str or None
        As typed: ``1:5``, ``1,2,3,5`` or ``poor,fair,good``.
    seed : int
        Of the bootstrap.

    Raises
    ------
    StatisticsError
        The kind, the scale or the file cannot be used.
    """
    check_kind(kind)
    declared = Scale.parse(scale) if scale else None
    return compute(kind, read_rows(path, declared), declared, seed=seed)


def check_kind(kind: str) -> None:
    """Refuse a kind that is not one of `KINDS`.

    Raises
    ------
    StatisticsError
        It lists the kinds.
    """
    if kind not in KINDS:
        raise StatisticsError(f"no statistics called {kind!r}: choose from {', '.join(KINDS)}")


def _part(method: str, rows: Sequence[RatingRow], results: Entries) -> Part:
    given = [row for row in rows if row.value is not None]
    items, raters = {row.item for row in given}, {row.rater for row in given}
    return Part(method, len(items), len(raters), len(given), results)


def _fleiss(ratings: Ratings, options: _Options) -> Entries:
    seeded = vars(options)
    return {
        "kappa": agreement.fleiss_kappa(ratings, **seeded),
        "kappa_linear": agreement.fleiss_kappa(ratings, "linear", **seeded),
        "kappa_quadratic": agreement.fleiss_kappa(ratings, "quadratic", **seeded),
        "kappa_per_category": agreement.category_kappas(ratings),
        "null_test": agreement.null_test(ratings),
        "conger": agreement.conger_kappa(ratings, **seeded),
        # Kappa collapses where one category prevails, so these always stand beside it.
        "agreement": agreement.raw_agreement(ratings, **seeded),
        "ac1": agreement.gwet_ac(ratings, **seeded),
        "summary": summarise(ratings),
    }


def _gwet(ratings: Ratings, options: _Options) -> Entries:
    seeded = vars(options)
    found: Entries = {}
    metrics = {"identity": "nominal", "quadratic": "interval"}
    for weighting in WEIGHTINGS:
        ending = "" if weighting == "identity" else f"_{weighting}"
        found[f"ac2{ending}" if ending else "ac1"] = agreement.gwet_ac(ratings, weighting, **seeded)
        found[f"fleiss{ending}"] = agreement.fleiss_kappa(ratings, weighting, **seeded)
        found[f"conger{ending}"] = agreement.conger_kappa(ratings, weighting, **seeded)
        found[f"brennan_prediger{ending}"] = agreement.brennan_prediger(
            ratings, weighting, **seeded
        )
        if weighting in metrics:
            found[f"krippendorff{ending}"] = krippendorff_alpha(
                ratings, metrics[weighting], **seeded
            )
        found[f"agreement{ending}"] = agreement.raw_agreement(ratings, weighting, **seeded)
    return found


def _alpha(ratings: Ratings, options: _Options) -> Entries:
    return {metric: krippendorff_alpha(ratings, metric, **vars(options)) for metric in METRICS}


def _cohen(ratings: Ratings, _: _Options) -> Entries:
    names = {"identity": "unweighted"}
    return {names.get(each, each): pairwise_kappas(ratings, each) for each in WEIGHTINGS}


def _icc(ratings: Ratings, options: _Options) -> Entries:
    found = reliability(ratings, **vars(options))
    forms = dict(zip((f"ICC({form})" for form in FORMS), found.icc, strict=True))
    return {
        **forms,
        "anova": found.anova,
        "complete_items": found.items,
        "dropped_items": found.dropped,
        "flagged_below_0.8": found.flagged,
    }


def _reliability(rows: Sequence[RatingRow], scale: Scale, options: _Options) -> Entries:
    first = [row for row in rows if row.replicate == 1]
    found: Entries = {}
    if len({row.rater for row in first}) > 1 or len(first) == len(rows):
        found["between_readers"] = reliability(tabulate(first, scale), **vars(options))
    if len(first) < len(rows):
        found["within_reader"] = all_repeats(rows, scale, **vars(options))
    return found


def _paired(rows: Sequence[RatingRow], options: _Options) -> Entries:
    return vars(compare_methods(panel_of(rows), **vars(options)))


def _friedman(rows: Sequence[RatingRow], _: _Options) -> Entries:
    return vars(friedman(panel_of(rows)))


DESCRIBING: Mapping[str, Callable[[Ratings, _Options], Entries]] = {
    "fleiss": _fleiss,
    "gwet": _gwet,
    "alpha": _alpha,
    "icc": _icc,
    "cohen": _cohen,
}
"""Kinds that describe one table of ratings."""
COMPARING: Mapping[str, Callable[[Sequence[RatingRow], _Options], Entries]] = {
    "paired": _paired,
    "friedman": _friedman,
}
"""Kinds that compare methods."""
KINDS = (*DESCRIBING, "reliability", *COMPARING)
SCALED = frozenset({"fleiss", "gwet", "alpha", "cohen"})
"""Kinds whose numbers depend on the categories that could have been used."""
