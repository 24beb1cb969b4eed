from __future__ import annotations

import pytest
import torch

from enhancers.devices.pacing import GpuPacing


@pytest.fixture
def device(monkeypatch):
    """A pretended GPU: what was launched on it, and what the host waited for."""
    log = {"launched": 0, "waited": []}

    class Event:
        def record(self, stream) -> None:
            self.number = log["launched"] = log["launched"] + 1

        def synchronize(self) -> None:
            log["waited"].append((log["launched"], self.number))

    monkeypatch.setattr(torch.cuda, "Event", Event)
    monkeypatch.setattr(torch.cuda, "current_stream", lambda device: None)
    return log


def test_the_host_is_two_steps_before_the_device_and_waits_for_no_step_it_has_just_launched(device):
    pace = GpuPacing("cuda", ahead=2)
    for _ in range(5):
        pace.tick()
    assert device["waited"] == [(3, 1), (4, 2), (5, 3)]


def test_a_cpu_is_never_behind(device):
    GpuPacing("cpu").tick()
    assert device["launched"] == 0
