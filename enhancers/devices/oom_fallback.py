"""Fallbacks for a device whose memory runs out, from the mildest to the last."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, replace
from typing import TypeVar

from enhancers.devices.device_names import device_type
from enhancers.devices.model_cache import free_unused, release
from enhancers.devices.oom import is_out_of_memory
from enhancers.devices.precision import FULL, halved, precision_name
from enhancers.errors import OutOfDeviceMemory

T = TypeVar("T")

BATCH_SIZES = (16, 8, 4, 2, 1)
"""Batch sizes in patches of 256 x 256 pixels; a 512 x 512 image has 9 patches."""

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class FallbackStep:
    """How work is done: device, batch size in patches, tile side in pixels.

    ``tile`` None is the complete image. ``half`` means 16-bit networks whatever the setting.
    """

    device: str
    batch: int
    tile: int | None
    half: bool = False


def fallback_steps(
    device: str, tiles: Sequence[int | None] = (None,), *, batches: Sequence[int] = BATCH_SIZES
) -> tuple[FallbackStep, ...]:
    """The fallbacks in order: smaller batches, smaller tiles, 16 bits, the CPU.

    Parameters
    ----------
    device : str
    tiles : sequence
        Tile sides that the network accepts, the preferred one first; None is the complete image.
    batches : sequence of int
        Descending.
    """
    found = [FallbackStep(device, batch, tiles[0]) for batch in batches]
    found += [FallbackStep(device, batches[-1], tile) for tile in tiles[1:]]
    if device_type(device) != "cpu":
        if precision_name(device) == FULL:
            found.append(replace(found[-1], half=True))
        found.append(FallbackStep("cpu", batches[-1], tiles[0]))
        found += [FallbackStep("cpu", batches[-1], tile) for tile in tiles[1:]]
    return tuple(found)


class OomFallback:
    """Runs work on the first fallback step with enough memory, and remembers that step.

    Parameters
    ----------
    steps : sequence of FallbackStep
        From `fallback_steps`.
    """

    def __init__(self, steps: Sequence[FallbackStep]) -> None:
        self.steps = tuple(steps)
        self.index = 0
        self._emptied = False

    @property
    def current(self) -> FallbackStep:
        """The present step."""
        return self.steps[self.index]

    def run(
        self,
        work: Callable[[FallbackStep], T],
        effect: Callable[[FallbackStep], object] | None = None,
    ) -> T:
        """Call ``work`` with the present step and, while memory runs out, with the next ones.

        Before the first fallback the other networks of the device are evicted.

        Parameters
        ----------
        work : callable
            Called again from the start for every step.
        effect : callable, optional
            Key of a step for this work; steps with equal keys are not tried twice.

        Raises
        ------
        OutOfDeviceMemory
            Memory runs out on the last step too.
        """
        while True:
            try:
                with halved() if self.current.half else nullcontext():
                    return work(self.current)
            except Exception as error:
                if not is_out_of_memory(error):
                    raise
                _log.info("out of memory on %s", self.current)
            # Outside the handler, whose traceback holds the tensors to be freed.
            self._step_down(effect or (lambda step: step))

    def _step_down(self, effect: Callable[[FallbackStep], object]) -> None:
        failed = self.current
        if not self._emptied:
            self._emptied = True
            if release(failed.device):
                return
        free_unused(failed.device)
        below = range(self.index + 1, len(self.steps))
        different = [i for i in below if effect(self.steps[i]) != effect(failed)]
        if not different:
            raise OutOfDeviceMemory(
                f"There is too little memory on {self.steps[0].device} for an image of this size, "
                "also after every step down; use a smaller one or another device."
            )
        self.index = different[0]

    @property
    def notes(self) -> tuple[str, ...]:
        """Sentences for the user about the fallbacks taken; empty on the first step."""
        first, now = self.steps[0], self.current
        if now == first:
            return ()
        said = []
        if now.device != first.device:
            said.append(f"the network ran on the {now.device.upper()} from there on")
        if now.half:
            said.append("it computed in 16 bits instead of 32")
        if now.tile != first.tile:
            before = first.tile or "the whole image"
            said.append(f"it was given tiles of {now.tile} pixels instead of {before}")
        if not said:
            said.append("fewer tiles went through the network at a time")
        return (f"The memory of {first.device} ran out: {', and '.join(said)}.",)
