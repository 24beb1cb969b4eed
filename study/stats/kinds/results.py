"""What the kinds of statistics take and give."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from study.domain.formatting import plural
from study.domain.inference import Random
from study.stats.estimate import Json, to_plain
from study.stats.intervals import RESAMPLES, RandomOptions
from study.stats.scale import Scale
from study.stats.table import RatingRow
from study.stats.text import result_lines

Entries = dict[str, object]
"""Results by key, in the order of output."""


@dataclass(frozen=True)
class KindOptions:
    """Options of all kinds.

    Parameters
    ----------
    resamples, seed : int
        Of the bootstrap.
    random : Random
        What intervals and tests take as random.
    cutoff : float or None
        Scores from here up call an item positive.
    """

    resamples: int = RESAMPLES
    seed: int = 0
    random: Random = Random.BOTH
    cutoff: float | None = None

    @property
    def intervals(self) -> RandomOptions:
        """The options of intervals as keyword arguments of the statistics."""
        return RandomOptions(resamples=self.resamples, seed=self.seed, random=self.random)


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


def part(method: str, rows: Sequence[RatingRow], results: Entries) -> MethodResults:
    """Results with the numbers of what was rated."""
    given = [row for row in rows if row.value is not None]
    items, raters = {row.item for row in given}, {row.rater for row in given}
    return MethodResults(method, len(items), len(raters), len(given), results)


def _noted(note: str) -> str:
    """A line of a note; a warning is called one already."""
    return note if note.startswith("warning: ") else f"note: {note}"
