"""Selection of the device of the networks, and its description for the user."""

from __future__ import annotations

import os
import re

from enhancers.devices.device_names import device_type
from enhancers.devices.precision import FULL, precision_name
from enhancers.errors import ParameterError, ReadingRoomError
from enhancers.settings import get_settings

UNKNOWN_MEMORY = 4 * 2**30
"""Bytes assumed for the machine's memory where the system does not report it."""


class DeviceError(ReadingRoomError):
    """The requested device is not on this machine."""


def devices() -> list[str]:
    """The devices of this machine, fastest first; the last is always "cpu"."""
    import torch

    names = [f"cuda:{index}" for index in range(_cuda_count())]
    if torch.backends.mps.is_available():
        names.append("mps")
    return [*names, "cpu"]


def choose(name: str = "auto") -> str:
    """Resolve a request for "auto", "cpu", "cuda", "cuda:<index>" or "mps".

    Returns
    -------
    str
        A device name of torch, such as "cpu", "cuda", "cuda:1" or "mps".

    Raises
    ------
    ParameterError
        The name is not a device.
    DeviceError
        The device is not on this machine.
    """
    wanted = name.strip().lower()
    if wanted == "cpu":
        return "cpu"
    if not re.fullmatch(r"auto|mps|cuda(:\d+)?", wanted):
        raise ParameterError(f"{name} is not a device; give auto, cpu, cuda, cuda:<number> or mps.")
    present = devices()
    if wanted == "auto":
        return device_type(present[0])
    if wanted in present or (wanted == "cuda" and "cuda:0" in present):
        return wanted
    raise DeviceError(
        f"The device {wanted} is not available; this machine has {', '.join(present)}. "
        "Choose one of these, or auto."
    )


def describe(device: str) -> str:
    """Description of the device: "CPU, 2 threads", "NVIDIA H200, 140 GiB, bfloat16"."""
    kind = device_type(device)
    if kind == "cuda":
        return f"{_gpu_name(device)}, {memory(device) / 2**30:.0f} GiB, {precision_name(device)}"
    if kind == "mps":
        return f"Apple GPU, {precision_name(device)}"
    threads = _cpu_threads()
    words = f"CPU, {threads} thread{'' if threads == 1 else 's'}"
    return words if precision_name(device) == FULL else f"{words}, {precision_name(device)}"


def model_name(device: str) -> str:
    """The device facts that may change a result: the GPU's model and precision, or "cpu"."""
    precision = precision_name(device)
    if device_type(device) == "cuda":
        return f"{_gpu_name(device)}, {precision}"
    return device if precision == FULL else f"{device}, {precision}"


def memory(device: str) -> int:
    """Total memory of the device in bytes; for "cpu" and "mps" that of the machine."""
    if device_type(device) == "cuda":
        import torch

        return int(torch.cuda.get_device_properties(torch.device(device)).total_memory)
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (ValueError, OSError, AttributeError):
        return UNKNOWN_MEMORY


def limit_threads(threads: int | None) -> None:
    """Set the number of CPU threads of torch; None keeps the present one."""
    if threads is not None:
        import torch

        torch.set_num_threads(threads)


def _gpu_name(device: str) -> str:
    import torch

    return str(torch.cuda.get_device_properties(torch.device(device)).name)


def _cuda_count() -> int:
    import torch

    return torch.cuda.device_count() if torch.cuda.is_available() else 0


def _cpu_threads() -> int:
    """The number of threads that torch will use, without importing it."""
    configured = get_settings().threads
    if configured is not None:
        return configured
    named = os.environ.get("OMP_NUM_THREADS", "")
    if named.isdigit() and int(named) > 0:
        return int(named)
    affinity = getattr(os, "sched_getaffinity", None)
    return len(affinity(0)) if affinity else os.cpu_count() or 1
