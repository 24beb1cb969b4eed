"""The devices the networks run on: choice, precision, memory, and what to do when it runs out."""

from __future__ import annotations

from enhancers.devices.choice import (
    DeviceError,
    choose,
    describe,
    devices,
    limit_threads,
    memory,
    model_name,
)
from enhancers.devices.graphs import Runner, compiled, synchronize
from enhancers.devices.kinds import device_type
from enhancers.devices.ladder import Ladder, Rung, rungs
from enhancers.devices.pace import Pace
from enhancers.devices.precision import network_dtype, precision_name, prepare
from enhancers.devices.residency import resident
from enhancers.devices.spaces import gpu, gpu_seconds, on_spaces

__all__ = [
    "DeviceError",
    "Ladder",
    "Pace",
    "Rung",
    "Runner",
    "choose",
    "compiled",
    "describe",
    "device_type",
    "devices",
    "gpu",
    "gpu_seconds",
    "limit_threads",
    "memory",
    "model_name",
    "network_dtype",
    "on_spaces",
    "precision_name",
    "prepare",
    "resident",
    "rungs",
    "synchronize",
]
