"""The table of error rates as Markdown."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence

from benchmarks.coverage.measure import (
    COVERAGE,
    KINDS,
    REJECTION,
    Kind,
    Rate,
    Scenario,
    first_study,
)

INTRODUCTION = """# Type-I error and coverage

Simulated studies of two methods whose true difference is zero, rated from 1 to 5, and ranked with
a third one as good. Designs are numbers of patients × cases of each; {studies} studies each (Monte
Carlo error ±{error:.1f} percentage points). In *patient* the difference of the methods varies
between patients (SD 0.7), in *reader* between readers (SD 0.4), whose own scores differ too
(SD 0.3). Readers and patients are random. Tests are at 5 %, intervals at 95 %. Bold: outside
{low:g} to {high:g} % (tests) or {least:g} to {most:g} % (intervals). In brackets: the share of
studies that leave it undefined.

Written by `python -m benchmarks coverage`.
"""
CLOSING = """
Agreement of two readers does not show how readers vary, so that its interval for other readers is
undefined. Reports warn below 20 patients and below 5 readers. Where readers do not agree at all in
their orders, the interval of their correlation is too wide: here that is so unless methods differ
between patients.
"""
FIRST = "The code of this page gives for the first study of 10 × 3, clustering by reader: {values}."


def page(scenarios: Sequence[Scenario], studies: int) -> str:
    """The page with a table of the primary statistics and one of the naive ones."""
    error = 196 * (0.05 * 0.95 / studies) ** 0.5
    text = INTRODUCTION.format(
        studies=studies,
        error=error,
        low=100 * REJECTION[0],
        high=100 * REJECTION[1],
        least=100 * COVERAGE[0],
        most=100 * COVERAGE[1],
    )
    primary = table(scenarios, [kind for kind in KINDS if not kind.naive])
    naive = table(scenarios, [kind for kind in KINDS if kind.naive])
    heading = "## Tests that take cases as independent and readers as fixed"
    first = textwrap.fill(FIRST.format(values=first_study()), 100)
    return f"{text}\n{primary}{CLOSING}\n{heading}\n\n{naive}\n{first}\n"


def table(scenarios: Sequence[Scenario], kinds: Sequence[Kind]) -> str:
    """A line for each design and clustering, a column for each kind, in percent."""
    head = ["design", "readers", "clustering", *(kind.label for kind in kinds)]
    lines = [head, ["---"] * len(head)]
    lines += [
        [
            one.design.name,
            str(one.design.readers),
            one.clustering.value,
            *(_cell(one.rates[kind.key], kind) for kind in kinds),
        ]
        for one in scenarios
    ]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def outside(rate: Rate, kind: Kind) -> bool:
    """Whether a rate is outside its bounds; one without a value is."""
    low, high = kind.bounds
    return rate.share is None or not low <= rate.share <= high


def _cell(rate: Rate, kind: Kind) -> str:
    if rate.share is None:
        return "undefined"
    text = f"{100 * rate.share:.1f}"
    text = f"**{text}**" if outside(rate, kind) else text
    missing = rate.undefined / (rate.undefined + rate.defined)
    return f"{text} ({100 * missing:.0f} %)" if missing else text
