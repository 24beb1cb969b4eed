"""The chapter of the page on where each method fails, from the stored results."""

from __future__ import annotations

from collections.abc import Iterator

from benchmarks.evidence.chapters import CHAPTERS, FAILURES
from benchmarks.evidence.claim_text import group_name
from benchmarks.evidence.failure_cases import FAILURE_CASES
from benchmarks.evidence.results import Evidence, Judged, MeasuredChapter
from enhancers import registry
from enhancers.evaluation.measures import measure
from enhancers.evaluation.protocols import protocol
from enhancers.evaluation.summary import ALL, SummaryLine
from enhancers.evaluation.tables import number
from enhancers.evaluation.variants import SWEEPS

KEYS = frozenset(method.key for method in registry.METHODS)
COMMAND = f"python -m benchmarks evidence --only {FAILURES}"
UNTOUCHED = ("input", "pinv")
"""Candidates that do not change the image; the first that was measured is the reference."""


def as_lines(evidence: Evidence) -> Iterator[str]:
    """The chapter: a picture for every method, then the methods that made an image worse."""
    yield from ("## Where each method fails", "", "```", COMMAND, "```", "")
    stored = {one.method: one for one in evidence.failures}
    for case in FAILURE_CASES:
        yield from (f"### {registry.get(case.method).label}", "", case.sentence, "")
        found = stored.get(case.method)
        if found is None:
            yield from ("Not run yet.", "")
            continue
        scores = " ".join(_score(one) for one in found.judged)
        yield from (f"{case.caption} {scores}", "", f"![{found.plot.text}]({found.plot.file})", "")
    yield from _below(evidence)


def _score(one: Judged) -> str:
    name, _, unit = measure(one.measure).label.partition(" (")
    unit = f" {unit.rstrip(')')}" if unit else ""
    after = f"{number(one.after, one.measure)}{unit}"
    if one.before is None:
        return f"{name} of the result to what was given: {after}."
    return f"{name}: {number(one.before, one.measure)}{unit} before, {after} after."


def _below(evidence: Evidence) -> Iterator[str]:
    """A table of the methods whose means are worse than those of the unchanged image."""
    known = [(one.title, evidence.chapter(one.key)) for one in CHAPTERS.values()]
    rows = [row for title, chapter in known if chapter for row in _rows(title, chapter)]
    if not rows:
        return
    yield from ("### In the tables above", "")
    yield (
        "Below the image as it was given, by the first measure of the chapter that both have (the "
        "means of the tables above, for each kind of images):"
    )
    yield from ("", "| method | chapter | images | measure | method | as given |")
    yield from ("|---|---|---|---|---|---|", *rows, "")


def _rows(title: str, chapter: MeasuredChapter) -> Iterator[str]:
    several = any(line.group != ALL for line in chapter.lines)
    places: dict[tuple[str, str], dict[str, list[SummaryLine]]] = {}
    for line in chapter.lines:
        if not several or line.group != ALL:
            own = places.setdefault((line.condition, line.group), {})
            own.setdefault(line.candidate, []).append(line)
    conditions = {one.key: one.label for one in protocol(chapter.protocol).conditions}
    for (condition, group), candidates in places.items():
        given = next((candidates[key] for key in UNTOUCHED if key in candidates), [])
        for key, lines in candidates.items():
            if _by_default(key):
                where = group if several else chapter.images[0].group
                yield from _row(lines, given, f"{title}: {conditions[condition]}", where)


def _by_default(candidate: str) -> bool:
    """Whether it is a method with its defaults, or a filter at one of its strengths.

    Other parameters are the subject of their own chapters.
    """
    name, _, given = candidate.partition("@")
    return name.partition(":")[0] in KEYS and (not given or name in SWEEPS)


def _row(
    lines: list[SummaryLine], given: list[SummaryLine], place: str, group: str
) -> Iterator[str]:
    """A row for the first measure that both have, if the method is worse in it."""
    untouched = {line.measure: line.mean for line in given}
    for line in lines:
        if line.measure in untouched:
            least, key = untouched[line.measure], line.measure
            up = measure(key).direction == "up"
            below = line.mean < least if up else line.mean > least
            own, theirs = number(line.mean, key), number(least, key)
            if below and own != theirs:
                yield (
                    f"| {line.label} | {place} | {group_name(group)} | {measure(key).label} "
                    f"| {own} | {theirs} |"
                )
            return
