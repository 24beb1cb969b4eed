"""Figures of estimates with intervals: forest plots, VGC and ROC curves, limits of agreement."""

from __future__ import annotations

from collections.abc import Sequence

from study.analysis.areas import RocResults, VgcResults, roc_curve, score_panel, vgc_curve
from study.analysis.limits import FIRST, SECOND, TwoReadings, method_readings, repeat_readings
from study.analysis.primary import PrimaryResult
from study.domain.formatting import DASH, decimal, percent
from study.domain.inference import Hypothesis
from study.report import plots
from study.report.cells import Figure, limits
from study.report.context import ReportContext
from study.stats.comparison.bland_altman import BlandAltman
from study.stats.comparison.bradley_terry import BradleyTerryFit
from study.stats.comparison.methods import Comparisons
from study.stats.estimate import Estimate, Interval


def primary(context: ReportContext, found: PrimaryResult) -> Figure | None:
    """The primary estimate with its interval and margins; None where it is undefined."""
    estimate, share = found.estimate, context.question(found.question).of_pair
    if estimate.value is None:
        return None
    first, second = context.method(found.first), context.method(found.second)
    row = _row(f"{first} {'over' if share else '−'} {second}", estimate, share=share)
    margins: tuple[float, ...] = found.margins or ()
    if found.outcome.hypothesis is Hypothesis.NON_INFERIORITY:
        margins = margins[:1]
    dashed = " Dashed: the declared margin." if margins else ""
    none = 0.5 if share else 0.0
    level = f"{100 * estimate.level:g}%"
    return Figure(
        plots.forest([row], estimate.name, "primary", none=none, margins=margins),
        f"The primary comparison with its {level} interval.{dashed}",
        f"Estimate and interval of {first} against {second}",
    )


def differences(context: ReportContext, compared: Comparisons, code: str, name: str) -> Figure:
    """Forest plot of the differences of the declared family."""
    rows = [
        _row(context.pair(pair.first, pair.second, "−"), pair.inference.difference)
        for pair in compared.pairs
    ]
    return Figure(
        plots.forest(rows, f"Difference in {name}, first − second", f"forest-{code}"),
        f"{name}: differences of the means of patients, with {context.level} intervals for random "
        f"{context.random}, not corrected for the number of pairs.{context.names}",
        f"Forest plot of the differences of methods in {name}",
    )


def strengths(context: ReportContext, fit: BradleyTerryFit) -> Figure | None:
    """Forest plot of Bradley-Terry strengths; None where they are undefined."""
    if all(one.value is None for one in fit.strengths if one.name != fit.reference):
        return None
    rows = [
        plots.ForestRow(context.method(one.name), 0.0, None, None, "0 (reference)")
        if one.name == fit.reference
        else _row(context.method(one.name), one)
        for one in fit.strengths
    ]
    return Figure(
        plots.forest(rows, "Strength, log odds", "strengths"),
        f"Strengths of the methods in the Bradley–Terry model, log odds against "
        f"{context.method(fit.reference)}, with {context.level} intervals for random "
        f"{context.random}.",
        "Forest plot of the Bradley–Terry strengths of the methods",
    )


def vgc(context: ReportContext, found: VgcResults, code: str, name: str) -> Figure | None:
    """VGC curves of the methods against the reference; None where no reader rated both."""
    panel = score_panel(context.data, context.question(code))
    assert panel is not None
    curves = [
        plots.AreaCurve(
            context.method(one.first), *vgc_curve(panel, one.first, found.reference),
            _written(one.area),
        )
        for one in found.areas
        if one.readers
    ]  # fmt: skip
    if not curves:
        return None
    reference = context.method(found.reference)
    return Figure(
        plots.area_curves(
            curves, (f"{reference}: share of ratings at or above", "Method: share at or above"),
            f"vgc-{code}", "Area (interval)",
        ),
        f"{name}: visual grading characteristics against {reference}, mean curve of the readers. A "
        f"curve above the diagonal, and an area above 0.5, is of a method with higher ratings; "
        f"areas with {context.level} intervals for random {context.random}.",
        f"VGC curves of the methods against {reference} in {name}",
    )  # fmt: skip


def roc(context: ReportContext, found: RocResults, code: str, name: str) -> Figure | None:
    """ROC curves of the methods; None without areas."""
    panel = score_panel(context.data, context.question(code))
    if found.areas is None or panel is None:
        return None
    curves = [
        plots.AreaCurve(
            context.method(one.name), *roc_curve(context.data, panel, one.name), _written(one)
        )
        for one in found.areas.methods
    ]
    return Figure(
        plots.area_curves(
            curves, ("False-positive fraction", "True-positive fraction"), f"roc-{code}",
            "Area (interval)",
        ),
        f"{name}: receiver operating characteristic against the truth of {found.positive} positive "
        f"and {found.negative} negative cases, mean curve of the readers; areas with "
        f"{context.level} intervals for random {context.random} (Obuchowski–Rockette).",
        f"ROC curves of the methods in {name}",
    )  # fmt: skip


def method_limits(
    context: ReportContext, found: Sequence[BlandAltman], code: str, name: str
) -> Figure | None:
    """Bland-Altman plots of every method with the reference; None without two readings."""
    readings = method_readings(context.data, context.question(code))
    panels = [
        _panel(context.pair(two.first, two.second, "−"), two, limit)
        for two, limit in zip(readings, found, strict=True)
        if len(two.complete)
    ]
    if not panels:
        return None
    reference = context.method(found[0].second)
    return Figure(
        plots.difference_panels(panels, (f"Mean of both, {name}", "Difference"), f"limits-{code}"),
        f"{name}: Bland–Altman plots of each method with {reference}; a dot is a case, by the mean "
        f"of the readers who measured it with both. {_legend(context)}{context.names}",
        f"Differences of each method from {reference} in {name}",
    )


def repeat_limits(
    context: ReportContext, found: BlandAltman | None, code: str, name: str
) -> Figure | None:
    """Bland-Altman plot of hidden repeats of all readers; None without repeats."""
    readings = repeat_readings(context.data, context.question(code))
    if found is None or readings is None:
        return None
    panel = _panel(f"{SECOND} − {FIRST}".capitalize(), readings, found)
    return Figure(
        plots.difference_panels(
            [panel], (f"Mean of both readings, {name}", "Second − first"), f"repeats-{code}"
        ),
        f"{name}: hidden repeats of all readers against the first reading. Larger dots are several "
        f"readings. {_legend(context)}",
        f"Differences of repeated readings in {name}",
    )


def _legend(context: ReportContext) -> str:
    return (
        "Lines: bias and limits of agreement (bias ± 1.96 SD); bands: their "
        f"{context.level} intervals."
    )


def _panel(title: str, two: TwoReadings, found: BlandAltman) -> plots.DifferencePanel:
    values = two.complete
    return plots.DifferencePanel(title, values.mean(axis=1), values[:, 0] - values[:, 1], found)


def _row(label: str, estimate: Estimate, *, share: bool = False) -> plots.ForestRow:
    """A row with the bootstrap interval where there is one."""
    ends: Estimate | Interval = estimate.bootstrap or estimate
    return plots.ForestRow(
        label, estimate.value, ends.low, ends.high, _written(estimate, share=share)
    )


def _written(estimate: Estimate, *, share: bool = False) -> str:
    """A value with its interval, in a line."""
    if estimate.value is None:
        return DASH
    ends = limits(estimate.bootstrap or estimate, share=share)
    value = percent(estimate.value) if share else decimal(estimate.value)
    return f"{value} ({ends})" if ends else value
