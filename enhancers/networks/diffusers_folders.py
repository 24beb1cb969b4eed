"""diffusers' folders as a user has them: what kind of prior one is, checked by its headers."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from enhancers.errors import CheckpointError
from enhancers.networks.entry import Kind, Part, weight_names
from enhancers.networks.folder_structure import (
    Config,
    check_schedule,
    check_unet,
    check_weights,
    part_config,
)

SCHEDULER = "scheduler_config.json"


@dataclass(frozen=True)
class Found:
    """What a folder holds.

    Parameters
    ----------
    native : int
        Side of the images it was made for; 0 where it does not say.
    weights : tuple of Path
        One file for each of ``parts``.
    others : tuple of Path
        Configurations and, of a text encoder, the tokenizer's files.
    """

    kind: Kind
    parts: tuple[Part, ...]
    channels: int
    native: int
    parameters: int
    weights: tuple[Path, ...]
    others: tuple[Path, ...]


def network(folder: Path) -> Found:
    """What is in a folder of one UNet2DModel (config.json and weights).

    Raises
    ------
    CheckpointError
        No network, or none that can be used.
    """
    if not (folder / "config.json").is_file():
        raise CheckpointError(
            f"{folder} holds no network of diffusers: neither unet/config.json nor config.json is "
            "in it. Of a checkpoint, give the file."
        )
    config = part_config(folder, "unet")
    if config["_class_name"] != "UNet2DModel":
        raise CheckpointError(
            f"{folder} holds a {config['_class_name']}, which works on latents; add the folder of "
            "the whole pipeline."
        )
    return _pixel(folder, config, ())


def pipeline(folder: Path) -> Found:
    """What is in a folder of a pipeline: unet, scheduler, and for a latent one vae and the rest.

    Raises
    ------
    CheckpointError
        A part is missing, damaged or of a class that cannot be used.
    """
    config = part_config(folder / "unet", "unet")
    scheduler = folder / "scheduler" / SCHEDULER
    if not (folder / "vae").is_dir():
        if config["_class_name"] != "UNet2DModel":
            raise CheckpointError(
                f"{folder} has a unet that works on latents and no vae; add the whole pipeline."
            )
        check_schedule(folder)
        return _pixel(folder / "unet", config, (scheduler,))
    check_schedule(folder)
    return _latent(folder, config, scheduler)


def scheduler_beside(folder: Path) -> Path | None:
    """The scheduler_config.json that goes with a network's folder, if there is one."""
    places = (folder, folder / "scheduler", folder.parent / "scheduler")
    return next((place / SCHEDULER for place in places if (place / SCHEDULER).is_file()), None)


def weight_file(home: Path, part: Part) -> Path:
    """The weights in a part's folder; CheckpointError where there are none in safetensors."""
    names = weight_names(part)
    for name in names:
        if (home / name).is_file():
            return home / name
    told = "it has them in another format" if any(home.glob("*.bin")) else "they are missing"
    if any(home.glob("*.index.json")):
        told = "it has them in several files"
    raise CheckpointError(
        f"{home} has no {names[0]}: {told}. Save the network with diffusers' "
        "save_pretrained(folder, safe_serialization=True)."
    )


def _pixel(home: Path, config: Config, others: tuple[Path, ...]) -> Found:
    channels = _channels(home, config.get("in_channels"))
    check_unet(config, channels)
    path = weight_file(home, "unet")
    return Found(
        kind="pixel",
        parts=("unet",),
        channels=channels,
        native=_side(config.get("sample_size")),
        parameters=check_weights(home, "unet", path),
        weights=(path,),
        others=(home / "config.json", *others),
    )


def _latent(folder: Path, config: Config, scheduler: Path) -> Found:
    if (folder / "text_encoder_2").is_dir():
        raise CheckpointError(
            f"{folder} has two text encoders; Stable Diffusion 1.x or 2.x, which has one, can be "
            "used."
        )
    texts = config["_class_name"] == "UNet2DConditionModel"
    tokenizer = sorted(path for path in (folder / "tokenizer").glob("*") if path.is_file())
    if texts and not tokenizer:
        raise CheckpointError(f"{folder} has no tokenizer, which its text encoder needs.")
    parts: tuple[Part, ...] = ("vae", "unet", "text_encoder") if texts else ("vae", "unet")
    autoencoder = part_config(folder / "vae", "vae")
    channels = _channels(folder / "vae", autoencoder.get("in_channels"))
    check_unet(config, int(autoencoder.get("latent_channels") or 0))
    weights = tuple(weight_file(folder / part, part) for part in parts)
    sizes = [
        check_weights(folder / part, part, path)
        for part, path in zip(parts, weights, strict=True)
    ]  # fmt: skip
    factor = 2 ** (len(autoencoder.get("block_out_channels") or [0]) - 1)
    return Found(
        kind="latent",
        parts=parts,
        channels=channels,
        native=_side(config.get("sample_size")) * factor,
        parameters=sum(sizes),
        weights=weights,
        others=(
            *(folder / part / "config.json" for part in parts),
            scheduler,
            *(tokenizer if texts else ()),
        ),
    )


def _channels(home: Path, told: object) -> int:
    if told not in (1, 3):
        raise CheckpointError(f"{home} takes images of {told} channels; 1 or 3 can be used.")
    return int(str(told))


def _side(told: object) -> int:
    sides = told if isinstance(told, list) else [told]
    return min((side for side in sides if isinstance(side, int) and side > 0), default=0)
