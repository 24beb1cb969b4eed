from __future__ import annotations

import gc
import threading
import time
import weakref

import pytest

from enhancers.devices import model_cache
from enhancers.devices.model_cache import budget, cached_model, cached_models, release
from tests.support.pretended_devices import configure, pretend


class Network:
    pass


@pytest.fixture(autouse=True)
def empty(monkeypatch):
    monkeypatch.setattr(model_cache, "MODELS", type(model_cache.MODELS)())
    configure(monkeypatch, memory_gb=1e-7)


def load(name: str, size: int = 40, device: str = "cpu") -> Network:
    return cached_model(name, device, Network, lambda _: size)


def names(device: str = "cpu") -> list[str]:
    return [entry.identity for entry in cached_models(device)]


def test_a_network_is_made_once():
    assert load("a") is load("a")


def test_the_least_recently_used_leaves_when_the_budget_of_100_bytes_is_exceeded():
    load("a")
    load("b")
    load("a")
    load("c")
    assert names() == ["a", "c"]


def test_what_left_is_freed():
    gone = weakref.ref(load("a", 80))
    load("b", 80)
    gc.collect()
    assert gone() is None


def test_one_that_is_larger_than_the_budget_is_kept_alone():
    load("a")
    load("big", 500)
    assert names() == ["big"]


def test_devices_have_a_budget_each_and_cuda_is_cuda_0(monkeypatch):
    pretend(monkeypatch, cuda=2)
    monkeypatch.setattr(model_cache, "free_unused", lambda device: None)
    load("a", 80)
    network = load("a", 80, "cuda")
    assert load("a", 80, "cuda:0") is network
    assert load("a", 80, "cuda:1") is not network
    assert (names(), names("cuda"), names("cuda:1")) == (["a"], ["a"], ["a"])


def test_another_precision_is_another_network(monkeypatch):
    network = load("a")
    configure(monkeypatch, "half", memory_gb=1e-7)
    assert load("a") is not network
    assert {entry.precision for entry in cached_models()} == {"float32", "bfloat16"}


def test_when_memory_runs_out_while_loading_the_others_leave():
    load("a")
    tries = []

    def make() -> Network:
        tries.append(names())
        if names():
            raise RuntimeError("CUDA error: out of memory")
        return Network()

    cached_model("b", "cpu", make, lambda _: 10)
    assert tries == [["a"], []]
    assert names() == ["b"]


def test_another_error_is_passed_on_and_nothing_leaves():
    load("a")

    def make() -> Network:
        raise RuntimeError("the file is damaged")

    with pytest.raises(RuntimeError, match="damaged"):
        cached_model("b", "cpu", make, lambda _: 10)
    assert names() == ["a"]


def test_two_threads_that_ask_at_once_get_one_and_do_not_hold_up_others():
    made, got = [], []
    started = threading.Event()

    def slow() -> Network:
        started.set()
        time.sleep(0.2)
        made.append(1)
        return Network()

    def ask() -> None:
        got.append(cached_model("slow", "cpu", slow, lambda _: 10))

    threads = [threading.Thread(target=ask) for _ in range(2)]
    for thread in threads:
        thread.start()
    started.wait(5)
    load("quick", 10)
    assert not made
    for thread in threads:
        thread.join()
    assert made == [1]
    assert got[0] is got[1]


def test_releasing_a_device_empties_it():
    load("a")
    load("b")
    assert release("cpu") == 2
    assert names() == []


def test_the_budget_is_a_share_of_the_memory_unless_it_is_set(monkeypatch):
    assert budget("cpu") == 100
    configure(monkeypatch)
    pretend(monkeypatch, cuda=1)
    assert budget("cuda") == round(140 * 2**30 * 0.6)
    assert 0 < budget("cpu") < 2**50
