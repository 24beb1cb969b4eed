"""The devices of the networks: selection, precision, memory, and fallbacks when it runs out."""

from __future__ import annotations

from enhancers.devices.cuda_graphs import Runner, compiled, synchronize
from enhancers.devices.device_names import device_type
from enhancers.devices.model_cache import cached_model
from enhancers.devices.oom_fallback import FallbackStep, OomFallback, fallback_steps
from enhancers.devices.pacing import GpuPacing
from enhancers.devices.precision import network_dtype, precision_name, prepare
from enhancers.devices.selection import (
    DeviceError,
    choose,
    describe,
    devices,
    limit_threads,
    memory,
    model_name,
)
from enhancers.devices.spaces import gpu, gpu_seconds, on_spaces

__all__ = [
    "DeviceError",
    "FallbackStep",
    "GpuPacing",
    "OomFallback",
    "Runner",
    "cached_model",
    "choose",
    "compiled",
    "describe",
    "device_type",
    "devices",
    "fallback_steps",
    "gpu",
    "gpu_seconds",
    "limit_threads",
    "memory",
    "model_name",
    "network_dtype",
    "on_spaces",
    "precision_name",
    "prepare",
    "synchronize",
]
