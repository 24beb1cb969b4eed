"""Lines for devices: order, places, honest times, and leaving without a trace."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Iterator, Mapping

import numpy as np
import pytest

from enhancers import job_queue
from enhancers.compare import Event, Request, ResultCache, compare, runs, runtime_model
from enhancers.image import MedicalImage, from_array
from enhancers.job_queue import DeviceQueue, QueueStatus
from enhancers.method import Modality, ParameterValue
from enhancers.method_interface import Result, Step
from enhancers.provenance import PriorFacts
from enhancers.registry import get

IMAGE = from_array(np.random.default_rng(0).random((16, 16), np.float32), Modality.CT)


class Clock:
    """Seconds that pass when told to."""

    now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture(autouse=True)
def fresh_queues(monkeypatch) -> None:
    monkeypatch.setattr(job_queue, "QUEUES", {})


def test_first_come_first_served():
    queue = DeviceQueue()
    a, b, c = queue.join(), queue.join(), queue.join()
    assert [ticket.wait(0) for ticket in (a, b, c)] == [True, False, False]
    a.leave()
    assert [ticket.wait(0) for ticket in (b, c)] == [True, False]
    b.leave()
    assert c.wait(0)


def test_the_place_and_the_time_follow_what_those_ahead_say(clock):
    queue = DeviceQueue(clock=clock, where="the GPU")
    a, b, c = queue.join(10), queue.join(20), queue.join(30)
    assert a.ahead is None
    assert b.ahead == QueueStatus(1, 10, "the GPU")
    assert c.ahead == QueueStatus(2, 30, "the GPU")
    assert queue.newcomer() == QueueStatus(3, 60, "the GPU")
    clock.now += 4
    assert c.ahead == QueueStatus(2, 26, "the GPU")
    a.report(15)
    assert c.ahead == QueueStatus(2, 35, "the GPU")
    a.report(None)
    clock.now += 5
    assert c.ahead == QueueStatus(2, 30, "the GPU")
    a.leave()
    assert b.ahead is None
    assert c.ahead == QueueStatus(1, 20, "the GPU")
    clock.now += 50
    assert c.ahead == QueueStatus(1, 0, "the GPU")


def test_no_time_is_told_where_one_ahead_has_given_none(clock):
    queue = DeviceQueue(clock=clock)
    a, b, c = queue.join(), queue.join(5), queue.join(5)
    assert b.ahead == QueueStatus(1, None)
    a.report(3)
    assert c.ahead == QueueStatus(2, 8)
    d, e = queue.join(), queue.join()
    assert d.ahead == QueueStatus(3, 13)
    assert e.ahead == QueueStatus(4, None)


def test_several_places_are_filled_as_they_become_free(clock):
    queue = DeviceQueue(2, clock=clock)
    a, b = queue.join(10), queue.join(4)
    assert a.wait(0)
    assert b.wait(0)
    c, d, e = queue.join(3), queue.join(9), queue.join(1)
    assert [ticket.ahead for ticket in (c, d, e)] == [
        QueueStatus(1, 4),
        QueueStatus(2, 7),
        QueueStatus(3, 10),
    ]
    b.leave()
    assert c.wait(0)
    assert d.ahead == QueueStatus(1, 3)


def test_whoever_leaves_the_line_is_no_longer_counted(clock):
    queue = DeviceQueue(clock=clock)
    a, b, c = queue.join(10), queue.join(20), queue.join(30)
    b.leave()
    b.leave()
    assert not b.wait(0)
    assert b.ahead is None
    assert c.ahead == QueueStatus(1, 10)
    c.leave()
    a.leave()
    assert queue.newcomer() is None


def test_an_error_in_a_run_frees_its_place():
    queue = DeviceQueue()
    with pytest.raises(ZeroDivisionError), queue.join():
        raise ZeroDivisionError
    assert queue.newcomer() is None


def test_joining_only_if_free():
    queue = DeviceQueue()
    first = queue.join_if_free()
    assert first is not None
    assert queue.join_if_free() is None
    first.leave()
    with queue.join():
        waiting = queue.join()
        assert queue.join_if_free() is None
    assert waiting.wait(0)


def test_a_queue_without_a_slot_is_refused():
    with pytest.raises(ValueError, match="at least one slot, got 0"):
        DeviceQueue(0)


def test_many_threads_never_exceed_the_slots_and_all_get_their_turn():
    queue = DeviceQueue(3)
    inside, most, served = 0, 0, 0
    guard = threading.Lock()

    def visitor(seed: int) -> None:
        nonlocal inside, most, served
        dice = random.Random(seed)
        for _ in range(20):
            with queue.join(dice.random()) as ticket:
                if dice.random() < 0.2:
                    continue
                assert ticket.wait(20)
                with guard:
                    inside += 1
                    most = max(most, inside)
                    served += 1
                time.sleep(0.0005)
                with guard:
                    inside -= 1

    visitors = [threading.Thread(target=visitor, args=(seed,)) for seed in range(12)]
    for each in visitors:
        each.start()
    for each in visitors:
        each.join(30)
    assert not any(each.is_alive() for each in visitors)
    assert most == 3
    assert served > 100
    assert queue.newcomer() is None


@pytest.mark.parametrize(
    ("wait", "text"),
    [
        (QueueStatus(2, 35.2), "waiting: 2 ahead, about 35 s"),
        (QueueStatus(1, 0.2), "waiting: 1 ahead, under 1 s"),
        (QueueStatus(3, 240), "waiting: 3 ahead, about 4 min"),
        (QueueStatus(3, None), "waiting: 3 ahead"),
    ],
)
def test_what_a_waiting_run_is_told(wait, text):
    assert wait.text == text


def test_each_gpu_and_the_filters_have_their_own_queue():
    filters = job_queue.queue_of(get("nlm"), "cuda")
    assert filters.slots >= 2
    assert job_queue.queue_of(get("tv"), "cpu") is filters
    assert job_queue.queue_of(get("null_space"), "cuda") is job_queue.device_queue("cuda:0")
    assert job_queue.queue_of(get("unimie"), "cuda:1") is job_queue.device_queue("cuda:1")
    network = [job_queue.device_queue(name) for name in ("cpu", "mps", "cuda:0", "cuda:1")]
    assert len({id(queue) for queue in [filters, *network]}) == 5
    assert {queue.slots for queue in network} == {1}
    assert job_queue.device_queue("cuda:1").where == "GPU 1"


def test_a_newcomer_goes_where_it_begins_first():
    gpus = ["cuda:0", "cuda:1", "cuda:2"]
    assert job_queue.shortest_queue(gpus) == "cuda:0"
    job_queue.device_queue("cuda:0").join(5)
    job_queue.device_queue("cuda:1").join(3)
    assert job_queue.shortest_queue(gpus) == "cuda:2"
    job_queue.device_queue("cuda:2").join()
    assert job_queue.shortest_queue(gpus) == "cuda:1"
    job_queue.device_queue("cuda:1").join(3)
    assert job_queue.shortest_queue(gpus) == "cuda:0"
    assert job_queue.shortest_queue(["cuda:2"]) == "cuda:2"


class Fake:
    """A method of as many steps as asked, each as long as the test lets it be."""

    def __init__(self) -> None:
        self.started: list[tuple[int, str]] = []

    def work(self, image: MedicalImage, params: Mapping[str, ParameterValue]) -> float:
        return 2.0

    def run(
        self, image: MedicalImage, params: Mapping[str, ParameterValue], *, seed: int, device: str
    ) -> Iterator[Step]:
        self.started.append((seed, device))
        for done in range(2):
            yield Step(done / 2, None, 2.0 - done, f"step {done}")
        yield Step(1.0, None, 0.0, "done", Result(image.pixels, (), 2))


@pytest.fixture
def fake(monkeypatch) -> Fake:
    method = Fake()
    monkeypatch.setattr(runs, "load_method", lambda _: method)
    monkeypatch.setattr(runtime_model, "load_method", lambda _: method)
    monkeypatch.setattr(runs, "WAIT_TICK", 0.01)
    monkeypatch.setattr(
        runs, "prior_facts",
        lambda method, _: PriorFacts("pixel", "a" * 64) if method.prior else None,
    )  # fmt: skip
    return method


def asked(seed: int, *methods: str, cache: ResultCache | None = None, device: str = "cpu"):
    return compare(IMAGE, [Request(key) for key in methods], seed=seed, cache=cache, device=device)


def finish(events: Iterator[Event]) -> list[Event]:
    found = list(events)
    assert not any(event.error for event in found)
    return found


def test_a_run_in_line_says_its_place_and_begins_when_the_one_ahead_ends(fake):
    first, second, third = (asked(seed, "null_space") for seed in range(3))
    assert next(first).wait is None
    assert next(second).wait == QueueStatus(1, pytest.approx(2.0, abs=0.5), "the CPU")
    event = next(third)
    assert event.wait is not None
    assert event.wait.ahead == 2
    assert event.step.note.startswith("waiting: 2 ahead")
    assert (event.step.fraction, event.finished) == (0.0, False)
    finish(first)
    assert next(third).wait.ahead == 1
    began = next(event for event in second if event.wait is None)
    assert began.step.note == "step 0"
    finish(second)
    assert finish(third)[-1].outcome is not None
    assert [seed for seed, _ in fake.started] == [0, 1, 2]


def test_people_with_several_methods_take_turns(fake):
    people = [asked(seed, "null_space", "unimie") for seed in range(3)]
    ended = []
    while people:
        for person in list(people):
            event = next(person, None)
            if event is None:
                people.remove(person)
            elif event.finished:
                assert event.outcome is not None, event.error
                ended.append((event.method, event.outcome.record.seed))
    assert ended == [(key, seed) for key in ("null_space", "unimie") for seed in range(3)]


def test_closing_a_waiting_run_leaves_the_line_at_once(fake):
    first, second, third = (asked(seed, "null_space") for seed in range(3))
    next(first)
    next(second)
    assert next(third).wait.ahead == 2
    second.close()
    assert next(third).wait.ahead == 1
    first.close()
    assert next(event for event in third if event.wait is None).step.note == "step 0"
    third.close()
    assert job_queue.device_queue("cpu").newcomer() is None
    assert [seed for seed, _ in fake.started] == [0, 2]


def test_filters_do_not_wait_behind_a_network(fake):
    network = asked(0, "null_space")
    next(network)
    for _ in range(2):
        assert not any(event.wait for event in finish(asked(1, "tv", "nlm")))
    network.close()


def test_a_failed_run_gives_its_place_back(fake, monkeypatch):
    def broken(*_: object, **__: object) -> Iterator[Step]:
        yield Step(0.0)
        raise ZeroDivisionError

    monkeypatch.setattr(fake, "run", broken)
    assert list(asked(0, "null_space"))[-1].error
    assert job_queue.device_queue("cpu").newcomer() is None


def test_the_place_is_free_before_the_result_is_looked_at(fake):
    events = asked(0, "null_space")
    while not next(events).finished:
        pass
    assert job_queue.device_queue("cpu").newcomer() is None
    events.close()


def test_a_result_made_by_the_one_ahead_is_not_made_again(fake, tmp_path):
    cache = ResultCache(tmp_path, 1_000_000)
    first, second = (asked(0, "null_space", cache=cache) for _ in range(2))
    next(first)
    assert next(second).wait is not None
    finish(first)
    assert finish(second)[-1].cached
    assert len(fake.started) == 1


def test_waiting_does_not_count_as_the_duration_of_the_run(fake):
    first, second = (asked(seed, "null_space") for seed in range(2))
    next(first)
    next(second)
    time.sleep(0.3)
    finish(first)
    outcome = finish(second)[-1].outcome
    assert outcome is not None
    assert outcome.seconds < 0.25


def test_auto_spreads_runs_over_the_gpus(fake, monkeypatch):
    monkeypatch.setattr(runs.devices, "devices", lambda: ["cuda:0", "cuda:1", "cpu"])
    for name in ("describe", "model_name"):
        monkeypatch.setattr(runs.devices, name, lambda device: device)
    first, second, third = (asked(seed, "null_space", device="auto") for seed in range(3))
    assert next(first).wait is None
    assert next(second).wait is None
    assert next(third).wait.ahead == 1
    assert fake.started == [(0, "cuda:0"), (1, "cuda:1")]
    for events in (first, second, third):
        events.close()
