"""Loads the restorers that come with the project onto a device, and runs them on any size."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from enhancers import devices
from enhancers.devices import FallbackStep, OomFallback, cached_model, fallback_steps
from enhancers.devices.precision import is_half
from enhancers.errors import NetworkMissing
from enhancers.method_interface import PATCH
from enhancers.networks import parts
from enhancers.networks.config_checks import CLASSES
from enhancers.networks.entry import NetworkEntry
from enhancers.networks.load import identity_of
from enhancers.networks.lookup import missing, network_entry
from enhancers.networks.restorers.given import LEAST
from enhancers.networks.tiles import Tiling, blending_weights

SIDES = (512, 256, 128)
"""Tile sides; the smaller ones where memory is short."""
OVERLAP = 64


@dataclass(frozen=True, eq=False)
class Restorer:
    """A restorer on a device.

    Parameters
    ----------
    network : Pix2PixGenerator, Restormer or DiffusionUNet
    signal : Tensor, shape (T,)
        ābar of the schedule of its training, on the CPU.
    """

    network: Any
    signal: Tensor

    @torch.inference_mode()
    def __call__(self, planes: Tensor, t: int | None = None) -> Tensor:
        """The output for images with what they are given, (B, C, H, W) to (B, 1, H, W), float32.

        Parameters
        ----------
        planes : Tensor
            The degraded image and its modality; before them the state, for a diffusion network.
        t : int, optional
            The timestep, for a diffusion network.
        """
        first = next(self.network.parameters())
        x = planes.to(device=first.device, dtype=first.dtype, memory_format=torch.channels_last)
        if t is None:
            found: Tensor = self.network(x)
        else:
            steps = torch.full((len(x),), t, device=x.device)
            found = self.network(x[:, :1], steps, x[:, 1:])
        return found.float().to(planes.device)


def restorer(device: str, key: str) -> Restorer:
    """The restorer with this key, loaded once per device.

    It computes in float32 unless the setting `precision` is "half" or memory ran out, because its
    output is an image, and one in bfloat16 has 256 gray levels at most.

    Raises
    ------
    ParameterError
        No restorer has this key.
    NetworkMissing
        Its weights are not on this machine.
    """
    entry = network_entry(key, "restorer")
    if not entry.present:
        raise NetworkMissing(missing(entry))
    return cached_model(
        identity_of(entry),
        device,
        lambda: _load(entry, device),
        lambda found: parts.bytes_of(found.network),
    )


def _load(entry: NetworkEntry, device: str) -> Restorer:
    devices.prepare(device)
    dtype = devices.network_dtype(device) if is_half() else torch.float32
    network = parts.network(entry, "restorer", CLASSES["restorer"], device=device, dtype=dtype)
    return Restorer(network, parts.betas(entry).signal)


def tiling(height: int, width: int, side: int = SIDES[0]) -> Tiling:
    """The tiles of a padded image."""
    return Tiling(height, width, side, side - min(OVERLAP, side // 2))


def planned_patches(height: int, width: int) -> float:
    """What one call on all tiles of an image computes, in patches of `PATCH` x `PATCH` pixels."""
    tiles = tiling(max(height, LEAST), max(width, LEAST))
    rows, columns = tiles.extent
    return len(tiles.corners) * rows * columns / PATCH**2


class TiledRestorer:
    """A restorer on the device and in the precision that memory allows, on images of any size.

    Parameters
    ----------
    key : str
    device : str

    Raises
    ------
    ParameterError, NetworkMissing, OutOfDeviceMemory
    """

    def __init__(self, key: str, device: str) -> None:
        self.key = key
        self.fallback = OomFallback(fallback_steps(device, SIDES, batches=(1,)))
        self.fallback.run(self._at)

    def _at(self, step: FallbackStep) -> Restorer:
        return restorer(step.device, self.key)

    @property
    def now(self) -> Restorer:
        """The restorer of the present step."""
        return self._at(self.fallback.current)

    def tiles(self, planes: Tensor) -> int:
        """How many tiles the planes have now."""
        return len(self._tiling(planes).corners)

    def _tiling(self, planes: Tensor) -> Tiling:
        height, width = planes.shape[-2:]
        return tiling(height, width, self.fallback.current.tile or SIDES[0])

    def __call__(self, planes: Tensor, t: int | None = None) -> Tensor:
        """`Restorer.__call__` on all tiles, blended."""
        *_, found = self.by_tile(planes, t)
        return found

    def by_tile(self, planes: Tensor, t: int | None = None) -> Iterator[Tensor]:
        """The sum of all tiles after each; the last is the result.

        Where memory runs out, it begins again with smaller tiles.
        """
        while True:
            tiles = self._tiling(planes)
            try:
                yield from self._once(tiles, planes, t)
                return
            except _Smaller:
                continue

    def _once(self, tiles: Tiling, planes: Tensor, t: int | None) -> Iterator[Tensor]:
        weight, weights = blending_weights(tiles, 1.0, planes.device)
        height, width = tiles.extent
        total = planes.new_zeros((len(planes), 1, *planes.shape[-2:]))

        def call(part: Tensor) -> Tensor:
            def work(step: FallbackStep) -> Tensor:
                if self._tiling(planes) != tiles:
                    raise _Smaller
                return self._at(step)(part, t)

            return self.fallback.run(work)

        for made, (y, x) in enumerate(tiles.corners, start=1):
            where = slice(y, y + height), slice(x, x + width)
            total[(..., *where)] += call(planes[(..., *where)]) * weight
            yield total / weights if made == len(tiles.corners) else total


class _Smaller(Exception):
    """Memory ran out, and tiles are smaller from now on."""
