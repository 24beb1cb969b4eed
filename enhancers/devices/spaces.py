"""Hugging Face Spaces with ZeroGPU, which assigns a GPU to one function for some seconds."""

from __future__ import annotations

import importlib.util
import math
import os
from collections.abc import Callable
from typing import TypeVar, cast

F = TypeVar("F", bound=Callable[..., object])

LOADING = 15.0
"""Seconds for loading a network onto the GPU."""
MIN_SECONDS, MAX_SECONDS = 10, 120
"""Limits of a request in seconds; a visitor's quota is a few minutes per day."""
PARAMETERS_PER_SECOND = 1e10
"""Throughput in network parameters times 256 x 256 patches per second.

A pixel network makes about 4,000 multiplications per parameter and patch; the value is cautious, so
that no run is cut off."""


def on_spaces() -> bool:
    """Whether this process runs on a Space with ZeroGPU."""
    return os.environ.get("SPACES_ZERO_GPU", "").lower() in {"1", "true"}


def gpu(duration: Callable[..., float]) -> Callable[[F], F]:
    """Decorator for a function or generator that computes on a GPU.

    On ZeroGPU the function runs in a separate process, which has the GPU for
    ``duration(*arguments)`` seconds; elsewhere, and without the package ``spaces``, it is returned
    unchanged. Its result is pickled into the page's process, so it must not hold a GPU tensor.
    """

    def decorate(function: F) -> F:
        if not on_spaces() or importlib.util.find_spec("spaces") is None:
            return function
        import spaces

        return cast(
            F,
            spaces.GPU(duration=lambda *args, **kwargs: request_seconds(duration(*args, **kwargs)))(
                function
            ),
        )

    return decorate


def request_seconds(seconds: float) -> int:
    """Seconds to request, rounded, within the limits of ZeroGPU."""
    return min(max(math.ceil(seconds), MIN_SECONDS), MAX_SECONDS)


def gpu_seconds(patches: float, parameters: int) -> float:
    """GPU seconds for network evaluations, counted in 256 x 256 patches.

    Parameters
    ----------
    patches : float
        The planned work of a method, from `work` of its module.
    parameters : int
        Number of parameters of the network.
    """
    return LOADING + patches * parameters / PARAMETERS_PER_SECOND
