"""From images at several depths to one image, its segmentation and its curve angles."""

from __future__ import annotations

import statistics
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F

from enhancers.curve_angle import CLASSES, SpineAngles, spine_angles
from enhancers.depths import depth_weights
from enhancers.errors import NetworkMissing, ParameterError
from enhancers.image import Pixels
from enhancers.networks.morphology.sampling import inverted, samples
from enhancers.networks.morphology.tuner import MorphologyTuner, features_of
from enhancers.networks.morphology.unet import MorphologyUNet
from enhancers.registry import DEPTH_WEIGHTS

Curve = Literal["thoracic", "lumbar"]
Start = Literal["noise", "inversion"]
"""Normal noise, or the start whose sample is about the weighted mean of the depths."""


@dataclass(frozen=True, eq=False)
class MorphologyNetworks:
    """The trained networks, on one device."""

    diffusion: MorphologyUNet
    extractor: MorphologyUNet
    tuner: MorphologyTuner

    @property
    def side(self) -> int:
        """Side in pixels of the images that they know."""
        return int(self.diffusion.config.sample_size)

    @classmethod
    def load(cls, folder: Path, variant: str, device: str = "cpu") -> MorphologyNetworks:
        """The networks below a folder that `networks train --which morphology` wrote.

        Raises
        ------
        NetworkMissing
            They are not there.
        """

        def part(kind: Any, name: str) -> Any:
            return kind.from_pretrained(
                folder / name, torch_dtype=torch.float32, local_files_only=True,
                low_cpu_mem_usage=False,
            ).to(device).eval()  # fmt: skip

        try:
            return cls(
                part(MorphologyUNet, "diffusion"),
                part(MorphologyUNet, "segmentation"),
                part(MorphologyTuner, f"tuner_{variant}"),
            )
        except (OSError, ValueError) as error:
            raise NetworkMissing(
                f"{folder} has no networks of morphology with the tuner {variant}; train them: "
                "python -m enhancers networks train --which morphology"
            ) from error


@dataclass(frozen=True, eq=False)
class Enhanced:
    """An enhanced image and what was found in it.

    Parameters
    ----------
    pixels : ndarray, float32, shape (H, W), in [0, 1]
    classes, given : ndarray, uint8, shape (H, W)
        Segmentations of the result, and of the depths together; places in `CLASSES`.
    each : tuple of SpineAngles
        Measured in each sample.
    kept : float
        Dice of the structures of both segmentations, all classes together; 1 where nothing of the
        input's structure was moved, lost or added.
    """

    pixels: Pixels
    classes: NDArray[np.uint8]
    given: NDArray[np.uint8]
    each: tuple[SpineAngles, ...]
    kept: float

    def angles(self, curve: Curve) -> list[float]:
        """The angles of a curve in degrees, in the samples in which it was found."""
        found = (getattr(one, curve) for one in self.each)
        return [one.degrees for one in found if one is not None]

    def angle(self, curve: Curve) -> float | None:
        """The median of the samples; None where it was found in none.

        A sample may show a level where it is not, and the mean image shows none of them sharply.
        """
        found = self.angles(curve)
        return statistics.median(found) if found else None


@torch.no_grad()
def enhance(
    networks: MorphologyNetworks, depths: Pixels, *, steps: int, seed: int, count: int = 1,
    start: Start = "noise", weights: Sequence[float] = DEPTH_WEIGHTS,
) -> Iterator[Pixels | Enhanced]:  # fmt: skip
    """The estimate after each step, (H, W) in [0, 1], then the `Enhanced`: means of all samples.

    Nothing of the input but its features enters the result, unless ``start`` is "inversion".

    Parameters
    ----------
    networks : MorphologyNetworks
    depths : ndarray, float32, shape (D, H, W), in [0, 1]
        One to nine images, from superficial to deep; one alone serves for all depths.
    steps : int
        1 to 1000.
    seed : int
        Of the noise; the same start gives the same image.
    count : int
        Samples, each from noise of its own; the start by inversion is one and has one.
    weights : sequence of float
        Of equally spaced depths; interpolated for another number of them (`depth_weights`).

    Raises
    ------
    ParameterError
        For another number of images, or weights that cannot be used.
    """
    shares = depth_weights(len(depths), weights)
    framed = _Frame(depths.shape[1:], networks.side)
    device = next(networks.diffusion.parameters()).device
    given = framed.inside(torch.from_numpy(np.ascontiguousarray(depths))[:, None]).to(device)
    given = given.clamp(0, 1) * 2 - 1
    skip = networks.tuner.skip(features_of(networks.extractor, given[None, :, 0], shares))

    def velocity(state: Tensor, timesteps: Tensor) -> Tensor:
        made: Tensor = networks.diffusion(state, timesteps, skip)
        return made

    if start == "inversion":
        scale = torch.tensor(shares, device=device).view(-1, 1, 1, 1)
        begin = inverted(velocity, (given * scale).sum(0, keepdim=True), steps)
    else:
        # Drawn on the CPU, so that every device has the same.
        shape, generator = (1, 1, networks.side, networks.side), torch.Generator().manual_seed(seed)
        begin = torch.cat([torch.randn(shape, generator=generator) for _ in range(count)])
        begin = begin.to(device)
    last = begin
    for last in samples(velocity, begin, steps):
        yield framed.pixels(last.mean(0, keepdim=True))

    def structures(images: Tensor, scale: Sequence[float] = (1.0,)) -> NDArray[np.uint8]:
        return _classes(networks.extractor, images, scale, framed)

    mean = last.mean(0, keepdim=True)
    before, after = structures(given, shares), structures(mean)
    single = [after] if len(last) == 1 else [structures(one) for one in last[:, None]]
    each = tuple(map(spine_angles, single))
    yield Enhanced(framed.pixels(mean), after, before, each, structure_kept(before, after))


@torch.no_grad()
def segmentation(networks: MorphologyNetworks, pixels: Pixels) -> NDArray[np.uint8]:
    """The structures of an image (H, W) in [0, 1], as places in `CLASSES`."""
    framed = _Frame(pixels.shape, networks.side)
    device = next(networks.extractor.parameters()).device
    given = framed.inside(torch.from_numpy(np.ascontiguousarray(pixels))[None, None]).to(device)
    return _classes(networks.extractor, given.clamp(0, 1) * 2 - 1, (1.0,), framed)


def structure_kept(before: NDArray[np.uint8], after: NDArray[np.uint8]) -> float:
    """Dice of two segmentations over all classes but the background; 1 for two empty ones."""
    total = np.count_nonzero(before) + np.count_nonzero(after)
    both = np.count_nonzero((before == after) & (before > 0))
    return float(2 * both / total) if total else 1.0


def _classes(
    extractor: MorphologyUNet, images: Tensor, shares: Sequence[float], framed: _Frame
) -> NDArray[np.uint8]:
    """The most likely class of each pixel, by the weighted mean of the images' probabilities."""
    likely = extractor(images).softmax(dim=1)
    scale = torch.tensor(shares, device=images.device).view(-1, 1, 1, 1)
    # Enlarged before the choice, so that outlines are not those of the network's pixels.
    whole = framed.outside((likely * scale).sum(0, keepdim=True))
    assert whole.shape[1] == len(CLASSES)
    return np.asarray(whole[0].argmax(0).to(torch.uint8).cpu().numpy())


class _Frame:
    """The square that the networks see, with an image in its middle, black around it."""

    def __init__(self, shape: tuple[int, ...], side: int) -> None:
        height, width = shape
        if min(height, width) < 2:
            raise ParameterError(f"An image of {height} x {width} pixels is too small for a spine.")
        longest = max(height, width)
        self.shape = (height, width)
        self.size = tuple(max(1, round(side * each / longest)) for each in shape)
        before = [(side - each) // 2 for each in self.size]
        self.before = before
        top, left = before
        self.margins = (left, side - self.size[1] - left, top, side - self.size[0] - top)

    def inside(self, images: Tensor) -> Tensor:
        """Images (B, C, H, W) as (B, C, side, side)."""
        if images.shape[-2:] != self.size:
            images = F.interpolate(images, self.size, mode="bicubic", antialias=True)
        return F.pad(images, self.margins)

    def outside(self, images: Tensor) -> Tensor:
        """The other way round."""
        (top, left), (height, width) = self.before, self.size
        images = images[..., top : top + height, left : left + width]
        if self.size == self.shape:
            return images
        return F.interpolate(images, self.shape, mode="bicubic", antialias=True)

    def pixels(self, images: Tensor) -> Pixels:
        """An image (1, 1, side, side) in [-1, 1] as (H, W) in [0, 1]."""
        whole = ((self.outside(images)[0, 0] + 1) / 2).clamp(0, 1)
        return np.ascontiguousarray(whole.float().cpu().numpy())
