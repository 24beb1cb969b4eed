"""Priors as the samplers see them: images of any size, on whatever memory the device has left."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, TypeVar

import torch
from torch import Tensor

from enhancers import devices
from enhancers.base import PATCH, Figure, patches
from enhancers.devices import FallbackStep, OomFallback, fallback_steps
from enhancers.devices.oom_fallback import BATCHES
from enhancers.diffusion.tiles import Tiling
from enhancers.networks.entry import Embedded, NetworkEntry
from enhancers.networks.load import LatentPrior, PixelPrior, latent_prior, pixel_prior
from enhancers.networks.lookup import network_entry as entry_of

P = TypeVar("P", PixelPrior, LatentPrior)
T = TypeVar("T")

LEAST_TILE = 128
"""Side below which an embedded network sees too little of its surroundings."""
WHOLE_TILES = 64
"""Sides of tiles are multiples of this, which suits networks of up to seven levels."""
LARGE = 100_000_000
"""Parameters from which a CPU gets one tile at a time: several gain nothing and take gigabytes."""
CODER_TILES = (1024, 512, 256)
"""Largest piece that an autoencoder sees at once, and smaller ones where memory is short."""
CODER_OVERLAP = 128


@dataclass(frozen=True)
class Pieces:
    """The tiles in which an image goes through a network on images.

    ``sides`` has the preferred one first, and None where the network must see the whole image.
    Neighbours share ``overlap`` pixels, and half a tile where that is None or more than half.
    Images with sides below ``least`` are reflected up to it.
    """

    sides: tuple[int | None, ...]
    overlap: int | None = None
    least: int = 1

    def tiling(self, height: int, width: int, side: int | None) -> Tiling:
        """The tiles of this side on an image."""
        if side is None:
            side = max(height, width)
        shared = side // 2 if self.overlap is None else min(self.overlap, side // 2)
        return Tiling(height, width, side, side - shared)


def pieces(entry: NetworkEntry, largest: int | None = None, overlap: int | None = None) -> Pieces:
    """How an image is divided for this prior.

    Parameters
    ----------
    entry : NetworkEntry
    largest : int, optional
        Side of the tiles of a network that takes any size, as the embedded, convolutional ones do.
        By default `PATCH`. Others get what they were trained on.
    overlap : int, optional
    """
    if not entry.tiles:
        return Pieces((None,), overlap)
    if not isinstance(entry.source, Embedded):
        usual = -(-entry.native // WHOLE_TILES) * WHOLE_TILES
        return Pieces((usual,), overlap, usual)
    sides: list[int | None] = []
    side = largest or PATCH
    while side >= LEAST_TILE:
        sides.append(side)
        side //= 2
    return Pieces(tuple(sides), overlap, 1 if largest else PATCH)


def size_notes(entry: NetworkEntry, height: int, width: int) -> tuple[str, ...]:
    """A sentence where a network that sees whole images meets another size than it knows."""
    if entry.tiles or (height, width) == (entry.native, entry.native):
        return ()
    return (
        f"{entry.label} was trained on whole images of {entry.native} x {entry.native} pixels and "
        f"saw one of {height} x {width}: judge with care what it added.",
    )


class _OnLadder(Generic[P]):
    """A prior that is fetched where the ladder says."""

    def __init__(self, load: Callable[[str, str], P], key: str, ladder: OomFallback) -> None:
        self._load: Callable[[str, str], P] = load
        self._key = key
        self.ladder = ladder
        self._loaded: tuple[tuple[str, bool], P] | None = None
        devices.prepare(ladder.rung.device)
        ladder.run(self._at, lambda rung: (rung.device, rung.half))

    @property
    def prior(self) -> P:
        """The prior where it is now. Who keeps it keeps its memory: take its facts alone."""
        return self._at(self.ladder.rung)

    def _at(self, rung: FallbackStep) -> P:
        where = rung.device, rung.half
        if self._loaded is None or self._loaded[0] != where:
            # The one in hand must go before the next comes: memory is short.
            self._loaded = None
            self._loaded = where, self._load(rung.device, self._key)
        return self._loaded[1]

    @property
    def notes(self) -> tuple[str, ...]:
        """What was given up for want of memory, in sentences."""
        return self.ladder.notes


class PixelNetwork(_OnLadder[PixelPrior]):
    """A prior on images, tiled where the image or the memory asks for it.

    Parameters
    ----------
    key : str
        Of the prior.
    device : str
    pieces : Pieces

    Raises
    ------
    ParameterError, PriorMissing, OutOfDeviceMemory
    """

    def __init__(self, key: str, device: str, pieces: Pieces) -> None:
        self.pieces = pieces
        self.entry = entry_of(key, "pixel")
        slow = devices.device_type(device) == "cpu" and self.entry.parameters > LARGE
        steps = fallback_steps(device, pieces.sides, batches=BATCHES[-1:] if slow else BATCHES)
        super().__init__(pixel_prior, key, OomFallback(steps))

    def predict(self, x: Tensor, t: int) -> Tensor:
        """The noise in ``x``, (B, C, H, W), at timestep ``t``, on the device of ``x``."""
        height, width = x.shape[-2:]

        def tiling(rung: FallbackStep) -> Tiling:
            return self.pieces.tiling(height, width, rung.tile)

        def work(rung: FallbackStep) -> Tensor:
            prior = self._at(rung)
            tiles = tiling(rung)
            noise = tiles.predict(prior.predict, _to(x, rung.device), t, _at_once(rung, tiles))
            return _to(noise, x.device)

        def effect(rung: FallbackStep) -> object:
            tiles = tiling(rung)
            together = min(_at_once(rung, tiles), len(tiles.corners) * x.shape[0])
            return rung.device, rung.half, tiles.extent, together

        return self.ladder.run(work, effect)


class LatentNetwork(_OnLadder[LatentPrior]):
    """An autoencoder and the prior on its latents; large images pass the autoencoder in tiles.

    Parameters
    ----------
    key : str
        Of the prior.
    device : str

    Raises
    ------
    ParameterError, PriorMissing, OutOfDeviceMemory
    """

    def __init__(self, key: str, device: str) -> None:
        super().__init__(
            latent_prior, key, OomFallback(fallback_steps(device, CODER_TILES, batches=(1,)))
        )

    def encode(self, gray: Tensor) -> Tensor:
        """Scaled latents (1, D, h, w) of a gray image (1, 1, H, W) in [0, 1]."""

        def work(rung: FallbackStep) -> Tensor:
            prior = self._at(rung)
            x = _to(gray, rung.device).expand(-1, prior.channels, -1, -1) * 2 - 1
            if rung.tile is None or max(x.shape[-2:]) <= rung.tile:
                return _to(prior.encode(x), gray.device)
            height, width = x.shape[-2:]
            tiling = Tiling(height, width, rung.tile, rung.tile - CODER_OVERLAP)
            return _to(tiling.apply(prior.encode, x, 1 / prior.factor, 1), gray.device)

        return self.ladder.run(work)

    def decode(self, z: Tensor) -> Tensor:
        """The image (1, C, H, W) in [0, 1] of a scaled latent."""

        def work(rung: FallbackStep) -> Tensor:
            prior = self._at(rung)
            latent, small = _to(z, rung.device), (rung.tile or 0) // prior.factor
            if rung.tile is None or max(z.shape[-2:]) <= small:
                return _to(prior.decode(latent), z.device)
            height, width = z.shape[-2:]
            tiling = Tiling(height, width, small, small - CODER_OVERLAP // prior.factor)
            return _to(tiling.apply(prior.decode, latent, prior.factor, 1), z.device)

        return ((self.ladder.run(work) + 1) / 2).clamp(0, 1)

    def predict(self, z: Tensor, t: int) -> Tensor:
        """The noise in latents ``z`` at timestep ``t``."""

        def work(rung: FallbackStep) -> Tensor:
            return _to(self._at(rung).predict(_to(z, rung.device), t), z.device)

        return self.ladder.run(work, lambda rung: (rung.device, rung.half))


def _at_once(rung: FallbackStep, tiling: Tiling) -> int:
    """How many tiles go together: a rung counts in patches, and larger tiles are more of them."""
    return max(1, int(rung.batch / max(patches(*tiling.extent), 1.0)))


def gray_of(image: Tensor) -> Tensor:
    """The mean of the channels, (B, 1, H, W)."""
    return image if image.shape[1] == 1 else image.mean(dim=1, keepdim=True)


def channel_spread(image: Tensor) -> tuple[Figure, ...]:
    """How far the channels of a colour prior's answer to a gray image differ, in [0, 1] units.

    The standard deviation over the channels, averaged over the pixels of ``image`` (B, 3, H, W) in
    [0, 1]; nothing for one channel.
    """
    if image.shape[1] == 1:
        return ()
    spread = float(image.std(dim=1, unbiased=False).mean())
    return (Figure("channel_spread", "Spread between colour channels", spread),)


def _to(x: Tensor, device: str | torch.device) -> Tensor:
    return x if torch.device(device) == x.device else x.to(device)
