"""Pretended machines: GPUs that are not there, settings as a test wants them."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from enhancers.devices import cuda_graphs, model_cache, precision


def pretend(
    monkeypatch: pytest.MonkeyPatch,
    cuda: int = 0,
    mps: bool = False,
    capability: tuple[int, int] = (9, 0),
) -> None:
    """A machine with so many NVIDIA GPUs and, or not, an Apple one."""
    import torch

    facts = SimpleNamespace(name="NVIDIA H200", total_memory=140 * 2**30)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: cuda > 0)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: cuda)
    monkeypatch.setattr(torch.cuda, "get_device_properties", lambda _: facts)
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda _: capability)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: mps)


def configure(
    monkeypatch: pytest.MonkeyPatch,
    wanted: str = "auto",
    memory_gb: float | None = None,
    compile: bool = False,
) -> None:
    """The settings that the backend reads."""
    settings = SimpleNamespace(precision=wanted, model_memory_gb=memory_gb, compile=compile)
    for module in (cuda_graphs, precision, model_cache):
        monkeypatch.setattr(module, "get_settings", lambda: settings)
