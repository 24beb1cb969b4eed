from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from enhancers import job_queue
from enhancers.compare import (
    Cache,
    Event,
    MemoryCache,
    Outcome,
    Request,
    ResultCache,
    compare,
    default_cache,
    enhance,
    estimate,
    estimate_seconds,
    is_large,
    runs,
    runtime_model,
)
from enhancers.errors import NetworkMissing, ParameterError, ReadingRoomError, UnknownMethod
from enhancers.image import MedicalImage, from_array, pixels_digest
from enhancers.method import Modality, ParameterValue
from enhancers.method_interface import UNCHANGED, Figure, Result, Step
from enhancers.provenance import PriorFacts
from enhancers.registry import METHODS, get, resolve
from enhancers.settings import Settings, get_settings


def image(side: int = 16, modality: Modality = Modality.CT) -> MedicalImage:
    return from_array(np.random.default_rng(0).random((side, side), np.float32), modality)


@dataclass
class Fake:
    """A method of three steps that notes what becomes of it."""

    started: int = 0
    steps: int = 0
    closed: int = 0
    device: str = ""
    params: list[Mapping[str, ParameterValue]] = field(default_factory=list)
    fail: Exception | None = None
    bad: float | None = None

    def work(self, image: MedicalImage, params: Mapping[str, ParameterValue]) -> float:
        return 3.0

    def run(
        self, image: MedicalImage, params: Mapping[str, ParameterValue], *, seed: int, device: str
    ) -> Iterator[Step]:
        self.started += 1
        self.device = device
        self.params.append(dict(params))
        try:
            for done in range(3):
                self.steps += 1
                yield Step(done / 3, image.pixels, 1.0, f"step {done}")
            if self.fail:
                raise self.fail
            pixels = np.roll(image.pixels, seed + 1)
            if self.bad is not None:
                pixels[0, 0] = self.bad
            figures = (Figure("sigma", "Noise σ", 0.125, "of 1"), Figure("far", "Far", np.inf))
            yield Step(1.0, None, 0.0, "done", Result(pixels, figures, 3, 1, ("a note",)))
        finally:
            self.closed += 1


@pytest.fixture
def fakes(monkeypatch) -> dict[str, Fake]:
    methods: dict[str, Fake] = {key: Fake() for key in ("tv", "nlm", "srad", "null_space")}
    monkeypatch.setattr(runs, "load_method", methods.__getitem__)
    monkeypatch.setattr(runtime_model, "load_method", methods.__getitem__)
    monkeypatch.setattr(
        runs, "prior_facts", lambda method, _: PriorFacts(method.prior, "a" * 64)
        if method.prior
        else None,
    )  # fmt: skip
    return methods


@pytest.fixture
def cache(tmp_path) -> ResultCache:
    return ResultCache(tmp_path / "results", 10_000_000)


def last(events: list[Event], index: int = 0) -> Event:
    return [event for event in events if event.index == index][-1]


def outcome(events: list[Event], index: int = 0) -> Outcome:
    found = last(events, index).outcome
    assert found is not None, last(events, index).error
    return found


def test_methods_run_in_order_and_every_step_is_streamed(fakes):
    events = list(compare(image(), [Request("tv"), Request("nlm", {"beta": 2})], seed=3))
    assert [(e.index, e.method) for e in events] == [(0, "tv")] * 4 + [(1, "nlm")] * 4
    assert [e.step.fraction for e in events[:4]] == [0, 1 / 3, 2 / 3, 1]
    assert [e.finished for e in events] == [False, False, False, True] * 2
    assert fakes["nlm"].params[0]["beta"] == 2
    assert fakes["nlm"].params[0]["noise"] == "gaussian"
    np.testing.assert_array_equal(outcome(events, 1).result.pixels, np.roll(image().pixels, 4))


def test_methods_do_not_start_before_they_are_reached(fakes):
    events = compare(image(), [Request("tv"), Request("nlm")])
    assert next(events).method == "tv"
    assert fakes["nlm"].started == 0
    events.close()


def test_closing_stops_the_running_method_at_once_and_starts_no_other(fakes, cache):
    events = compare(image(), [Request("tv"), Request("nlm")], cache=cache)
    next(events)
    next(events)
    events.close()
    assert (fakes["tv"].steps, fakes["tv"].closed, fakes["nlm"].started) == (2, 1, 0)
    assert not list(cache.folder.glob("*"))


def test_a_finished_method_is_closed_too(fakes):
    list(compare(image(), [Request("tv")]))
    assert fakes["tv"].closed == 1


def test_a_failing_method_is_an_event_and_the_next_one_runs(fakes):
    fakes["tv"].fail = ReadingRoomError("The image is too odd.")
    events = list(compare(image(), [Request("tv"), Request("nlm")]))
    assert last(events, 0).error == "The image is too odd."
    assert last(events, 0).outcome is None
    assert last(events, 0).finished
    assert last(events, 1).outcome is not None


@pytest.mark.parametrize(
    ("request_", "text"),
    [
        (Request("nml"), "did you mean nlm"),
        (Request("tv", {"weight": 7}), "weight=7 is not possible"),
        (Request("tv", {"wait": 1}), "has no parameter wait"),
    ],
)
def test_an_impossible_request_is_an_event(fakes, request_, text):
    events = list(compare(image(), [request_, Request("nlm")]))
    assert text in last(events, 0).error
    assert last(events, 1).outcome is not None
    assert fakes["tv"].started == 0


@pytest.mark.parametrize(
    ("failure", "text"),
    [
        (MemoryError(), "too little memory"),
        (type("OutOfMemoryError", (RuntimeError,), {})("CUDA"), "too little memory"),
        (ZeroDivisionError("secret"), "internal error (ZeroDivisionError)"),
    ],
)
def test_an_unexpected_failure_is_a_sentence_without_its_details(fakes, failure, text, caplog):
    fakes["tv"].fail = failure
    events = list(compare(image(), [Request("tv"), Request("nlm")]))
    assert text in last(events, 0).error
    assert "secret" not in last(events, 0).error
    assert last(events, 1).outcome is not None
    assert ("tv failed" in caplog.text) == ("internal" in text)


@pytest.mark.parametrize("bad", [np.nan, -0.5, 1.5])
def test_an_invalid_result_is_an_error_and_is_not_kept(fakes, cache, bad):
    fakes["tv"].bad = bad
    events = list(compare(image(), [Request("tv")], cache=cache))
    assert "made no valid image" in last(events).error
    assert not cache.folder.exists()


def test_the_registry_says_whose_values_are_no_longer_hounsfield_units():
    kept = {
        "srad", "nlm", "tv", "tv_recon", "denoiser", "null_space", "pix2pix", "restormer",
        "diffusion_unet",
    }  # fmt: skip
    for method in METHODS:
        params = resolve(method.key, Modality.CT)
        mapped = method.key not in kept
        said = "gray level, not HU" if mapped else "HU"
        assert method.result_units("HU", params) == said
        assert method.result_units("gray level", params) == "gray level"
    plain = resolve("classical", Modality.CT, {"contrast": False})
    assert get("classical").result_units("HU", plain) == "HU"


def test_the_record_says_how_the_result_was_made(fakes):
    found = outcome(list(compare(image(), [Request("null_space", {"steps": 20})], seed=5)))
    record = found.record
    assert (record.method, record.seed, record.calls) == ("null_space", 5, 3)
    assert dict(record.params)["steps"] == 20
    assert dict(record.params) == dict(found.params)
    assert record.input.pixels_digest == pixels_digest(image().pixels)
    assert record.result_digest == pixels_digest(found.result.pixels)
    assert record.prior == PriorFacts("pixel", "a" * 64)
    assert record.device.startswith("CPU, ")
    assert "torch" in dict(record.software)
    assert [figure.name for figure in record.figures] == ["sigma", "far"]


def test_classical_methods_stay_on_the_cpu(fakes, monkeypatch):
    monkeypatch.setattr(runs.devices, "choose", lambda name: name)
    monkeypatch.setattr(runs.devices, "describe", lambda name: name)
    monkeypatch.setattr(runs.devices, "model_name", lambda name: name)
    events = list(compare(image(), [Request("tv"), Request("null_space")], device="cuda"))
    assert (fakes["tv"].device, fakes["null_space"].device) == ("cpu", "cuda")
    assert [outcome(events, i).record.device for i in (0, 1)] == ["cpu", "cuda"]


def test_a_missing_device_is_an_error_before_any_method(fakes):
    with pytest.raises(ParameterError, match="toaster is not a device"):
        next(compare(image(), [Request("tv")], device="toaster"))
    assert fakes["tv"].started == 0


def test_a_cached_result_is_one_event_with_the_same_bytes_and_record(fakes, cache):
    first = outcome(list(compare(image(), [Request("tv")], cache=cache)))
    [event] = compare(image(), [Request("tv")], cache=cache)
    assert event.cached
    assert event.step.fraction == 1
    assert event.step.result is event.outcome.result
    again = event.outcome
    assert again.result.pixels.tobytes() == first.result.pixels.tobytes()
    assert again.result.pixels.dtype == np.float32
    assert again.record == first.record
    assert again.record.to_json() == first.record.to_json()
    assert again.result.figures == first.result.figures
    assert (again.result.calls, again.result.scale) == (3, 1)
    assert again.result.notes == ("a note",)
    assert dict(again.params) == dict(first.params)
    assert fakes["tv"].started == 1


@pytest.mark.parametrize(
    "change",
    [
        {"seed": 1},
        {"requests": [Request("tv", {"weight": 0.2})]},
        {"image": image().with_modality(Modality.XR)},
        {"image": image(17)},
    ],
    ids=lambda change: next(iter(change)),
)
def test_another_question_is_not_answered_from_the_cache(fakes, cache, change):
    question: dict[str, Any] = {"image": image(), "requests": [Request("tv")], "seed": 0}
    list(compare(**question, cache=cache))
    events = list(compare(**{**question, **change}, cache=cache))
    assert not any(event.cached for event in events)
    assert fakes["tv"].started == 2


def test_a_failure_is_not_cached(fakes, cache):
    fakes["tv"].fail = ReadingRoomError("no")
    list(compare(image(), [Request("tv")], cache=cache))
    fakes["tv"].fail = None
    assert not last(list(compare(image(), [Request("tv")], cache=cache))).cached


def entry(key: str, side: int = 32) -> Outcome:
    """A finished outcome as the cache would get it, under this key."""
    pixels = np.random.default_rng(side).random((side, side), np.float32)
    plan = runs.resolve_request(image(), Request("tv"), 0, "cpu")
    return runs.make_outcome(replace(plan, key=key), Result(pixels), 0.1)


def truncate(data: bytes) -> bytes:
    return data[: len(data) // 2]


def flip_in_pixels(data: bytes) -> bytes:
    middle = len(data) // 3
    return data[:middle] + bytes([data[middle] ^ 255]) + data[middle + 1 :]


@pytest.mark.parametrize(
    "damage", [truncate, flip_in_pixels, lambda _: b"", lambda _: b"PK", lambda _: b"\x80\x04N."]
)
def test_a_damaged_entry_is_removed_and_made_anew(cache, damage: Callable[[bytes], bytes]):
    cache.put("a1", entry("a1"))
    path = cache.folder / "a1.npz"
    path.write_bytes(damage(path.read_bytes()))
    assert cache.get("a1") is None
    assert not path.exists()
    cache.put("a1", entry("a1"))
    assert cache.get("a1") is not None


def test_an_entry_under_another_key_is_not_believed(cache):
    cache.put("a1", entry("a1"))
    (cache.folder / "a1.npz").rename(cache.folder / "b2.npz")
    assert cache.get("b2") is None
    assert not (cache.folder / "b2.npz").exists()


def test_a_key_cannot_leave_the_folder(cache):
    with pytest.raises(ValueError, match="not a cache key"):
        cache.get("../secret")


def test_the_least_recently_used_entry_is_evicted(cache):
    for number, key in enumerate(("a", "b", "c")):
        cache.put(key, entry(key))
        os.utime(cache.folder / f"{key}.npz", (1000 + number, 1000 + number))
    assert cache.get("a") is not None
    size = (cache.folder / "a.npz").stat().st_size
    cache.max_bytes = 3 * size + size // 2
    cache.put("d", entry("d"))
    assert sorted(path.stem for path in cache.folder.iterdir()) == ["a", "c", "d"]


def test_the_cache_never_exceeds_its_size_and_takes_nothing_larger(cache):
    cache.max_bytes = 20_000
    for number in range(8):
        cache.put(f"k{number}", entry(f"k{number}"))
        assert sum(path.stat().st_size for path in cache.folder.iterdir()) <= 20_000
    cache.put("large", entry("large", side=256))
    assert cache.get("large") is None
    assert cache.get("k7") is not None


def test_leftovers_of_a_dead_process_are_removed_and_a_living_ones_kept(cache):
    cache.put("a", entry("a"))
    old, new = cache.folder / ".old.part", cache.folder / ".new.part"
    old.touch()
    new.touch()
    os.utime(old, (1000, 1000))
    cache.put("b", entry("b"))
    assert (old.exists(), new.exists()) == (False, True)


def test_a_folder_that_cannot_be_written_is_no_error_of_the_run(fakes, tmp_path, caplog):
    (tmp_path / "file").touch()
    blocked = ResultCache(tmp_path / "file" / "results", 10_000_000)
    assert outcome(list(compare(image(), [Request("tv")], cache=blocked)))
    assert "cannot be written" in caplog.text


def test_the_cache_is_for_its_owner_only(cache):
    cache.put("a", entry("a"))
    assert cache.folder.stat().st_mode & 0o077 == 0
    assert (cache.folder / "a.npz").stat().st_mode & 0o077 == 0


def test_two_processes_may_share_a_folder(tmp_path):
    code = """
import sys
from pathlib import Path
from enhancers.compare import ResultCache
from tests.compare.test_compare import entry
cache = ResultCache(Path(sys.argv[1]), 40_000)
made = {key: entry(key) for key in ("a", "b", "c", "d", "e", "f", "g", "h", "i", "j")}
hits = 0
for _ in range(12):
    for key, outcome in made.items():
        cache.put(key, outcome)
        found = cache.get(key)
        hits += found is not None
        assert found is None or (found.result.pixels == outcome.result.pixels).all()
assert hits > 60, hits
"""
    started = [
        subprocess.Popen(
            [sys.executable, "-c", code, str(tmp_path)],
            cwd=Path(__file__).parents[2],
            stderr=subprocess.PIPE,
            text=True,
        )
        for _ in range(2)
    ]
    for process in started:
        _, errors = process.communicate(timeout=120)
        assert process.returncode == 0, errors
        assert "damaged" not in errors
    assert not list(tmp_path.glob(".*"))


@pytest.fixture
def configured(monkeypatch, tmp_path):
    def cache(disk_gb: float | None = None, **others: float) -> Cache | None:
        given = others if disk_gb is None else {"cache_gb": disk_gb, **others}
        settings = Settings(cache_dir=tmp_path, **given)
        monkeypatch.setattr("enhancers.compare.cache.get_settings", lambda: settings)
        return default_cache()

    return cache


def test_results_are_written_to_disk_only_where_the_settings_ask_for_it(configured, tmp_path):
    cache = configured()
    cache.put("a", entry("a"))
    assert configured().get("a") is not None
    assert list(tmp_path.iterdir()) == []
    cache = configured(disk_gb=5e-6)
    assert (cache.folder, cache.max_bytes) == (tmp_path / "results", 5000)
    assert configured(memory_cache_mb=0) is None


def test_the_cache_in_memory_drops_the_least_recently_used():
    made = {key: entry(key) for key in "abc"}
    cache = MemoryCache(2 * made["a"].result.pixels.nbytes)
    cache.put("a", made["a"])
    cache.put("b", made["b"])
    assert cache.get("a") is made["a"]
    cache.put("c", made["c"])
    assert [cache.get(key) for key in "abc"] == [made["a"], None, made["c"]]


def test_the_simple_call_returns_the_result_and_raises_errors(fakes):
    result = enhance(image(), "tv", params={"weight": "0.5"}, seed=1)
    np.testing.assert_array_equal(result.pixels, np.roll(image().pixels, 2))
    assert fakes["tv"].params[0]["weight"] == 0.5
    assert fakes["tv"].closed == 1
    with pytest.raises(UnknownMethod):
        enhance(image(), "nothing")
    fakes["tv"].fail = ReadingRoomError("no")
    with pytest.raises(ReadingRoomError, match="no"):
        enhance(image(), "tv")


def test_a_real_method_gives_the_same_through_both_ways(cache):
    picture = image(48, Modality.US)
    direct = enhance(picture, "clahe", params={"clip_limit": 3})
    streamed = outcome(list(compare(picture, [Request("clahe", {"clip_limit": 3})], cache=cache)))
    again = outcome(list(compare(picture, [Request("clahe", {"clip_limit": 3})], cache=cache)))
    assert direct.pixels.tobytes() == streamed.result.pixels.tobytes()
    assert direct.pixels.tobytes() == again.result.pixels.tobytes()
    assert not np.array_equal(direct.pixels, picture.pixels)


@pytest.fixture
def untrained_priors(tmp_path, monkeypatch) -> Iterator[Path]:
    """Both priors with random weights, in a folder of their own."""
    from enhancers.networks.training import architectures

    folder = tmp_path / "priors"
    architectures.pixel_unet().save_pretrained(folder / "pixel" / "unet")
    architectures.latent_unet().save_pretrained(folder / "latent" / "unet")
    architectures.autoencoder().save_pretrained(folder / "latent" / "vae")
    for prior in ("pixel", "latent"):
        architectures.scheduler().save_pretrained(folder / prior / "scheduler")
    monkeypatch.setenv("READINGROOM_PRIORS_DIR", str(folder))
    get_settings.cache_clear()
    monkeypatch.setattr(estimate, "PATCH", 32)
    monkeypatch.setattr(estimate, "PATCH_COSTS", {})
    yield folder
    monkeypatch.undo()
    get_settings.cache_clear()


def test_a_sampled_result_records_its_prior_and_other_weights_make_it_anew(untrained_priors, cache):
    from enhancers.networks.training import architectures

    asked = [Request("null_space", {"steps": 5, "sigma": 0.1})]
    first = outcome(list(compare(image(), asked, cache=cache)))
    assert first.record.prior is not None
    assert first.record.prior.name == "pixel"
    assert len(first.record.prior.sha256) == 64
    assert first.record.calls == first.result.calls > 0
    [event] = compare(image(), asked, cache=cache)
    assert event.cached
    architectures.pixel_unet().save_pretrained(untrained_priors / "pixel" / "unet")
    other = outcome(list(compare(image(), asked, cache=cache)))
    assert other.record.key != first.record.key
    assert other.record.prior != first.record.prior


@pytest.mark.parametrize("prior", ["pixel", "latent"])
def test_the_cost_of_a_patch_is_measured_once(untrained_priors, prior):
    cost = estimate.patch_cost(prior, prior, "cpu")
    assert cost is not None
    assert cost.call > 0
    assert (cost.once > 0) == (prior == "latent")
    assert estimate.patch_cost(prior, prior, "cpu") is cost


def test_a_cost_is_not_measured_while_others_use_the_device(untrained_priors):
    with job_queue.device_queue("cpu").join():
        assert estimate_seconds(image(), "null_space") is None
    alone = estimate_seconds(image(), "null_space")
    assert alone is not None
    with job_queue.device_queue("cpu").join():
        assert estimate_seconds(image(), "null_space") == alone


def test_networks_of_one_kind_have_each_a_cost(monkeypatch):
    measured = []

    def measure(kind: str, prior: str, device: str) -> estimate.PatchCost:
        measured.append((kind, prior, device))
        return estimate.PatchCost(float(len(measured)))

    monkeypatch.setattr(estimate, "PATCH_COSTS", {})
    monkeypatch.setattr(estimate, "measure_patch_cost", measure)
    mine = estimate.patch_cost("pixel", "mine", "cpu")
    assert estimate.patch_cost("pixel", "pixel", "cpu") != mine
    assert estimate.patch_cost("pixel", "mine", "cpu") is mine
    assert estimate.patch_cost("pixel", "mine", "cuda:1") != mine
    assert measured == [("pixel", key, on) for key, on in
                        (("mine", "cpu"), ("pixel", "cpu"), ("mine", "cuda:1"))]  # fmt: skip


def test_a_missing_prior_is_an_event(fakes, monkeypatch):
    def missing(*_: object) -> None:
        raise NetworkMissing("The pixel prior is not here.")

    monkeypatch.setattr(runs, "prior_facts", missing)
    events = list(compare(image(), [Request("null_space")]))
    assert last(events).error == "The pixel prior is not here."


def cost(monkeypatch, call: float, once: float = 0.0) -> None:
    """Let every network take so many seconds a patch."""
    monkeypatch.setattr(estimate, "patch_cost", lambda *_: estimate.PatchCost(call, once))


def test_a_missing_prior_gives_no_estimate(monkeypatch):
    def missing(*_: str) -> None:
        raise NetworkMissing("not here")

    assert estimate_seconds(image(), "tv") is not None
    monkeypatch.setattr(estimate, "patch_cost", missing)
    assert estimate_seconds(image(), "null_space") is None
    with pytest.raises(ParameterError):
        estimate_seconds(image(), "null_space", {"steps": -1})


def test_a_network_too_large_to_time_gives_no_estimate_and_a_bug_is_not_hidden(monkeypatch):
    def full(*_: str) -> None:
        raise RuntimeError(said)

    monkeypatch.setattr(estimate, "patch_cost", full)
    said = "CUDA out of memory."
    assert estimate_seconds(image(), "null_space") is None
    said = "shapes do not match"
    with pytest.raises(RuntimeError, match="shapes"):
        estimate_seconds(image(), "null_space")


def test_the_estimate_grows_with_area_steps_and_enlargement(monkeypatch):
    cost(monkeypatch, 0.5)
    given = {"steps": 10, "task": "sr2", "degrade_first": True}
    one = estimate_seconds(image(256), "null_space", given)
    assert one == pytest.approx(10 * 0.5)
    assert estimate_seconds(image(512), "null_space", given) == pytest.approx(4 * one)
    twice = {**given, "steps": 20}
    assert estimate_seconds(image(256), "null_space", twice) == pytest.approx(2 * one)
    enlarged = {**given, "degrade_first": False}
    assert estimate_seconds(image(256), "null_space", enlarged) == pytest.approx(4 * one)


def test_the_work_on_an_image_is_planned_once_for_the_same_settings(monkeypatch):
    planned = []

    def work(given, params):
        planned.append((given, params["steps"]))
        return 10.0 * params["steps"]

    monkeypatch.setattr(runtime_model, "load_method", lambda _: SimpleNamespace(work=work))
    cost(monkeypatch, 0.5)
    one, other = image(), image()
    asked = [(one, 5), (one, 5), (one, 6), (other, 5), (one, 6)]
    found = [estimate_seconds(at, "null_space", {"steps": steps}) for at, steps in asked]
    assert found == [25.0, 25.0, 30.0, 25.0, 30.0]
    assert planned == [(one, 5), (one, 6), (other, 5)]


def test_a_latent_run_adds_its_passes_through_the_autoencoder(monkeypatch):
    cost(monkeypatch, 0.5, 2.0)
    from_noise = estimate_seconds(image(256), "pseudo_label", {"steps": 10, "strength": 1.0})
    assert from_noise == pytest.approx(10 * 0.5 + 2.0)
    for preset, calls in (("two-call denoiser", 2), ("from the image", 5), ("published", 10)):
        seconds = estimate_seconds(image(256), "pseudo_label", {"preset": preset})
        assert seconds == pytest.approx(calls * 0.5 + 2.0)


def test_what_is_expected_is_timed_at_first_and_learned_from_runs_after(monkeypatch):
    known = runtime_model.RuntimeModel()
    monkeypatch.setattr(estimate, "RUN_TIMES", known)
    monkeypatch.setattr(estimate, "PATCH_COSTS", {})
    method, params = get("null_space"), {"prior": "pixel"}

    def seconds(work: float, prior: str = "pixel") -> float | None:
        return estimate.seconds_of_work(image(256), method, {"prior": prior}, "cpu", work)

    assert seconds(4) is None
    estimate.PATCH_COSTS["pixel", "cpu"] = estimate.PatchCost(0.5)
    assert seconds(4) == pytest.approx(2.0)
    known.update(method, params, "cpu", 10.0, 10.0)
    assert seconds(4) == pytest.approx(4.0)
    known.update(method, params, "cpu", 10.0, 40.0)
    assert seconds(4) == pytest.approx(8.0)
    assert seconds(4, "mine") is None


def test_large_is_judged_by_the_enlarged_image():
    assert not is_large(image(512), "null_space")
    assert is_large(image(512), "null_space", {"task": "sr4"})
    assert not is_large(image(512), "nlm")


def test_a_result_that_is_the_input_is_noted_in_result_and_record() -> None:
    (event,) = [e for e in compare(image(), [Request("nlm", {"sigma": 0.0})]) if e.finished]
    assert event.outcome is not None
    notes = event.outcome.result.notes
    assert notes == event.outcome.record.notes
    assert notes[-1] == UNCHANGED
    changed = [e for e in compare(image(), [Request("nlm", {"sigma": 0.1})]) if e.finished]
    assert UNCHANGED not in changed[0].outcome.record.notes
