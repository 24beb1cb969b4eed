"""Whether the configurations of a diffusers folder describe networks that can be sampled from."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from enhancers.errors import CheckpointError
from enhancers.networks.entry import Part

Config = Mapping[str, Any]

SCHEDULER = "scheduler_config.json"
MAX_CONFIG_BYTES = 2**20
MAX_NUMBER, MAX_LENGTH = 2**16, 64
"""Largest number and longest list in a configuration, since a hostile one asks for a giant."""
OF_IMAGES = ("UNet2DModel", "DenoisingUNet")
"""The classes that a network on images may have: of diffusers, and of this project."""
CLASSES: Mapping[Part, tuple[str, ...]] = {
    "vae": ("AutoencoderKL",),
    "unet": (*OF_IMAGES, "UNet2DConditionModel"),
    "text_encoder": ("CLIPTextModel",),
    "restorer": ("Restormer", "Pix2PixGenerator", "DiffusionUNet"),
    "diffusion": ("MorphologyUNet",),
    "segmentation": ("MorphologyUNet",),
    "tuner_published": ("MorphologyTuner",),
    "tuner_residual": ("MorphologyTuner",),
    "tuner_tuned": ("MorphologyTuner",),
}
"""The classes of diffusers, transformers and this project that a part may have."""
_CONDITIONS = ("class_embed_type", "num_class_embeds", "addition_embed_type",
               "encoder_hid_dim_type", "encoder_hid_dim")  # fmt: skip


def read_config(path: Path) -> Config:
    """A configuration of diffusers or transformers.

    Raises
    ------
    CheckpointError
        The file is missing, too large, no JSON object, or has numbers that no network needs.
    """
    name = f"{path.parent.name}/{path.name}"
    try:
        if path.stat().st_size > MAX_CONFIG_BYTES:
            raise CheckpointError(f"{name} is too large for a configuration; it was not read.")
        found = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise CheckpointError(f"There is no {name} in {path.parent.parent}.") from None
    except (OSError, ValueError, RecursionError) as error:
        raise CheckpointError(f"{name} cannot be read as JSON; restore it.") from error
    if not isinstance(found, dict):
        raise CheckpointError(f"{name} is not a configuration of a network; restore it.")
    if any(isinstance(each, float | int) and abs(each) > MAX_NUMBER for each in _values(found)):
        raise CheckpointError(f"{name} asks for a network larger than any; it was not used.")
    return found


def _values(config: Config) -> Iterator[object]:
    for value in config.values():
        if isinstance(value, list):
            if len(value) > MAX_LENGTH:
                yield MAX_NUMBER + 1
            yield from value
        else:
            yield value


def part_config(home: Path, part: Part, classes: tuple[str, ...] = ()) -> Config:
    """The configuration in the folder of a part.

    Raises
    ------
    CheckpointError
        It cannot be read, or its class is none of ``classes`` (`CLASSES` without them).
    """
    config = read_config(home / "config.json")
    known = classes or CLASSES[part]
    architectures = config.get("architectures")
    named = architectures[:1] if isinstance(architectures, list) else []
    found = config.get("_class_name") or (named[0] if named else None)
    if found not in known:
        raise CheckpointError(
            f"{home} holds {'no class' if found is None else str(found)[:60]}, and only "
            f"{' or '.join(known)} can be used."
        )
    return config


def check_unet(config: Config, channels: int) -> None:
    """Check that a network predicts noise from ``channels`` of an image or latent and the time.

    Raises
    ------
    CheckpointError
        It takes or gives other channels, or needs conditions.
    """
    given, made = config.get("in_channels"), config.get("out_channels")
    if given != channels:
        raise CheckpointError(
            f"The network takes {given} channels, not {channels}; one for inpainting or with "
            "conditions in further channels cannot be used."
        )
    if made not in (channels, 2 * channels):
        raise CheckpointError(
            f"The network takes {channels} channels and gives {made}; noise, or noise and "
            f"variance, is {channels} or {2 * channels}."
        )
    wanted = [name for name in _CONDITIONS if config.get(name) is not None]
    if wanted:
        raise CheckpointError(
            f"The network needs conditions ({', '.join(wanted)}) that no method here gives; use an "
            "unconditional one, or Stable Diffusion 1.x or 2.x."
        )
    if config.get("time_embedding_type", "positional") != "positional":
        raise CheckpointError(
            "The network's time embedding is not that of a diffusion in discrete steps."
        )


def network_class(config: Config) -> Any:
    """The class that a checked configuration names."""
    import diffusers

    from enhancers.networks.denoising_unet import DenoisingUNet
    from enhancers.networks.morphology.tuner import MorphologyTuner
    from enhancers.networks.morphology.unet import MorphologyUNet
    from enhancers.networks.restorers.diffusion_unet import DiffusionUNet
    from enhancers.networks.restorers.pix2pix import Pix2PixGenerator
    from enhancers.networks.restorers.restormer import Restormer

    name = str(config["_class_name"])
    known = (DenoisingUNet, DiffusionUNet, MorphologyTuner, MorphologyUNet, Pix2PixGenerator,
             Restormer)  # fmt: skip
    own = {one.__name__: one for one in known}
    return own.get(name) or getattr(diffusers, name)


def multiple_of(config: Config) -> int:
    """By what the sides of an image or latent must be divisible for a network."""
    return int(config.get("fold", 1)) << (len(config["block_out_channels"]) - 1)


def image_channels(config: Config) -> int:
    """The channels of the images that a network or an autoencoder takes.

    Raises
    ------
    CheckpointError
        They are neither 1 nor 3.
    """
    channels = config.get("in_channels")
    if channels not in (1, 3):
        raise CheckpointError(f"It takes images of {channels} channels; only 1 or 3 can be used.")
    return int(channels)


def check_vae(config: Config) -> None:
    """Check that images and latents of an autoencoder are related by one scale.

    Raises
    ------
    CheckpointError
        The latents are shifted, or the images have other than 1 or 3 channels.
    """
    if config.get("shift_factor") or config.get("latents_mean") is not None:
        raise CheckpointError("Its latents are shifted, as no network here expects.")
    if config.get("out_channels") != image_channels(config):
        raise CheckpointError(
            f"It takes {config.get('in_channels')} channels and gives {config.get('out_channels')}."
        )
