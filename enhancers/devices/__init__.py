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
from enhancers.devices.kinds import device_type
from enhancers.devices.precision import network_dtype, precision_name, prepare
from enhancers.devices.residency import resident

__all__ = [
    "DeviceError",
    "choose",
    "describe",
    "device_type",
    "devices",
    "limit_threads",
    "memory",
    "model_name",
    "network_dtype",
    "precision_name",
    "prepare",
    "resident",
]
