"""The files of a run: rows, means and comparisons as CSV and Parquet, and a page as Markdown.

Times are in separate files, so that all others have the same bytes on every run.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from enhancers.evaluation.measures import available, measure
from enhancers.evaluation.problem import TestImage
from enhancers.evaluation.protocol import Condition, Protocol
from enhancers.evaluation.statistics import Interval
from enhancers.evaluation.store import ResultRow
from enhancers.evaluation.summary import ALL, Comparison, Summary, SummaryLine
from enhancers.metrics.catalog import best

if TYPE_CHECKING:
    import pandas as pd

COMPARED = 5
"""Number of measures whose comparisons are on the page; ``paired.csv`` has all."""
READING = (
    "Means ± standard deviation over images; a method with several seeds counts with its mean "
    "over them. p values are Holm's, for all comparisons of one measure in one condition. "
    "Images of one subject are not independent: an interval over subjects heeds that, the "
    "tests and the interval over images do not. Filters stand at their best strengths for the "
    "set."
)
"""An explanation of the tables."""


def write(
    folder: Path, rows: Sequence[ResultRow], summary: Summary, cases: Sequence[TestImage]
) -> None:
    """Write all tables of a run into ``folder``."""
    folder.mkdir(parents=True, exist_ok=True)
    frame = row_frame(rows, summary.protocol)
    _csv(frame, folder / "rows.csv")
    frame.to_parquet(folder / "rows.parquet", index=False)
    _csv(line_frame(summary.lines), folder / "summary.csv")
    _csv(comparison_frame(summary.comparisons), folder / "paired.csv")
    _csv(time_frame(rows), folder / "times.csv")
    page = as_markdown(summary, cases, rows)
    (folder / "summary.md").write_text(page, encoding="utf-8")
    (folder / "times.md").write_text(times_markdown(rows, summary), encoding="utf-8")


def _csv(frame: pd.DataFrame, path: Path) -> None:
    frame.to_csv(path, index=False, lineterminator="\n")


def row_frame(rows: Sequence[ResultRow], protocol: Protocol) -> pd.DataFrame:
    """A line for each row: method, image, every measure, network calls."""
    import pandas as pd

    columns: dict[str, list[object]] = {
        name: [getattr(row, name) for row in rows]
        for name in ("condition", "case", "group", "subject", "level", "candidate", "label", "seed")
    }
    for key in protocol.measures:
        columns[key] = [row.measured.scores.get(key) for row in rows]
    columns["calls"] = [row.measured.calls for row in rows]
    columns["error"] = [row.error for row in rows]
    frame = pd.DataFrame(columns)
    return frame.astype(dict.fromkeys(protocol.measures, "float64"))


def line_frame(lines: Sequence[SummaryLine]) -> pd.DataFrame:
    """A line for each mean."""
    import pandas as pd

    names = ("condition", "group", "candidate", "label", "measure", "mean", "sd", "seed_sd",
             "images", "subjects", "calls", "shown")  # fmt: skip
    return pd.DataFrame({name: [getattr(line, name) for line in lines] for name in names})


def comparison_frame(comparisons: Sequence[Comparison]) -> pd.DataFrame:
    """A line for each comparison, subject minus rival."""
    import pandas as pd

    columns: dict[str, Callable[[Comparison], object]] = {
        "condition": lambda one: one.condition,
        "subject": lambda one: one.subject,
        "rival": lambda one: one.rival,
        "measure": lambda one: one.measure,
        "difference": lambda one: one.paired.by_image.mean,
        "low": lambda one: one.paired.by_image.low,
        "high": lambda one: one.paired.by_image.high,
        "low_by_subject": lambda one: one.paired.by_subject.low,
        "high_by_subject": lambda one: one.paired.by_subject.high,
        "p_wilcoxon": lambda one: one.paired.wilcoxon,
        "p_wilcoxon_holm": lambda one: one.wilcoxon,
        "p_t": lambda one: one.paired.by_image.p,
        "p_t_holm": lambda one: one.t_test,
        "wins": lambda one: one.wins,
        "losses": lambda one: one.losses,
        "images": lambda one: one.paired.images,
        "subjects": lambda one: one.paired.subjects,
    }
    return pd.DataFrame({name: [of(one) for one in comparisons] for name, of in columns.items()})


def time_frame(rows: Sequence[ResultRow]) -> pd.DataFrame:
    """Wall time in seconds of every row when it was computed."""
    import pandas as pd

    names = ("condition", "case", "candidate", "seed")
    columns: dict[str, list[object]] = {name: [getattr(r, name) for r in rows] for name in names}
    return pd.DataFrame({**columns, "seconds": [row.measured.seconds for row in rows]})


def as_markdown(summary: Summary, cases: Sequence[TestImage], rows: Sequence[ResultRow]) -> str:
    """The page: for every condition the means, the means by group and the comparisons."""
    protocol = summary.protocol
    lines = [f"# {protocol.title} (`{protocol.key}`)", "", f"Source: {protocol.source}.", ""]
    lines += [_material(cases), ""]
    for condition in protocol.conditions:
        shown = summary.of(condition.key)
        if shown:
            lines += [f"## {condition.label}", "", *means_table(shown, protocol), ""]
            lines += group_table(summary, condition)
            lines += comparison_table(summary, condition, protocol.measures[:COMPARED])
    failed = [row for row in rows if row.error]
    if failed:
        lines += ["## Not measured", ""]
        lines += [f"- {row.condition}, {row.case}, {row.candidate}: {row.error}" for row in failed]
        lines.append("")
    lines += _legend(protocol)
    return "\n".join(lines)


def _material(cases: Sequence[TestImage]) -> str:
    groups: dict[str, list[TestImage]] = {}
    for case in cases:
        groups.setdefault(case.group, []).append(case)
    parts = [
        f"{len(own)} {group} of {len({case.subject for case in own})}"
        for group, own in groups.items()
    ]
    ending = " Means are unweighted over these groups." if len(groups) > 1 else ""
    return f"Images (of so many subjects): {', '.join(parts)}.{ending}"


def means_table(
    shown: Sequence[SummaryLine], protocol: Protocol, seconds: Mapping[str, float] | None = None
) -> list[str]:
    """Mean ± SD of every method and measure, the best in bold.

    ``seconds`` by method, where given, are added as a column.
    """
    keys = [key for key in protocol.measures if any(line.measure == key for line in shown)]
    heads = [measure(key).heading for key in keys]
    heads += ["calls"] + ["seconds"] * (seconds is not None)
    lines = ["| | " + " | ".join(heads) + " |", "|---" * (len(heads) + 1) + "|"]
    marked = {key: _best(shown, key) for key in keys}
    for candidate in dict.fromkeys(line.candidate for line in shown):
        own = {line.measure: line for line in shown if line.candidate == candidate}
        cells = [_cell(own.get(key), marked[key]) for key in keys]
        first = next(iter(own.values()))
        cells.append(f"{first.calls:.4g}")
        if seconds is not None:
            cells.append(f"{seconds[candidate]:.2g}" if candidate in seconds else "")
        lines.append(f"| {first.label} | " + " | ".join(cells) + " |")
    return lines


def _best(shown: Sequence[SummaryLine], key: str) -> float | None:
    return best(measure(key).direction, (line.mean for line in shown if line.measure == key))


def _cell(line: SummaryLine | None, best: float | None) -> str:
    if line is None:
        return ""
    mean = number(line.mean, line.measure)
    if best is not None and mean == number(best, line.measure):
        mean = f"**{mean}**"
    return mean if line.sd is None else f"{mean} ± {number(line.sd, line.measure)}"


def group_table(summary: Summary, condition: Condition) -> list[str]:
    """The means of the first two measures by group; empty where there is one group."""
    here = [line for line in summary.lines if line.condition == condition.key and line.shown]
    groups = [group for group in dict.fromkeys(line.group for line in here) if group != ALL]
    if not groups:
        return []
    found = {line.measure for line in here}
    keys = [key for key in summary.protocol.measures if key in found][:2]
    heads = [f"{group}: {measure(key).label}" for group in groups for key in keys]
    lines = ["| by group | " + " | ".join(heads) + " |", "|---" * (len(heads) + 1) + "|"]
    for candidate in dict.fromkeys(line.candidate for line in here):
        own = {(line.group, line.measure): line for line in here if line.candidate == candidate}
        cells = [
            number(own[place].mean, place[1]) if place in own else ""
            for place in ((group, key) for group in groups for key in keys)
        ]
        label = next(iter(own.values())).label
        lines.append(f"| {label} | " + " | ".join(cells) + " |")
    return [*lines, ""]


def comparison_table(summary: Summary, condition: Condition, keys: Sequence[str]) -> list[str]:
    """The subject against every rival in the measures ``keys``; empty where there is none."""
    found = [
        one
        for one in summary.comparisons
        if (one.condition, one.subject) == (condition.key, summary.subject) and one.measure in keys
    ]
    if not found:
        return []
    subject = next(line.label for line in summary.lines if line.candidate == found[0].subject)
    # The two intervals are the same where every subject has one image.
    both = any(one.paired.subjects < one.paired.images for one in found)
    heads = [f"{subject} minus", "measure", "difference", "95 % over images"]
    heads += ["95 % over subjects"] * both + ["Wilcoxon", "t test", "better, worse"]
    lines = [f"| {' | '.join(heads)} |", "|---" * len(heads) + "|"]
    for one in found:
        paired, key = one.paired, one.measure
        cells = [one.label, measure(key).label, signed(paired.by_image.mean, key)]
        cells.append(interval(paired.by_image, key))
        cells += [interval(paired.by_subject, key)] * both
        cells += [_p(one.wilcoxon), _p(one.t_test), f"{one.wins}, {one.losses}"]
        lines.append(f"| {' | '.join(cells)} |")
    return [*lines, ""]


def _legend(protocol: Protocol) -> list[str]:
    lines = [READING, ""]
    for key in protocol.measures:
        reason = available(key)
        missing = f" Not measured here: {reason}." if reason else ""
        lines.append(f"- {definition(key)}{missing}")
    return [*lines, ""]


def definition(key: str) -> str:
    """The definition of a measure, in one line."""
    one = measure(key)
    return f"{one.heading}: {one.definition}. {one.note}".rstrip()


def times_markdown(rows: Sequence[ResultRow], summary: Summary) -> str:
    """Median wall time of each method that the summary shows."""
    lines = ["| | runs | median, s | longest, s | calls |", "|---|---|---|---|---|"]
    for candidate in dict.fromkeys(line.candidate for line in summary.lines if line.shown):
        own = [row for row in rows if row.candidate == candidate and not row.error]
        seconds = [row.measured.seconds for row in own]
        calls = float(np.mean([row.measured.calls for row in own]))
        lines.append(
            f"| {own[0].label} | {len(own)} | {np.median(seconds):.3g} | {max(seconds):.3g} "
            f"| {calls:.4g} |"
        )
    return "\n".join(lines) + "\n"


def number(value: float, key: str) -> str:
    """A value of a measure with its usual number of digits."""
    if not math.isfinite(value):
        return str(value)
    return f"{value:.{_digits(key)}f}"


def signed(value: float, key: str) -> str:
    """A difference, with its sign."""
    return f"{value:+.{_digits(key)}f}"


def _digits(key: str) -> int:
    base = key.removesuffix("_fitted")
    if base in ("ssim", "ms_ssim", "vif", "nmse", "noise_left", "noise_frequency"):
        return 4
    return 1 if base in ("loe", "piqe", "brisque") else 2


def interval(found: Interval, key: str) -> str:
    """The ends of an interval with their signs, or that there are too few values."""
    if found.low is None or found.high is None:
        return "too few"
    return f"{signed(found.low, key)} to {signed(found.high, key)}"


def _p(value: float | None) -> str:
    if value is None:
        return ""
    return "< 0.001" if value < 0.001 else f"{value:.3f}"
