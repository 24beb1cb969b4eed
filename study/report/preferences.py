"""The section of the preference question: win rates and Bradley-Terry strengths."""

from __future__ import annotations

from study.analysis.comparison import PreferenceResults
from study.domain.formatting import DASH, decimal, p_value, plural
from study.report import figures, interval_figures
from study.report.cells import (
    Content,
    Table,
    interval_alone,
    limits,
    share_with_interval,
    tested,
    with_bootstrap,
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
        ends = limits(side.bootstrap or side)
        side_words = f"{decimal(side.value)} ({ends})" if ends else decimal(side.value)
    values = {
        "question": question,
        "name": short_name(question),
        "shares": figures.preferences(context, found) if found.n else None,
        "strengths": interval_figures.strengths(context, found.strengths)
        if found.strengths
        else None,
        "pairs": _pairs(context, found),
        "methods": _methods(context, found),
        "side": side_words,
    }
    return Section("preferences", "Preferences", "preferences.html", values)


def _pairs(context: ReportContext, found: PreferenceResults) -> Table:
    question = context.data.preference
    stepped = question is not None and len(question.scale) > 3
    rows = [
        (
            context.pair(one.first, one.second),
            str(one.wins),
            str(one.ties),
            str(one.losses),
            str(one.missing),
            with_bootstrap(one.rate, share=True),
            tested(one.test),
            DASH if corrected is None else p_value(corrected.holm),
            interval_alone(one.rate, share=True),
            tested(one.naive),
            *((with_interval(step),) if stepped else ()),
        )
        for one, corrected, step in zip(found.pairs, found.corrected, found.steps, strict=True)
        if one.answered
    ]
    silent = [context.pair(one.first, one.second) for one in found.pairs if not one.answered]
    head = (
        "First / second", "First preferred", "No preference", "Second preferred", "Missing",
        "First, share of decided", "p", "Holm", "Secondary: Wilson", "Secondary: p, binomial",
        *(("Mean step for the first",) if stepped else ()),
    )  # fmt: skip
    caption = (
        f"Preferences of all readers in the main pairs. The share excludes answers without a "
        f"preference; its {context.level} interval and p are for random {context.random} "
        f"(bootstrap, t). Family: {plural(found.family, 'pair')} of methods; divisor "
        f"{found.family}. Secondary: Wilson’s interval and the exact binomial test take answers as "
        "independent."
    )
    if stepped and question is not None:
        caption += (
            f" Mean step: from {question.minimum} (second) to {question.maximum} (first), with the "
            "readers as the sample."
        )
    remark = f"Not shown, for want of an answer: {', '.join(silent)}." if silent else ""
    remark = f"{remark}{context.names}".strip()
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
            fitted = "0" if one.method == reference else with_bootstrap(strength)
        rows.append(
            (
                context.method(one.method),
                str(one.wins),
                str(one.ties),
                str(one.losses),
                *(str(gap.count) for gap in one.missing),
                share_with_interval(one.rate),
                fitted,
            )
        )
    gaps = [f"Missing: {gap.reason}" for one in found.methods[:1] for gap in one.missing]
    head = (
        "Method", "Preferred", "No preference", "Other preferred", *gaps,
        "Share of decided (Wilson)", "Strength",
    )  # fmt: skip
    zero = f"; {reference} is 0" if fit else ""
    caption = (
        "Each method against all others it was shown with. Strength: log odds in the Bradley–Terry "
        f"model with Davidson’s ties and a term for the side{zero}; its interval is for random "
        f"{context.random} (bootstrap, t), Wilson’s takes answers as independent."
    )
    return Table(caption, head, rows)
