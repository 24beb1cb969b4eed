from __future__ import annotations

import functools
import subprocess
import sys
from types import SimpleNamespace

import pytest

from enhancers import devices
from enhancers.devices import selection
from enhancers.errors import ParameterError, ReadingRoomError
from tests.support.pretended_devices import configure, pretend


@pytest.fixture
def machine(monkeypatch):
    return functools.partial(pretend, monkeypatch)


@pytest.mark.parametrize(
    ("cuda", "mps", "expected"),
    [
        (0, False, ["cpu"]),
        (2, False, ["cuda:0", "cuda:1", "cpu"]),
        (0, True, ["mps", "cpu"]),
    ],
)
def test_devices_are_listed_the_fastest_first_and_auto_takes_that(machine, cuda, mps, expected):
    machine(cuda, mps)
    assert devices.devices() == expected
    assert devices.choose() == devices.choose(" AUTO ") == expected[0].split(":")[0]


def test_a_device_that_is_here_is_taken_by_name(machine):
    machine(cuda=2)
    assert devices.choose("cuda") == "cuda"
    assert devices.choose("cuda:1") == "cuda:1"
    assert devices.choose("cpu") == "cpu"


@pytest.mark.parametrize("name", ["cuda", "cuda:0", "mps"])
def test_a_missing_device_is_an_error_that_says_what_there_is(machine, name):
    machine()
    with pytest.raises(devices.DeviceError, match=f"{name} is not available.*has cpu") as caught:
        devices.choose(name)
    assert isinstance(caught.value, ReadingRoomError)


def test_an_index_beyond_the_last_gpu_is_missing(machine):
    machine(cuda=1)
    with pytest.raises(devices.DeviceError, match="cuda:1 is not available"):
        devices.choose("cuda:1")


@pytest.mark.parametrize("name", ["", "gpu", "cuda:", "cuda:x", "cpu:0", "toaster"])
def test_what_is_no_device_is_refused(name):
    with pytest.raises(ParameterError, match="is not a device"):
        devices.choose(name)


def test_descriptions(machine, monkeypatch):
    machine(cuda=1)
    assert devices.describe("cuda") == "NVIDIA H200, 140 GiB, bfloat16"
    assert devices.model_name("cuda:0") == "NVIDIA H200, bfloat16"
    assert devices.describe("mps") == "Apple GPU, float16"
    monkeypatch.setenv("OMP_NUM_THREADS", "2")
    assert devices.describe("cpu") == "CPU, 2 threads"
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    assert devices.describe("cpu") == "CPU, 1 thread"
    assert devices.model_name("cpu") == "cpu"
    monkeypatch.delenv("OMP_NUM_THREADS")
    assert devices.describe("cpu").startswith("CPU, ")


def test_the_precision_is_part_of_what_the_bytes_depend_on(machine, monkeypatch):
    machine(cuda=1, capability=(7, 5))
    assert devices.model_name("cuda") == "NVIDIA H200, float16"
    configure(monkeypatch, "full")
    assert devices.model_name("cuda") == "NVIDIA H200, float32"
    assert devices.model_name("mps") == "mps"
    assert devices.model_name("cpu") == "cpu"
    configure(monkeypatch, "half")
    assert devices.model_name("cpu") == "cpu, bfloat16"
    assert devices.describe("cpu").endswith(", bfloat16")


def test_the_threads_of_the_settings_are_described_and_applied(monkeypatch):
    import torch

    monkeypatch.setattr(selection, "get_settings", lambda: SimpleNamespace(threads=3))
    assert devices.describe("cpu") == "CPU, 3 threads"
    before = torch.get_num_threads()
    devices.limit_threads(None)
    assert torch.get_num_threads() == before
    devices.limit_threads(3)
    assert torch.get_num_threads() == 3
    devices.limit_threads(before)


def test_the_cpu_needs_no_torch():
    code = (
        "import sys; from enhancers import devices; "
        "print(devices.choose('cpu'), devices.describe('cpu'), 'torch' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.startswith("cpu CPU, ")
    assert done.stdout.strip().endswith("False")
