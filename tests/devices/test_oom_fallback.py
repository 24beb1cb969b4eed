from __future__ import annotations

import gc
import weakref

import pytest
import torch

from enhancers.devices import oom_fallback as room
from enhancers.devices.oom import is_out_of_memory
from enhancers.devices.oom_fallback import FallbackStep, OomFallback, fallback_steps
from enhancers.devices.precision import precision_name
from enhancers.errors import OutOfDeviceMemory
from tests.support.pretended_devices import configure, pretend


@pytest.fixture
def gpu(monkeypatch):
    """A GPU whose float32 is asked for, so that there is a precision to give up."""
    pretend(monkeypatch, cuda=1)
    configure(monkeypatch, "full")
    monkeypatch.setattr(room, "free_unused", lambda device: None)
    monkeypatch.setattr(room, "release", lambda device: 0)


def fits(limit: int):
    """Work that takes batch x tile² bytes (half in 16 bits) and has ``limit`` on the GPU."""

    def work(step: FallbackStep) -> FallbackStep:
        need = step.batch * (step.tile or 1024) ** 2 // (1 + step.half)
        if step.device != "cpu" and need > limit:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB")
        return step

    return work


@pytest.mark.parametrize(
    ("limit", "expected", "note"),
    [
        (16 * 512**2, FallbackStep("cuda", 16, 512), None),
        (4 * 512**2, FallbackStep("cuda", 4, 512), "fewer tiles went through"),
        (512**2, FallbackStep("cuda", 1, 512), "fewer tiles went through"),
        (256**2, FallbackStep("cuda", 1, 256), "tiles of 256 pixels instead of 512"),
        (128**2, FallbackStep("cuda", 1, 256, half=True), "16 bits instead of 32, and"),
        (0, FallbackStep("cpu", 1, 512), "ran on the CPU"),
    ],
)
def test_the_mildest_step_that_fits_is_taken_and_told(gpu, limit, expected, note):
    steps = fallback_steps("cuda", (512, 256))
    if expected.half:
        limit = 256**2 // 2
    fallback = OomFallback(steps)
    assert fallback.run(fits(limit)) == expected
    if note is None:
        assert fallback.notes == ()
    else:
        (said,) = fallback.notes
        assert said.startswith("The memory of cuda ran out: ")
        assert note in said


def test_a_step_down_is_remembered(gpu):
    fallback = OomFallback(fallback_steps("cuda"))
    fallback.run(fits(2 * 1024**2))
    seen = []
    fallback.run(seen.append)
    assert [step.batch for step in seen] == [2]


def test_rungs_that_make_no_difference_are_not_tried(gpu):
    tried = []

    def work(step: FallbackStep) -> FallbackStep:
        tried.append(step)
        return fits(0)(step)

    OomFallback(fallback_steps("cuda")).run(work, lambda step: (step.device, step.half))
    assert [(step.device, step.half) for step in tried] == [
        ("cuda", False), ("cuda", True), ("cpu", False),
    ]  # fmt: skip


def test_half_is_half_inside_the_work(gpu):
    def work(step: FallbackStep) -> str:
        if step.device == "cuda" and not step.half:
            raise RuntimeError("cuBLAS: CUBLAS_STATUS_ALLOC_FAILED")
        return precision_name("cuda")

    assert OomFallback(fallback_steps("cuda")).run(work) == "bfloat16"
    assert precision_name("cuda") == "float32"


def test_where_16_bits_are_usual_they_are_no_step(gpu, monkeypatch):
    configure(monkeypatch)
    assert not any(step.half for step in fallback_steps("cuda"))


def test_other_networks_leave_before_anything_is_given_up(gpu, monkeypatch):
    monkeypatch.setattr(room, "release", lambda device: 2)
    calls = []

    def work(step: FallbackStep) -> FallbackStep:
        calls.append(step)
        if len(calls) == 1:
            raise RuntimeError("MPS backend out of memory")
        return step

    fallback = OomFallback(fallback_steps("cuda"))
    assert fallback.run(work) == fallback_steps("cuda")[0]
    assert fallback.notes == ()


def test_on_the_lowest_rung_it_is_an_error_for_the_user(gpu):
    def work(step: FallbackStep) -> None:
        raise MemoryError

    with pytest.raises(OutOfDeviceMemory, match=r"too little memory on cuda .* use a smaller one"):
        OomFallback(fallback_steps("cuda", (1024, 512))).run(work)


def test_another_error_is_passed_on_at_once(gpu):
    calls = []

    def work(step: FallbackStep) -> None:
        calls.append(step)
        raise RuntimeError("sizes of tensors must match")

    with pytest.raises(RuntimeError, match="sizes of tensors"):
        OomFallback(fallback_steps("cuda")).run(work)
    assert len(calls) == 1


def test_what_the_failed_work_held_is_free_before_the_next_try(gpu):
    class Tensor:
        pass

    held = []

    def work(step: FallbackStep) -> bool:
        if held:
            gc.collect()
            return held[0]() is None
        big = Tensor()
        held.append(weakref.ref(big))
        raise torch.OutOfMemoryError("CUDA out of memory.")

    assert OomFallback(fallback_steps("cuda")).run(work)


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (torch.OutOfMemoryError("CUDA out of memory."), True),
        (RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory: you"), True),
        (RuntimeError("DefaultCPUAllocator: not enough memory: you tried to"), True),
        (RuntimeError("CUDA error: out of memory"), True),
        (MemoryError(), True),
        (RuntimeError("CUDA error: an illegal memory access was encountered"), False),
        (ValueError("out of memory"), False),
    ],
)
def test_out_of_memory_is_recognised(error, expected):
    assert is_out_of_memory(error) is expected
