"""Replay of a network's forward pass from a CUDA graph, without launching each kernel."""

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
"""Maps a state (B, C, H, W) and a timestep, shape (1,), to a noise prediction."""

GRAPHS_KEPT = 4
LAUNCH_BOUND = 0.5
"""A graph is captured where launching takes more than this share of the total time."""
SHAPES_COUNTED = 64

_log = logging.getLogger(__name__)


@dataclass(eq=False)
class _Graph:
    """A captured forward pass with its input and output buffers."""

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
        # The next replay overwrites the output buffer.
        return self.output.clone()


class Runner:
    """``forward``, replayed from a CUDA graph for repeated shapes whose launch takes long.

    The first call of a shape is a warm-up, the second is timed, and the third captures a graph if
    launching took more than `LAUNCH_BOUND` of the time. Without an NVIDIA GPU, and on Spaces, where
    a GPU is available for seconds, every call is a plain one. A failed capture is not repeated.

    Parameters
    ----------
    forward : callable
        Its output must depend only on its arguments and the weights.
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
        """Predict the noise in ``x`` at timestep ``t``."""
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
        timestep = filled(t, x)
        if calls == 2:
            noise, self._seen[shape] = self._timed(x, timestep)
            return noise
        if calls == 3 and self._capture(x, timestep):
            return self._graphs[shape].replay(x, t)
        return self.forward(x, timestep)

    def _timed(self, x: Tensor, t: Tensor) -> tuple[Tensor, int]:
        """The prediction, and the call count: 2 where a graph pays, 3 to prevent a capture."""
        synchronize(self.device)
        started = time.perf_counter()
        noise = self.forward(x, t)
        launched = time.perf_counter() - started
        synchronize(self.device)
        total = time.perf_counter() - started
        return noise, 2 if launched > LAUNCH_BOUND * total else 3

    def _capture(self, x: Tensor, t: Tensor) -> bool:
        try:
            self._graphs[tuple(x.shape)] = self._captured(x.clone(), t.clone())
        except Exception as error:
            # A graph only saves time: without one the pass is computed directly.
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
        # Other threads may copy noise meanwhile, so only this thread's calls are restricted.
        with (
            torch.cuda.device(x.device),
            torch.inference_mode(),
            torch.cuda.graph(graph, self._pool, side, capture_error_mode="thread_local"),
        ):
            output = self.forward(x, t)
        return _Graph(graph, x, t, output)


def filled(t: int, like: Tensor) -> Tensor:
    """Timestep ``t`` on the device of ``like``, shape (1,), without synchronising."""
    import torch

    return torch.full((1,), t, dtype=torch.long, device=like.device)


def synchronize(device: str) -> None:
    """Wait until a GPU has finished; does nothing for a CPU."""
    import torch

    kind = device_type(device)
    if kind == "cuda":
        torch.cuda.synchronize(torch.device(device))
    elif kind == "mps":
        torch.mps.synchronize()


def compiled(network: Any, device: str) -> Any:
    """``network``, compiled if the setting `compile` is on and the device is an NVIDIA GPU.

    Compilation fuses normalisations, which makes calls faster, and takes minutes at the first call
    of every image size. On Spaces nothing is compiled.
    """
    if not get_settings().compile or device_type(device) != "cuda" or on_spaces():
        return network
    import torch

    network.forward = torch.compile(network.forward, dynamic=False)
    return network
