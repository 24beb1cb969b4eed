"""The section of one criterion: scores, agreement, reliability and comparison of methods."""

from __future__ import annotations

from collections.abc import Callable

from study.analysis.results import CriterionResult
from study.analysis.scores import MethodAgreement
from study.domain.formatting import DASH, decimal, p_equals, p_value, plural
from study.report import figures, interval_figures
from study.report.accuracy import truth_values
from study.report.areas import vgc_table
from study.report.cells import (
    Cell,
    Content,
    Table,
    interval_alone,
    tested,
    value,
    with_bootstrap,
    with_interval,
)
from study.report.context import ReportContext, Section
from study.report.overview import mean_sd
from study.stats.comparison.methods import Comparisons, Friedman
from study.stats.reliability.inter_reader import FORMS
from study.stats.summary import RatingSummary


def criterion(context: ReportContext, result: CriterionResult) -> Section:
    """All tables and figures of one criterion."""
    name = context.question_name(result.question)
    comparison = result.comparison
    values: dict[str, object] = {
        "name": name,
        "question": context.question(result.question),
        "result": result,
        "likert": figures.likert(context, result),
        "scores": _scores(context, result, name),
        "kappas": _kappas(context, result, name),
        "coefficients": _coefficients(context, result, name),
        "kappa_maps": figures.kappa_maps(context, result),
        "reader_means": figures.reader_means(context, result),
        "correlations": _correlations(context, result, name),
        "errors": _errors(context, result, name),
        "slopes": figures.slopes(context, result),
        "friedman": _friedman(context, comparison.friedman) if comparison.friedman else "",
    }
    if comparison.comparisons:
        values["forest"] = interval_figures.differences(
            context, comparison.comparisons, result.question, name
        )
        values["differences"] = differences(context, comparison.comparisons, name)
        values["tests"] = naive_tests(context, comparison.comparisons, name)
    code, vgc = result.question, result.vgc
    values |= {
        "vgc_curves": interval_figures.vgc(context, vgc, code, name) if vgc else None,
        "vgc": vgc_table(context, vgc, name) if vgc else None,
    }
    values |= truth_values(context, result.roc, result.accuracy, context.question(code), name)
    return Section(f"criterion-{result.question}", name, "criterion.html", values)


def _scores(context: ReportContext, result: CriterionResult, name: str) -> Table:
    question = context.question(result.question)
    rows = [
        (
            context.method(one.method),
            str(one.scores.n),
            *(str(gap.count) for gap in one.missing),
            *(str(number) for number in one.scores.counts),
            mean_sd(one.scores),
            _median(one.scores),
            str(one.all_n),
            decimal(one.all_mean),
        )
        for one in result.summaries
    ]
    head = (
        "Method", "n", *(f"Missing: {gap.reason}" for gap in result.summaries[0].missing),
        *(str(point) for point in question.scale), "Mean (SD)", "Median (quartiles)",
        "All main ratings, n", "their mean",
    )  # fmt: skip
    caption = (
        f"{name}: first main rating of each reader, case and method. The columns "
        f"{question.minimum} to {question.maximum} count the ratings at each point. The last two "
        "columns also include the later ratings of the same image, shown with other methods."
    )
    return Table(caption, head, rows)


def _median(scores: RatingSummary) -> Content:
    if scores.median is None:
        return DASH
    quartiles = f"({decimal(scores.lower_quartile, 1)} to {decimal(scores.upper_quartile, 1)})"
    return Cell(decimal(scores.median, 1), quartiles)


def _by_method(
    context: ReportContext,
    result: CriterionResult,
    caption: str,
    columns: dict[str, Callable[[MethodAgreement], Content]],
    remark: str,
) -> Table:
    """A row for each method and one for all of them; a column computes its cell."""
    rows = [
        (context.method(one.method), *(column(one) for column in columns.values()))
        for one in result.agreement
    ]
    return Table(caption, ("Method", *columns), rows, remark=remark)


def _kappas(context: ReportContext, result: CriterionResult, name: str) -> Table:
    caption = (
        f"{name}: mean score, agreement and Fleiss’ κ, with {context.level} intervals for random "
        f"{context.random} (bootstrap, t). Secondary: Gwet’s standard error and its t interval, "
        "which take cases as independent and readers as fixed."
    )
    columns: dict[str, Callable[[MethodAgreement], Content]] = {
        "Items × readers": lambda one: f"{one.items} × {one.readers}",
        "Mean score": lambda one: with_bootstrap(one.mean),
        "Raw agreement": lambda one: with_bootstrap(one.raw),
        "Fleiss’ κ": lambda one: with_bootstrap(one.fleiss),
        "Fleiss’ κ, quadratic": lambda one: with_bootstrap(one.quadratic),
        "κ, SE (Gwet)": lambda one: decimal(one.fleiss.se, 3),
        "κ, Gwet’s interval": lambda one: interval_alone(one.fleiss),
    }
    remark = (
        "The unweighted κ counts neighbouring scores as disagreement; the quadratic κ allows for "
        "the order of the scale. In the last row every image of every method is an item."
    )
    return _by_method(context, result, caption, columns, remark)


def _coefficients(context: ReportContext, result: CriterionResult, name: str) -> Table:
    caption = (
        f"{name}: further coefficients of agreement, with {context.level} intervals for random "
        f"{context.random} (bootstrap, t). The last column is the mean over the pairs of readers "
        "below (Light)."
    )
    columns: dict[str, Callable[[MethodAgreement], Content]] = {
        "Gwet’s AC1": lambda one: with_bootstrap(one.ac1),
        "AC2, quadratic": lambda one: with_bootstrap(one.ac2),
        "Krippendorff’s α, ordinal": lambda one: with_interval(one.alpha),
        "Mean κ of pairs, quadratic": lambda one: (
            value(one.pairwise.mean) if one.pairwise else DASH
        ),
    }
    remark = (
        "Where nearly all scores are equal, κ can be low although readers agree; AC1 and raw "
        "agreement show it."
    )
    return _by_method(context, result, caption, columns, remark)


def _correlations(context: ReportContext, result: CriterionResult, name: str) -> Table:
    def items(one: MethodAgreement) -> Content:
        return f"{one.reliability.items} ({one.reliability.incomplete})"

    def column(form: str) -> Callable[[MethodAgreement], Content]:
        return lambda one: with_interval(one.reliability.form(form))

    caption = (
        f"{name}: intraclass correlations with {context.level} F intervals (McGraw and Wong), or, "
        f"for two-way forms with missing scores, intervals for random {context.random} (bootstrap, "
        "t)."
    )
    columns = {"Items (incomplete)": items} | {f"ICC({form})": column(form) for form in FORMS}
    remark = (
        "Items with a missing score count too: one-way forms take unequal numbers of readers, "
        "two-way forms are then made of variance components (restricted maximum likelihood). 1: "
        "one-way; A: two-way, absolute agreement; C: two-way, consistency; k: mean of the readers."
    )
    return _by_method(context, result, caption, columns, remark)


def _errors(context: ReportContext, result: CriterionResult, name: str) -> Table:
    caption = (
        f"{name}: measurement error between readers, in points of the scale, with "
        f"{context.level} intervals for random {context.random} (bootstrap, t)."
    )
    columns: dict[str, Callable[[MethodAgreement], Content]] = {
        "SEM": lambda one: with_bootstrap(one.reliability.sem_agreement),
        "MDC95": lambda one: with_bootstrap(one.reliability.mdc95_agreement),
        "MAD": lambda one: with_bootstrap(one.reliability.mad),
    }
    remark = (
        "SEM = sqrt(variance of readers + error variance); MDC95 = 1.96 sqrt(2) SEM; MAD: mean "
        "absolute difference of two readers."
    )
    return _by_method(context, result, caption, columns, remark)


def differences(context: ReportContext, compared: Comparisons, name: str) -> Table:
    """Differences of the methods with the intervals and tests of the declared family."""
    rows = [
        (
            context.pair(pair.first, pair.second, "−"),
            f"{pair.inference.patients} × {pair.inference.readers}",
            with_interval(pair.inference.difference),
            tested(pair.inference.test),
            p_value(corrected.bonferroni),
            p_value(corrected.holm),
            f"{pair.higher} / {pair.equal} / {pair.lower}",
        )
        for pair, corrected in zip(compared.pairs, compared.inference, strict=True)
    ]
    head = (
        "Methods", "Patients × readers", "Mean difference", "p", "Bonferroni", "Holm",
        "Cases higher / equal / lower",
    )  # fmt: skip
    family = compared.family
    caption = (
        f"{name}: differences of the means of patients, with {context.level} intervals and "
        f"two-sided tests for random {context.random} (Obuchowski–Rockette). Family: "
        f"{family.description}; α = {family.alpha:g}, so that Bonferroni’s limit for one p is "
        f"{family.threshold:.4f}. Corrected p values are compared with α itself."
    )
    return Table(caption, head, rows, remark=_family_remark(context, compared))


def _family_remark(context: ReportContext, compared: Comparisons) -> str:
    remarks = []
    if not context.data.protocol.pairs:
        remarks.append("Degraded anchors are not in the family, unless one is the control.")
    empty = compared.family.divisor - len(compared.pairs)
    if empty:
        remarks.append(
            f"Not shown: {plural(empty, 'planned pair')} without a case rated for both methods, "
            "which the correction counts."
        )
    return " ".join([*remarks, context.names.strip()]).strip()


def naive_tests(context: ReportContext, compared: Comparisons, name: str) -> Table:
    """Secondary tests, which take cases as independent and readers as fixed."""
    rows = [
        (
            context.pair(pair.first, pair.second, "−"),
            str(pair.n),
            with_interval(pair.difference),
            value(pair.effect),
            tested(pair.t_test),
            p_value(t_test.bonferroni),
            p_value(t_test.holm),
            tested(pair.wilcoxon),
            p_value(wilcoxon.bonferroni),
            p_value(wilcoxon.holm),
        )
        for pair, t_test, wilcoxon in zip(
            compared.pairs, compared.t_test, compared.wilcoxon, strict=True
        )
    ]
    head = (
        "Methods", "Cases", "Mean difference", "d (paired)", "Paired t, p", "Bonferroni", "Holm",
        "Wilcoxon, p", "Bonferroni", "Holm",
    )  # fmt: skip
    caption = (
        f"{name}: secondary tests of case means over the readers who rated both methods. They take "
        "cases as independent and readers as fixed, and reject too often where several cases are "
        "of one patient or readers differ about a method. The same family."
    )
    remark = "Wilcoxon: signed ranks; differences of zero are ranked, then dropped (Pratt)."
    remark += context.names
    return Table(caption, head, rows, remark=remark)


def _friedman(context: ReportContext, found: Friedman) -> str:
    test = found.test
    if test.p is None:
        return f"Friedman’s test: undefined: {test.reason}."
    ranks = ", ".join(
        f"{context.method(method)} {decimal(rank)}"
        for method, rank in zip(found.methods, found.mean_ranks, strict=True)
    )
    return (
        f"All methods at once, Friedman: χ²({test.df:g}) = {decimal(test.statistic)}, p "
        f"{p_equals(test.p)}, {test.n} cases with all methods; Kendall’s W = "
        f"{decimal(found.kendall_w.value)}. Mean ranks, higher is better: {ranks}."
    )
