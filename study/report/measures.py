"""The section of one measure: numbers, places on a line, lengths, angles and areas."""

from __future__ import annotations

from study.analysis.measures import MeasureResult, MeasureSummary
from study.domain.formatting import DASH, decimal
from study.report import interval_figures
from study.report.accuracy import truth_values
from study.report.areas import limits_table
from study.report.cells import Cell, Content, Row, Table, value, with_bootstrap, with_interval
from study.report.context import ReportContext, Section
from study.report.criteria import differences, naive_tests
from study.report.overview import answer_words, mean_sd
from study.stats.reliability.inter_reader import FLAG_BELOW
from study.stats.reliability.intra_reader import POOLED


def measure(context: ReportContext, result: MeasureResult) -> Section:
    """All tables and figures of one measure."""
    name = context.question_name(result.question)
    question = context.question(result.question)
    comparison = result.comparison
    values: dict[str, object] = {
        "name": name,
        "question": question,
        "result": result,
        "answer": answer_words(question),
        "summary": _summary(context, result, name),
        "reliability": _reliability(context, result, name),
        "repeats": _repeats(result, name) if result.repeats else None,
        "differences": None,
    }
    values |= _limits(context, result, name)
    values |= truth_values(context, result.roc, result.accuracy, question, name)
    if comparison.comparisons:
        values["forest"] = interval_figures.differences(
            context, comparison.comparisons, result.question, name + unit_words(result)
        )
        values["differences"] = differences(context, comparison.comparisons, name)
        values["tests"] = naive_tests(context, comparison.comparisons, name)
    return Section(f"measure-{result.question}", name, "measure.html", values)


def _limits(context: ReportContext, result: MeasureResult, name: str) -> dict[str, object]:
    """Limits of agreement: of the methods with the reference, and of hidden repeats."""
    code, repeats, measured = result.question, result.repeat_limits, name + unit_words(result)
    values: dict[str, object] = {
        "limits_plots": None,
        "limits": None,
        "repeat_plot": interval_figures.repeat_limits(context, repeats, code, measured),
        "repeat_limits": repeats
        and limits_table(
            context, [repeats],
            f"{measured}: limits of agreement of hidden repeats with the first "
            f"reading, all readers, with {context.level} intervals.",
            "Readings",
        ),
    }  # fmt: skip
    if result.limits:
        reference = context.method(result.limits[0].second)
        values["limits_plots"] = interval_figures.method_limits(
            context, result.limits, code, measured
        )
        values["limits"] = limits_table(
            context, result.limits,
            f"{measured}: limits of agreement of each method with {reference}, by "
            f"means over the readers who measured a case with both, with {context.level} "
            "intervals.",
            "Methods",
        )  # fmt: skip
    return values


def unit_words(result: MeasureResult) -> str:
    """The unit of a measure in a caption, such as " in mm"."""
    units = [unit for unit in result.units if unit]
    return f", in {' and '.join(units)}" if units else ""


def _summary(context: ReportContext, result: MeasureResult, name: str) -> Table:
    rows = [
        (
            context.method(one.method),
            str(one.n),
            *(str(gap.count) for gap in one.missing),
            mean_sd(one),
            _median(one),
            DASH if one.least is None else f"{decimal(one.least)} to {decimal(one.most)}",
        )
        for one in result.summaries
    ]
    gaps = [f"Missing: {gap.reason}" for gap in result.summaries[0].missing]
    head = ("Method", "n", *gaps, "Mean (SD)", "Median (quartiles)", "Range")
    caption = f"{name}{unit_words(result)}: first main answer of each reader, case and method."
    mixed = "The spacing of pixels is unknown for some cases: their numbers are in other units."
    return Table(caption, head, rows, remark=mixed if len(result.units) > 1 else "")


def _median(one: MeasureSummary) -> Content:
    if one.median is None:
        return DASH
    return Cell(decimal(one.median), f"({decimal(one.q1)} to {decimal(one.q3)})")


def _reliability(context: ReportContext, result: MeasureResult, name: str) -> Table:
    rows: list[Row] = [
        (
            context.method(method),
            f"{one.items} × {one.raters}",
            with_interval(one.form("A,1")),
            with_interval(one.form("C,1")),
            with_interval(one.form("A,k")),
            with_bootstrap(one.sem_agreement),
            with_bootstrap(one.mdc95_agreement),
            with_bootstrap(one.mad),
        )
        for method, one in result.reliability
    ]
    head = (
        "Method", "Items × readers", "ICC(A,1)", "ICC(C,1)", "ICC(A,k)", "SEM", "MDC95", "MAD",
    )  # fmt: skip
    caption = (
        f"{name}{unit_words(result)}: agreement between readers, with {context.level} intervals: F "
        "for intraclass correlations (McGraw and Wong); for the others, and for two-way forms with "
        f"missing values, for random {context.random} (bootstrap, t)."
    )
    remark = (
        "A: two-way, absolute agreement; C: two-way, consistency; k: mean of the readers. SEM = "
        "sqrt(variance of readers + error variance); MDC95 = 1.96 sqrt(2) SEM; MAD: mean absolute "
        "difference of two readers."
    )
    return Table(caption, head, rows, remark=remark)


def _repeats(result: MeasureResult, name: str) -> Table:
    rows = []
    for one in result.repeats:
        reader = "All readers" if one.rater == POOLED else one.rater
        rows.append(
            (
                Cell(reader, flag=f"ICC < {FLAG_BELOW:g}") if one.flagged else reader,
                str(one.pairs),
                with_interval(one.icc),
                with_interval(one.shift),
                value(one.mad),
                with_interval(one.sem),
                with_interval(one.mdc95),
            )
        )
    head = (
        "Reader", "Repeated", "ICC(A,1)", "Shift, second − first", "MAD", "SEM", "MDC95",
    )  # fmt: skip
    caption = f"{name}{unit_words(result)}: hidden repeats against the first answers."
    remark = (
        "ICC(A,1) is within reader and method. SEM = sqrt(sum d² / 2n), d the difference of the "
        "two answers; MDC95 = 1.96 sqrt(2) SEM."
    )
    return Table(caption, head, rows, remark=remark)
