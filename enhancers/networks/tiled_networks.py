"""Priors for the samplers: networks on images of any size, within the device's memory."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, TypeVar

import torch
from torch import Tensor

from enhancers import devices
from enhancers.devices import FallbackStep, OomFallback, fallback_steps
from enhancers.devices.oom_fallback import BATCH_SIZES
from enhancers.method_interface import PATCH, Figure, patches
from enhancers.networks.entry import Embedded, NetworkEntry
from enhancers.networks.load import latent_prior, pixel_prior
from enhancers.networks.lookup import network_entry
from enhancers.networks.priors import LatentPrior, PixelPrior
from enhancers.networks.tiles import Tiling

P = TypeVar("P", PixelPrior, LatentPrior)
T = TypeVar("T")

MIN_TILE = 128
"""Smallest tile side in pixels; an embedded network needs this much context."""
TILE_MULTIPLE = 64
"""Tile sides are multiples of this, which suits networks of up to seven levels."""
MAX_TILE = 1024
"""Largest side that DDNM processes in one piece with a network of any size."""
OVERLAP = 64
LEAST_SIGMA = 0.004
"""Measured noise below which denoising does nothing: the network's own error is as large."""
LARGE = 100_000_000
"""Number of parameters above which a CPU processes single tiles: batches only cost gigabytes."""
AUTOENCODER_TILES = (1024, 512, 256)
"""Tile sides of an autoencoder in pixels; the smaller ones where memory is short."""
AUTOENCODER_OVERLAP = 128


@dataclass(frozen=True)
class TileSizes:
    """The tile sides that a pixel network may use.

    ``sides`` has the preferred side first; None stands for the complete image. Neighbours overlap
    by ``overlap`` pixels, or by half a tile where that is None or larger. Images with sides below
    ``least`` are padded to it by reflection.
    """

    sides: tuple[int | None, ...]
    overlap: int | None = None
    least: int = 1

    def tiling(self, height: int, width: int, side: int | None) -> Tiling:
        """The tiling of an image by tiles of this side."""
        if side is None:
            side = max(height, width)
        shared = side // 2 if self.overlap is None else min(self.overlap, side // 2)
        return Tiling(height, width, side, side - shared)


def tile_sizes(
    entry: NetworkEntry, largest: int | None = None, overlap: int | None = None
) -> TileSizes:
    """The tile sides for a prior.

    Parameters
    ----------
    entry : NetworkEntry
    largest : int, optional
        Tile side for the embedded networks, which take any size; `PATCH` by default. Other
        networks get tiles of their training size.
    overlap : int, optional
    """
    if not entry.tiles:
        return TileSizes((None,), overlap)
    if not isinstance(entry.source, Embedded):
        usual = -(-entry.native // TILE_MULTIPLE) * TILE_MULTIPLE
        return TileSizes((usual,), overlap, usual)
    sides: list[int | None] = []
    side = largest or PATCH
    while side >= MIN_TILE:
        sides.append(side)
        side //= 2
    return TileSizes(tuple(sides), overlap, 1 if largest else PATCH)


def size_notes(entry: NetworkEntry, height: int, width: int) -> tuple[str, ...]:
    """A note where a network trained on complete images runs on another size."""
    if entry.tiles or (height, width) == (entry.native, entry.native):
        return ()
    return (
        f"{entry.label} was trained on whole images of {entry.native} x {entry.native} pixels and "
        f"saw one of {height} x {width}: judge with care what it added.",
    )


class _NetworkWithFallback(Generic[P]):
    """A prior on the device and in the precision that the memory fallback has reached."""

    def __init__(self, load: Callable[[str, str], P], key: str, fallback: OomFallback) -> None:
        self._load: Callable[[str, str], P] = load
        self._key = key
        self.fallback = fallback
        self._loaded: tuple[tuple[str, bool], P] | None = None
        devices.prepare(fallback.current.device)
        fallback.run(self._at, lambda step: (step.device, step.half))

    @property
    def prior(self) -> P:
        """The prior as it is loaded now. Do not keep it: a reference would keep its memory."""
        return self._at(self.fallback.current)

    def _at(self, step: FallbackStep) -> P:
        where = step.device, step.half
        if self._loaded is None or self._loaded[0] != where:
            # Release the present one before the next is loaded: memory is short.
            self._loaded = None
            self._loaded = where, self._load(step.device, self._key)
        return self._loaded[1]

    @property
    def notes(self) -> tuple[str, ...]:
        """Notes about the fallbacks that were taken for lack of memory."""
        return self.fallback.notes


class PixelNetwork(_NetworkWithFallback[PixelPrior]):
    """A prior on images, tiled where the image or the memory requires it.

    Parameters
    ----------
    key : str
        Key of the prior.
    device : str
    sizes : TileSizes

    Raises
    ------
    ParameterError, NetworkMissing, OutOfDeviceMemory
    """

    def __init__(self, key: str, device: str, sizes: TileSizes) -> None:
        self.sizes = sizes
        self.entry = network_entry(key, "pixel")
        slow = devices.device_type(device) == "cpu" and self.entry.parameters > LARGE
        steps = fallback_steps(
            device, sizes.sides, batches=BATCH_SIZES[-1:] if slow else BATCH_SIZES
        )
        super().__init__(pixel_prior, key, OomFallback(steps))

    def predict(self, x: Tensor, t: int) -> Tensor:
        """The noise in ``x``, (B, C, H, W), at timestep ``t``, on the device of ``x``."""
        height, width = x.shape[-2:]

        def tiling(step: FallbackStep) -> Tiling:
            return self.sizes.tiling(height, width, step.tile)

        def work(step: FallbackStep) -> Tensor:
            prior = self._at(step)
            tiles = tiling(step)
            noise = tiles.predict(prior.predict, _to(x, step.device), t, _at_once(step, tiles))
            return _to(noise, x.device)

        def effect(step: FallbackStep) -> object:
            tiles = tiling(step)
            together = min(_at_once(step, tiles), len(tiles.corners) * x.shape[0])
            return step.device, step.half, tiles.extent, together

        return self.fallback.run(work, effect)


class LatentNetwork(_NetworkWithFallback[LatentPrior]):
    """An autoencoder and the prior on its latents; large images are encoded in tiles.

    Parameters
    ----------
    key : str
        Key of the prior.
    device : str

    Raises
    ------
    ParameterError, NetworkMissing, OutOfDeviceMemory
    """

    def __init__(self, key: str, device: str) -> None:
        super().__init__(
            latent_prior, key, OomFallback(fallback_steps(device, AUTOENCODER_TILES, batches=(1,)))
        )

    def encode(self, gray: Tensor) -> Tensor:
        """Scaled latents (1, D, h, w) of a gray image (1, 1, H, W) in [0, 1]."""

        def work(step: FallbackStep) -> Tensor:
            prior = self._at(step)
            x = _to(gray, step.device).expand(-1, prior.channels, -1, -1) * 2 - 1
            if step.tile is None or max(x.shape[-2:]) <= step.tile:
                return _to(prior.encode(x), gray.device)
            height, width = x.shape[-2:]
            tiling = Tiling(height, width, step.tile, step.tile - AUTOENCODER_OVERLAP)
            return _to(tiling.apply(prior.encode, x, 1 / prior.factor, 1), gray.device)

        return self.fallback.run(work)

    def decode(self, z: Tensor) -> Tensor:
        """The image (1, C, H, W) in [0, 1] of a scaled latent."""

        def work(step: FallbackStep) -> Tensor:
            prior = self._at(step)
            latent, small = _to(z, step.device), (step.tile or 0) // prior.factor
            if step.tile is None or max(z.shape[-2:]) <= small:
                return _to(prior.decode(latent), z.device)
            height, width = z.shape[-2:]
            tiling = Tiling(height, width, small, small - AUTOENCODER_OVERLAP // prior.factor)
            return _to(tiling.apply(prior.decode, latent, prior.factor, 1), z.device)

        return ((self.fallback.run(work) + 1) / 2).clamp(0, 1)

    def predict(self, z: Tensor, t: int) -> Tensor:
        """The noise in latents ``z`` at timestep ``t``."""

        def work(step: FallbackStep) -> Tensor:
            return _to(self._at(step).predict(_to(z, step.device), t), z.device)

        return self.fallback.run(work, lambda step: (step.device, step.half))


def _at_once(step: FallbackStep, tiling: Tiling) -> int:
    """Number of tiles per batch, from the batch size in patches and the area of a tile."""
    return max(1, int(step.batch / max(patches(*tiling.extent), 1.0)))


def gray_of(image: Tensor) -> Tensor:
    """The mean of the channels, (B, 1, H, W)."""
    return image if image.shape[1] == 1 else image.mean(dim=1, keepdim=True)


def channel_spread(image: Tensor) -> tuple[Figure, ...]:
    """Difference between the channels of a colour prior's output for a gray image, in [0, 1] units.

    The standard deviation over the channels, averaged over the pixels of ``image`` (B, 3, H, W) in
    [0, 1]; empty for one channel.
    """
    if image.shape[1] == 1:
        return ()
    spread = float(image.std(dim=1, unbiased=False).mean())
    return (Figure("channel_spread", "Spread between colour channels", spread),)


def _to(x: Tensor, device: str | torch.device) -> Tensor:
    return x if torch.device(device) == x.device else x.to(device)
