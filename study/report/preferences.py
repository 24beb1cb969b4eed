"""The section of the preference question: win rates and Bradley-Terry strengths."""

from __future__ import annotations

from study.analysis.comparison import PreferenceResults
from study.domain.formatting import DASH, decimal
from study.report import figures
from study.report.cells import (
    Content,
    Table,
    bootstrap_interval,
    limits,
    share_with_interval,
    tested,
    with_interval,
)
from study.report.context import ReportContext, Section, short_name


def preferences(context: ReportContext, found: PreferenceResults) -> Section:
    """Preferences by pair of methods and by method."""
    question = context.data.preference
    assert question is not None
    side = found.strengths.side if found.strengths else None
    side_words = ""
    if side is not None and side.value is not None:
        ends = limits(side)
        side_words = f"{decimal(side.value)} ({ends})" if ends else decimal(side.value)
    values = {
        "question": question,
        "name": short_name(question),
        "shares": figures.preferences(context, found) if found.n else None,
        "pairs": _pairs(context, found),
        "methods": _methods(context, found),
        "side": side_words,
    }
    return Section("preferences", "Preferences", "preferences.html", values)


def _pairs(context: ReportContext, found: PreferenceResults) -> Table:
    rows = [
        (
            context.pair(one.first, one.second),
            str(one.wins),
            str(one.ties),
            str(one.losses),
            str(one.missing),
            share_with_interval(one.rate),
            bootstrap_interval(one.rate, share=True),
            tested(one.test),
        )
        for one in found.pairs
        if one.answered
    ]
    silent = [context.pair(one.first, one.second) for one in found.pairs if not one.answered]
    head = (
        "First / second", "First preferred", "No preference", "Second preferred", "Missing",
        "First, share of decided", "Bootstrap by patient", "p, exact binomial",
    )  # fmt: skip
    caption = (
        f"Preferences of all readers in the main pairs, with Wilson’s {context.level} intervals. "
        "The share excludes answers without a preference. The p values are descriptive: they take "
        "answers as independent and are not corrected."
    )
    remark = f"Not shown, for want of an answer: {', '.join(silent)}." if silent else ""
    return Table(caption, head, rows, remark=remark)


def _methods(context: ReportContext, found: PreferenceResults) -> Table:
    fit = found.strengths
    strengths = {one.name: one for one in fit.strengths} if fit else {}
    reference = fit.reference if fit else ""
    rows = []
    for one in found.methods:
        strength = strengths.get(one.method)
        fitted: Content = DASH
        if strength:
            fitted = "0" if one.method == reference else with_interval(strength)
        rows.append(
            (
                context.method(one.method),
                str(one.wins),
                str(one.ties),
                str(one.losses),
                *(str(gap.count) for gap in one.missing),
                share_with_interval(one.rate),
                fitted,
                bootstrap_interval(strength) if strength else DASH,
            )
        )
    gaps = [f"Missing: {gap.reason}" for one in found.methods[:1] for gap in one.missing]
    head = (
        "Method", "Preferred", "No preference", "Other preferred", *gaps, "Share of decided",
        "Strength", "Bootstrap by patient",
    )  # fmt: skip
    caption = (
        "Each method against all others it was shown with. Strength: log odds in the Bradley–Terry "
        f"model with Davidson’s ties and a term for the side{f'; {reference} is 0' if fit else ''}."
    )
    return Table(caption, head, rows)
