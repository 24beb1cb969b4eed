"""The chapter of the page on where each method fails, from the stored results."""

from __future__ import annotations

from collections.abc import Iterator

from benchmarks.evidence.chapters import CHAPTERS, FAILURES
from benchmarks.evidence.claim_text import group_name
from benchmarks.evidence.failure_cases import FAILURE_CASES, FailureCase
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
"""Candidates that leave the image as it is; the first that took part is compared with."""


def as_lines(evidence: Evidence) -> Iterator[str]:
    """The chapter: a picture for every method, then what was below the untouched image."""
    yield from ("## Where each method fails", "", "```", COMMAND, "```", "")
    stored = {one.method: one for one in evidence.failures}
    for scene in FAILURE_CASES:
        yield from (f"### {registry.get(scene.method).label}", "", scene.sentence, "")
        found = stored.get(scene.method)
        if found is None:
            yield from ("Not run yet.", "")
            continue
        told = " ".join(_told(one, scene) for one in found.judged)
        yield from (f"{scene.caption} {told}", "", f"![{found.plot.text}]({found.plot.file})", "")
    yield from _below(evidence)


def _told(one: Judged, scene: FailureCase) -> str:
    name, _, unit = measure(one.measure).label.partition(" (")
    unit = f" {unit.rstrip(')')}" if unit else ""
    after = f"{number(one.after, one.measure)}{unit}"
    if one.before is None:
        return f"{name} of the result to what was given: {after}."
    return f"{name}: {number(one.before, one.measure)}{unit} before, {after} after."


def _below(evidence: Evidence) -> Iterator[str]:
    """Where the tables above have a method below the image as it was given."""
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
            if _as_it_is(key):
                where = group if several else chapter.images[0].group
                yield from _row(lines, given, f"{title}: {conditions[condition]}", where)


def _as_it_is(candidate: str) -> bool:
    """Whether it is a method with its own choices, or a filter at one of its strengths.

    What a method does with a parameter turned is told by its chapter.
    """
    name, _, given = candidate.partition("@")
    return name.partition(":")[0] in KEYS and (not given or name in SWEEPS)


def _row(
    lines: list[SummaryLine], given: list[SummaryLine], place: str, group: str
) -> Iterator[str]:
    """The first measure that both have, where the method is the worse one in it."""
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
