from __future__ import annotations

import pytest
import torch

from enhancers.devices.precision import halved, network_dtype, precision_name, prepare
from tests.support.pretended_devices import configure, pretend


@pytest.mark.parametrize(
    ("device", "capability", "auto", "half"),
    [
        ("cuda", (9, 0), torch.bfloat16, torch.bfloat16),
        ("cuda:1", (7, 5), torch.float16, torch.float16),
        ("mps", (0, 0), torch.float16, torch.float16),
        ("cpu", (0, 0), torch.float32, torch.bfloat16),
    ],
)
def test_each_device_has_its_type(monkeypatch, device, capability, auto, half):
    pretend(monkeypatch, cuda=2, capability=capability)
    for wanted, expected in (("auto", auto), ("half", half), ("full", torch.float32)):
        configure(monkeypatch, wanted)
        assert network_dtype(device) is expected


def test_inside_halved_networks_are_small_also_where_full_was_asked_for(monkeypatch):
    configure(monkeypatch, "full")
    with halved():
        assert precision_name("cpu") == "bfloat16"
    assert precision_name("cpu") == "float32"


@pytest.mark.parametrize(("wanted", "rounded"), [("auto", True), ("full", False)])
def test_float32_on_a_gpu_is_rounded_unless_full_is_asked_for(monkeypatch, wanted, rounded):
    configure(monkeypatch, wanted)
    before = torch.backends.cudnn.allow_tf32
    try:
        torch.backends.cudnn.allow_tf32 = not rounded
        prepare("cpu")
        assert torch.backends.cudnn.allow_tf32 is not rounded
        prepare("cuda")
        assert torch.backends.cudnn.allow_tf32 is rounded
        assert torch.backends.cuda.matmul.allow_tf32 is False
    finally:
        torch.backends.cudnn.allow_tf32 = before
