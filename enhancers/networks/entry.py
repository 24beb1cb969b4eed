"""Facts about a network: the types of the catalogue and of the networks that a user added."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from enhancers.method import NetworkKind

Kind = NetworkKind
Part = Literal[
    "vae", "unet", "text_encoder", "network", "restorer",
    "diffusion", "segmentation", "tuner_published", "tuner_residual", "tuner_tuned",
]  # fmt: skip
ScheduleName = Literal["linear", "scaled_linear", "squaredcos_cap_v2"]
QkvOrder = Literal["legacy", "new"]


@dataclass(frozen=True)
class Schedule:
    """The noise schedule a network was trained with, in the terms of diffusers."""

    name: ScheduleName = "linear"
    start: float = 1e-4
    end: float = 0.02
    steps: int = 1000


@dataclass(frozen=True)
class Checkpoint:
    """Facts about a guided-diffusion checkpoint that its tensors do not contain.

    Parameters
    ----------
    head_channels : int or None
        Width of an attention head; None for one head.
    qkv_order : {"legacy", "new"}
        Order of the rows of the qkv convolutions: [head][q, k, v][channel], or
        [q, k, v][head][channel].
    """

    head_channels: int | None
    qkv_order: QkvOrder = "legacy"


@dataclass(frozen=True)
class KnownFile:
    """A file below a network's folder, its size in bytes, and its SHA-256."""

    path: str
    size: int
    sha256: str


@dataclass(frozen=True)
class Embedded:
    """The network ships with the project, below `Settings.priors_dir`."""


@dataclass(frozen=True)
class Hub:
    """Files of a repository on the Hugging Face Hub at a pinned revision."""

    repository: str
    revision: str
    variant: str
    files: tuple[KnownFile, ...]

    @property
    def size(self) -> int:
        """Size of all files in bytes."""
        return sum(file.size for file in self.files)

    @property
    def folder(self) -> Path:
        """The folder of this revision in the hub's cache (HF_HOME, HF_HUB_CACHE)."""
        from huggingface_hub import constants

        owner, name = self.repository.split("/")
        cache = Path(constants.HF_HUB_CACHE)
        return cache / f"models--{owner}--{name}" / "snapshots" / self.revision


@dataclass(frozen=True)
class Download:
    """One file at an address, its size in bytes, and its SHA-256."""

    address: str
    size: int
    sha256: str


@dataclass(frozen=True)
class FromUser:
    """The user supplies the file named ``file``; ``where`` says where it comes from."""

    file: str
    where: str


@dataclass(frozen=True)
class Origin:
    """What an added network was made from.

    ``file`` is the name of the file or folder, ``sha256`` that of the file (empty for a folder),
    ``when`` the time of the addition in ISO 8601.
    """

    file: str
    sha256: str
    when: str


@dataclass(frozen=True)
class Restoration:
    """What is known of a network that restores an image in one call.

    Parameters
    ----------
    architecture : str
    scale : int
        Enlargement of its results.
    noise_level : bool
        Whether it is given the standard deviation of the noise.
    source : str
        Where it is from, as the user stated it, or as it was published.
    range : (low, high) or None
        The values in HU that it takes as 0 and 1; None for those of the processing window.
    normalisation : (mean, deviation)
        By which an architecture of this project normalises values in [0, 1].
    """

    architecture: str
    scale: int = 1
    noise_level: bool = False
    source: str = "not stated"
    range: tuple[float, float] | None = None
    normalisation: tuple[float, float] = (0.0, 1.0)


@dataclass(frozen=True)
class NetworkEntry:
    """A network to sample from, or a set of autoencoder, network and text encoder.

    Parameters
    ----------
    key : str
        Name of its folder, and value of the parameter ``prior`` of methods.
    label, summary, licence : str
    kind : {"pixel", "latent", "restoration", "restorer", "morphology"}
        Whether it samples images, or an autoencoder's latents, or restores images in one call, or
        was trained here on simulated acquisitions, or makes one image of several depths.
    parts : tuple of Part
        The diffusers folders below `folder` that hold weights.
    source : Embedded, Hub, Download or FromUser
        Where its files come from.
    channels : int
        Of the images: 1, or 3 (gray images are then replicated).
    tiles : bool
        Whether it was trained on crops, so that an image may be split into tiles of ``native``;
        otherwise it is given complete images.
    native : int
        Side in pixels of the images or crops it was trained on.
    values : (low, high)
        Range of the pixels.
    schedule : Schedule
        Of its training, where its folder has no scheduler.
    checkpoint : Checkpoint or None
        For networks published in the format of guided-diffusion.
    parameters : int
        Number of weights; 0 where it is not known before they are read.
    place : Path or None
        Its folder, where that is not the default one.
    origin : Origin or None
        For networks that were added.
    stored : tuple of KnownFile
        The files of an added network as they were written.
    restoration : Restoration or None
        For networks of that kind.
    """

    key: str
    label: str
    summary: str
    kind: Kind
    parts: tuple[Part, ...]
    licence: str
    source: Embedded | Hub | Download | FromUser
    channels: int = 1
    tiles: bool = True
    native: int = 64
    values: tuple[float, float] = (-1.0, 1.0)
    schedule: Schedule = Schedule()
    checkpoint: Checkpoint | None = None
    parameters: int = 0
    place: Path | None = None
    origin: Origin | None = None
    stored: tuple[KnownFile, ...] = ()
    restoration: Restoration | None = None

    @property
    def folder(self) -> Path:
        """The folder of its files, whether they are there or not."""
        from enhancers.settings import get_settings

        if self.place is not None:
            return self.place
        settings = get_settings()
        if isinstance(self.source, Embedded):
            return settings.priors_dir / self.key
        usual = settings.models_dir / self.key
        # A folder copied there by hand takes precedence over the hub's cache.
        if isinstance(self.source, Hub) and not usual.is_dir():
            return self.source.folder
        return usual

    def weights(self, part: Part) -> Path:
        """The weight file of a part; of the two precisions the one that is there."""
        places = [self.folder / part / name for name in weight_names(part)]
        if isinstance(self.source, Hub):
            places.reverse()
        return next((path for path in places if path.is_file()), places[0])

    @property
    def files(self) -> tuple[Path, ...]:
        """The weight files of all parts."""
        return tuple(self.weights(part) for part in self.parts)

    @property
    def present(self) -> bool:
        """Whether all its weights are on this machine."""
        return all(path.is_file() for path in self.files)

    @property
    def size(self) -> int:
        """Size of the weights in bytes; 0 where they are absent."""
        return sum(path.stat().st_size for path in self.files) if self.present else 0

    @property
    def megabytes(self) -> float:
        """`size` in MB."""
        return self.size / 1e6

    @property
    def cost(self) -> int:
        """Bytes that a fetch downloads; 0 where it cannot be fetched."""
        return self.source.size if isinstance(self.source, Hub | Download) else 0


def weight_names(part: Part) -> tuple[str, str]:
    """The file names that diffusers gives to a part's weights: full precision, half precision."""
    if part == "network":
        return "weights.safetensors", "weights.fp16.safetensors"
    stem = "model" if part == "text_encoder" else "diffusion_pytorch_model"
    return f"{stem}.safetensors", f"{stem}.fp16.safetensors"


def bytes_text(size: float) -> str:
    """A size for people, in powers of ten: ``2.2 GB``, ``13.4 MB``."""
    for unit, scale in (("GB", 1e9), ("MB", 1e6), ("kB", 1e3)):
        if size >= scale:
            return f"{size / scale:.1f} {unit}"
    return f"{size:.0f} bytes"
