"""Plots of a run as PNG and SVG: scores, paired differences, quality by calls, noise spectra.

The same figures give the same bytes: files have no dates, and identifiers use a fixed salt.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from enhancers.evaluation.measures import measure
from enhancers.evaluation.pictures import failures
from enhancers.evaluation.protocol import Condition
from enhancers.evaluation.store import ResultRow
from enhancers.evaluation.summary import Comparison, Summary, SummaryLine

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

PANELS = 3
"""Largest number of measures in a figure."""
OURS, OTHERS, FAINT = "#0b6e99", "#5f6b73", "#b8c1c7"
STYLE: Any = {
    "font.size": 9.0,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "svg.hashsalt": "reading-room",
    "svg.fonttype": "path",
}
DPI = 150
NYQUIST = 0.5
"""Highest frequency of a noise spectrum, in cycles per pixel."""


def write(
    folder: Path, rows: Sequence[ResultRow], summary: Summary, pictures: Path | None = None
) -> list[Path]:
    """Draw every condition into ``folder`` and return the PNG files."""
    import matplotlib as mpl

    folder.mkdir(parents=True, exist_ok=True)
    found = []
    with mpl.rc_context(STYLE):
        for name, figure in figures(rows, summary, pictures):
            figure.savefig(folder / f"{name}.png", dpi=DPI, metadata={"Software": None})
            figure.savefig(folder / f"{name}.svg", metadata={"Date": None, "Creator": None})
            found.append(folder / f"{name}.png")
    return found


def figures(
    rows: Sequence[ResultRow], summary: Summary, pictures: Path | None = None
) -> Iterator[tuple[str, Figure]]:
    """Every figure of a run with its name, ``condition-kind``; to be used under `STYLE`."""
    for condition in summary.protocol.conditions:
        shown = summary.of(condition.key)
        if not shown:
            continue
        yield f"{condition.key}-scores", scores(condition, rows, shown, summary)
        compared = [one for one in summary.comparisons if one.condition == condition.key]
        if compared:
            yield f"{condition.key}-differences", differences(condition, compared, summary)
        if summary.protocol.against_calls:
            yield f"{condition.key}-calls", against_calls(condition, shown, summary)
        if summary.protocol.spectra:
            yield f"{condition.key}-spectra", spectra(condition, rows, shown)
        sheet = None if pictures is None else failures(pictures, condition.key, rows, summary)
        if sheet is not None:
            yield f"{condition.key}-worst", sheet


def scores(
    condition: Condition, rows: Sequence[ResultRow], shown: Sequence[SummaryLine], summary: Summary
) -> Figure:
    """The score of every image as a dot and the mean as a line, a row for each method."""
    keys = _first(shown, summary)
    names = list(dict.fromkeys(line.candidate for line in shown))
    labels = {line.candidate: line.label for line in shown}
    figure, panels = _panels(len(keys), len(names), condition.label)
    for panel, key in zip(panels, keys, strict=True):
        for place, name in enumerate(names):
            values = _by_image(rows, condition.key, name, key)
            colour = OURS if name == summary.subject else OTHERS
            # Dots are offset in a fixed order, so that equal values do not overlap.
            offsets = np.resize([0.0, 0.14, -0.14, 0.22, -0.22], len(values))
            panel.plot(values, place + offsets, "o", color=FAINT, markersize=3, zorder=1)
            mean = [line.mean for line in shown if line.candidate == name and line.measure == key]
            panel.plot(mean, [place] * len(mean), "|", color=colour, markersize=17,
                       markeredgewidth=2.4, zorder=2)  # fmt: skip
        _rows_of(panel, [labels[name] for name in names], first=panel is panels[0])
        panel.set_xlabel(measure(key).heading)
    return figure


def differences(condition: Condition, compared: Sequence[Comparison], summary: Summary) -> Figure:
    """Subject minus rival with 95 % intervals: thick over images, thin over subjects."""
    keys = [key for key in summary.protocol.measures if any(o.measure == key for o in compared)]
    keys = keys[:PANELS]
    rivals = list(dict.fromkeys(one.rival for one in compared))
    labels = {one.rival: one.label for one in compared}
    subject = next(line.label for line in summary.lines if line.candidate == compared[0].subject)
    figure, panels = _panels(len(keys), len(rivals), f"{condition.label}: {subject} minus")
    for panel, key in zip(panels, keys, strict=True):
        panel.axvline(0.0, color=FAINT, linewidth=1, zorder=0)
        for one in (one for one in compared if one.measure == key):
            place = rivals.index(one.rival)
            by_subject, by_image = one.paired.by_subject, one.paired.by_image
            for found, width in ((by_subject, 1.0), (by_image, 3.0)):
                if found.low is not None and found.high is not None:
                    panel.plot([found.low, found.high], [place, place], color=OURS,
                               linewidth=width, solid_capstyle="butt")  # fmt: skip
            panel.plot([by_image.mean], [place], "o", color=OURS, markersize=5)
        _rows_of(panel, [labels[name] for name in rivals], first=panel is panels[0])
        better = "right" if measure(key).direction == "up" else "left"
        panel.set_xlabel(f"difference in {measure(key).label}\n(better to the {better})")
    return figure


def against_calls(condition: Condition, shown: Sequence[SummaryLine], summary: Summary) -> Figure:
    """Mean quality against network calls, a line for each method."""
    keys = _first(shown, summary)
    figure, panels = _panels(len(keys), 6, condition.label)
    for panel, key in zip(panels, keys, strict=True):
        lines = [line for line in shown if line.measure == key and line.calls > 0]
        methods = list(dict.fromkeys(_method(line) for line in lines))
        for method, colour in zip(methods, np.resize([OURS, "#b3541e", "#4d7c3a"], len(methods)),
                                  strict=True):  # fmt: skip
            own = sorted((line.calls, line.mean) for line in lines if _method(line) == method)
            label = next(re.sub(r", steps \d+", "", line.label) for line in lines
                         if _method(line) == method)  # fmt: skip
            panel.plot(*zip(*own, strict=True), "o-", color=str(colour), label=label, markersize=4)
        panel.set_xscale("log")
        counts = sorted({line.calls for line in lines})
        panel.set_xticks(counts, [f"{calls:.3g}" for calls in counts])
        panel.minorticks_off()
        panel.set_xlabel("network calls")
        panel.set_ylabel(measure(key).heading)
    if panels:
        figure.legend(*panels[0].get_legend_handles_labels(), loc="outside lower center",
                      ncols=3, frameon=False, fontsize=8)  # fmt: skip
    return figure


def spectra(
    condition: Condition, rows: Sequence[ResultRow], shown: Sequence[SummaryLine]
) -> Figure:
    """The mean noise power of every method by frequency: how much noise is left, how coarse."""
    figure, [panel] = _panels(1, 8, condition.label)
    figure.set_size_inches(8.0, 4.0)
    labels = {line.candidate: line.label for line in shown}
    styles = ("-", "--", ":", "-.")
    for place, (candidate, label) in enumerate(labels.items()):
        found = [
            row.measured.spectrum
            for row in rows
            if row.condition == condition.key and row.candidate == candidate
        ]
        powers = [power for power in found if power]
        if powers:
            power = np.mean(powers, axis=0)
            frequencies = (np.arange(power.size) + 0.5) * NYQUIST / power.size
            panel.plot(frequencies, power, label=label, color=f"C{place}",
                       linestyle=styles[place % len(styles)], linewidth=1.4)  # fmt: skip
    panel.set_yscale("log")
    panel.set_xlabel("frequency (cycles per pixel)")
    panel.set_ylabel("noise power (gray levels² pixel²)")
    figure.legend(loc="outside right center", frameon=False, fontsize=8)
    return figure


def _method(line: SummaryLine) -> str:
    return line.candidate.split("@steps=")[0]


def _first(shown: Sequence[SummaryLine], summary: Summary) -> list[str]:
    """The first `PANELS` measures of the protocol that have values in this condition."""
    found = {line.measure for line in shown if np.isfinite(line.mean)}
    return [key for key in summary.protocol.measures if key in found][:PANELS]


def _by_image(rows: Sequence[ResultRow], condition: str, candidate: str, key: str) -> list[float]:
    """The mean over seeds for every image, in the order of the images."""
    values: dict[str, list[float]] = {}
    for row in rows:
        if row.condition == condition and row.candidate == candidate:
            value = row.measured.scores.get(key)
            if value is not None and np.isfinite(value):
                values.setdefault(row.case, []).append(value)
    return [float(np.mean(found)) for found in values.values()]


def _panels(columns: int, rows: int, title: str) -> tuple[Figure, list[Axes]]:
    from matplotlib.figure import Figure

    size = (2.2 + 2.7 * max(columns, 1), 1.3 + 0.34 * max(rows, 2))
    figure = Figure(figsize=size, layout="constrained")
    figure.suptitle(title, fontsize=10)
    axes = figure.subplots(1, max(columns, 1), squeeze=False)[0]
    return figure, list(axes)[:columns]


def _rows_of(panel: Axes, labels: Sequence[str], *, first: bool) -> None:
    panel.set_ylim(len(labels) - 0.5, -0.5)
    panel.set_yticks(range(len(labels)), labels if first else [""] * len(labels))
    panel.tick_params(axis="y", length=0)
