"""Hugging Face Spaces with ZeroGPU: a GPU is lent to one function for a number of seconds."""

from __future__ import annotations

import importlib.util
import math
import os
from collections.abc import Callable
from typing import TypeVar, cast

F = TypeVar("F", bound=Callable[..., object])

LOADING = 15.0
"""Seconds to bring a network to the GPU."""
SHORTEST, LONGEST = 10, 120
"""Seconds that may be asked for at once; a visitor's quota is a few minutes a day."""
PARAMETERS_A_SECOND = 1e10
"""Parameters that pass over a 256 x 256 patch in a second. A pixel network multiplies about 4,000
times per parameter and patch; the figure is cautious, so that no run is cut off."""


def on_spaces() -> bool:
    """Whether this process runs on a Space with ZeroGPU."""
    return os.environ.get("SPACES_ZERO_GPU", "").lower() in {"1", "true"}


def gpu(duration: Callable[..., float]) -> Callable[[F], F]:
    """Decorator of a function, or a generator, that computes on a GPU.

    On ZeroGPU it runs in a process of its own that has the GPU for ``duration(*arguments)``
    seconds; elsewhere, and without the package ``spaces``, it is left as it is. What it returns
    crosses to the page's process, so it must hold no tensor on the GPU.
    """

    def decorate(function: F) -> F:
        if not on_spaces() or importlib.util.find_spec("spaces") is None:
            return function
        import spaces

        return cast(
            F,
            spaces.GPU(duration=lambda *args, **kwargs: asked(duration(*args, **kwargs)))(function),
        )

    return decorate


def asked(seconds: float) -> int:
    """Whole seconds to ask for, within what ZeroGPU grants."""
    return min(max(math.ceil(seconds), SHORTEST), LONGEST)


def gpu_seconds(patches: float, parameters: int) -> float:
    """Seconds of GPU for so many network evaluations, counted in 256 x 256 patches.

    Parameters
    ----------
    patches : float
        The planned work of a method (`work` of its module).
    parameters : int
        Of the network.
    """
    return LOADING + patches * parameters / PARAMETERS_A_SECOND
