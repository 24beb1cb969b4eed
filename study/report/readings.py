"""Preferences, and how steady the readers were: repeats and drift."""

from __future__ import annotations

from collections.abc import Sequence

from study.analysis.comparison import Preferences
from study.analysis.reader_consistency import ReaderDrift
from study.report import figures
from study.report.context import ReportContext, heading
from study.report.criteria import asked
from study.report.formatting import (
    NONE,
    bootstrap,
    number,
    percent,
    share_with_interval,
    tested,
    undefined,
    value,
    with_interval,
)
from study.report.markup import Content, Html, Notes, join, paragraph, section, table, tag
from study.stats.estimate import Estimate, Interval
from study.stats.intra_reader import POOLED, RepeatReliability
from study.stats.reliability import FLAG_BELOW

NO_REPEATS = "No hidden repeat was read."


def preferences(sheet: ReportContext, found: Preferences) -> Html:
    """Which method of a pair was preferred."""
    question = sheet.data.preference
    assert question is not None
    if not found.pairs:
        return section(
            "preferences", "Preferences", asked(question), paragraph("No main pair was shown.")
        )
    return section(
        "preferences",
        "Preferences",
        asked(question),
        figures.preferences(sheet, found),
        _pairs(sheet, found),
        _methods(sheet, found),
        _strengths(sheet, found),
    )


def _pairs(sheet: ReportContext, found: Preferences) -> Html:
    notes = Notes()
    rows: list[list[Content]] = [
        [
            f"{sheet.method(one.first)} / {sheet.method(one.second)}",
            str(one.wins),
            str(one.ties),
            str(one.losses),
            str(one.missing),
            share_with_interval(one.rate, notes),
            _share_ends(one.rate.bootstrap, notes),
            tested(one.test, notes),
        ]
        for one in found.pairs
    ]
    head = (
        "First / second", "First preferred", "No preference", "Second preferred", "Missing",
        "First, share of decided", "Bootstrap of patients", "p, exact binomial",
    )  # fmt: skip
    caption = sheet.table(
        f"Preferences of all readers in the main pairs, with Wilson’s {sheet.level} intervals. The "
        "share leaves out answers without a preference. The p values take answers as independent "
        "and are not corrected: they describe."
    )
    return table(caption, head, rows, notes=notes)


def _share_ends(ends: Interval | None, notes: Notes) -> Content:
    if ends is None:
        return NONE
    if ends.low is None:
        return undefined(ends.reason, notes)
    return tag("span", f"{percent(ends.low)} to {percent(ends.high)}", class_="interval")


def _methods(sheet: ReportContext, found: Preferences) -> Html:
    notes = Notes()
    strengths = {one.name: one for one in found.strengths.strengths} if found.strengths else {}
    rows: list[list[Content]] = []
    for one in found.methods:
        strength = strengths.get(one.method)
        rows.append(
            [
                sheet.method(one.method),
                str(one.wins),
                str(one.ties),
                str(one.losses),
                *(str(gap.count) for gap in one.missing),
                share_with_interval(one.rate, notes),
                _strength(strength, found, notes),
                bootstrap(strength, notes) if strength else NONE,
            ]
        )
    gaps = [f"Missing: {gap.reason}" for gap in found.methods[0].missing]
    head = (
        "Method", "Preferred", "No preference", "Other preferred", *gaps, "Share of decided",
        "Strength", "Bootstrap of patients",
    )  # fmt: skip
    reference = found.strengths.reference if found.strengths else ""
    caption = sheet.table(
        "Each method against all others it was shown with. Strength: log odds in the model of "
        f"Bradley and Terry with Davidson’s ties and a term for the side; {reference} is 0."
    )
    return table(caption, head, rows, notes=notes)


def _strength(strength: Estimate | None, found: Preferences, notes: Notes) -> Content:
    if strength is None or found.strengths is None:
        return NONE
    if strength.name == found.strengths.reference:
        return "0"
    return with_interval(strength, notes)


def _strengths(sheet: ReportContext, found: Preferences) -> Html:
    side = found.strengths.side if found.strengths else None
    if side is None or side.value is None:
        return Html("")
    ends = f" ({number(side.low)} to {number(side.high)})" if side.low is not None else ""
    return paragraph(
        f"Advantage of the left side in that model, log odds: {number(side.value)}{ends}."
    )


def steadiness(sheet: ReportContext) -> Html:
    """Hidden repeats, context repeats and drift."""
    analysis = sheet.analysis
    tables: list[Content] = []
    for result in analysis.criteria:
        if result.repeats:
            name = heading(sheet.question(result.question))
            title = f"{name}: hidden repeats against the main pairs they repeat."
            tables.append(_repeats(sheet, result.repeats, title))
    if analysis.preference_repeats:
        title = (
            "Preferences: hidden repeats, with sides turned so that they are about methods. κ is "
            "quadratic over first, neither, second."
        )
        tables.append(_preference_repeats(sheet, analysis.preference_repeats, title))
    repeated = tables or [paragraph(NO_REPEATS)]
    return section(
        "steadiness",
        "Consistency of each reader",
        tag("h3", "Hidden repeats"),
        *repeated,
        tag("h3", "The same image beside another method"),
        _contexts(sheet),
        tag("h3", "ReaderDrift"),
        *(figures.drift(sheet, one) for one in _primary_drift(sheet)),
        _drift(sheet),
    )


def _primary_drift(sheet: ReportContext) -> list[ReaderDrift]:
    """Of the primary criteria; of the first where none is."""
    primary = {one.question for one in sheet.analysis.criteria if one.primary}
    found = list(sheet.analysis.conduct.drift)
    return [one for one in found if one.question in primary] or found[:1]


def _repeats(sheet: ReportContext, found: Sequence[RepeatReliability], title: str) -> Html:
    notes = Notes()
    rows: list[list[Content]] = [
        [
            _who(one),
            str(one.pairs),
            share_with_interval(one.exact, notes),
            share_with_interval(one.within_one, notes),
            with_interval(one.kappa, notes),
            with_interval(one.icc, notes),
            with_interval(one.shift, notes),
            value(one.mad, notes),
            with_interval(one.sem, notes),
            with_interval(one.mdc95, notes),
        ]
        for one in found
    ]
    head = (
        "Reader", "Repeated ratings", "Equal", "At most one apart", "κ, quadratic", "ICC(A,1)",
        "Shift, second − first", "MAD", "SEM", "MDC95",
    )  # fmt: skip
    remark = (
        "SEM = sqrt(sum d² / 2n), d the difference of the two ratings; MDC95 = 1.96 sqrt(2) SEM."
    )
    return table(sheet.table(title), head, rows, notes=notes, remark=remark)


def _preference_repeats(
    sheet: ReportContext, found: Sequence[RepeatReliability], title: str
) -> Html:
    notes = Notes()
    rows: list[list[Content]] = [
        [_name(one), str(one.pairs), share_with_interval(one.exact, notes),
         with_interval(one.kappa, notes)]
        for one in found
    ]  # fmt: skip
    head = ("Reader", "Repeated preferences", "Same answer", "κ, quadratic")
    return table(sheet.table(title), head, rows, notes=notes)


def _contexts(sheet: ReportContext) -> Html:
    notes = Notes()
    rows: list[list[Content]] = []
    for result in sheet.analysis.criteria:
        if not result.context:
            continue
        one = result.context[-1]
        rows.append(
            [
                heading(sheet.question(result.question)),
                str(one.pairs),
                share_with_interval(one.exact, notes),
                share_with_interval(one.within_one, notes),
                with_interval(one.kappa, notes),
                with_interval(one.icc, notes),
                with_interval(one.shift, notes),
            ]
        )
    if not rows:
        return paragraph("No image was rated beside two different methods.")
    head = (
        "Criterion", "Images", "Equal", "At most one apart", "κ, quadratic", "ICC(A,1)",
        "Shift, second − first",
    )  # fmt: skip
    caption = sheet.table(
        "Second main rating of an image against the first, all readers: what the other image of "
        "the pair, and time, do to a score. Only the first one counts elsewhere."
    )
    return table(caption, head, rows, notes=notes)


def _drift(sheet: ReportContext) -> Html:
    notes = Notes()
    found = sheet.analysis.conduct.drift
    rows: list[list[Content]] = []
    for place, reader in enumerate(sheet.data.included_readers):
        rows.append([reader, *(with_interval(one.by_reader[place], notes) for one in found)])
    rows.append(["Mean of the readers", *(with_interval(one.mean, notes) for one in found)])
    head = ["Reader", *(heading(sheet.question(one.question)) for one in found)]
    caption = sheet.table(
        "Change of the score from a reader’s first main pair to the last, along the fitted line, "
        f"with {sheet.level} intervals; the mean has the readers as its sample."
    )
    return table(caption, head, rows, notes=notes)


def _name(one: RepeatReliability) -> str:
    return "All readers" if one.rater == POOLED else one.rater


def _who(one: RepeatReliability) -> Content:
    if not one.flagged:
        return _name(one)
    return join((_name(one), " ", tag("span", f"ICC < {FLAG_BELOW:g}", class_="flag")))
