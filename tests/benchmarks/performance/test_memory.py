from __future__ import annotations

from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from benchmarks.performance import memory
from enhancers.method_interface import Step, load_method
from enhancers.registry import METHODS, get


def test_memory_that_settles_is_flat() -> None:
    sizes = [300.0] + [340.0 + 0.01 * n for n in range(49)]
    line = memory.judged("TV", sizes)
    assert line.verdict == "met"
    assert "50 runs: 300.0 MB after the first" in line.detail


def test_a_leak_is_seen() -> None:
    assert memory.judged("TV", [340 + 0.5 * n for n in range(50)]).verdict == "MISSED"


def test_one_high_reading_does_not_decide() -> None:
    sizes = [340.0] * 50
    sizes[-1] = 900.0
    assert memory.judged("TV", sizes).measured == 0


def test_every_method_has_a_small_image() -> None:
    for method in METHODS:
        image = memory.small(method)
        assert max(image.shape) == memory.SIDE
        assert image.modality in method.modalities


def test_a_method_is_run_again_and_again(monkeypatch: pytest.MonkeyPatch) -> None:
    seeds = []
    kept = []

    def run(image: Any, params: Any, *, seed: int, device: str) -> Iterator[Step]:
        seeds.append(seed)
        # So large that it never comes from memory that was freed before.
        kept.append(np.ones(10**7, np.float32))
        yield from load_method("clahe").run(image, params, seed=seed, device=device)

    monkeypatch.setattr("enhancers.compare.runs.load_method", lambda _: SimpleNamespace(run=run))
    line = memory.measured(get("clahe"), "cpu", 6)
    assert seeds == list(range(6))
    assert line.measured is not None
    assert line.measured > 12
    assert line.verdict == "MISSED"


# The others take a minute; the command measures them all.
@pytest.mark.parametrize("key", ["clahe", "n4", "srad"])
def test_a_classical_method_takes_few_bytes_per_pixel(key: str, monkeypatch) -> None:
    # The time of iterations is of no interest here; bands have a fixed size, so that they weigh
    # more on this image than on a larger one.
    quick = {"srad": {"steps": 2}, "n4": {"iterations": 1}}
    plain = memory.resolve
    monkeypatch.setattr(
        memory, "resolve", lambda name, modality: plain(name, modality, quick.get(name, {}))
    )
    line = memory.large(get(key), 2100)
    assert line.measured is not None
    assert line.measured <= memory.MOST_BYTES
    assert line.measured >= 4


def test_without_the_systems_word_the_peak_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    now = memory.resident()
    assert 10 < now < 100_000

    def absent(self: Any, encoding: str) -> str:
        raise FileNotFoundError

    monkeypatch.setattr("pathlib.Path.read_text", absent)
    assert memory.resident() > 0.9 * now
