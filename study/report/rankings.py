"""The section of a ranking question: ranks, concordance, strengths and differences."""

from __future__ import annotations

from study.analysis.rankings import ALL_READERS, RankingResult
from study.domain.formatting import DASH, decimal, p_equals, plural
from study.report.cells import Content, Row, Table, value, with_bootstrap, with_interval
from study.report.context import ReportContext, Section
from study.report.criteria import differences, naive_tests
from study.report.overview import answer_words
from study.stats.reliability.intra_reader import POOLED


def ranking(context: ReportContext, result: RankingResult) -> Section:
    """All tables of one ranking question."""
    name = context.question_name(result.question)
    question = context.question(result.question)
    comparison = result.comparison
    ties = "ties were allowed" if question.ties else "ties were not allowed"
    values: dict[str, object] = {
        "name": name,
        "question": question,
        "result": result,
        "answer": f"{answer_words(question)}; {ties}",
        "summary": _summary(context, result, name),
        "friedman": _friedman(result),
        "concordance": _concordance(context, result, name),
        "panels": _panels(context, result, name),
        "repeats": _repeats(result, name) if result.repeats else None,
    }
    if comparison.comparisons:
        values["differences"] = differences(
            context, comparison.comparisons, f"{name}, ranks gained"
        )
        values["tests"] = naive_tests(context, comparison.comparisons, f"{name}, ranks gained")
    return Section(f"ranking-{result.question}", name, "ranking.html", values)


def _summary(context: ReportContext, result: RankingResult, name: str) -> Table:
    fit = result.strengths
    strengths = {one.name: one for one in fit.strengths} if fit else {}
    reference = fit.reference if fit else ""
    rows: list[Row] = []
    for one in result.summaries:
        fitted: Content = DASH
        if one.method in strengths:
            fitted = "0" if one.method == reference else with_bootstrap(strengths[one.method])
        rows.append(
            (
                context.method(one.method),
                str(one.n),
                *(str(gap.count) for gap in one.missing),
                with_interval(one.mean),
                *map(str, one.counts),
                fitted,
            )
        )
    gaps = [f"Missing: {gap.reason}" for gap in result.summaries[0].missing]
    places = [f"Rank {place}" for place in context.question(result.question).scale]
    zero = f"; {reference} is 0" if fit else ""
    caption = (
        f"{name}: first main ranking of each reader and case; 1 is the best, tied images share the "
        f"mean of their ranks. Mean ranks with {context.level} intervals for random "
        f"{context.random} (Obuchowski–Rockette). Strength: log odds in the Bradley–Terry model "
        f"with Davidson’s ties, from the pairs that the rankings imply{zero}; its interval is for "
        f"random {context.random} (bootstrap, t)."
    )
    return Table(caption, ("Method", "n", *gaps, "Mean rank", *places, "Strength"), rows)


def _friedman(result: RankingResult) -> str:
    test = result.friedman.test
    if test.p is None:
        return f"Friedman’s test of all methods is undefined: {test.reason}."
    return (
        f"Friedman’s test of all methods without degraded anchors, on the mean ranks of "
        f"{plural(test.n, 'patient')}: χ²({test.df:g}) = {decimal(test.statistic)}, "
        f"p {p_equals(test.p)}."
    )


def _concordance(context: ReportContext, result: RankingResult, name: str) -> Table:
    rows = [
        (
            "All readers" if group == ALL_READERS else group,
            str(one.readers),
            str(one.items),
            with_interval(one.kendall_w),
            with_interval(one.correlation),
        )
        for group, one in result.concordance
    ]
    caption = (
        f"{name}: agreement of the readers in the order of the methods of a case, with "
        f"{context.level} intervals for random {context.random} (bootstrap, t of Fisher’s z)."
    )
    remark = (
        "Kendall’s W = (1 + (m − 1) r) / m of m readers; r: mean of Spearman’s correlations of two "
        "readers over cases. For random orders W is 1 / m and r is 0."
    )
    head = ("Readers", "Number", "Cases", "Kendall’s W", "Spearman’s r")
    return Table(caption, head, rows, remark=remark)


def _panels(context: ReportContext, result: RankingResult, name: str) -> Table:
    rows: list[Row] = [
        (context.method(one.method), *map(str, one.panels)) for one in result.summaries
    ]
    rows.append(("Mean rank in this place", *(with_interval(one) for one in result.panels)))
    caption = (
        f"{name}: how often each method was shown in each place, and the mean rank of the images "
        "there, with the readers as the sample."
    )
    return Table(caption, ("Method", *(one.name for one in result.panels)), rows)


def _repeats(result: RankingResult, name: str) -> Table:
    rows = [
        (
            "All readers" if one.rater == POOLED else one.rater,
            str(one.pairs),
            with_interval(one.kappa),
            with_interval(one.icc),
            value(one.mad),
        )
        for one in result.repeats
    ]
    head = ("Reader", "Repeated ranks", "κ, quadratic", "ICC(A,1)", "MAD")
    caption = f"{name}: ranks in hidden repeats against the first ones, within reader and method."
    return Table(caption, head, rows)
