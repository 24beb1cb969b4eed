from __future__ import annotations

import pytest

from benchmarks.performance import estimates
from benchmarks.performance.large_images import LargeCase
from enhancers.method import Modality
from enhancers.registry import resolve

CASE = LargeCase("clahe", Modality.CT)


def test_cases_have_parameters_that_exist_and_names_of_their_own() -> None:
    names = [case.name for case in estimates.VARIED]
    assert len(set(names)) == len(names)
    for case in estimates.VARIED:
        assert resolve(case.key, case.modality, case.given).items() >= case.given.items()


@pytest.mark.parametrize(("expected", "verdict"), [(1.9, "met"), (2.1, "MISSED")])
@pytest.mark.parametrize("reverse", [False, True])
def test_an_estimate_off_by_more_than_two_is_missed(
    expected: float, verdict: str, reverse: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    told = 1.0 / expected if reverse else expected
    monkeypatch.setattr(estimates, "expected_seconds", lambda *_: 10.0 * told)
    clock = iter(10.0 * n for n in range(99))
    monkeypatch.setattr("time.perf_counter", lambda: next(clock))
    monkeypatch.setattr("time.process_time", lambda: 0.0)
    monkeypatch.setattr(LargeCase, "run", lambda *_: None)
    monkeypatch.setattr("time.process_time", iter(range(0, 990, 12)).__next__)
    line = estimates.compared(CASE, 64)
    assert line.measured == pytest.approx(expected)
    assert line.verdict == verdict


def test_parameters_are_varied_on_small_images_only(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []
    monkeypatch.setattr(estimates, "compared", lambda case, side: asked.append((case, side)))
    list(estimates.estimates((256, 4096)))
    sizes = {side for case, side in asked if case.given or case.colour}
    assert sizes == {256}
    assert {side for _, side in asked} == {256, 4096}


def test_a_run_is_measured() -> None:
    [line] = estimates.estimates((64,), [CASE])
    assert line.measured is not None
    assert line.measured >= 1
    assert "expected" in line.detail
