"""Sign-ins wait their turn: who may be guessing comes last, and the queue has an end."""

import itertools
import threading
import time

import pytest

from study.accounts.sign_in_queue import SignInQueue
from study.domain.errors import SignInBusy


class Held:
    """A queue of one thread that is busy until it is let go; `done` are the jobs in order."""

    def __init__(self, **limits):
        self.queue = SignInQueue(1, slow_seconds=0.02, **limits)
        self.go = threading.Event()
        self.done = []
        begun = threading.Event()
        self.queue.submit(lambda: begun.set() or self.go.wait(5), address="first")
        begun.wait(5)

    def submit(self, name, address="here", **rank):
        return self.queue.submit(lambda: self.done.append(name) or name, address=address, **rank)

    def finish(self, *results):
        self.go.set()
        for one in results:
            one.result(5)


def test_those_who_may_be_guessing_come_last():
    held = Held()
    ranks = {
        "fourth": {"slow": True, "wrong": 5},
        "third": {"slow": True, "wrong": 1},
        "first": {},
        "second": {"wrong": 1},
    }
    held.finish(*[held.submit(name, **rank) for name, rank in ranks.items()])
    assert held.done == ["first", "second", "third", "fourth"]


def test_guesses_take_a_share_of_the_time_however_many_there_are():
    queue = SignInQueue(4, slow_seconds=0.02)
    begun = time.monotonic()
    slow = [queue.submit(time.monotonic, address="x", slow=True) for _ in range(6)]
    assert queue.submit(time.monotonic, address="y").result(5) - begun < 0.05
    times = [one.result(5) for one in slow]
    assert all(later - sooner >= 0.015 for sooner, later in itertools.pairwise(times))


def test_a_full_queue_gives_the_place_of_a_worse_rank():
    held = Held(most=3)
    guesses = [held.submit(f"guess {n}", f"10.0.0.{n}", slow=True) for n in range(3)]
    right = held.submit("right", "10.0.0.9")
    with pytest.raises(SignInBusy, match="Wait 1 minute"):
        held.submit("one guess more", "10.0.0.8", slow=True)
    held.finish(right)
    assert held.done[0] == "right"
    failed = [one for one in guesses if one.exception(5) is not None]
    assert [type(one.exception()) for one in failed] == [SignInBusy]


def test_an_address_has_a_part_of_the_queue():
    held = Held(most_of_address=2)
    waiting = [held.submit(n) for n in range(2)]
    with pytest.raises(SignInBusy):
        held.submit("too many")
    waiting.append(held.submit("another's", "there"))
    held.finish(*waiting)
    assert held.done == [0, 1, "another's"]


def test_an_error_is_the_callers_and_the_thread_goes_on():
    queue = SignInQueue(1)
    failed = queue.submit(lambda: 1 / 0, address="x")
    assert isinstance(failed.exception(5), ZeroDivisionError)
    assert queue.submit(lambda: "on", address="x").result(5) == "on"


def test_whoever_has_gone_is_not_checked():
    held = Held()
    gone, stays = held.submit("gone"), held.submit("stays")
    assert gone.cancel()
    held.finish(stays)
    assert held.done == ["stays"]
