"""Whether a diffusers folder holds a network that can be sampled from, told without loading it."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from enhancers.errors import CheckpointError
from enhancers.networks.entry import Part

if TYPE_CHECKING:
    from torch import Tensor

Config = Mapping[str, Any]

LARGEST_CONFIG = 2**20
WIDEST, LONGEST = 2**16, 64
"""Largest number and longest list of a configuration; a hostile one asks for a giant."""
PREDICTIONS = ("epsilon", "v_prediction")
"""What a network may have been trained to answer."""
_EARLY_NAMES = {"query": "to_q", "key": "to_k", "value": "to_v", "proj_attn": "to_out.0"}
CLASSES: Mapping[Part, tuple[str, ...]] = {
    "vae": ("AutoencoderKL",),
    "unet": ("UNet2DModel", "UNet2DConditionModel"),
    "text_encoder": ("CLIPTextModel",),
}


def read_config(path: Path) -> Config:
    """A ``config.json`` of diffusers; CheckpointError where it is none."""
    name = f"{path.parent.name}/{path.name}"
    try:
        if path.stat().st_size > LARGEST_CONFIG:
            raise CheckpointError(f"{name} is too large for a configuration; it was not read.")
        found = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise CheckpointError(f"There is no {name} in {path.parent.parent}.") from None
    except (OSError, ValueError, RecursionError) as error:
        raise CheckpointError(f"{name} cannot be read as JSON; restore it.") from error
    if not isinstance(found, dict):
        raise CheckpointError(f"{name} is not a configuration of a network; restore it.")
    if any(isinstance(each, float | int) and abs(each) > WIDEST for each in _values(found)):
        raise CheckpointError(f"{name} asks for a network larger than any; it was not used.")
    return found


def _values(config: Config) -> Iterator[object]:
    for value in config.values():
        if isinstance(value, list):
            if len(value) > LONGEST:
                yield WIDEST + 1
            yield from value
        else:
            yield value


def part_config(home: Path, part: Part) -> Config:
    """The configuration in a part's folder, of a class that can be used."""
    config = read_config(home / "config.json")
    known = CLASSES[part]
    architectures = config.get("architectures")
    named = architectures[:1] if isinstance(architectures, list) else []
    told = config.get("_class_name") or (named[0] if named else None)
    if told not in known:
        raise CheckpointError(
            f"{home} holds {'no class' if told is None else str(told)[:60]}, and only "
            f"{' or '.join(known)} can be used."
        )
    return config


def check_unet(config: Config, channels: int) -> None:
    """Raise CheckpointError unless it predicts noise from an image (or latent) and a time alone."""
    if config.get("in_channels") != channels:
        raise CheckpointError(
            f"The network takes {config.get('in_channels')} channels and {channels} are given; one "
            "for inpainting or with conditions beside the image cannot be used."
        )
    if config.get("out_channels") not in (channels, 2 * channels):
        raise CheckpointError(
            f"The network gives {config.get('out_channels')} channels for {channels}; noise, or "
            f"noise and variance, is {channels} or {2 * channels}."
        )
    conditions = ("class_embed_type", "num_class_embeds", "addition_embed_type", "encoder_hid_dim")
    given = [name for name in conditions if config.get(name)]
    if given:
        raise CheckpointError(
            f"The network wants conditions ({', '.join(given)}) that no method here gives; take an "
            "unconditional one, or Stable Diffusion 1.x or 2.x."
        )


def check_schedule(folder: Path) -> None:
    """Raise CheckpointError unless the scheduler's betas and prediction can be used."""
    config = read_config(folder / "scheduler" / "scheduler_config.json")
    if not config.get("num_train_timesteps") or not (
        config.get("beta_schedule") or config.get("trained_betas")
    ):
        raise CheckpointError(
            f"The scheduler of {folder} has no betas; give the ones of training with --schedule."
        )
    told = config.get("prediction_type", "epsilon")
    if told not in PREDICTIONS:
        raise CheckpointError(
            f"The network predicts {str(told)[:40]!r}; networks here must predict "
            f"{' or '.join(PREDICTIONS)}."
        )


def check_weights(home: Path, part: Part, path: Path) -> int:
    """The number of parameters of a part whose weight file fits its configuration.

    Raises
    ------
    CheckpointError
        The file is damaged, or what differs: missing, unexpected, other shapes.
    """
    from enhancers.networks.checkpoint import differences

    config = part_config(home, part)
    found = header(path)
    if part != "text_encoder":
        wrong = differences(_expected(config, home), _renamed(found))
        if wrong:
            raise CheckpointError(f"{path} is not of the network its config.json tells: {wrong}.")
    # Positions are counted up and not trained.
    trained = (tensor for name, tensor in found.items() if not name.endswith("position_ids"))
    return sum(tensor.numel() for tensor in trained)


def header(path: Path) -> dict[str, Tensor]:
    """Names and shapes of a safetensors file, without the numbers."""
    import torch
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, framework="pt") as file:
            shapes = {name: file.get_slice(name).get_shape() for name in file.keys()}  # noqa: SIM118
    except FileNotFoundError:
        raise CheckpointError(f"There is no file {path}.") from None
    except (SafetensorError, OSError, ValueError) as error:
        reason = str(error).splitlines()[0][:160] if str(error) else type(error).__name__
        raise CheckpointError(
            f"{path} is a truncated or damaged safetensors file ({reason}); download it again."
        ) from error
    with torch.device("meta"):
        return {name: torch.empty(shape) for name, shape in shapes.items()}


def _renamed(found: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Attention of early autoencoders under today's names, as diffusers itself reads it."""
    names = {}
    for name, tensor in found.items():
        current = name
        if ".attentions." in name:
            for old, new in _EARLY_NAMES.items():
                current = current.replace(f".{old}.", f".{new}.")
        names[current] = tensor
    return names


def _expected(config: Config, home: Path) -> dict[str, Tensor]:
    import diffusers
    import torch

    try:
        with torch.device("meta"):
            network = getattr(diffusers, config["_class_name"]).from_config(dict(config))
    except Exception as error:
        # diffusers raises its own kinds for each configuration that does not make a network.
        reason = " ".join(str(error).split())[:160]
        raise CheckpointError(f"{home}/config.json makes no network ({reason}).") from error
    state: dict[str, Tensor] = network.state_dict()
    return state
