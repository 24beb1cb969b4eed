"""What a user's diffusers folder holds, checked by configurations and headers alone."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from enhancers.errors import CheckpointError
from enhancers.networks.beta_schedule import beta_schedule
from enhancers.networks.config_checks import (
    OF_IMAGES,
    SCHEDULER,
    Config,
    check_unet,
    check_vae,
    image_channels,
    part_config,
    read_config,
)
from enhancers.networks.entry import Kind, Part, weight_names
from enhancers.networks.weight_checks import check_weights


@dataclass(frozen=True)
class FolderContent:
    """The networks in a folder.

    Parameters
    ----------
    kind : {"pixel", "latent"}
    parts : tuple of Part
    channels : int
        Of the images.
    native : int
        Side in pixels of the images it was made for; 0 where the configuration does not say.
    parameters : int
        Of all parts.
    weights : tuple of Path
        One file for each part.
    others : tuple of Path
        Configurations and the tokenizer's files.
    """

    kind: Kind
    parts: tuple[Part, ...]
    channels: int
    native: int
    parameters: int
    weights: tuple[Path, ...]
    others: tuple[Path, ...]


def read_network(folder: Path) -> FolderContent:
    """The content of a folder of one UNet2DModel: config.json and weights.

    Raises
    ------
    CheckpointError
        There is no network, or it cannot be used.
    """
    if not (folder / "config.json").is_file():
        raise CheckpointError(
            f"{folder} holds no network of diffusers: there is neither unet/config.json nor "
            "config.json in it. To add a checkpoint, give the file."
        )
    config = part_config(folder, "unet")
    if config["_class_name"] not in OF_IMAGES:
        raise CheckpointError(
            f"{folder} holds a {config['_class_name']}, which works on latents; add the folder of "
            "the complete pipeline."
        )
    return _pixel(folder, config, ())


def read_pipeline(folder: Path) -> FolderContent:
    """The content of a folder of a pipeline: unet, scheduler, and vae, text encoder, tokenizer.

    Raises
    ------
    CheckpointError
        A part is missing, damaged or of a class that cannot be used.
    """
    config = part_config(folder / "unet", "unet")
    scheduler = folder / "scheduler" / SCHEDULER
    has_vae = (folder / "vae").is_dir()
    if not has_vae and config["_class_name"] not in OF_IMAGES:
        raise CheckpointError(
            f"{folder} has a unet that works on latents and no vae; add the complete pipeline."
        )
    beta_schedule(read_config(scheduler))
    if not has_vae:
        return _pixel(folder / "unet", config, (scheduler,))
    return _latent(folder, config, scheduler)


def find_scheduler(folder: Path) -> Path | None:
    """The scheduler_config.json that belongs to a network's folder, if there is one."""
    places = (folder, folder / "scheduler", folder.parent / "scheduler")
    return next((place / SCHEDULER for place in places if (place / SCHEDULER).is_file()), None)


def weight_file(home: Path, part: Part) -> Path:
    """The safetensors file in the folder of a part; CheckpointError where there is none."""
    names = weight_names(part)
    for name in names:
        if (home / name).is_file():
            return home / name
    found = "it has them in another format" if any(home.glob("*.bin")) else "they are missing"
    if any(home.glob("*.index.json")):
        found = "it has them in several files"
    raise CheckpointError(
        f"{home} has no {names[0]}: {found}. Save the network with diffusers' "
        "save_pretrained(folder, safe_serialization=True)."
    )


def _pixel(home: Path, config: Config, others: tuple[Path, ...]) -> FolderContent:
    channels = image_channels(config)
    check_unet(config, channels)
    path = weight_file(home, "unet")
    return FolderContent(
        kind="pixel",
        parts=("unet",),
        channels=channels,
        native=_side(config.get("sample_size")),
        parameters=check_weights(home, "unet", path),
        weights=(path,),
        others=(home / "config.json", *others),
    )


def _latent(folder: Path, config: Config, scheduler: Path) -> FolderContent:
    if (folder / "text_encoder_2").is_dir():
        raise CheckpointError(
            f"{folder} has two text encoders; Stable Diffusion 1.x or 2.x, which has one, can be "
            "used."
        )
    has_text = config["_class_name"] == "UNet2DConditionModel"
    tokenizer = sorted(path for path in (folder / "tokenizer").glob("*") if path.is_file())
    if has_text and not tokenizer:
        raise CheckpointError(f"{folder} has no tokenizer, which its text encoder needs.")
    parts: tuple[Part, ...] = ("vae", "unet", "text_encoder") if has_text else ("vae", "unet")
    vae = part_config(folder / "vae", "vae")
    check_vae(vae)
    check_unet(config, int(vae.get("latent_channels") or 0))
    weights = tuple(weight_file(folder / part, part) for part in parts)
    sizes = [
        check_weights(folder / part, part, path)
        for part, path in zip(parts, weights, strict=True)
    ]  # fmt: skip
    factor = 2 ** (len(vae.get("block_out_channels") or [0]) - 1)
    return FolderContent(
        kind="latent",
        parts=parts,
        channels=image_channels(vae),
        native=_side(config.get("sample_size")) * factor,
        parameters=sum(sizes),
        weights=weights,
        others=(
            *(folder / part / "config.json" for part in parts),
            scheduler,
            *(tokenizer if has_text else ()),
        ),
    )


def _side(sample_size: object) -> int:
    """The smaller side of a configuration's ``sample_size``; 0 where it has none."""
    sides = sample_size if isinstance(sample_size, list) else [sample_size]
    return min((side for side in sides if isinstance(side, int) and side > 0), default=0)
