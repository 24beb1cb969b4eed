"""Limits on memory and time while torch builds a network that somebody's file describes.

The shapes in a file decide how large the network is that a library builds of it, and a hostile file
may describe one of terabytes. Within `Bounded` every operation of torch is first tried on tensors
without data, so that one which is too large is refused before memory is taken.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_flatten, tree_map_only


class LimitExceeded(Exception):
    """An operation needs more memory, or all of them more time, than is allowed."""


class Bounded(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Context in which operations of torch on the CPU are refused beyond a limit.

    Parameters
    ----------
    operation : int
        Most bytes that one operation may return.
    created : int
        Most bytes that may be created in sum, other than from tensors.
    seconds : float
        Most time.
    """

    def __init__(self, operation: int, created: int, seconds: float) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self._operation, self._left = operation, created
        self._end = time.monotonic() + seconds

    def __torch_dispatch__(
        self,
        func: Callable[..., Any],
        types: Any,
        args: tuple[Any, ...] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        """Run an operation, unless it exceeds a limit."""
        given = dict(kwargs or {})
        inputs = [one for one in tree_flatten((args, given))[0] if isinstance(one, Tensor)]
        planned = _planned_bytes(func, args, given)
        if not inputs:
            self._left -= planned
        if planned > self._operation or self._left < 0:
            raise LimitExceeded("it describes a network that needs too much memory")
        if time.monotonic() > self._end:
            raise LimitExceeded("building it takes too long")
        return func(*args, **given)


def _planned_bytes(func: Callable[..., Any], args: tuple[Any, ...], given: dict[str, Any]) -> int:
    """Bytes of what an operation would return, without computing it; 0 if it returns none."""
    try:
        args, given = tree_map_only(Tensor, _without_data, (args, given))
        if "device" in given:
            given["device"] = torch.device("meta")
        found = tree_flatten(func(*args, **given))[0]
    except Exception:
        # What needs the values of a tensor, such as `item`, returns numbers and no tensors.
        return 0
    return sum(one.numel() * one.element_size() for one in found if isinstance(one, Tensor))


def _without_data(tensor: Tensor) -> Tensor:
    return torch.empty_strided(
        tensor.shape, tensor.stride(), dtype=tensor.dtype, device=torch.device("meta")
    )
