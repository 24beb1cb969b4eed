"""A network that the user added: one call restores or enlarges the image.

The architecture is one that spandrel recognises (https://github.com/chaiNNer-org/spandrel) or
RED-CNN. It says how large an image may be, whether it may be split into tiles, and how much it
enlarges. Gray images go through three equal channels where the network has colour, and their mean
comes back; a gray network gets the luminance of a colour image, whose chroma is kept.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator, Mapping
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from enhancers import devices
from enhancers.colour import luminance, with_luminance
from enhancers.devices import FallbackStep, GpuPacing, OomFallback, fallback_steps
from enhancers.errors import ParameterError
from enhancers.image import MedicalImage, Pixels, Window
from enhancers.method import ParameterValue
from enhancers.method_interface import (
    Figure,
    ProgressTracker,
    Step,
    final_step,
    is_constant,
    noise_notes,
    patches,
    unchanged_step,
)
from enhancers.networks.entry import NetworkEntry, Restoration
from enhancers.networks.lookup import network_entry
from enhancers.networks.restoration import RestorationNetwork, restoration_network
from enhancers.networks.tiled_networks import channel_spread, gray_of
from enhancers.networks.tiles import Tiling, blending_weights
from enhancers.noise import estimate_sigma
from enhancers.parameter_values import as_float_or_none
from enhancers.restore_clipped import restore_clipped
from enhancers.settings import get_settings

WHOLE = 768
"""Largest side that goes in one piece through a network that should not be split."""
SIDES = (512, 256, 128)
"""Tile sides; the smaller ones where memory is short."""
OVERLAP = 64
LEAST_SIGMA = 0.002
"""Measured noise below which nothing is removed."""
ASSUMED = Window(-160.0, 240.0)
"""The window that a picture of a CT is taken for, where its values are not in HU."""


@dataclass(frozen=True)
class Noise:
    """The noise that the network is given, in [0, 1] units; ``notes`` for the user."""

    sigma: float
    figures: tuple[Figure, ...] = ()
    notes: tuple[str, ...] = ()


def work(image: MedicalImage, params: Mapping[str, ParameterValue]) -> float:
    """Planned network evaluations, in patches, without loading the network."""
    return patches(*image.shape)


def run(
    image: MedicalImage, params: Mapping[str, ParameterValue], *, seed: int, device: str
) -> Iterator[Step]:
    """Restore the image; one `Step` per tile (see `Enhancer`)."""
    entry = network_entry(str(params["prior"]), "restoration")
    facts = entry.restoration
    assert facts is not None
    _check_size(entry, facts, image)
    if is_constant(image.pixels):
        enlarged = image.pixels.repeat(facts.scale, axis=0).repeat(facts.scale, axis=1)
        yield unchanged_step(enlarged, scale=facts.scale)
        return
    yield Step(0.0, note="loading the network")
    network = _Placed(entry, device)
    window, assumed = _window(image, facts)
    pixels = _in_range(image, window, facts)
    colour = image.is_colour and network.now.channels == 3
    given = pixels if colour else luminance(pixels)
    noise = _noise(params, given, window, facts)
    if facts.noise_level and noise.sigma == 0.0:
        yield final_step(image.pixels, figures=noise.figures, notes=noise.notes)
        return
    if params.get("unclip") and not colour and facts.range is None:
        given = restore_clipped(given, noise.sigma, seed=seed)
    tiles = _Tiles(network, _tensor(given, network.now.channels), noise.sigma, device)
    result = yield from tiles.steps()
    yield final_step(
        _merged(image, _in_window(result, window, facts), colour=colour),
        figures=(*noise.figures, *(() if colour else channel_spread(result))),
        calls=tiles.calls,
        scale=facts.scale,
        notes=(*noise.notes, *assumed, *tiles.notes, *network.fallback.notes),
    )


def _check_size(entry: NetworkEntry, facts: Restoration, image: MedicalImage) -> None:
    most = get_settings().max_megapixels
    megapixels = image.shape[0] * image.shape[1] * facts.scale**2 / 1e6
    if facts.scale > 1 and megapixels > most:
        raise ParameterError(
            f"{entry.label} enlarges {facts.scale} times: the result would have "
            f"{megapixels:.0f} megapixels, and {most:g} are allowed. Use a smaller image."
        )


def _window(image: MedicalImage, facts: Restoration) -> tuple[Window, tuple[str, ...]]:
    """The window of the image for a network on HU, with a note where it had to be assumed."""
    if facts.range is None or image.units == "HU":
        return image.window, ()
    return ASSUMED, (
        f"The network takes HU, and the values of this image are not: black and white were taken "
        f"for {ASSUMED.low:g} and {ASSUMED.high:g} HU.",
    )


def _in_range(image: MedicalImage, window: Window, facts: Restoration) -> Pixels:
    """The image in [0, 1] of what the network takes as 0 and 1."""
    if facts.range is None:
        return image.pixels
    source = image.source if image.units == "HU" else window.to_source(image.pixels)
    return Window(*facts.range).to_unit(source)


def _in_window(result: Tensor, window: Window, facts: Restoration) -> Tensor:
    """The network's result in [0, 1] of the processing window."""
    if facts.range is None:
        return result
    low, high = facts.range
    source = result * (high - low) + low
    return ((source - window.low) / (window.high - window.low)).clamp(0, 1)


def _noise(
    params: Mapping[str, ParameterValue], pixels: Pixels, window: Window, facts: Restoration
) -> Noise:
    """The noise for a network that takes its level; none for any other."""
    if not facts.noise_level:
        return Noise(0.0)
    # σ is a fraction of the window, and the network may take another range.
    share = 1.0
    if facts.range is not None:
        share = window.width / (facts.range[1] - facts.range[0])
    sigma = as_float_or_none(params, "sigma")
    if sigma is not None:
        notes, used = noise_notes(sigma, told=True), sigma
    else:
        found = estimate_sigma(luminance(pixels)) / share
        notes = noise_notes(found, told=False, least=LEAST_SIGMA)
        used = found if found >= LEAST_SIGMA else 0.0
    return Noise(used * share, (Figure("sigma", "Noise σ used", used),), notes)


def _tensor(pixels: Pixels, channels: int) -> Tensor:
    """An image as a tensor (1, channels, H, W)."""
    if pixels.ndim == 3:
        return torch.from_numpy(np.ascontiguousarray(pixels.transpose(2, 0, 1)))[None]
    return torch.from_numpy(np.ascontiguousarray(pixels))[None, None].expand(-1, channels, -1, -1)


def _merged(image: MedicalImage, result: Tensor, *, colour: bool) -> Pixels:
    """The result as an image; of a gray network on a colour image, with the input's chroma."""
    if colour and result.shape[1] == 3:
        return np.ascontiguousarray(result[0].numpy().transpose(1, 2, 0))
    return with_luminance(image.pixels, gray_of(result)[0, 0].numpy())


class _Placed:
    """The network on the device and in the precision that the memory fallback has reached."""

    def __init__(self, entry: NetworkEntry, device: str) -> None:
        self.entry = entry
        devices.prepare(device)
        # Loading takes the first step; which tiles are possible is known after it.
        self.fallback = OomFallback(fallback_steps(device, batches=(1,)))
        sides = tile_sides(self.fallback.run(self.at))
        self.fallback = OomFallback(fallback_steps(device, sides, batches=(1,)))

    def at(self, step: FallbackStep) -> RestorationNetwork:
        """The network for a step."""
        return restoration_network(step.device, self.entry.key)

    @property
    def now(self) -> RestorationNetwork:
        """The network for the present step."""
        return self.at(self.fallback.current)


def tile_sides(network: RestorationNetwork) -> tuple[int | None, ...]:
    """The tile sides that an architecture allows, the preferred one first; None is no tiles.

    An architecture that discourages tiles is given complete images up to `WHOLE` pixels, one that
    makes tiles of its own complete images of any size.
    """
    rule = network.descriptor.tiling.name
    if rule == "INTERNAL":
        return (None,)
    size = network.descriptor.size_requirements
    fitting = [-(-max(side, size.minimum) // size.multiple_of) * size.multiple_of for side in SIDES]
    sides = tuple(dict.fromkeys(fitting))
    return (WHOLE, *sides) if rule == "DISCOURAGED" else sides


class _Smaller(Exception):
    """Memory ran out, and tiles are smaller from now on."""


class _Tiles:
    """The tiles of an image through a network, blended."""

    def __init__(self, network: _Placed, image: Tensor, sigma: float, device: str) -> None:
        self._network, self._image, self._sigma = network, image, sigma
        self._pace = GpuPacing(device)
        self.calls = 0

    def _tiling(self) -> Tiling:
        height, width = self._image.shape[-2:]
        side = self._network.fallback.current.tile or max(height, width)
        return Tiling(height, width, side, side - min(OVERLAP, side // 2))

    @property
    def notes(self) -> tuple[str, ...]:
        """A note where an architecture that discourages tiles got some."""
        tiling = self._tiling()
        rule = self._network.now.descriptor.tiling.name
        if rule != "DISCOURAGED" or len(tiling.corners) == 1:
            return ()
        return (
            f"The image was split into {len(tiling.corners)} tiles of {tiling.tile} pixels, which "
            "this architecture does not recommend: it uses what is far away in the image.",
        )

    def steps(self) -> Generator[Step, None, Tensor]:
        """Yield a step per tile; returns the result (1, C, kH, kW) on the CPU."""
        while True:
            try:
                return (yield from self._once(self._tiling()))
            except _Smaller:
                continue

    def _once(self, tiling: Tiling) -> Generator[Step, None, Tensor]:
        scale = self._network.now.scale
        weight, weights = blending_weights(tiling, scale, torch.device("cpu"))
        height, width = tiling.extent
        total = torch.zeros(())
        progress = ProgressTracker(len(tiling.corners), "network call")
        for made, (y, x) in enumerate(tiling.corners, start=1):
            tile = self._tile(tiling, self._image[..., y : y + height, x : x + width])
            if made == 1:
                total = torch.zeros(1, tile.shape[1], *weights.shape[-2:])
            where = total[..., y * scale : (y + height) * scale, x * scale : (x + width) * scale]
            where.add_(tile * weight)
            self._pace.tick()
            yield progress.step(made)
        return total / weights

    def _tile(self, tiling: Tiling, tile: Tensor) -> Tensor:
        def restored(step: FallbackStep) -> Tensor:
            if self._tiling() != tiling:
                raise _Smaller
            return self._network.at(step).restored(tile.to(step.device), self._sigma).cpu()

        found = self._network.fallback.run(restored)
        self.calls += 1
        return found
