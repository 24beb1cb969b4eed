"""The metrics table as HTML."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from enhancers.metrics import METRICS, Metric, Score, ScoreRow
from enhancers.ui.html import fill

_TITLES = {
    "full": "Full reference, against the ground truth",
    "input": "Against the input",
    "none": "No reference",
}


def metrics_html(
    rows: Sequence[ScoreRow], labels: Sequence[str], truth: str, shrink: int = 1
) -> str:
    """A row per metric and a column per image, the best of each row in bold.

    The input competes: where no method improves on it, it is the one in bold.

    Parameters
    ----------
    rows : sequence of ScoreRow
        The input's first; each holds every metric, in the order of `METRICS`.
    labels : sequence of str
        The columns' titles.
    truth : str
        Where the ground truth comes from; empty where there is none.
    shrink : int
        The factor by which the sides of the images were reduced before.
    """
    note = f" ({truth})" if truth else " (none given, so these are not computed)"
    groups = [
        {
            "title": title + (note if kind == "full" else ""),
            "rows": [
                _row(metric, [row.scores[index] for row in rows])
                for index, metric in enumerate(METRICS)
                if metric.reference == kind
            ],
        }
        for kind, title in _TITLES.items()
    ]
    return fill("metrics.html", labels=labels, groups=groups, shrink=shrink)


def _row(metric: Metric, scores: Sequence[Score]) -> dict[str, Any]:
    """The cells of a metric, or the reason where no image has it and the reason is the same."""
    best = metric.best(score.value for score in scores if score.value is not None)
    reasons = {score.reason for score in scores}
    cells = [{"score": score, "best": best is not None and score.value == best} for score in scores]
    reason = reasons.pop() if len(reasons) == 1 else ""
    return {"metric": metric, "cells": cells, "reason": reason}
