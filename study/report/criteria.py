"""One section for each criterion: scores, agreement, reliability and comparison."""

from __future__ import annotations

from dataclasses import replace

from study.analysis.comparison import ScoreComparison
from study.analysis.results import CriterionResult
from study.domain.protocol import Question
from study.report import figures
from study.report.context import ReportContext, heading
from study.report.formatting import (
    NONE,
    bootstrap,
    corrected,
    equals,
    number,
    tested,
    value,
    with_interval,
)
from study.report.markup import Content, Html, Notes, join, paragraph, section, table, tag
from study.report.overview import mean_sd
from study.stats.comparison import Comparisons, Friedman
from study.stats.estimate import Estimate
from study.stats.reliability import FORMS
from study.stats.summary import Summary


def criterion(sheet: ReportContext, result: CriterionResult) -> Html:
    """Everything about one criterion."""
    question = sheet.question(result.question)
    title: Content = heading(question)
    if result.primary:
        title = join((title, " ", tag("span", "primary", class_="label")))
    return section(
        f"criterion-{question.code}",
        title,
        asked(question),
        tag("h3", "Scores"),
        figures.likert(sheet, result),
        _scores(sheet, result, question),
        tag("h3", "Agreement between readers"),
        _agreement(sheet, result),
        figures.heat_maps(sheet, result),
        tag("h3", "Reliability between readers"),
        _reliability(sheet, result),
        tag("h3", "Comparison of methods"),
        figures.slopes(sheet, result),
        _comparison(sheet, result.comparison, question),
    )


def asked(question: Question) -> Content:
    """The question in full, where the heading does not say it all."""
    if question.text.strip() == heading(question):
        return None
    return paragraph(f"The question was: “{question.text}”", class_="question")


def _scores(sheet: ReportContext, result: CriterionResult, question: Question) -> Html:
    rows: list[list[Content]] = []
    for one in result.summaries:
        scores = one.scores
        rows.append(
            [
                sheet.method(one.method),
                str(scores.n),
                *(str(gap.count) for gap in one.missing),
                *(str(count) for count in scores.counts),
                mean_sd(scores),
                _median(scores),
                str(one.all_n),
                number(one.all_mean),
            ]
        )
    gaps = [f"Missing: {gap.reason}" for gap in result.summaries[0].missing]
    head = [
        "Method", "n", *gaps, *(str(point) for point in question.scale), "Mean (SD)",
        "Median (quartiles)", "All main ratings, n", "their mean",
    ]  # fmt: skip
    caption = sheet.table(
        f"{heading(question)}: first main rating of each reader, case and method. The columns "
        f"{question.minimum} to {question.maximum} count the ratings at each point. The last two "
        "columns also take the later ratings of the same image, beside other methods."
    )
    return table(caption, head, rows)


def _median(scores: Summary) -> Content:
    if scores.median is None:
        return NONE
    spread = f"({number(scores.lower_quartile, 1)} to {number(scores.upper_quartile, 1)})"
    return join((number(scores.median, 1), " ", tag("span", spread, class_="interval")))


def _agreement(sheet: ReportContext, result: CriterionResult) -> Html:
    name = heading(sheet.question(result.question))
    return Html(_kappas(sheet, result, name) + _coefficients(sheet, result, name))


def _kappas(sheet: ReportContext, result: CriterionResult, name: str) -> Html:
    notes = Notes()
    rows: list[list[Content]] = [
        [
            sheet.method(one.method),
            f"{one.items} × {one.readers}",
            with_interval(one.raw, notes),
            with_interval(one.fleiss, notes),
            number(one.fleiss.se, 3),
            bootstrap(one.fleiss, notes),
            with_interval(one.quadratic, notes),
            bootstrap(one.quadratic, notes),
        ]
        for one in result.agreement
    ]
    head = (
        "Method", "Items × readers", "Raw agreement", "Fleiss’ κ", "SE (Gwet)", "κ, bootstrap",
        "Fleiss’ κ, quadratic", "quadratic κ, bootstrap",
    )  # fmt: skip
    caption = sheet.table(
        f"{name}: agreement and Fleiss’ κ, with {sheet.level} t intervals from Gwet’s standard "
        f"error. Bootstrap: percentiles of {sheet.analysis.options.resamples} samples of whole "
        "patients."
    )
    remark = (
        "The unweighted κ counts neighbouring scores as disagreement; the quadratic one allows for "
        "the order of the scale. In the last row every image of every method is an item."
    )
    return table(caption, head, rows, notes=notes, remark=remark)


def _coefficients(sheet: ReportContext, result: CriterionResult, name: str) -> Html:
    notes = Notes()
    rows: list[list[Content]] = [
        [
            sheet.method(one.method),
            with_interval(one.ac1, notes),
            with_interval(one.ac2, notes),
            with_interval(one.alpha, notes),
            value(one.pairwise.mean, notes) if one.pairwise else NONE,
        ]
        for one in result.agreement
    ]
    head = ("Method", "Gwet’s AC1", "AC2, quadratic", "Krippendorff’s α, ordinal",
            "Mean κ of pairs, quadratic")  # fmt: skip
    caption = sheet.table(
        f"{name}: coefficients beside κ, with {sheet.level} intervals: t with Gwet’s standard "
        "error for AC1 and AC2, the bootstrap of patients for α. The last column is the mean over "
        "the pairs of readers below (Light)."
    )
    remark = (
        "Where nearly all scores are equal, κ can be low although readers agree: AC1 and raw "
        "agreement show it."
    )
    return table(caption, head, rows, notes=notes, remark=remark)


def _reliability(sheet: ReportContext, result: CriterionResult) -> Html:
    name = heading(sheet.question(result.question))
    return Html(_correlations(sheet, result, name) + _errors(sheet, result, name))


def _correlations(sheet: ReportContext, result: CriterionResult, name: str) -> Html:
    notes = Notes()
    rows: list[list[Content]] = [
        [
            sheet.method(one.method),
            f"{one.reliability.items} ({one.reliability.dropped})",
            *(with_interval(one.reliability.form(form), notes) for form in FORMS),
        ]
        for one in result.agreement
    ]
    head = ("Method", "Complete items (dropped)", *(f"ICC({form})" for form in FORMS))
    caption = sheet.table(
        f"{name}: intraclass correlations with {sheet.level} F intervals (McGraw and Wong)."
    )
    remark = (
        "Items with a missing score are dropped. 1: one-way; A: two-way, absolute agreement; C: "
        "two-way, consistency; k: mean of all readers."
    )
    return table(caption, head, rows, notes=notes, remark=remark)


def _errors(sheet: ReportContext, result: CriterionResult, name: str) -> Html:
    notes = Notes()
    rows: list[list[Content]] = [
        [
            sheet.method(one.method),
            _bootstrapped(one.reliability.sem_agreement, notes),
            _bootstrapped(one.reliability.mdc95_agreement, notes),
            _bootstrapped(one.reliability.mad, notes),
        ]
        for one in result.agreement
    ]
    caption = sheet.table(
        f"{name}: errors of measurement between readers, in points of the scale, with "
        f"{sheet.level} intervals from the bootstrap of patients."
    )
    remark = (
        "SEM = sqrt(variance of readers + error variance); MDC95 = 1.96 sqrt(2) SEM; MAD: mean "
        "absolute difference of two readers."
    )
    return table(caption, ("Method", "SEM", "MDC95", "MAD"), rows, notes=notes, remark=remark)


def _bootstrapped(estimate: Estimate, notes: Notes) -> Content:
    """A value with the interval of its bootstrap."""
    ends = estimate.bootstrap
    if ends is None:
        return value(estimate, notes)
    return with_interval(replace(estimate, low=ends.low, high=ends.high, reason=ends.reason), notes)


def _comparison(sheet: ReportContext, found: ScoreComparison, question: Question) -> Html:
    if found.comparisons is None:
        return paragraph(f"Undefined: {found.reason}.", class_="undefined")
    return Html(
        _differences(sheet, found, found.comparisons, question)
        + _tests(sheet, found.comparisons, question)
        + (_friedman(sheet, found.friedman) if found.friedman else "")
    )


def _differences(
    sheet: ReportContext, found: ScoreComparison, compared: Comparisons, question: Question
) -> Html:
    notes = Notes()
    rows: list[list[Content]] = []
    for pair, over_readers in zip(compared.pairs, found.over_readers, strict=True):
        rows.append(
            [
                f"{sheet.method(pair.first)} − {sheet.method(pair.second)}",
                str(pair.n),
                with_interval(pair.difference, notes),
                bootstrap(pair.difference, notes),
                with_interval(over_readers, notes),
                value(pair.effect, notes),
                f"{pair.higher} / {pair.equal} / {pair.lower}",
            ]
        )
    head = (
        "Methods", "Cases", "Mean difference", "Bootstrap of patients", "Readers as the sample",
        "d (paired)", "Cases higher / equal / lower",
    )  # fmt: skip
    caption = sheet.table(
        f"{heading(question)}: differences of case means over the readers who rated both methods, "
        f"with {sheet.level} intervals. Cases are the sample; in the fifth column, readers are."
    )
    return table(caption, head, rows, notes=notes)


def _tests(sheet: ReportContext, compared: Comparisons, question: Question) -> Html:
    notes = Notes()
    procedures: tuple[str, ...] = ("bonferroni", "holm")
    rows: list[list[Content]] = []
    for pair, by_t, by_rank in zip(compared.pairs, compared.t_test, compared.wilcoxon, strict=True):
        rows.append(
            [
                f"{sheet.method(pair.first)} − {sheet.method(pair.second)}",
                tested(pair.t_test, notes),
                *(corrected(by_t, one) for one in procedures),
                tested(pair.wilcoxon, notes),
                *(corrected(by_rank, one) for one in procedures),
            ]
        )
    head = (
        "Methods", "Paired t, p", "Bonferroni", "Holm", "Wilcoxon, p", "Bonferroni", "Holm",
    )  # fmt: skip
    family = compared.family
    caption = sheet.table(
        f"{heading(question)}: two-sided tests of these differences. Family: {family.description}; "
        f"α = {family.alpha:g}, so that Bonferroni’s limit for one p is {family.threshold:.4f}. "
        "Corrected p values are compared with α itself."
    )
    remark = (
        "Wilcoxon: signed ranks; differences of zero are ranked, then dropped (Pratt). Degraded "
        "anchors are not in the family."
    )
    return table(caption, head, rows, notes=notes, remark=remark)


def _friedman(sheet: ReportContext, found: Friedman) -> Html:
    test = found.test
    if test.p is None:
        return paragraph(f"Friedman’s test: undefined: {test.reason}.")
    ranks = ", ".join(
        f"{sheet.method(method)} {number(rank)}"
        for method, rank in zip(found.methods, found.mean_ranks, strict=True)
    )
    return paragraph(
        f"All methods at once, Friedman: χ²({test.df:g}) = {number(test.statistic)}, p "
        f"{equals(test.p)}, {test.n} cases with all methods; Kendall’s W = "
        f"{number(found.kendall_w.value)}. Mean ranks, higher is better: {ranks}."
    )
