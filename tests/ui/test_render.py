"""Texts and HTML of the page."""

from types import SimpleNamespace

import pytest

from enhancers.compare import Event
from enhancers.method_interface import UNCHANGED, Figure, Result
from enhancers.metrics import METRICS, Score, ScoreRow
from enhancers.ui import render
from enhancers.ui.metrics_table import metrics_html
from enhancers.ui.render import Notice
from tests.support.compare_page import IMAGE, queued_event, run_of, step


def test_many_ahead_are_counted_and_not_all_drawn():
    session = run_of("srad")
    session.run.apply(queued_event(40, 4000.0))
    html = render.progress_html(session, "base/")
    assert html.count("<i></i>") == render.MAX_QUEUE_DOTS
    assert "40 runs ahead" in html
    assert "about 67 min" in html


def test_a_time_that_is_not_known_is_not_called_seconds():
    assert render.estimate_text(1, 0.2) == "1 method · under 1 s"
    assert render.estimate_text(2, 12.3) == "2 methods · about 12 s"
    assert "not known" in render.estimate_text(2, 3.0, unknown=True)


def test_texts_from_outside_are_escaped():
    hostile = "<img src=x onerror=alert(1)>"
    session = run_of("srad")
    session.name = hostile
    session.run.apply(Event(0, "srad", step(1.0), error=hostile))
    for html in (
        render.notice_html(Notice("error", (hostile,))),
        render.facts_html(session),
        render.progress_html(session, "base/"),
        render.header_html(hostile, [("pixel", False)]),
        metrics_html([row(hostile)], [hostile], hostile),
    ):
        assert "<img" not in html


def row(reason, value=None):
    return ScoreRow("x", tuple(Score(metric.key, value, reason) for metric in METRICS))


def test_the_best_of_a_line_is_bold_and_the_untouched_input_competes():
    html = metrics_html([row("", 9.0), row("", 1.0), row("", 2.0)], ["Input", "A", "B"], "clean")
    line = {
        key: html.split(f'data-metric="{key}"')[1].split("</tr>")[0]
        for key in ("psnr", "nmse", "entropy")
    }
    assert '<td class="best">9</td>' in line["psnr"]
    assert '<td class="best">1</td>' in line["nmse"]
    assert "arrow" not in line["entropy"]
    assert "best" not in line["entropy"]


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.2, "under 1 s"), (12.4, "12 s"), (240.0, "4 min"), (7200.0, "2.0 h")],
)
def test_durations_are_as_precise_as_an_estimate(seconds, text):
    assert render.seconds_text(seconds) == text


def test_a_caption_tells_step_and_seconds_left():
    method = run_of("srad").run.methods[0].updated(Event(0, "srad", step()))
    assert render.method_caption(method) == "step 5 of 10 · 3 s left"
    result = Result(IMAGE.pixels, (Figure("q0", "Speckle q0", 0.123456),))
    outcome = SimpleNamespace(result=result)
    done = method.updated(Event(0, "srad", step(1.0), seconds=2.0, outcome=outcome))
    assert render.figures_text(done) == "Speckle q0 0.123"
    assert render.method_caption(done) == render.method_state(done) == "2 s"
    change = Figure("network_rms", "Change by the network (RMS)", 0.634, "gray levels")
    hybrid = SimpleNamespace(result=Result(IMAGE.pixels, (change,)))
    changed = method.updated(Event(0, "srad", step(1.0), seconds=2.0, outcome=hybrid))
    assert render.method_state(changed) == "2 s · network changed 0.63 gray levels"
    idle = Result(IMAGE.pixels, result.figures, notes=("No noise was found.", UNCHANGED))
    event = Event(0, "srad", step(1.0), seconds=2.0, outcome=SimpleNamespace(result=idle))
    session = run_of("srad")
    session.run.apply(event)
    assert render.method_caption(session.run.methods[0]) == "unchanged"
    told = f'title="Speckle q0 0.123. No noise was found. {UNCHANGED}"'
    assert told in render.progress_html(session, "base/")
