"""The metrics table as HTML."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from enhancers.metrics import METRICS, Metric, Score, ScoreRow
from enhancers.ui.html import fill

_TITLES = {
    "full": "Against the truth",
    "input": "Against the input",
    "none": "Without a reference",
}


def metrics_html(rows: Sequence[ScoreRow], labels: Sequence[str], truth: str) -> str:
    """A line per metric and a column per image, the best of each line in bold.

    Parameters
    ----------
    rows : sequence of ScoreRow
        The input's first; each holds every metric, in the order of `METRICS`.
    labels : sequence of str
        The columns' titles.
    truth : str
        What the truth is; empty when there is none.
    """
    note = f": {truth}" if truth else ": none given, so these are not computed"
    groups = [
        {
            "title": title + (note if kind == "full" else ""),
            "lines": [
                _line(metric, [row.scores[index] for row in rows])
                for index, metric in enumerate(METRICS)
                if metric.reference == kind
            ],
        }
        for kind, title in _TITLES.items()
    ]
    return fill("metrics.html", labels=labels, groups=groups)


def _line(metric: Metric, scores: Sequence[Score]) -> dict[str, Any]:
    """Cells of a metric; where all images lack it for one reason, that reason."""
    # The input is shown for comparison; "best" is among the methods.
    known = [score.value for score in scores[1:] if score.value is not None]
    best = (max if metric.direction == "up" else min)(known) if len(known) > 1 else None
    reasons = {score.reason for score in scores}
    cells = [
        {"score": score, "best": place > 0 and best is not None and score.value == best}
        for place, score in enumerate(scores)
    ]
    reason = reasons.pop() if len(reasons) == 1 else ""
    return {"metric": metric, "cells": cells, "reason": reason}
