"""The first section: the primary comparison that was declared before the first rating."""

from __future__ import annotations

from study.analysis.primary import PrimaryResult
from study.domain.formatting import decimal, p_equals, percent
from study.domain.inference import Hypothesis, small_samples
from study.report import interval_figures
from study.report.cells import limits
from study.report.context import ReportContext, Section


def primary(context: ReportContext) -> Section:
    """The result of the primary comparison in words, and warnings about small numbers."""
    found = context.analysis.primary
    values: dict[str, object] = {
        "warnings": warnings(context),
        "random": context.random,
        "result": None,
    }
    if found is not None:
        values |= {
            "result": found,
            "name": context.question_name(found.question),
            "share": _share(context, found),
            "first": context.method(found.first),
            "second": context.method(found.second),
            "hypothesis": _hypothesis(context, found),
            "estimate": _estimate(context, found),
            "test": _test(found),
            "verdict": _verdict(found),
            "forest": interval_figures.primary(context, found),
        }
    return Section("primary", "Primary comparison", "primary.html", values)


def warnings(context: ReportContext) -> list[str]:
    """Sentences about numbers of readers and patients that are small for what is random."""
    mains = context.main_observations
    readers, patients = len({one.reader for one in mains}), len({one.patient for one in mains})
    return list(small_samples(context.analysis.options.random, readers, patients))


def _share(context: ReportContext, found: PrimaryResult) -> bool:
    return context.question(found.question).of_pair


def _hypothesis(context: ReportContext, found: PrimaryResult) -> str:
    first, second = context.method(found.first), context.method(found.second)
    kind = found.outcome.hypothesis
    if kind is Hypothesis.DIFFERENCE:
        return f"{first} and {second} differ"
    assert found.margins is not None
    low, high = (percent(end) if _share(context, found) else decimal(end) for end in found.margins)
    if kind is Hypothesis.NON_INFERIORITY:
        return f"{first} is not inferior to {second}: the value below is above {low}"
    return f"{first} and {second} are equivalent: the value below is between {low} and {high}"


def _estimate(context: ReportContext, found: PrimaryResult) -> str:
    estimate, share = found.estimate, _share(context, found)
    if estimate.value is None:
        return f"undefined: {estimate.reason}"
    value = percent(estimate.value) if share else decimal(estimate.value)
    ends = limits(estimate, share=share)
    level = f"{100 * estimate.level:g}% interval"
    return f"{value} ({level} {ends})" if ends else f"{value} (no interval: {estimate.reason})"


def _test(found: PrimaryResult) -> str:
    outcome = found.outcome
    if outcome.test.p is None:
        return f"undefined: {outcome.test.reason}"
    sided = "two-sided" if outcome.hypothesis is Hypothesis.DIFFERENCE else "one-sided"
    if outcome.hypothesis is Hypothesis.EQUIVALENCE:
        sided = "the larger of two one-sided tests"
    return (
        f"p {p_equals(outcome.test.p)}, {sided}, compared with {outcome.limit:g}; "
        f"t({outcome.test.df:.1f}) = {decimal(outcome.test.statistic)}"
    )


def _verdict(found: PrimaryResult) -> str:
    shown = found.outcome.shown
    if shown is None:
        return "It cannot be tested with these data."
    return "It is shown." if shown else "It is not shown."
