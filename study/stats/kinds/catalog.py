"""The kinds of statistics that ``python -m study stats KIND`` prints."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from study.domain.errors import StatisticsError
from study.domain.inference import Random
from study.stats.intervals import RESAMPLES
from study.stats.kinds.choices import blinding, preference
from study.stats.kinds.comparing import COMPARING
from study.stats.kinds.describing import DESCRIBING, REPEATED, SCALED
from study.stats.kinds.results import KindOptions, MethodResults, StatsResult, part
from study.stats.ratings_file.choices_input import read_choices, read_guesses
from study.stats.ratings_file.csv_input import ColumnChoice, read_ratings
from study.stats.scale import LARGEST, Scale
from study.stats.table import RatingRow

CHOICES = ("preference", "blinding")
"""Kinds of answers that are not scores."""
KINDS = (*DESCRIBING, *COMPARING, *CHOICES)
CATEGORICAL = SCALED | {"ordinal", "difference"}
"""Kinds that count categories."""
PLAIN = KindOptions()


def compute(
    kind: str,
    rows: Sequence[RatingRow],
    scale: Scale | None = None,
    *,
    seed: int = 0,
    resamples: int = RESAMPLES,
    random: Random = Random.BOTH,
    cutoff: float | None = None,
) -> StatsResult:
    """Compute a kind of statistics on ratings in long form.

    Ratings that name methods give one result per method, except in kinds that compare methods.
    Repeat readings (replicate 2 and more) are used by reliability and within-subject only.

    Parameters
    ----------
    kind : str
        One of `KINDS`, but for preference and blinding, which have no scores.
    rows : sequence of RatingRow
    scale : Scale, optional
    seed, resamples : int
        Of the bootstrap.
    random : Random
        What intervals and tests take as random.
    cutoff : float, optional
        For accuracy: scores from here up call an item positive.

    Raises
    ------
    StatisticsError
        The kind is unknown, or the ratings do not fit it.
    """
    check_kind(kind)
    if kind in CHOICES:
        raise StatisticsError(f"{kind} is not about scores: it is read from a table of answers")
    rows, options = list(rows), KindOptions(resamples, seed, random, cutoff)
    notes = []
    counted = scale or Scale.derived(row.value for row in rows if row.value is not None)
    if kind in CATEGORICAL and counted.size > LARGEST:
        raise StatisticsError(
            f"{kind} is about categories, and there are {counted.size} different scores: use icc "
            "or reliability, or round them"
        )
    if scale is None and kind in SCALED:
        notes.append(
            f"no scale was declared: the categories are those that occur ({counted}). "
            "Declare it if others could have been used"
        )
    shown = counted if kind in SCALED else scale
    used = rows if kind in REPEATED else [row for row in rows if row.replicate == 1]
    if len(used) < len(rows):
        notes.append(f"{len(rows) - len(used)} repeat readings are left out")
    if kind in COMPARING:
        found = (part("", used, COMPARING[kind](used, options)),)
        return StatsResult(kind, found, shown, seed, tuple(notes))
    groups: dict[str, list[RatingRow]] = {}
    for row in used:
        groups.setdefault(row.method, []).append(row)
    parts = tuple(
        part(method, of_method, DESCRIBING[kind](of_method, counted, options))
        for method, of_method in groups.items()
    )
    return StatsResult(kind, parts, shown, seed, tuple(notes))


def run_kind(
    kind: str,
    path: Path,
    scale: str | None = None,
    seed: int = 0,
    columns: ColumnChoice | None = None,
    options: KindOptions = PLAIN,
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
    options : KindOptions, optional
        What is random, and the cut-off; the seed is `seed`.

    Raises
    ------
    StatisticsError
        The kind, the scale or the file cannot be used.
    """
    check_kind(kind)
    declared, options = Scale.parse(scale) if scale else None, replace(options, seed=seed)
    if kind == "preference":
        choices, notes = read_choices(path, columns)
        return StatsResult(kind, (preference(choices, options),), None, seed, notes)
    if kind == "blinding":
        guesses, notes = read_guesses(path, columns)
        results, number = blinding(guesses)
        found = MethodResults("", 0, 0, len(guesses), results)
        return StatsResult(kind, (found,), None, seed, (number, *notes))
    read = read_ratings(path, declared, columns)
    computed = compute(
        kind, read.rows, declared, seed=seed, resamples=options.resamples, random=options.random,
        cutoff=options.cutoff,
    )  # fmt: skip
    return replace(computed, notes=(*read.notes, *computed.notes))


def check_kind(kind: str) -> None:
    """Raise an error for an unknown kind.

    Raises
    ------
    StatisticsError
        The kind is not one of `KINDS`; the message lists them.
    """
    if kind not in KINDS:
        raise StatisticsError(f"no statistics called {kind!r}: choose from {', '.join(KINDS)}")
