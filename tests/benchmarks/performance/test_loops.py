from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import pytest

from benchmarks.performance import loops
from benchmarks.performance.loops import Call, Watch
from benchmarks.performance.speed import noisy
from enhancers.method import Modality
from enhancers.method_interface import Step, load_method
from enhancers.networks.load import pixel_prior
from enhancers.registry import resolve

GIVEN = {"sigma": 0.3}


def test_a_loop_is_measured_without_its_first_step() -> None:
    image = noisy(Modality.CT, 32)
    before = pixel_prior("cpu").run
    loop = loops.measure("null_space", image, GIVEN, "cpu", rounds=1)
    assert loop.result.calls == 19
    assert loop.calls == 18
    assert (loop.images, loop.largest) == (1, 1)
    assert loop.seconds > 0.5 * loop.bare > 0
    assert pixel_prior("cpu").run == before


def test_what_a_step_does_beside_the_network_shows(monkeypatch: pytest.MonkeyPatch) -> None:
    class Slow:
        @staticmethod
        def run(*arguments: Any, **named: Any) -> Iterator[Step]:
            for step in load_method("null_space").run(*arguments, **named):
                time.sleep(0.02)
                yield step

    monkeypatch.setattr(loops, "load_method", lambda key: Slow)
    loop = loops.measure("null_space", noisy(Modality.CT, 32), GIVEN, "cpu", rounds=2)
    assert loop.seconds > loop.bare + 18 * 0.02 * 0.9


def test_tiles_of_a_step_are_counted() -> None:
    loop = loops.measure("unimie", noisy(Modality.CT, 288), {"steps": 2}, "cpu", rounds=1)
    assert (loop.calls, loop.images, loop.largest) == (1, 4, 4)


def test_a_device_that_works_on_its_own_is_measured_in_turns() -> None:
    """A CPU stands in for it: nothing is waited for."""
    image = noisy(Modality.CT, 32)
    params = resolve("null_space", Modality.CT, GIVEN)
    prior = loops.loaded("null_space", "pixel", "cpu")
    with loops.watched(prior) as watch:

        def steps() -> Iterator[Any]:
            for step in load_method("null_space").run(image, params, seed=0, device="cpu"):
                yield watch.taken(), step.result

        loop = loops.in_turns(steps, watch.run, "cpu", 2)
    assert (loop.calls, loop.result.calls) == (18, 19)
    assert loop.seconds > 0.5 * loop.bare > 0


def test_a_watch_notes_shapes_and_timesteps_and_is_taken_away_after_an_error() -> None:
    import torch

    prior = pixel_prior("cpu")
    before, shape = prior.run, (2, 1, prior.multiple, 3 * prior.multiple)

    def fail() -> None:
        with loops.watched(prior) as watch:
            assert isinstance(prior.run, Watch)
            prior.predict(torch.zeros(shape), 30)
            assert watch.taken() == [Call(shape, 30)]
            assert watch.taken() == []
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail()
    assert prior.run == before
