"""A network's forward pass without the cost of launching its thousand kernels one by one."""

from __future__ import annotations

import logging
import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from enhancers.devices.device_names import device_type
from enhancers.devices.spaces import on_spaces
from enhancers.settings import get_settings

if TYPE_CHECKING:
    from torch import Tensor

Forward = Callable[["Tensor", "Tensor"], "Tensor"]
"""A state (B, C, H, W) and a timestep, shape (1,), to a noise prediction."""

GRAPHS_KEPT = 4
LAUNCH_BOUND = 0.5
"""A graph is captured where the host needs more than this part of the device's time to launch."""
SHAPES_COUNTED = 64

_log = logging.getLogger(__name__)


@dataclass(eq=False)
class _Graph:
    """A captured pass: fill the inputs, replay, read the output."""

    graph: Any
    x: Tensor
    t: Tensor
    output: Tensor

    def replay(self, x: Tensor, t: int) -> Tensor:
        import torch

        with torch.inference_mode():
            self.x.copy_(x)
            self.t.fill_(t)
            self.graph.replay()
        # The next replay overwrites the output.
        return self.output.clone()


class Runner:
    """``forward``, replayed from a CUDA graph once a shape repeats and launching it costs time.

    The first call of a shape warms up, the second is timed, the third captures where launching
    takes longer than `LAUNCH_BOUND` of the work itself. Elsewhere than on an NVIDIA GPU, and on
    Spaces, which lends a GPU for seconds, every call is a plain one. A capture that fails is not
    tried again.

    Parameters
    ----------
    forward : callable
        Its output must not depend on anything but its arguments and the weights.
    device : str
    """

    def __init__(self, forward: Forward, device: str) -> None:
        self.forward = forward
        self.device = device
        self.captures = device_type(device) == "cuda" and not on_spaces()
        self._guard = threading.Lock()
        self._seen: dict[tuple[int, ...], int] = {}
        self._graphs: OrderedDict[tuple[int, ...], _Graph] = OrderedDict()
        self._pool: Any = None

    def __call__(self, x: Tensor, t: int) -> Tensor:
        """The noise in ``x`` at timestep ``t``."""
        import torch

        if not self.captures:
            return self.forward(x, torch.tensor([t], device=x.device))
        with self._guard:
            return self._counted(x, t)

    def _counted(self, x: Tensor, t: int) -> Tensor:
        shape = tuple(x.shape)
        graph = self._graphs.get(shape)
        if graph is not None:
            self._graphs.move_to_end(shape)
            return graph.replay(x, t)
        if len(self._seen) > SHAPES_COUNTED:
            self._seen.clear()
        calls = self._seen[shape] = self._seen.get(shape, 0) + 1
        moment = filled(t, x)
        if calls == 2:
            noise, self._seen[shape] = self._timed(x, moment)
            return noise
        if calls == 3 and self._capture(x, moment):
            return self._graphs[shape].replay(x, t)
        return self.forward(x, moment)

    def _timed(self, x: Tensor, t: Tensor) -> tuple[Tensor, int]:
        """The pass, and 2 where a graph would pay, else a count that never comes to a capture."""
        synchronize(self.device)
        started = time.perf_counter()
        noise = self.forward(x, t)
        launched = time.perf_counter() - started
        synchronize(self.device)
        whole = time.perf_counter() - started
        return noise, 2 if launched > LAUNCH_BOUND * whole else 3

    def _capture(self, x: Tensor, t: Tensor) -> bool:
        try:
            self._graphs[tuple(x.shape)] = self._captured(x.clone(), t.clone())
        except Exception as error:
            # Whatever cannot be captured can be computed: a graph only saves time.
            _log.warning("no CUDA graph on %s: %s", self.device, error)
            self.captures = False
            self._graphs.clear()
            return False
        while len(self._graphs) > GRAPHS_KEPT:
            oldest, _ = self._graphs.popitem(last=False)
            self._seen.pop(oldest, None)
        return True

    def _captured(self, x: Tensor, t: Tensor) -> _Graph:
        import torch

        side = torch.cuda.Stream(x.device)  # type: ignore[no-untyped-call]
        side.wait_stream(torch.cuda.current_stream(x.device))
        with torch.cuda.stream(side), torch.inference_mode():
            self.forward(x, t)
        torch.cuda.current_stream(x.device).wait_stream(side)
        if self._pool is None:
            self._pool = torch.cuda.graph_pool_handle()
        graph = torch.cuda.CUDAGraph()
        # Other threads may copy noise meanwhile: only this thread's calls are restricted.
        with (
            torch.cuda.device(x.device),
            torch.inference_mode(),
            torch.cuda.graph(graph, self._pool, side, capture_error_mode="thread_local"),
        ):
            output = self.forward(x, t)
        return _Graph(graph, x, t, output)


def filled(t: int, like: Tensor) -> Tensor:
    """Timestep ``t`` on the device of ``like``, shape (1,), without waiting for the device."""
    import torch

    return torch.full((1,), t, dtype=torch.long, device=like.device)


def synchronize(device: str) -> None:
    """Wait until a GPU has done all it was given; a CPU is never behind."""
    import torch

    kind = device_type(device)
    if kind == "cuda":
        torch.cuda.synchronize(torch.device(device))
    elif kind == "mps":
        torch.mps.synchronize()


def compiled(network: Any, device: str) -> Any:
    """``network``, compiled where the setting `compile` asks for it and the device is a GPU.

    A compiled network is faster by what fusing its normalisations saves, and costs minutes at the
    first call of every size of image; never on Spaces.
    """
    if not get_settings().compile or device_type(device) != "cuda" or on_spaces():
        return network
    import torch

    network.forward = torch.compile(network.forward, dynamic=False)
    return network
