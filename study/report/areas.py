"""Tables of areas under VGC and ROC curves, and of limits of agreement."""

from __future__ import annotations

from collections.abc import Sequence

from study.analysis.areas import RocResults, VgcResults
from study.domain.formatting import decimal, p_equals, p_value, plural
from study.report.cells import Row, Table, tested, value, with_interval
from study.report.context import ReportContext
from study.stats.comparison.bland_altman import BlandAltman


def vgc_table(context: ReportContext, found: VgcResults, name: str) -> Table:
    """VGC areas of every method against the reference."""
    rows: list[Row] = [
        (
            context.method(one.first),
            str(len(one.readers)),
            with_interval(one.area),
            _range([figure.values[0] for figure in one.readers]),
            tested(one.test),
            p_value(corrected.holm),
        )
        for one, corrected in zip(found.areas, found.corrected, strict=True)
    ]
    head = ("Method", "Readers", "VGC area", "Range of the readers", "p", "Holm")
    caption = (
        f"{name}: area under the VGC curve against {context.method(found.reference)}, mean over "
        f"readers with its {context.level} interval and test of 0.5 for random {context.random} "
        "(Obuchowski–Rockette, DeLong’s covariance). Secondary; Holm’s correction is over these "
        "rows."
    )
    return Table(caption, head, rows)


def roc_table(context: ReportContext, found: RocResults, name: str) -> Table | None:
    """ROC areas of every method; None without areas."""
    if found.areas is None:
        return None
    figures = [
        [reader.values[place] for reader in found.areas.readers]
        for place in range(len(found.areas.methods))
    ]
    rows: list[Row] = [
        (context.method(one.name), with_interval(one), _range(values))
        for one, values in zip(found.areas.methods, figures, strict=True)
    ]
    caption = (
        f"{name}: area under the ROC curve, mean over readers with its {context.level} interval "
        f"for random {context.random} (Obuchowski–Rockette, DeLong’s covariance)."
    )
    test = found.areas.test
    remark = f"Test of equal areas: {_test(test.p, test.reason)}."
    if found.unknown:
        remark += f" {plural(found.unknown, 'case')} without a truth left out."
    return Table(caption, ("Method", "ROC area", "Range of the readers"), rows, remark=remark)


def roc_pairs(context: ReportContext, found: RocResults, name: str) -> Table | None:
    """Differences of ROC areas; None without areas."""
    if found.areas is None:
        return None
    rows: list[Row] = [
        (
            context.pair(pair.first, pair.second, "−"),
            with_interval(pair.difference),
            tested(pair.test),
            p_value(corrected.holm),
        )
        for pair, corrected in zip(found.areas.pairs, found.areas.corrected, strict=True)
    ]
    caption = (
        f"{name}: differences of ROC areas, with {context.level} intervals for random "
        f"{context.random} (Obuchowski–Rockette, Hillis’ degrees of freedom). Holm’s correction is "
        "over all pairs."
    )
    head = ("Methods", "Difference", "p", "Holm")
    return Table(caption, head, rows, remark=context.names.strip())


def limits_table(
    context: ReportContext, found: Sequence[BlandAltman], caption: str, first: str
) -> Table:
    """Bias and limits of agreement, a row for each pair of readings."""
    rows: list[Row] = [
        (
            context.pair(one.first, one.second, "−"),
            str(one.bias.n),
            with_interval(one.bias),
            decimal(one.sd),
            with_interval(one.lower),
            with_interval(one.upper),
            value(one.slope),
            tested(one.slope_test),
        )
        for one in found
    ]
    head = (
        first, "Items", "Bias", "SD", "Lower limit", "Upper limit", "Slope on size",
        "p of the slope",
    )  # fmt: skip
    remark = (
        "Limits: bias ± 1.96 SD; exact intervals (Carkeet), or of a bootstrap of patients where "
        "patients have several items. Slope: of the difference on the mean of both; other than 0, "
        "the bias depends on the size, and one pair of limits does not fit all."
    )
    of_methods = any(one.first in context.data.masks for one in found)
    return Table(caption, head, rows, remark=remark + (context.names if of_methods else ""))


def _range(values: Sequence[float]) -> str:
    return f"{decimal(min(values))} to {decimal(max(values))}" if values else ""


def _test(p: float | None, reason: str | None) -> str:
    return f"undefined: {reason}" if p is None else f"p {p_equals(p)}"
