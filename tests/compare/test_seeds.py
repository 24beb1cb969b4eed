from __future__ import annotations

from collections.abc import Generator, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from enhancers.compare import MemoryCache, Outcome, Request, ResultCache, compare, enhance
from enhancers.compare import seed_spread as spread
from enhancers.compare.maps import bundle_maps, result_maps
from enhancers.compare.seed_spread import Calibration, Interval
from enhancers.compare.seeds import SeedsResult, seed_steps
from enhancers.errors import ParameterError, ReadingRoomError
from enhancers.image import MedicalImage, from_array
from enhancers.method import Modality, ParameterValue
from enhancers.method_interface import Figure, Result, Step, final_step
from enhancers.networks.load import identity
from enhancers.registry import get, resolve
from enhancers.source_digest import method_digest

SIX = Interval(0.6, 0.5, 0.7)
DENOISE = {"task": "denoise", "sigma": 0.1}


def runs(images: list[np.ndarray]) -> Iterator[Step]:
    def run(seed: int) -> Generator[Step, None, None]:
        yield Step(0.5, None, 3.0, "call 1")
        yield final_step(images[seed - 5], figures=(Figure("sigma", "σ", 0.1),), calls=2)

    return seed_steps(run, 5, len(images))


@pytest.mark.parametrize("shape", [(6, 7), (6, 7, 3)])
def test_mean_and_standard_deviation_over_the_seeds(shape: tuple[int, ...]) -> None:
    images = list(np.random.default_rng(0).random((4, *shape), np.float32))
    *before, last = runs(images)
    result = last.result
    assert isinstance(result, SeedsResult)
    assert np.allclose(result.pixels, np.mean(images, 0), atol=1e-6)
    gray = [image @ np.float32([0.299, 0.587, 0.114]) if len(shape) == 3 else image
            for image in images]  # fmt: skip
    assert np.allclose(result.deviation, np.std(gray, 0, ddof=1), atol=1e-6)
    assert (result.seeds, result.calls) == (4, 8)
    assert [step.fraction for step in before] == [0.125, 0.375, 0.625, 0.875]
    assert [step.note for step in before][1] == "seed 2 of 4, call 1"
    assert before[0].seconds_left == pytest.approx(3.0 + 3 * 6.0)


def test_equal_runs_have_no_deviation_at_all() -> None:
    image = np.random.default_rng(1).random((5, 5), np.float32)
    *_, last = runs([image] * 3)
    assert isinstance(last.result, SeedsResult)
    assert last.result.deviation is not None
    assert not last.result.deviation.any()
    assert np.array_equal(last.result.pixels, image)


@pytest.fixture(scope="module")
def noisy() -> MedicalImage:
    rows = np.linspace(0.2, 0.8, 64, dtype=np.float32)
    noise = np.random.default_rng(2).normal(0.0, 0.1, (64, 64))
    return from_array(np.clip(rows[:, None] + noise, 0, 1), Modality.CT)


@pytest.fixture(scope="module")
def outcome(noisy: MedicalImage) -> Outcome:
    *_, event = compare(noisy, [Request("null_space", DENOISE, seeds=2)], seed=3)
    assert event.outcome is not None, event.error
    return event.outcome


def deviation_of(outcome: Outcome) -> np.ndarray:
    assert isinstance(outcome.result, SeedsResult)
    assert outcome.result.deviation is not None
    return outcome.result.deviation


def test_a_run_of_two_seeds_is_the_mean_of_two_runs(noisy: MedicalImage, outcome: Outcome) -> None:
    one, other = (enhance(noisy, "null_space", params=DENOISE, seed=seed).pixels for seed in (3, 4))
    assert np.allclose(outcome.result.pixels, (one + other) / 2, atol=1e-6)
    assert np.allclose(deviation_of(outcome), np.abs(one - other) / np.sqrt(2), atol=1e-6)
    assert (outcome.record.seed, outcome.record.seeds) == (3, 2)
    assert "seed_spread" in {figure.name for figure in outcome.record.figures}


@pytest.mark.parametrize("on_disk", [False, True])
def test_the_caches_keep_the_deviation(
    noisy: MedicalImage, outcome: Outcome, on_disk: bool, tmp_path: Path
) -> None:
    cache = ResultCache(tmp_path, 10**7) if on_disk else MemoryCache(10**7)
    cache.put(outcome.record.key, outcome)
    found = cache.get(outcome.record.key)
    assert found is not None
    assert np.array_equal(deviation_of(found), deviation_of(outcome))
    assert found.record == outcome.record
    single = next(iter(compare(noisy, [Request("null_space", DENOISE)], seed=3, cache=cache)))
    assert not single.cached


@pytest.mark.parametrize(
    ("method", "seeds", "words"),
    [("nlm", 2, "Non-local means does not"), ("null_space", 0, "1 to 16"),
     ("null_space", 17, "seeds=17")],
)  # fmt: skip
def test_seeds_that_are_not_possible(method: str, seeds: int, words: str) -> None:
    with pytest.raises(ParameterError, match=words):
        enhance(from_array(np.zeros((8, 8))), method, seeds=seeds)


def calibration(**changes: Any) -> Calibration:
    params = resolve("null_space", Modality.CT, {"task": "denoise"})
    found = Calibration(
        key="denoise", label="denoising", method="null_space",
        sha256=identity("pixel").partition(":")[2], code=method_digest("null_space"),
        params=spread.fixed(params), relative=True, model="spread", floor=0.2, spread=3.0,
        detail=0.0, ratio=0.16, correlation=SIX, coverage=Interval(0.93, 0.88, 0.96), gain=SIX,
        narrower=0.2, detail_gain=SIX, finest=0.4, images=12, subjects=6, seeds=4,
    )  # fmt: skip
    return replace(found, **changes)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({}, "0.16 of the true error: that they agree proves nothing"),
        ({}, "held the true value at 93 % (88 to 96 over subjects) of the pixels of 12 held-out"),
        ({}, "20 % shorter than one length everywhere"),
        ({"model": "constant", "spread": 0.0}, "was not shown to tell more about the place"),
        ({}, "One seed has 40 % of the true image's power in the finest octave"),
        ({"finest": 0.95}, "proves nothing"),
        ({"code": "another"}, "measured with an earlier version of the method"),
        ({"sha256": "another"}, "Not calibrated for this network: how far seeds differ says"),
        ({"params": {"task": "sr4"}}, "Not calibrated for these settings"),
    ],
)
def test_what_the_spread_is_worth_is_said(
    outcome: Outcome, changes: dict[str, Any], words: str, tmp_path: Path
) -> None:
    from benchmarks.seed_spread.write import write

    path = tmp_path / "spread.json"
    write(path, [calibration(**changes)])
    raw = replace(outcome.result, notes=(), figures=(Figure("sigma", "σ", 0.1),))
    assert isinstance(raw, SeedsResult)
    noted = spread.with_calibration(
        raw, get("null_space"), outcome.params, outcome.record.prior, path
    )
    assert words in " ".join(noted.notes)
    assert ("finest octave" in " ".join(noted.notes)) == (
        "Not calibrated" not in words and changes.get("finest", 0) < 0.8
    )
    expected = [figure.value for figure in noted.figures if figure.name == spread.EXPECTED]
    assert bool(expected) == ("Not calibrated" not in words)
    if expected and "code" not in changes and "model" not in changes:
        # At least the floor: seeds that agree do not make the error small.
        assert expected[0] > max(0.02, float(np.sqrt(np.mean(deviation_of(outcome) ** 2))))


def test_a_calibration_outlives_a_new_parameter_and_no_other_settings(tmp_path: Path) -> None:
    from benchmarks.seed_spread.write import write

    path, found = tmp_path / "spread.json", calibration()
    write(path, [replace(found, params={"task": "denoise"})])

    def of(**given: ParameterValue) -> Calibration | str:
        params = resolve("null_space", Modality.CT, given)
        return spread.calibration_of("null_space", params, found.sha256, path)

    assert isinstance(of(sigma=0.2, preview_every=3), Calibration)
    assert isinstance(of(eta=0.85), str)
    assert isinstance(of(task="sr4"), str)


def damaged(path: Path) -> Iterator[str]:
    """Damage the file of a calibration in several ways."""
    from benchmarks.seed_spread.write import write

    write(path, [calibration()])
    whole = path.read_text()
    for text in (
        '[{"key": "denoise"}]',
        whole[:-40],
        "version https://git-lfs",
        whole.replace("0.16", "NaN"),
        whole.replace('"low": 0.5', '"low": Infinity'),
    ):
        path.write_text(text)
        yield text


def test_a_damaged_calibration_is_named_and_no_run_fails_by_it(
    outcome: Outcome, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "spread.json"
    raw = outcome.result
    assert isinstance(raw, SeedsResult)
    for content in damaged(path):
        with pytest.raises(ReadingRoomError, match=r"spread\.json"):
            spread.read_calibrations(path)
        spread.calibrations.cache_clear()
        caplog.clear()
        for _ in range(2):
            noted = spread.with_calibration(
                raw, get("null_space"), outcome.params, outcome.record.prior, path
            )
            assert "Not calibrated" in noted.notes[-1], content
        [warning] = caplog.messages
        assert "spread.json" in warning
    assert spread.read_calibrations(tmp_path / "absent.json") == ()


def test_a_folder_in_place_of_a_calibration_fails_no_run(outcome: Outcome, tmp_path: Path) -> None:
    with pytest.raises(ReadingRoomError, match="cannot be read"):
        spread.read_calibrations(tmp_path)
    raw = outcome.result
    assert isinstance(raw, SeedsResult)
    noted = spread.with_calibration(
        raw, get("null_space"), outcome.params, outcome.record.prior, tmp_path
    )
    assert "Not calibrated" in noted.notes[-1]


def test_maps_of_seeds_and_parts_have_units_and_sum_to_the_result(
    noisy: MedicalImage, outcome: Outcome
) -> None:
    maps = {one.key: one for one in result_maps(noisy, outcome)}
    assert {"spread", "measured", "corrected"} <= set(maps)
    total = maps["measured"].values + maps["corrected"].values
    assert np.allclose(total, outcome.result.pixels, atol=1e-6)
    assert all(one.pixels.min() >= 0 and one.pixels.max() <= 1 for one in maps.values())
    written = {one.name: one for one in bundle_maps(noisy, outcome)}
    assert np.array_equal(written["null_space_spread"].values, deviation_of(outcome))
    assert written["null_space_spread"].units == "a.u."


def test_a_classical_result_has_no_maps(noisy: MedicalImage) -> None:
    *_, event = compare(noisy, [Request("tv")])
    assert event.outcome is not None
    assert isinstance(event.outcome.result, Result)
    assert result_maps(noisy, event.outcome) == ()


def test_the_calibrations_are_of_the_network_that_ships() -> None:
    shipped = identity("pixel").partition(":")[2]
    found = spread.read_calibrations(spread.CALIBRATION)
    assert {one.key for one in found} >= {"denoise", "denoise-published", "sr4"}
    assert {one.sha256 for one in found} == {shipped}
