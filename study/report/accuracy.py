"""What is held against the truth of the cases: ROC curves, sensitivity and specificity."""

from __future__ import annotations

from study.analysis.accuracy import AccuracyResult
from study.analysis.areas import RocResults
from study.domain.formatting import DASH, p_value, plural
from study.domain.questions import Question, QuestionKind
from study.report import interval_figures
from study.report.areas import roc_pairs, roc_table
from study.report.cells import Row, Table, share_with_interval, tested
from study.report.context import ReportContext
from study.stats.mrmc.accuracy import Accuracy, ReaderAccuracy
from study.stats.mrmc.obuchowski_rockette import MrmcResult


def truth_values(
    context: ReportContext,
    roc: RocResults | None,
    accuracy: AccuracyResult | None,
    question: Question,
    name: str,
) -> dict[str, object]:
    """Tables and figure of the template `truth.html`."""
    return {
        "roc_result": roc,
        "accuracy_result": accuracy,
        "roc_curves": interval_figures.roc(context, roc, question.code, name) if roc else None,
        "roc": roc_table(context, roc, name) if roc else None,
        "roc_pairs": roc_pairs(context, roc, name) if roc else None,
        "accuracy": accuracy_tables(context, accuracy, question, name),
    }


def accuracy_tables(
    context: ReportContext, result: AccuracyResult | None, question: Question, name: str
) -> list[Table]:
    """Every reader and method, the differences of the methods, and McNemar's tests."""
    if result is None or result.found is None:
        return []
    tables = [_by_reader(context, result, result.found, question, name)]
    if result.found.sensitivity and result.found.specificity:
        compared = (result.found.sensitivity, result.found.specificity)
        tables += [_differences(context, compared, name), _mcnemar(context, result.found, name)]
    return tables


def cutoff_words(question: Question) -> str:
    """Which answers call a case positive, such as "from 4 (probable) up"."""
    if question.maximum == question.positive_from and not question.anchors:
        return "yes"
    if question.kind is QuestionKind.VAS:
        return f"from {question.positive_from} up, on the line from 0 to {question.maximum}"
    place = question.positive_from - question.minimum
    meaning = f" ({question.anchors[place]})" if question.anchors else ""
    return f"from {question.positive_from}{meaning} up"


def _by_reader(
    context: ReportContext, result: AccuracyResult, found: Accuracy, question: Question, name: str
) -> Table:
    rows: list[Row] = []
    for place, method in enumerate(dict.fromkeys(one.method for one in found.readers)):
        shown = context.method(method)
        rows += [_row(shown, one) for one in found.readers if one.method == method]
        if found.sensitivity and found.specificity:
            means = (found.sensitivity.methods[place], found.specificity.methods[place])
            rows.append(
                (
                    shown,
                    "mean of readers",
                    *[DASH] * 4,
                    *(share_with_interval(one) for one in means),
                )
            )
    caption = (
        f"{name}: readings against the truth of {found.positive} positive and {found.negative} "
        f"negative cases. Answers that call a case positive: {cutoff_words(question)}. Each "
        f"reader’s {context.level} intervals are Wilson’s, in which the cases of a patient count "
        "by their effective number (Rao and Scott); those of the means are for random "
        f"{context.random} (Obuchowski–Rockette)."
    )
    remark = f"{plural(result.unknown, 'case')} without a truth left out." if result.unknown else ""
    head = (
        "Method", "Reader", ("True", "positive"), ("False", "negative"), ("True", "negative"),
        ("False", "positive"), "Sensitivity", "Specificity",
    )  # fmt: skip
    return Table(caption, head, rows, text_columns=(0, 1), remark=remark)


def _row(method: str, one: ReaderAccuracy) -> Row:
    counts = (one.true_positive, one.false_negative, one.true_negative, one.false_positive)
    shares = (share_with_interval(one.sensitivity), share_with_interval(one.specificity))
    return (method, one.reader, *map(str, counts), *shares)


def _differences(context: ReportContext, compared: tuple[MrmcResult, ...], name: str) -> Table:
    rows: list[Row] = [
        (
            one.figure,
            context.pair(pair.first, pair.second, "−"),
            share_with_interval(pair.difference),
            tested(pair.test),
            p_value(corrected.holm),
        )
        for one in compared
        for pair, corrected in zip(one.pairs, one.corrected, strict=True)
    ]
    caption = (
        f"{name}: differences of the methods in sensitivity and specificity, means of the readers, "
        f"with {context.level} intervals for random {context.random} (Obuchowski–Rockette, Hillis’ "
        "degrees of freedom; the cases of a patient are one unit). Holm’s correction is over the "
        "pairs of a figure."
    )
    head = ("Figure", "Methods", ("Difference,", "percentage points"), "p", "Holm")
    return Table(caption, head, rows, text_columns=(0, 1), remark=context.names.strip())


def _mcnemar(context: ReportContext, found: Accuracy, name: str) -> Table:
    rows: list[Row] = [
        (
            context.pair(one.first, one.second, "and"),
            one.reader,
            str(one.only_first),
            str(one.only_second),
            tested(one.test),
            p_value(corrected.holm),
        )
        for one, corrected in zip(found.mcnemar, found.corrected, strict=True)
    ]
    caption = (
        f"{name}: cases that a reader got right with one method only, positive and negative ones "
        "together; McNemar’s exact test. Secondary: it takes cases as independent and is about one "
        "reader. Holm’s correction is over these rows."
    )
    head = ("Methods", "Reader", "First only", "Second only", "p", "Holm")
    return Table(caption, head, rows, text_columns=(0, 1), remark=context.names.strip())
