"""Pacing of GPU work: launched ahead, but only so far that progress and stopping stay exact."""

from __future__ import annotations

from collections import deque
from typing import Any

from enhancers.devices.device_names import device_type

AHEAD = 2
"""Steps queued on the GPU while it computes one."""


class GpuPacing:
    """Keeps the host `AHEAD` steps before the device.

    The host never waits for the step that it has just launched, so that the device is never idle.
    On a CPU it does nothing.
    """

    def __init__(self, device: str, ahead: int = AHEAD) -> None:
        self.device = device
        self.ahead = ahead
        self._marks: deque[Any] = deque()

    def tick(self) -> None:
        """Register a launched step and wait for the one ``ahead`` steps before."""
        if device_type(self.device) != "cuda":
            return
        import torch

        mark = torch.cuda.Event()  # type: ignore[no-untyped-call]
        mark.record(torch.cuda.current_stream(torch.device(self.device)))
        self._marks.append(mark)
        if len(self._marks) > self.ahead:
            self._marks.popleft().synchronize()
