"""The methods that are compared: how each makes an image of the depths of a volume."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn import functional as F

from benchmarks.spine import settings
from benchmarks.spine.rival import Rival
from enhancers.curve_angle import CLASSES, SpineAngles, spine_angles
from enhancers.depths import depth_weights
from enhancers.evaluation.method_text import method_under_test
from enhancers.evaluation.problem import Degraded, Task
from enhancers.image import Pixels, pixels_digest
from enhancers.method import Modality
from enhancers.networks.digests import digest
from enhancers.networks.morphology.enhance import (
    Enhanced,
    MorphologyNetworks,
    Start,
    enhance,
    segmentation,
)
from enhancers.phantoms.spine import DEPTHS, SpineVolume
from enhancers.phantoms.spine.acquisition import GRAY, TISSUE
from enhancers.registry import DEPTH_WEIGHTS

Classes = NDArray[np.uint8]
TASK: Task = "despeckle"


@dataclass(frozen=True, eq=False)
class Tools:
    """What methods work with.

    Parameters
    ----------
    networks : mapping of variant to MorphologyNetworks
    folder : Path
        Of their weights.
    rival : Rival
    steps : int
        Of a sample.
    device : str
    """

    networks: Mapping[str, MorphologyNetworks]
    folder: Path
    rival: Rival
    steps: int
    device: str

    @property
    def any_networks(self) -> MorphologyNetworks:
        """Those of one variant; they have the segmentation network in common."""
        return next(iter(self.networks.values()))

    def weights_of(self, *parts: str) -> dict[str, str]:
        """SHA-256 of the weights and the shape of parts of the networks."""
        return {
            f"{part}/{path.name}": digest(path)
            for part in parts
            for path in sorted((self.folder / part).iterdir())
            if path.suffix in (".safetensors", ".json")
        }


@dataclass(frozen=True, eq=False)
class Made:
    """An image, (H, W) in [0, 1], or None; its segmentation; network calls; further figures."""

    pixels: Pixels | None
    classes: Classes
    calls: int = 0
    figures: Mapping[str, float | None] = field(default_factory=dict)


class Candidate(Protocol):
    """A method and what it is given of a volume; ``key`` is read by `settings.label`."""

    @property
    def key(self) -> str:
        """Unique among the methods."""
        ...

    def depends(self, volume: SpineVolume, tools: Tools) -> dict[str, object]:
        """Everything that the result depends on."""
        ...

    def make(self, volume: SpineVolume, tools: Tools) -> Made:
        """Run it."""
        ...


@dataclass(frozen=True)
class Given:
    """An image that the volume has: a depth, the weighted mean of depths, or the truth."""

    key: str

    def pixels(self, volume: SpineVolume) -> Pixels:
        """The image."""
        if self.key == settings.CLEAN:
            return volume.clean
        if self.key == settings.MEAN:
            weights = np.array(depth_weights(DEPTHS), np.float32)
            mean: Pixels = np.tensordot(weights, volume.depths, 1)
            return mean
        depth: Pixels = volume.depths[place_of(self.key, volume)]
        return depth

    def depends(self, volume: SpineVolume, tools: Tools) -> dict[str, object]:
        """The image."""
        return {"image": pixels_digest(self.pixels(volume))}

    def make(self, volume: SpineVolume, tools: Tools) -> Made:
        """The image and its segmentation."""
        pixels = self.pixels(volume)
        return Made(pixels, segmentation(tools.any_networks, pixels))


@dataclass(frozen=True)
class Shrunk:
    """The truth at the size of the networks: more than what any of them can reach."""

    key: str = settings.SHRUNK

    def depends(self, volume: SpineVolume, tools: Tools) -> dict[str, object]:
        """The truth and the size."""
        return {"image": pixels_digest(volume.clean), "side": tools.any_networks.side}

    def make(self, volume: SpineVolume, tools: Tools) -> Made:
        """Shrunk and enlarged as what the networks are given and make."""
        side = (tools.any_networks.side,) * 2
        truth = torch.from_numpy(volume.clean)[None, None]
        small = F.interpolate(truth, side, mode="bicubic", antialias=True)
        whole = F.interpolate(small, volume.clean.shape, mode="bicubic", antialias=True)
        pixels = whole[0, 0].clamp(0, 1).numpy()
        return Made(pixels, segmentation(tools.any_networks, pixels))


@dataclass(frozen=True)
class TrueMask:
    """The classes of the phantom: what the measurement of angles is wrong by at best."""

    key: str = settings.MASK

    def depends(self, volume: SpineVolume, tools: Tools) -> dict[str, object]:
        """The mask, which every row depends on."""
        return {"mask": True}

    def make(self, volume: SpineVolume, tools: Tools) -> Made:
        """The classes."""
        return Made(None, volume.mask)


@dataclass(frozen=True)
class Registered:
    """A method of the registry on one depth: ``text`` as `method_under_test` reads it."""

    key: str
    text: str

    def _degraded(self, volume: SpineVolume) -> Degraded:
        return Degraded(volume.depths[place_of(self.key, volume)], Modality.US)

    def depends(self, volume: SpineVolume, tools: Tools) -> dict[str, object]:
        """The image, the method with its parameters, and its network."""
        method, degraded = method_under_test(self.text), self._degraded(volume)
        return {
            "image": pixels_digest(degraded.pixels),
            "method": method.method,
            "params": method.parameters(degraded, TASK),
            "stages": method.stages(degraded, TASK),
            "prior": method.prior(degraded, TASK),
            "code": method.code(),
        }

    def make(self, volume: SpineVolume, tools: Tools) -> Made:
        """Run the method."""
        method = method_under_test(self.text)
        found = method.enhance(self._degraded(volume), TASK, seed=0, device=tools.device)
        return Made(found.pixels, segmentation(tools.any_networks, found.pixels), found.calls)


@dataclass(frozen=True)
class Supervised:
    """The supervised U-Net, on all depths."""

    key: str = settings.RIVAL

    def depends(self, volume: SpineVolume, tools: Tools) -> dict[str, object]:
        """All depths and the weights."""
        return {"images": pixels_digest(volume.depths), "rival": tools.rival.digest}

    @torch.no_grad()
    def make(self, volume: SpineVolume, tools: Tools) -> Made:
        """Shrunk to the size that the network knows, and enlarged, as for the method."""
        network = tools.rival.network
        side = int(network.config.sample_size)
        depths = torch.from_numpy(volume.depths)[None].to(tools.device)
        small = F.interpolate(depths, (side, side), mode="bicubic", antialias=True)
        made = network(small.clamp(0, 1) * 2 - 1)
        whole = F.interpolate(made, depths.shape[-2:], mode="bicubic", antialias=True)
        pixels = ((whole[0, 0] + 1) / 2).clamp(0, 1).cpu().numpy()
        return Made(pixels, segmentation(tools.any_networks, pixels), 1)


@dataclass(frozen=True)
class Sample:
    """What the method makes: a mean of samples.

    Parameters
    ----------
    key : str
        Says what it is given: all depths, one of them, or a segmentation.
    variant : str
        Of the skip connections.
    seed : int
    samples : int
        So many are averaged.
    start : {"noise", "inversion"}
        The second has one sample.
    """

    key: str
    variant: str
    seed: int = 0
    samples: int = settings.SAMPLES
    start: Start = "noise"

    def images(self, volume: SpineVolume) -> Pixels:
        """What it is given, (D, H, W)."""
        _, _, given = self.key.partition("@")
        if given in ("", "inversion"):
            return volume.depths
        depth: Pixels = volume.depths[place_of(self.key, volume)]
        return depth[None]

    @property
    def segmented(self) -> bool:
        """Whether the features are those of a segmentation."""
        return self.key.endswith("@segmentation")

    def depends(self, volume: SpineVolume, tools: Tools) -> dict[str, object]:
        """The images, the networks, and the start."""
        return {
            "images": pixels_digest(self.images(volume)),
            "segmented": self.segmented,
            "networks": tools.weights_of("diffusion", "segmentation", f"tuner_{self.variant}"),
            "steps": tools.steps, "seed": self.seed, "samples": self.samples, "start": self.start,
            "weights": DEPTH_WEIGHTS,
        }  # fmt: skip

    def make(self, volume: SpineVolume, tools: Tools) -> Made:
        """Sample; the angles of the depths' own segmentations come with it."""
        networks, images = tools.networks[self.variant], self.images(volume)
        if self.segmented:
            images = drawn(segmentation(networks, images[0]), volume)[None]
        *_, found = enhance(
            networks, images, steps=tools.steps, seed=self.seed, count=self.samples,
            start=self.start,
        )  # fmt: skip
        assert isinstance(found, Enhanced)
        calls = tools.steps * (2 if self.start == "inversion" else self.samples)
        before = {f"{name}_given": value for name, value in angles_of(found.given).items()}
        angles = {"uca_t": found.angle("thoracic"), "uca_l": found.angle("lumbar")}
        return Made(found.pixels, found.classes, calls, {"kept": found.kept, **before, **angles})


def place_of(key: str, volume: SpineVolume) -> int:
    """The index of the depth that a key names: a number from 1, or else the best one."""
    _, _, given = key.partition("@")
    return int(given) - 1 if given.isdecimal() else volume.optimal


def drawn(classes: Classes, volume: SpineVolume) -> Pixels:
    """A segmentation as an image with the grays of artefact-free images, black outside.

    It has of a depth what the segmentation says, in the form that the networks can read.
    """
    grays = np.full(len(CLASSES), TISSUE, np.float32)
    for kind, gray in GRAY.items():
        if kind:
            grays[kind] = gray
    return np.asarray(np.where(volume.depths.max(0) > 0, grays[classes], np.float32(0)))


def angles_of(classes: Classes) -> dict[str, float | None]:
    """The angles in degrees, None where they cannot be measured."""
    found: SpineAngles = spine_angles(classes)
    return {
        name: None if one is None else one.degrees
        for name, one in (("uca_t", found.thoracic), ("uca_l", found.lumbar))
    }


def quick() -> Iterator[Candidate]:
    """The methods that are measured on every volume."""
    yield TrueMask()
    places = (*(str(number) for number in range(1, DEPTHS + 1)), "best")
    for key in (settings.CLEAN, *(f"input@{place}" for place in places), settings.MEAN):
        yield Given(key)
    yield Shrunk()
    for place in places:
        yield Registered(f"srad@{place}", "srad")
    yield Supervised()
    yield Sample(settings.SHIPPED, settings.SHIPPED)


def variants() -> Iterator[Candidate]:
    """The variants of the method with all depths, which are measured on some volumes."""
    for variant in settings.VARIANTS:
        if variant != settings.SHIPPED:
            yield Sample(variant, variant)
    yield Sample(settings.ONE, settings.SHIPPED, samples=1)


def slow() -> Iterator[Candidate]:
    """The methods and variants that are measured on few volumes."""
    yield Registered("pseudo_label@best", "pseudo_label:plain")
    yield Registered("null_space@best", "null_space")
    for number in range(1, DEPTHS + 1):
        yield Sample(f"{settings.SHIPPED}@{number}", settings.SHIPPED)
    for variant in settings.VARIANTS:
        for given in ("best", "segmentation"):
            yield Sample(f"{variant}@{given}", variant)
        yield Sample(f"{variant}@inversion", variant, start="inversion")
        for seed in range(settings.SEEDS):
            if (key := settings.started(variant, seed)) != settings.ONE:
                yield Sample(key, variant, seed, samples=1)
