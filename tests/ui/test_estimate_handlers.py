"""Handlers of the expected time."""

import re
import threading
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import replace

import numpy as np
import pytest

from enhancers.compare import expected_seconds
from enhancers.errors import ParameterError
from enhancers.image import from_array
from enhancers.job_queue import seconds_text
from enhancers.ui import estimate_handlers, requests
from tests.support.compare_page import IMAGE, field_values


def last(updates):
    """The last of a handler's updates."""
    *_, found = updates
    return found


@pytest.fixture
def slow_estimates(monkeypatch):
    """Estimates for an image of 32 rows last until the event is set; the seconds are its rows."""
    gate = threading.Event()
    gate.started = threading.Event()

    def estimate_seconds(image, *_):
        gate.started.set()
        assert image.shape[0] != 32 or gate.wait(30)
        return float(image.shape[0])

    monkeypatch.setattr(estimate_handlers, "estimate_seconds", estimate_seconds)
    monkeypatch.setattr(requests, "import_networks", lambda: None)
    monkeypatch.setattr(estimate_handlers.devices, "choose", lambda name: name)
    return gate


def test_a_late_estimate_of_another_image_is_dropped(handlers, slow_estimates):
    session = handlers.sessions.get("tab")
    session.replace_image(IMAGE)
    page, estimate = handlers.layout, handlers.estimate
    values = field_values("null_space")
    with ThreadPoolExecutor(1) as pool:
        late = pool.submit(last, estimate(None, handlers.request, **values))
        assert slow_estimates.started.wait(30)
        session.replace_image(from_array(np.zeros((16, 16), np.float32)))
        assert "about 16 s" in last(estimate(None, handlers.request, **values))[page.estimate]
        slow_estimates.set()
        assert late.result(30) == handlers.updates.unchanged()


def test_of_many_estimates_only_the_last_is_made(handlers, slow_estimates):
    handlers.sessions.get("tab").replace_image(IMAGE)
    page, estimate = handlers.layout, handlers.estimate
    made = [field_values("null_space", null_space__steps=str(20 + n)) for n in range(9)]
    with ThreadPoolExecutor(9) as pool:
        asked = [pool.submit(last, estimate(None, handlers.request, **values)) for values in made]
        given_up = as_completed(asked, 30)
        assert len({next(given_up) for _ in range(7)}) == 7
        slow_estimates.set()
        answers = [future.result(30) for future in asked]
    assert sum(page.confirm in answer for answer in answers) == 1


def test_an_emptied_field_of_a_classical_method_is_a_problem_of_the_estimate(handlers):
    handlers.sessions.get("tab").replace_image(IMAGE)
    values = field_values("clahe", clahe__tiles=None)
    updates = last(handlers.estimate(None, handlers.request, **values))
    assert "CLAHE: tiles has no automatic value" in updates[handlers.layout.estimate]


def test_an_emptied_number_is_called_empty(handlers, slow_estimates):
    handlers.sessions.get("tab").replace_image(IMAGE)
    slow_estimates.set()
    values = field_values("null_space", seeds=None)
    updates = last(handlers.estimate(None, handlers.request, **values))
    assert "Seeds to compare is empty; give" in updates[handlers.layout.estimate]
    with pytest.raises(ParameterError, match="The seed is empty; give"):
        requests.seed_number(None)


def test_settings_that_arrive_late_do_not_take_the_place_of_newer_ones(handlers, slow_estimates):
    session, page = handlers.sessions.get("tab"), handlers.layout
    session.replace_image(from_array(np.zeros((16, 16), np.float32)))
    newer, older = field_values("null_space", "clahe"), field_values("clahe")
    slow_estimates.set()
    assert "2 methods" in last(handlers.estimate(20.0, handlers.request, **newer))[page.estimate]
    late = last(handlers.estimate(10.0, handlers.request, **older))
    assert late == handlers.updates.unchanged()
    assert session.settings == newer


def test_times_stand_beside_the_classical_methods_before_any_run(handlers):
    large = from_array(np.random.default_rng(0).random((1024, 1024)).astype(np.float32))
    handlers.sessions.get("tab").replace_image(large)
    shown = last(handlers.estimate(None, handlers.request, **field_values("clahe")))
    for card in handlers.layout.cards:
        if card.method.family == "classical":
            seconds = expected_seconds(large, card.method.key)
            assert shown[card.chosen]["info"] == seconds_text(seconds)
            assert "value" not in shown[card.chosen]
    longer = field_values("clahe", nlm__search=31)
    again = last(handlers.estimate(None, handlers.request, **longer))
    nlm = next(card.chosen for card in handlers.layout.cards if card.method.key == "nlm")
    assert again[nlm] != shown[nlm]


def test_while_the_time_is_estimated_no_other_time_is_shown(handlers):
    handlers.sessions.get("tab").replace_image(IMAGE)
    first, *_ = handlers.estimate(None, handlers.request, **field_values("clahe"))
    assert "Estimating" in first[handlers.layout.estimate]


def test_the_depths_follow_the_chosen_methods_and_their_weights(handlers, slow_estimates):
    session, page = handlers.sessions.get("tab"), handlers.layout
    slow_estimates.set()

    def shown(*chosen, **fields):
        first, *_ = handlers.estimate(None, handlers.request, **field_values(*chosen, **fields))
        return first[page.depths]

    session.replace_image(replace(IMAGE, depths=np.stack([IMAGE.source] * 3)))
    assert shown("clahe")["visible"] is False
    strip = shown("morphology")["value"]
    assert strip.count("data:image/png") == 3
    assert re.findall(r"<span>(.*?)</span>", strip) == ["0.20", "0.47", "0.33"]
    weights = {f"morphology__weight_{place}": float(place == 1) for place in range(1, 6)}
    strip = shown("morphology", **weights)["value"]
    assert re.findall(r"<span>(.*?)</span>", strip) == ["1.00", "0.00", "0.00"]
    # A weight that is none is the estimate's to explain.
    assert shown("morphology", morphology__weight_1="many")["visible"] is False
    session.replace_image(IMAGE)
    assert shown("morphology")["visible"] is False
