"""Sessions of browser tabs and the state of their runs."""

import math
import time
from pathlib import Path

import numpy as np
import pytest

from enhancers.compare import Event, Request, compare
from enhancers.image import from_array
from enhancers.metrics import ScoreRow, score, to_csv
from enhancers.ui import render
from enhancers.ui.metrics_table import metrics_html
from enhancers.ui.session import INPUT
from enhancers.ui.sessions import Sessions
from tests.support.compare_page import IMAGE, queued_event, run_of, states, step

OTHER = from_array(np.zeros((16, 16), np.float32))


def test_a_run_advances_stops_and_forgets_its_previews():
    session = run_of("srad", "clahe", "tv")
    run = session.run
    assert states(run) == ["running", "waiting", "waiting"]
    for event in compare(IMAGE, [Request("srad")]):
        run.apply(event)
    assert states(run) == ["done", "running", "waiting"]
    run.apply(Event(1, "clahe", step(preview=IMAGE.pixels)))
    assert run.methods[1].pixels is IMAGE.pixels
    run.stop()
    assert states(run) == ["done", "stopped", "stopped"]
    assert run.methods[1].pixels is None
    run.apply(Event(1, "clahe", step(0.9)))
    assert run.methods[1].state == "stopped"
    assert not run.active
    assert [key for key, _, _ in session.panels()] == [INPUT, "srad"]


def test_a_failed_method_lets_the_next_one_begin():
    run = run_of("srad", "clahe").run
    run.apply(Event(0, "srad", step(1.0), error="It <broke>."))
    assert states(run) == ["failed", "running"]


def test_sessions_are_few_and_found_by_token_only():
    sessions = Sessions(capacity=3)
    made = [sessions.get(str(number)) for number in range(5)]
    assert len(sessions) == 3
    assert sessions.get("4") is made[4]
    assert sessions.by_token(made[4].token) is made[4]
    assert sessions.by_token(made[0].token) is None
    sessions.remove("4")
    assert sessions.by_token(made[4].token) is None
    assert len({session.token for session in made}) == 5


def test_what_still_runs_when_a_tab_is_closed_leaves_no_session_behind(monkeypatch):
    sessions = Sessions()
    sessions.get("tab")
    sessions.remove("tab")
    late = sessions.get("tab")
    assert len(sessions) == 0
    assert sessions.by_token(late.token) is None
    monkeypatch.setattr("enhancers.ui.sessions.LATE_EVENT_SECONDS", 0.0)
    assert sessions.get("tab") is sessions.get("tab")


def test_a_page_that_is_loaded_anew_goes_on_with_image_results_and_settings():
    sessions = Sessions()
    before = sessions.get("before")
    before.open(IMAGE, "slice", Path("slice.png"))
    before.start(run_of("srad", "clahe").run)
    for event in compare(IMAGE, [Request("srad")]):
        before.run.apply(event)
    before.set_settings({"srad": True, "seed": 7})
    before.view = "Metrics"
    sessions.remove("before")
    assert sessions.resume("after", before.token)
    after = sessions.get("after")
    assert after.image is IMAGE
    assert (after.name, after.view, after.settings["seed"]) == ("slice", "Metrics", 7)
    assert states(after.run) == ["done", "stopped"]
    assert states(before.run)[0] == "done"
    assert after.token != before.token
    # The page goes on with a session of its own, and every name is of one page only.
    after.replace_image(OTHER)
    assert before.image is IMAGE
    assert not sessions.resume("third", "")
    assert not sessions.resume("third", "0" * 32)


def test_a_duplicated_tab_has_its_own_copy_and_an_image_chosen_meanwhile_stays():
    sessions = Sessions()
    first = sessions.get("first")
    first.open(IMAGE, "slice", Path("slice.png"))
    assert sessions.resume("second", first.token)
    sessions.get("second").replace_image(OTHER)
    assert first.image is IMAGE
    third = sessions.get("third")
    third.open(OTHER, "other", Path("other.png"))
    assert not sessions.resume("third", first.token)
    assert third.image is OTHER


def test_what_was_left_is_forgotten_after_a_while(monkeypatch):
    monkeypatch.setattr("enhancers.ui.sessions.KEPT_SESSIONS", 2)
    sessions = Sessions()
    left = [sessions.get(str(number)) for number in range(3)]
    for number, session in enumerate(left):
        session.replace_image(IMAGE)
        sessions.remove(str(number))
    assert [sessions.resume(f"new {n}", one.token) for n, one in enumerate(left)] == [
        False, True, True,
    ]  # fmt: skip
    monkeypatch.setattr("enhancers.ui.sessions.KEPT_SECONDS", 0.01)
    gone = sessions.get("gone")
    gone.replace_image(IMAGE)
    sessions.remove("gone")
    time.sleep(0.1)
    assert not sessions.resume("later", gone.token)


def test_another_image_clears_results_and_measures():
    session = run_of("srad")
    session.set_truth(IMAGE.pixels, None, "uploaded")
    session.scores["input"] = ScoreRow("input", ())
    session.replace_image(IMAGE)
    assert session.run is None
    assert session.truth is None
    assert session.scores == {}


def test_a_large_image_is_measured_at_a_reduced_size_and_the_table_says_so(monkeypatch):
    monkeypatch.setattr("enhancers.metrics.large_images.MEASURED_PIXELS", 32 * 40)
    session = run_of("srad")
    for event in compare(IMAGE, [Request("srad")]):
        session.run.apply(event)
    session.set_truth(IMAGE.pixels, None, "uploaded")
    assert session.score_shrink == 1
    monkeypatch.setattr("enhancers.metrics.large_images.MEASURED_PIXELS", 32 * 40 - 1)
    assert session.score_shrink == 3
    monkeypatch.setattr("enhancers.ui.session.Session.score_shrink", 2)
    rows = session.compute_scores()
    smaller = IMAGE.pixels.reshape(16, 2, 20, 2).mean((1, 3)).clip(0, 1)
    [wanted] = score(smaller.astype(np.float32), keys=["entropy"])
    found = {each.key: each for each in rows[0].scores}
    assert found["entropy"].value == pytest.approx(wanted.value, abs=0.02)
    assert found["psnr"].value == math.inf
    labels = [row.name for row in rows]
    assert "Measured at 1/2 of the size" in metrics_html(rows, labels, "", session.score_shrink)
    assert "; at 1/2 of the size" in to_csv(rows, shrink=2)


def test_stop_while_in_line_is_a_stopped_run():
    session = run_of("srad", "clahe")
    session.run.apply(queued_event(3, 10.0))
    assert session.run.methods[0].state == "queued"
    assert session.run.wait.ahead == 3
    session.run.stop()
    assert session.run.wait is None
    assert states(session.run) == ["stopped", "stopped"]
    assert "in-line" not in render.progress_html(session, "base/")
