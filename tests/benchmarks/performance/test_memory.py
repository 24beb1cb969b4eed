from __future__ import annotations

from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from benchmarks.performance import large_images, memory
from benchmarks.performance.figures import Measurement
from benchmarks.performance.large_images import LargeCase
from enhancers.method import Modality
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


@pytest.mark.exhaustive
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


MR, US, CT = Modality.MR, Modality.US, Modality.CT


# The command measures all of them on larger images; bands and tiles, of a fixed size, weigh more
# here. The pipeline for MR holds the result of N4 during non-local means: 4 bytes more than here.
@pytest.mark.parametrize(
    ("case", "most"),
    [
        (LargeCase("clahe", CT), 8),
        (LargeCase("n4", MR, {"iterations": 1}), 12),
        (LargeCase("srad", US, {"steps": 2}), 12),
        (LargeCase("nlm", MR, {"search": 5, "sigma": 0.05}), 6),
        (LargeCase("tv", CT, {"weight": 0.0011, "iterations": 10}, colour=True), 36),
    ],
    ids=lambda value: value.name if isinstance(value, LargeCase) else "",
)
def test_a_classical_method_takes_few_bytes_per_pixel(case: LargeCase, most: float) -> None:
    case.warm_up()
    image = case.image(2100)
    taken = large_images.traced_peak(lambda: case.run(image)) / 2100**2
    assert (12 if case.colour else 4) <= taken <= most


def test_the_peak_of_a_run_is_measured_in_a_process_of_its_own() -> None:
    taken = large_images.peak_bytes(LargeCase("clahe", CT), 2100) / 2100**2
    # At least the result; at most that, the gray levels, and what a process keeps for itself.
    assert 4 <= taken <= 16


@pytest.mark.parametrize(("colour", "channels"), [(False, 1), (True, 3)])
def test_too_much_memory_is_a_missed_figure(
    colour: bool, channels: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    taken = 100**2 * channels
    for per_value, verdict in ((12.0, "met"), (12.1, "MISSED")):
        monkeypatch.setattr(memory, "peak_bytes", lambda *_, most=per_value: most * taken)
        line = memory.large(LargeCase("nlm", CT, colour=colour), 100)
        assert line.measured == pytest.approx(per_value)
        assert line.verdict == verdict


def test_gray_and_colour_and_every_pipeline_are_measured(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory, "measured", lambda *_: Measurement("growth", 0.0))
    monkeypatch.setattr(memory, "peak_bytes", lambda *_: 0)
    lines = list(memory.memory("cpu", 5, side=64))
    large = [line.name for line in lines if line.name.endswith(": memory")]
    classical = sum(method.family == "classical" for method in METHODS)
    assert len(large) == 2 * (classical - 1 + len(large_images.PIPELINES))
    assert "Classical pipeline (MR), colour: memory" in large


def test_without_the_systems_account_the_allocations_count(monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(self: Any, text: str, encoding: str) -> int:
        raise PermissionError

    monkeypatch.setattr("pathlib.Path.write_text", refused)
    assert large_images.resident_peak(lambda: None) == 0
    assert large_images.traced_peak(lambda: np.ones(10**6)) > 8 * 10**6


def test_without_the_systems_word_the_peak_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    now = memory.resident()
    assert 10 < now < 100_000

    def absent(self: Any, encoding: str) -> str:
        raise FileNotFoundError

    monkeypatch.setattr("pathlib.Path.read_text", absent)
    assert memory.resident() > 0.9 * now


@pytest.mark.exhaustive
def test_memory_of_all_slices_does_not_grow_with_their_number() -> None:
    few, many = memory.all_slices(256, 40), memory.all_slices(256, 240)
    assert (few.verdict, many.verdict) == ("met", "met")
    assert "240 slices of 256 x 256 pixels" in many.detail
    # The results of the many have 63 MB.
    assert "results have 63 MB" in many.detail
