"""Limits on memory and time while torch builds a network that somebody's file describes.

The shapes in a file decide how large the network is that a library builds of it, and a hostile file
may describe one of terabytes. Within `Bounded` every operation of torch is first tried on tensors
without data, so that one which is too large is refused before memory is taken; one whose size
cannot be known beforehand is refused too.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor
from torch.multiprocessing.reductions import StorageWeakRef
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_flatten, tree_map_only

META = torch.device("meta")
_reference: Any = StorageWeakRef


class LimitExceeded(Exception):
    """An operation needs more memory, or all of them more time, than is allowed."""


class Bounded(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Context in which operations of torch on the CPU are refused beyond a limit.

    Parameters
    ----------
    memory : int
        Most bytes of the tensors made here that exist at one time.
    seconds : float
        Most processor time: a machine that is busy with other work refuses nothing more.
    """

    def __init__(self, memory: int, seconds: float) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self._memory, self._taken = memory, 0
        self._made: dict[int, tuple[Any, int]] = {}
        self._end = time.thread_time() + seconds

    def __torch_dispatch__(
        self,
        func: Any,
        types: Any,
        args: tuple[Any, ...] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        """Run an operation, unless it exceeds a limit."""
        given = dict(kwargs or {})
        planned = _planned_bytes(func, args, given)
        if self._taken + planned > self._memory:
            self._forget_freed()
        if self._taken + planned > self._memory:
            raise LimitExceeded("it describes a network that needs too much memory")
        if time.thread_time() > self._end:
            raise LimitExceeded("building it takes too long")
        inputs = {tensor.untyped_storage()._cdata for tensor in _tensors((args, given))}
        result = func(*args, **given)
        for storage in (tensor.untyped_storage() for tensor in _tensors(result)):
            # A view, and what is computed in place, takes nothing more.
            if storage._cdata not in inputs and storage._cdata not in self._made:
                self._made[storage._cdata] = _reference(storage), storage.nbytes()
                self._taken += storage.nbytes()
        return result

    def _forget_freed(self) -> None:
        self._made = {key: one for key, one in self._made.items() if not one[0].expired()}
        self._taken = sum(size for _, size in self._made.values())


def _planned_bytes(func: Any, args: tuple[Any, ...], given: dict[str, Any]) -> int:
    """Bytes of what an operation would return, without computing it; 0 if it returns a number."""
    if torch.Tag.data_dependent_output in func.tags:
        return 0
    if func is torch.ops.aten.index.Tensor:
        args = (args[0], [one for index in args[1] for one in _positions(index)])
    args, given = tree_map_only((Tensor, torch.device), _without_data, (args, given))
    if any(argument.name == "device" for argument in func._schema.arguments[len(args) :]):
        given["device"] = META
    try:
        found = func(*args, **given)
    except Exception as error:
        # Wrong arguments and unknown sizes have many errors.
        raise LimitExceeded(f"the size of {func} is not known beforehand ({error})") from error
    return sum(tensor.numel() * tensor.element_size() for tensor in _tensors(found))


def _tensors(tree: object) -> list[Tensor]:
    return [one for one in tree_flatten(tree)[0] if isinstance(one, Tensor)]


def _positions(index: Tensor | None) -> tuple[Tensor | None, ...]:
    """An index of a known size: positions, as many as there are, in place of a mask."""
    if index is None or index.dtype not in (torch.bool, torch.uint8):
        return (index,)
    return (torch.empty(int(index.count_nonzero()), dtype=torch.int64, device=META),) * index.ndim


def _without_data(one: Tensor | torch.device) -> Tensor | torch.device:
    if isinstance(one, torch.device):
        return META
    return torch.empty_strided(one.shape, one.stride(), dtype=one.dtype, device=META)
