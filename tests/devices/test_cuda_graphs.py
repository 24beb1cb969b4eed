from __future__ import annotations

import time

import pytest
import torch
from torch import Tensor

from enhancers.devices import cuda_graphs
from enhancers.devices.cuda_graphs import GRAPHS_KEPT, Runner, _Graph, compiled
from tests.support.pretended_devices import configure


class Recorded:
    """Stands for a captured graph: replays the pass on what lies in its inputs."""

    def __init__(self, forward, x: Tensor, t: Tensor, output: Tensor) -> None:
        self.forward, self.x, self.t, self.output = forward, x, t, output
        self.replays = 0

    def replay(self) -> None:
        self.replays += 1
        self.output.copy_(self.forward(self.x, self.t))


def double(x: Tensor, t: Tensor) -> Tensor:
    time.sleep(0.003)
    return 2 * x + t


@pytest.fixture
def made(monkeypatch):
    """A pretended GPU: the graphs that were captured, and how long it makes the host wait."""
    captured, wait = [], [0.0]

    def capture(self: Runner, x: Tensor, t: Tensor) -> _Graph:
        output = self.forward(x, t)
        captured.append(Recorded(self.forward, x, t, output))
        return _Graph(captured[-1], x, t, output)

    monkeypatch.setattr(Runner, "_captured", capture)
    monkeypatch.setattr(cuda_graphs, "synchronize", lambda device: wait[0] and time.sleep(wait[0]))
    return captured, wait


def image(side: int = 4, value: float = 1.0) -> Tensor:
    return torch.full((1, 1, side, side), value)


def test_a_shape_that_repeats_is_replayed_with_the_same_result(made):
    captured, _ = made
    runner = Runner(double, "cuda")
    for call in range(6):
        x = image(value=float(call))
        assert torch.equal(runner(x, call), double(x, torch.tensor([call])))
    (graph,) = captured
    assert graph.replays == 4


def test_an_output_is_not_overwritten_by_the_next_call(made):
    runner = Runner(double, "cuda")
    results = [runner(image(value=float(call)), 0) for call in range(6)]
    assert [float(result.mean()) for result in results] == [0, 2, 4, 6, 8, 10]


def test_where_the_device_is_slower_than_launching_nothing_is_captured(made):
    captured, wait = made
    wait[0] = 0.02
    runner = Runner(double, "cuda")
    for _ in range(5):
        runner(image(), 1)
    assert captured == []


def test_few_graphs_are_kept_and_an_old_shape_is_captured_again(made):
    captured, _ = made
    runner = Runner(double, "cuda")
    for side in (*range(1, GRAPHS_KEPT + 2), 1):
        for _ in range(3):
            runner(image(side), 1)
    assert len(captured) == GRAPHS_KEPT + 2
    assert len(runner._graphs) == GRAPHS_KEPT


def test_what_cannot_be_captured_is_computed(made, monkeypatch):
    tries = []

    def refuse(self: Runner, x: Tensor, t: Tensor) -> _Graph:
        tries.append(x.shape)
        raise RuntimeError("operation not permitted when stream is capturing")

    monkeypatch.setattr(Runner, "_captured", refuse)
    runner = Runner(double, "cuda")
    for call in range(6):
        assert float(runner(image(), call).mean()) == 2 + call
    assert len(tries) == 1


@pytest.mark.parametrize("device", ["cpu", "mps"])
def test_elsewhere_every_call_is_a_plain_one(made, device):
    captured, _ = made
    runner = Runner(double, device)
    for call in range(5):
        assert float(runner(image(), call).mean()) == 2 + call
    assert captured == []


def test_a_space_has_no_graphs_and_compiles_nothing(made, monkeypatch):
    monkeypatch.setenv("SPACES_ZERO_GPU", "true")
    assert not Runner(double, "cuda").captures
    network = torch.nn.Identity()
    assert compiled(network, "cuda") is network


def test_a_failing_pass_is_the_callers_error(made):
    def fail(x: Tensor, t: Tensor) -> Tensor:
        raise torch.OutOfMemoryError("CUDA out of memory.")

    runner = Runner(fail, "cuda")
    for _ in range(4):
        with pytest.raises(torch.OutOfMemoryError):
            runner(image(), 1)


def test_compiling_is_asked_for(monkeypatch):
    configure(monkeypatch)
    asked = []
    monkeypatch.setattr(torch, "compile", lambda f, dynamic: asked.append(f) or f)
    compiled(torch.nn.Identity(), "cuda")
    configure(monkeypatch, compile=True)
    compiled(torch.nn.Identity(), "cpu")
    assert asked == []
    compiled(torch.nn.Identity(), "cuda")
    assert len(asked) == 1
