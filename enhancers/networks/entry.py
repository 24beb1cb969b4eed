"""What is known of one network: the types the catalogue is written in."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

Kind = Literal["pixel", "latent"]
Part = Literal["vae", "unet", "text_encoder"]
ScheduleName = Literal["linear", "scaled_linear", "squaredcos_cap_v2"]
QkvOrder = Literal["legacy", "new"]


@dataclass(frozen=True)
class Schedule:
    """The betas a network was trained with, in diffusers' terms."""

    name: ScheduleName = "linear"
    start: float = 1e-4
    end: float = 0.02
    steps: int = 1000


@dataclass(frozen=True)
class Checkpoint:
    """What the tensors of a guided-diffusion checkpoint do not say.

    ``head_channels`` is the width of an attention head (None: one head). ``qkv_order`` is how the
    rows of its qkv convolution are sorted: "legacy" is [head][q, k, v][channel], "new" is
    [q, k, v][head][channel].
    """

    head_channels: int | None
    qkv_order: QkvOrder = "legacy"


@dataclass(frozen=True)
class KnownFile:
    """A file below a prior's folder: where, how many bytes, and its SHA-256."""

    path: str
    size: int
    sha256: str


@dataclass(frozen=True)
class Embedded:
    """Comes with the project, below `Settings.priors_dir`."""


@dataclass(frozen=True)
class Hub:
    """Files of a repository on the Hugging Face hub at a pinned revision."""

    repository: str
    revision: str
    variant: str
    files: tuple[KnownFile, ...]

    @property
    def size(self) -> int:
        """Bytes of all files."""
        return sum(file.size for file in self.files)

    @property
    def folder(self) -> Path:
        """Where the hub's own cache (HF_HOME, HF_HUB_CACHE) keeps this revision."""
        from huggingface_hub import constants

        owner, name = self.repository.split("/")
        cache = Path(constants.HF_HUB_CACHE)
        return cache / f"models--{owner}--{name}" / "snapshots" / self.revision


@dataclass(frozen=True)
class Download:
    """One file at an address, with its size in bytes and its SHA-256."""

    address: str
    size: int
    sha256: str


@dataclass(frozen=True)
class FromUser:
    """Not to be had from here: the user supplies the file named ``file``; ``where`` tells more."""

    file: str
    where: str


@dataclass(frozen=True)
class Origin:
    """What a network on the shelf was made from.

    ``file`` is the name of the file or folder, ``sha256`` that of the file (empty for a folder),
    ``when`` the time in ISO 8601.
    """

    file: str
    sha256: str
    when: str


@dataclass(frozen=True)
class NetworkEntry:
    """One network, or the set of autoencoder, network and text encoder, to sample from.

    Parameters
    ----------
    key : str
        Also the name of its folder, and the value of a method's parameter ``prior``.
    kind : str
        "pixel" networks work on images, "latent" ones on an autoencoder's latents.
    parts : tuple of str
        The diffusers folders below `folder` that hold weights.
    channels : int
        Of the images it takes: 1 or 3 (gray images are then replicated).
    tiles : bool
        Whether it was trained on crops, so that it may see an image in tiles of ``native``; one
        trained on whole images sees whole images.
    native : int
        Side in pixels of the images or crops it was trained on.
    values : (low, high)
        Range of the pixels it takes.
    checkpoint : Checkpoint or None
        For those published in guided-diffusion's format.
    parameters : int
        Number of its weights; 0 where that is not known beforehand.
    place : Path or None
        Its folder, where that is not the usual one.
    origin : Origin or None
        For those that were added.
    stored : tuple of KnownFile
        The files of an added one, as they were written.
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

    @property
    def folder(self) -> Path:
        """Where its files lie, or would lie."""
        from enhancers.settings import get_settings

        if self.place is not None:
            return self.place
        settings = get_settings()
        if isinstance(self.source, Embedded):
            return settings.priors_dir / self.key
        usual = settings.models_dir / self.key
        # A plain folder put there by hand comes before the hub's cache.
        if isinstance(self.source, Hub) and not usual.is_dir():
            return self.source.folder
        return usual

    def weights(self, part: Part) -> Path:
        """The weight file of a part: the plain one, else the half-precision variant."""
        places = [self.folder / part / name for name in weight_names(part)]
        if isinstance(self.source, Hub):
            places.reverse()
        return next((path for path in places if path.is_file()), places[0])

    @property
    def files(self) -> tuple[Path, ...]:
        """The weight files."""
        return tuple(self.weights(part) for part in self.parts)

    @property
    def present(self) -> bool:
        """Whether all its weights are on this machine."""
        return all(path.is_file() for path in self.files)

    @property
    def size(self) -> int:
        """Bytes of the weights; 0 where they are absent."""
        return sum(path.stat().st_size for path in self.files) if self.present else 0

    @property
    def megabytes(self) -> float:
        """`size` in MB."""
        return self.size / 1e6

    @property
    def cost(self) -> int:
        """Bytes a fetch of it downloads; 0 for those that cannot be fetched."""
        return self.source.size if isinstance(self.source, Hub | Download) else 0


def weight_names(part: Part) -> tuple[str, str]:
    """What diffusers calls a part's weights: in full precision, and in half."""
    stem = "model" if part == "text_encoder" else "diffusion_pytorch_model"
    return f"{stem}.safetensors", f"{stem}.fp16.safetensors"


def bytes_text(size: float) -> str:
    """``2.2 GB``, ``13.4 MB``: a size as a user reads it (powers of ten)."""
    for unit, scale in (("GB", 1e9), ("MB", 1e6), ("kB", 1e3)):
        if size >= scale:
            return f"{size / scale:.1f} {unit}"
    return f"{size:.0f} bytes"
