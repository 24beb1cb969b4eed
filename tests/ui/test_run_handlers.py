"""Handlers that start, follow and stop a run."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from enhancers.compare import Event, Request, compare
from enhancers.image import from_array
from enhancers.ui import run_handlers
from tests.support.compare_page import IMAGE, field_values, queued_event, step


def press_run(handlers, **values):
    """What a click on Run does: its first answer is not part of the run's updates."""
    handlers.run_handlers.queue(handlers.request)
    return handlers.run_handlers.run(handlers.request, **values)


def test_run_draws_every_method_and_ends_with_free_buttons(handlers):
    handlers.sessions.get("tab").replace_image(IMAGE)
    drawn = list(press_run(handlers, **field_values("srad", "clahe")))
    last = drawn[-1]
    assert [panel["key"] for panel in last[handlers.layout.viewer]["panels"]] == [
        "input",
        "srad",
        "clahe",
    ]
    assert last[handlers.layout.run]["interactive"]
    assert not last[handlers.layout.stop]["interactive"]
    assert not drawn[0][handlers.layout.run]["interactive"]
    assert drawn[0][handlers.layout.stop]["interactive"]


def test_closing_a_run_closes_the_methods(handlers, monkeypatch):
    closed = []

    def endless(*_, **__):
        try:
            while True:
                yield Event(0, "srad", step(preview=IMAGE.pixels))
        finally:
            closed.append(True)

    monkeypatch.setattr(run_handlers, "compare", endless)
    session = handlers.sessions.get("tab")
    session.replace_image(IMAGE)
    events = press_run(handlers, **field_values("srad"))
    for _ in range(3):
        next(events)
    events.close()
    assert closed == [True]
    assert session.run.methods[0].state == "stopped"


def test_stop_ends_the_stream_even_when_the_cancel_is_lost(handlers, monkeypatch):
    def endless(*_, **__):
        while True:
            yield Event(0, "srad", step(preview=IMAGE.pixels))

    monkeypatch.setattr(run_handlers, "compare", endless)
    handlers.sessions.get("tab").replace_image(IMAGE)
    events = press_run(handlers, **field_values("srad"))
    next(events)
    next(events)
    handlers.run_handlers.stop(handlers.request)
    assert len(list(events)) <= 1


def test_a_run_in_line_shows_its_place_and_time_and_draws_only_what_changes(handlers, monkeypatch):
    queued = [
        queued_event(2, 35.2),
        queued_event(2, 34.9),
        queued_event(2, 33.0),
        queued_event(1, None),
    ]
    finished = list(compare(IMAGE, [Request("srad")]))[-1]
    monkeypatch.setattr(run_handlers, "compare", lambda *_, **__: (e for e in [*queued, finished]))
    session = handlers.sessions.get("tab")
    session.replace_image(IMAGE)
    page = handlers.layout
    _, first, second, third, *rest = press_run(handlers, **field_values("srad"))
    assert "2 runs ahead of yours" in first[page.progress]
    assert "starts in about 35 s" in first[page.progress]
    assert first[page.progress].count("<i></i>") == 2
    assert "Waiting for the CPU." in first[page.estimate]
    assert first[page.stop]["interactive"]
    assert page.viewer in first
    assert "about 33 s" in second[page.progress]
    assert page.viewer not in second
    assert "1 run ahead of yours" in third[page.progress]
    assert "starts in" not in third[page.progress]
    assert "Running." in rest[0][page.estimate]
    assert "in-line" not in rest[0][page.progress]
    assert rest[-1][page.run]["interactive"]
    assert session.run.methods[0].state == "done"


def test_an_image_that_replaces_the_running_one_is_not_drawn_over(handlers, monkeypatch):
    session = handlers.sessions.get("tab")

    def replaced(*_, **__):
        yield queued_event(1, 5.0)
        session.replace_image(IMAGE)
        yield queued_event(1, 4.0)

    monkeypatch.setattr(run_handlers, "compare", replaced)
    session.replace_image(IMAGE)
    last = list(press_run(handlers, **field_values("srad")))[-1]
    assert last == handlers.run_handlers.updates.unchanged()


@pytest.mark.parametrize(
    ("chosen", "edited", "says"),
    [
        ((), {}, "No method is selected"),
        (("srad",), {"seed": -3}, "seed is -3"),
        (("srad",), {"seed": None}, "seed"),
        (("srad",), {"srad__steps": "many"}, "SRAD: steps=many"),
    ],
)
def test_what_cannot_run_is_said_and_nothing_starts(handlers, chosen, edited, says):
    session = handlers.sessions.get("tab")
    session.replace_image(IMAGE)
    (updates,) = list(press_run(handlers, **field_values(*chosen, **edited)))
    assert says in updates[handlers.layout.notice]
    assert session.run is None


def test_a_large_image_needs_a_confirmation_for_diffusion_only(handlers):
    large = from_array(np.zeros((1025, 1025), np.float32))
    handlers.sessions.get("tab").replace_image(large)
    (updates,) = list(press_run(handlers, **field_values("null_space")))
    assert "1024 x 1024" in updates[handlers.layout.notice]
    first = next(press_run(handlers, **field_values("clahe")))
    assert handlers.layout.viewer in first


def test_another_image_cancels_a_run_that_was_pressed_before(handlers):
    session = handlers.sessions.get("tab")
    session.replace_image(IMAGE)
    page = handlers.layout
    events = press_run(handlers, **field_values("srad"))
    session.replace_image(from_array(np.zeros((16, 16), np.float32)))
    first, last = events
    assert first[page.run]["interactive"]
    assert not first[page.stop]["interactive"]
    assert "Starting" not in first[page.estimate]
    assert last == handlers.run_handlers.updates.unchanged()
    assert session.run is None


def test_run_waits_for_the_image_that_was_chosen_before_it(handlers):
    session = handlers.sessions.get("tab")
    session.replace_image(IMAGE)
    other = from_array(np.ones((16, 16), np.float32))
    with ThreadPoolExecutor(1) as pool:
        with session.changes.change(file=True) as number:
            events = press_run(handlers, **field_values("clahe"))
            first = pool.submit(next, events)
            with pytest.raises(TimeoutError):
                first.result(0.2)
            session.open(other, "other", Path("other.png"), change=number)
        assert handlers.layout.viewer in first.result(30)
    assert session.run is not None
    assert session.run.image is other
    events.close()


def test_another_image_takes_the_confirmation_away(handlers):
    session, page = handlers.sessions.get("tab"), handlers.layout
    session.replace_image(IMAGE)
    shown = handlers.run_handlers.updates.image(session)
    assert shown[page.confirm]["visible"] is False
    assert shown[page.confirm]["value"] is False


def test_a_run_that_needs_a_confirmation_shows_where_to_give_it(handlers):
    large = from_array(np.zeros((1025, 1025), np.float32))
    handlers.sessions.get("tab").replace_image(large)
    (updates,) = press_run(handlers, **field_values("null_space"))
    assert updates[handlers.layout.confirm]["visible"] is True
