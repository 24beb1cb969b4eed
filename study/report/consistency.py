"""The section on each reader's consistency: hidden repeats, context effect and drift."""

from __future__ import annotations

from collections.abc import Sequence

from study.report import figures, interval_figures
from study.report.areas import limits_table
from study.report.cells import (
    Cell,
    Content,
    Row,
    Table,
    share_with_interval,
    with_bootstrap,
    with_interval,
)
from study.report.context import ReportContext, Section
from study.stats.reliability.inter_reader import FLAG_BELOW
from study.stats.reliability.intra_reader import POOLED, RepeatReliability


def consistency(context: ReportContext) -> Section:
    """Hidden repeats, the same image in other pairs, and drift over the reading."""
    analysis = context.analysis
    repeats = [
        _repeats(result.repeats, context.question_name(result.question), context.unit)
        for result in analysis.criteria
        if result.repeats
    ]
    if analysis.preference_repeats:
        repeats.append(_preference_repeats(analysis.preference_repeats))
    drifts = analysis.conduct.drift
    primary = {one.question for one in analysis.criteria if one.primary}
    shown = [one for one in drifts if one.question in primary] or list(drifts[:1])
    values = {
        "repeats": repeats,
        "repeat_plots": [
            interval_figures.repeat_limits(
                context, one.repeat_limits, one.question, context.question_name(one.question)
            )
            for one in analysis.criteria
            if one.repeat_limits
        ],
        "repeat_limits": [
            limits_table(
                context,
                [one.repeat_limits],
                f"{context.question_name(one.question)}: limits of agreement of hidden repeats "
                f"with the first ratings, all readers, with {context.level} intervals.",
                "Readings",
            )
            for one in analysis.criteria
            if one.repeat_limits
        ],
        "contexts": _contexts(context),
        "single": not context.data.protocol.paired,
        "figures": [figures.drift(context, one) for one in shown],
        "drift": _drift(context),
    }
    return Section("steadiness", "Consistency of each reader", "consistency.html", values)


AGREEMENT_HEAD = ("Equal", "At most one apart", "κ, quadratic", "ICC(A,1)", "Shift, second − first")


def _agreement_cells(one: RepeatReliability) -> tuple[Content, ...]:
    return (
        share_with_interval(one.exact),
        share_with_interval(one.within_one),
        with_interval(one.kappa),
        with_interval(one.icc),
        with_bootstrap(one.shift),
    )


def _repeats(found: Sequence[RepeatReliability], name: str, unit: str) -> Table:
    rows = [
        (
            Cell(_reader(one), flag=f"ICC < {FLAG_BELOW:g}") if one.flagged else _reader(one),
            str(one.pairs),
            *_agreement_cells(one),
            with_bootstrap(one.mad),
            with_bootstrap(one.sem),
            with_bootstrap(one.mdc95),
        )
        for one in found
    ]
    return Table(
        f"{name}: hidden repeats against the main {unit}s they repeat.",
        ("Reader", "Repeated ratings", *AGREEMENT_HEAD, "MAD", "SEM", "MDC95"),
        rows,
        remark="κ and ICC(A,1) are within reader and method: differences between methods and "
        "between readers do not count as differences between images. SEM = sqrt(sum d² / 2n), d "
        "the difference of the two ratings; MDC95 = 1.96 sqrt(2) SEM. Intervals are of a bootstrap "
        "of patients, in the last row of readers too where they are random; Wilson’s for shares.",
    )


def _preference_repeats(found: Sequence[RepeatReliability]) -> Table:
    rows = [
        (
            _reader(one),
            str(one.pairs),
            share_with_interval(one.exact),
            with_interval(one.kappa),
        )
        for one in found
    ]
    caption = (
        "Preferences: hidden repeats, coded by method and not by side. κ is quadratic over first, "
        "neither, second."
    )
    return Table(caption, ("Reader", "Repeated preferences", "Same answer", "κ, quadratic"), rows)


def _contexts(context: ReportContext) -> Table:
    pooled = [(one.question, one.context[-1]) for one in context.analysis.criteria if one.context]
    rows = [
        (context.question_name(code), str(one.pairs), str(one.items), *_agreement_cells(one))
        for code, one in pooled
    ]
    caption = (
        "Second main rating of an image against the first, all readers: the effect of the other "
        "image of the pair, and of time, on a score. Only the first rating counts elsewhere."
    )
    return Table(caption, ("Criterion", "Repeated ratings", "Images", *AGREEMENT_HEAD), rows)


def _drift(context: ReportContext) -> Table:
    found = context.analysis.conduct.drift
    rows: list[Row] = [
        (reader, *(with_interval(one.by_reader[place]) for one in found))
        for place, reader in enumerate(context.data.included_readers)
    ]
    rows.append(("Mean of the readers", *(with_interval(one.mean) for one in found)))
    span = " of a session" if context.data.protocol.crossover else ""
    caption = (
        f"Change of the score from a reader’s first main {context.unit}{span} to the last, along "
        f"the fitted line, with {context.level} intervals; the mean has the readers as its sample."
    )
    head = ("Reader", *(context.question_name(one.question) for one in found))
    return Table(caption, head, rows)


def _reader(one: RepeatReliability) -> str:
    return "All readers" if one.rater == POOLED else one.rater
