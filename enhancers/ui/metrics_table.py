"""The metrics table as HTML."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

from enhancers.metrics import METRICS, Metric, ScoreRow

_TITLES = {
    "full": "Against the truth",
    "input": "Against the input",
    "none": "Without a reference",
}


def metrics_html(rows: Sequence[ScoreRow], labels: Sequence[str], truth: str) -> str:
    """A line a metric and a column an image, the best of each line in bold.

    Parameters
    ----------
    rows : sequence of ScoreRow
        The input's first; each holds every metric, in the order of `METRICS`.
    labels : sequence of str
        The columns' titles.
    truth : str
        What the truth is; empty when there is none.
    """
    head = "".join(f'<th scope="col">{escape(label)}</th>' for label in labels)
    body = []
    for kind, title in _TITLES.items():
        note = ""
        if kind == "full":
            note = f": {truth}" if truth else ": none given, so these are not computed"
        body.append(
            f'<tr class="group"><th colspan="{len(labels) + 3}" scope="colgroup">'
            f"{title}{escape(note)}</th></tr>"
        )
        body += [
            _line(metric, rows, index)
            for index, metric in enumerate(METRICS)
            if metric.reference == kind
        ]
    return (
        '<div class="metrics"><table><thead><tr><th scope="col">Metric</th>'
        f'{head}<th scope="col">Implementation</th><th scope="col">Data range</th></tr></thead>'
        f"<tbody>{''.join(body)}</tbody></table>"
        "<p>↑ larger is better, ↓ smaller is better; the best result of a line is bold. A number "
        "is comparable only with one from the same implementation and data range. Metrics without "
        "a truth were made for photographs and are not validated for diagnosis.</p></div>"
    )


def _line(metric: Metric, rows: Sequence[ScoreRow], index: int) -> str:
    values = [row.scores[index].value for row in rows]
    # The input is shown for comparison; "best" is among the methods.
    known = [value for value in values[1:] if value is not None]
    best = (max if metric.direction == "up" else min)(known) if len(known) > 1 else None
    cells = []
    reasons = {row.scores[index].reason for row in rows}
    if len(reasons) == 1 and any(reasons):
        cells.append(f'<td class="reason" colspan="{len(rows)}">{escape(reasons.pop())}</td>')
    else:
        for position, row in enumerate(rows):
            score = row.scores[index]
            strong = position > 0 and best is not None and score.value == best
            if score.value is None:
                cells.append(f'<td class="reason" title="{escape(score.reason)}">n/a</td>')
            else:
                cells.append(f'<td class="{"best" if strong else ""}">{escape(score.text)}</td>')
    return (
        f'<tr data-metric="{metric.key}"><th scope="row" title="{escape(metric.note)}">'
        f'{escape(metric.label)} <span class="arrow" aria-label="'
        f'{"larger" if metric.direction == "up" else "smaller"} is better">{metric.arrow}</span>'
        f"</th>{''.join(cells)}<td class='small'>{escape(metric.implementation)}</td>"
        f"<td class='small'>{escape(metric.data_range)}</td></tr>"
    )
