"""Expected times of classical methods: costs by size and parameters, learned from runs."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from enhancers.compare import Request, compare, estimate, expected_seconds, runs, runtime_model
from enhancers.compare.classical_costs import COSTS
from enhancers.compare.runtime_model import machine_slowness
from enhancers.image import from_array
from enhancers.method import Modality
from enhancers.registry import METHODS, get

CLASSICAL = [method.key for method in METHODS if method.family == "classical"]


@pytest.fixture(autouse=True)
def learned(monkeypatch) -> runtime_model.RuntimeModel:
    """A process that has not run anything, on the machine of the costs."""
    known = runtime_model.RuntimeModel()
    monkeypatch.setattr(runtime_model, "machine_slowness", lambda: 1.0)
    monkeypatch.setattr(estimate, "RUN_TIMES", known)
    monkeypatch.setattr(runs, "RUN_TIMES", known)
    return known


def blank(side: int, modality: Modality = Modality.CT, *, colour: bool = False) -> Any:
    """What an estimate reads of an image; it takes no memory."""
    shape = (side, side, 3) if colour else (side, side)
    pixels = np.broadcast_to(np.float32(0.5), shape)
    return SimpleNamespace(pixels=pixels, shape=(side, side), modality=modality, measured=None)


def seconds(key: str, side: int = 1024, modality: Modality = Modality.CT, **params) -> float:
    found = expected_seconds(blank(side, modality), key, params)
    assert found is not None
    return found


FILTER_ONLY = {"weight": 0.1, "unclip": False}
"""Total variation without a noise estimate."""


def test_every_classical_method_has_a_cost():
    assert set(COSTS) == set(CLASSICAL)


@pytest.mark.parametrize("key", CLASSICAL)
def test_the_time_of_a_classical_method_is_known_before_its_first_run(key):
    for modality in Modality:
        small, large = seconds(key, 256, modality), seconds(key, 6000, modality)
        assert 0.0 < small < 2.0
        # Of N4 only a part grows with the area, since the field is fitted on a shrunk image.
        assert large > (8 if key in ("n4", "classical") else 100) * small
    gray, colour = blank(512), blank(512, colour=True)
    assert expected_seconds(colour, key) > 1.1 * expected_seconds(gray, key)


@pytest.mark.parametrize(
    ("key", "less", "more", "ratio"),
    [
        # Half the offsets of the window: 480 and 60, on top of a noise estimate.
        ("nlm", {"search": 11, "sigma": 0.05}, {"search": 31, "sigma": 0.05}, 480 / 60),
        ("nlm", {"sigma": 0.0}, {"sigma": 0.05}, 216),
        ("srad", {"steps": 10, "q0": 0.2}, {"steps": 200, "q0": 0.2}, 20),
        # A shorter step means more of them for the same diffusion time.
        ("srad", {"time_step": 0.1, "q0": 0.2}, {"time_step": 0.005, "q0": 0.2}, 20),
        ("tv", FILTER_ONLY | {"iterations": 10}, FILTER_ONLY | {"iterations": 20}, 1.8),
        ("tv", FILTER_ONLY | {"weight": 0.001}, FILTER_ONLY | {"weight": 1.0}, 6.5),
        ("n4", {"levels": 2}, {"levels": 4}, 2),
        ("n4", {"iterations": 1}, {"iterations": 10}, 2.1),
        ("n4", {"shrink": 4}, {"shrink": 2}, 3),
    ],
)
def test_the_expected_time_follows_the_parameters_that_matter(key, less, more, ratio):
    assert seconds(key, **more) / seconds(key, **less) == pytest.approx(ratio, rel=0.15)


def test_iterations_that_are_not_reached_cost_nothing():
    assert seconds("tv", iterations=1000) == seconds("tv", iterations=200)


@pytest.mark.parametrize(
    ("modality", "parts"),
    [
        (Modality.US, {"srad": {}}),
        (Modality.MR, {"n4": {}, "nlm": {}}),
        (Modality.XR, {"nlm": {}}),
    ],
)
def test_a_pipeline_takes_as_long_as_its_methods(modality, parts):
    alone = sum(seconds(key, modality=modality, **given) for key, given in parts.items())
    assert seconds("classical", modality=modality, contrast=False) == pytest.approx(alone)
    assert seconds("classical", modality=modality) > alone


def test_a_slower_machine_takes_longer(monkeypatch):
    before = seconds("srad")
    monkeypatch.setattr(runtime_model, "machine_slowness", lambda: 3.0)
    assert seconds("srad") == pytest.approx(3 * before)


def test_the_probe_of_the_machine_is_a_plausible_number():
    assert 0.05 < machine_slowness() < 50


def test_what_a_run_took_is_learned_for_all_sizes_and_parameters(learned):
    before = seconds("nlm", 6000, search=21)
    took = 4 * seconds("nlm", 4096)
    learned.update(get("nlm"), {}, "cpu", seconds("nlm", 4096), took)
    once = seconds("nlm", 6000, search=21) / before
    assert 3 < once < 4
    for _ in range(8):
        learned.update(get("nlm"), {}, "cpu", took / 4, took)
    assert seconds("nlm", 6000, search=21) / before == pytest.approx(4, rel=0.02)
    assert seconds("tv") == seconds("tv", 1024)


def test_short_runs_with_imports_on_a_busy_machine_teach_nothing(learned):
    work, before = seconds("clahe", 256), seconds("clahe", 6000)
    for _ in range(9):
        learned.update(get("clahe"), {}, "cpu", work, 1.2)
    assert seconds("clahe", 6000) == before


def test_a_run_updates_the_expectation_and_a_constant_image_does_not(learned, monkeypatch):
    taught = []
    monkeypatch.setattr(learned, "update", lambda method, *_: taught.append(method.key))
    noise = np.random.default_rng(0).random((32, 32), np.float32)
    for pixels in (np.full((32, 32), 0.5, np.float32), noise):
        list(compare(from_array(pixels), [Request("clahe")]))
    assert taught == ["clahe"]
