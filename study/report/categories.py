"""The section of a question that is answered with yes or no, or with one of several."""

from __future__ import annotations

from study.analysis.categories import CategoryResult
from study.domain.questions import Question
from study.report.accuracy import truth_values
from study.report.cells import (
    Row,
    Table,
    interval_alone,
    share_with_interval,
    with_bootstrap,
    with_interval,
)
from study.report.context import ReportContext, Section
from study.report.criteria import differences
from study.report.overview import answer_words
from study.stats.reliability.intra_reader import POOLED

_YES_NO = ("no", "yes")


def category(context: ReportContext, result: CategoryResult) -> Section:
    """All tables of one question with categories."""
    name = context.question_name(result.question)
    question = context.question(result.question)
    compared = result.comparison.comparisons if result.comparison else None
    values: dict[str, object] = {
        "name": name,
        "question": question,
        "result": result,
        "answer": answer_words(question),
        "shares": _shares(context, result, question, name),
        "agreement": _agreement(context, result, name),
        "repeats": _repeats(result, name) if result.repeats else None,
        "differences": differences(context, compared, f"{name}, share of yes")
        if compared
        else None,
    }
    values |= truth_values(context, None, result.accuracy, question, name)
    return Section(f"category-{result.question}", name, "category.html", values)


def _shares(context: ReportContext, result: CategoryResult, question: Question, name: str) -> Table:
    rows = [
        (
            context.method(one.method),
            str(one.n),
            *(str(gap.count) for gap in one.missing),
            *(
                cell
                for count, share in zip(one.counts, one.shares, strict=True)
                for cell in (str(count), share_with_interval(share))
            ),
        )
        for one in result.shares
    ]
    gaps = [f"Missing: {gap.reason}" for gap in result.shares[0].missing]
    names = question.anchors or _YES_NO
    columns = [part for one in names for part in ((one, "n"), (one, "share"))]
    caption = (
        f"{name}: first main answer of each reader, case and method. Shares with Wilson’s "
        f"{context.level} intervals, which take answers as independent."
    )
    return Table(caption, ("Method", "n", *gaps, *columns), rows)


def _agreement(context: ReportContext, result: CategoryResult, name: str) -> Table:
    rows: list[Row] = [
        (
            context.method(one.method),
            f"{one.items} × {one.readers}",
            with_bootstrap(one.raw, share=True),
            with_bootstrap(one.kappa),
            with_bootstrap(one.ac1),
            interval_alone(one.kappa),
        )
        for one in result.agreement
    ]
    head = (
        "Method", "Items × readers", "Raw agreement", "Fleiss’ κ", "Gwet’s AC1",
        "κ, Gwet’s interval",
    )  # fmt: skip
    caption = (
        f"{name}: agreement between readers, with {context.level} intervals for random "
        f"{context.random} (bootstrap, t). The last column takes cases as independent and readers "
        "as fixed."
    )
    return Table(caption, head, rows)


def _repeats(result: CategoryResult, name: str) -> Table:
    rows = [
        (
            "All readers" if one.rater == POOLED else one.rater,
            str(one.pairs),
            share_with_interval(one.exact),
            *((with_interval(one.kappa),) if result.comparison else ()),
        )
        for one in result.repeats
    ]
    head = ("Reader", "Repeated", "Same answer", *(("κ",) if result.comparison else ()))
    return Table(f"{name}: hidden repeats against the first answers.", head, rows)
