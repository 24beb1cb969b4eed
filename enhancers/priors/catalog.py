"""Which priors there are, as pure data, and where their files lie.

Besides those listed here a user may have added others: see `enhancers.priors.added`.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from enhancers.errors import ParameterError
from enhancers.method import nearest

Kind = Literal["pixel", "latent"]


@dataclass(frozen=True)
class Schedule:
    """The betas a network was trained with, in diffusers' terms."""

    name: Literal["linear", "scaled_linear", "squaredcos_cap_v2"] = "linear"
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
    qkv_order: Literal["legacy", "new"] = "legacy"


@dataclass(frozen=True)
class Embedded:
    """Comes with the project, below `Settings.priors_dir`."""


@dataclass(frozen=True)
class Hub:
    """Files of a repository on the Hugging Face hub at a pinned revision, with their sizes."""

    repository: str
    revision: str
    variant: str
    files: tuple[tuple[str, int], ...]

    @property
    def size(self) -> int:
        """Bytes of all files."""
        return sum(size for _, size in self.files)


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
class Prior:
    """One network, or the set of autoencoder, network and text encoder, to sample from.

    Parameters
    ----------
    key : str
        Also the name of its folder, and the value of a method's parameter ``prior``.
    kind : str
        "pixel" networks work on images, "latent" ones on an autoencoder's latents.
    parts : tuple of str
        The diffusers folders below `folder`.
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
    place : Path or None
        Its folder, where that is not the usual one.
    """

    key: str
    label: str
    summary: str
    kind: Kind
    parts: tuple[str, ...]
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

    @property
    def folder(self) -> Path:
        """Where its files lie, or would lie."""
        from enhancers.settings import get_settings

        if self.place is not None:
            return self.place
        settings = get_settings()
        embedded = isinstance(self.source, Embedded)
        return (settings.priors_dir if embedded else settings.models_dir) / self.key

    @property
    def files(self) -> tuple[Path, ...]:
        """The weight files."""
        name = "diffusion_pytorch_model.safetensors"
        return tuple(self.folder / part / name for part in self.parts)

    @property
    def present(self) -> bool:
        """Whether all its weights are on this machine."""
        return all(path.is_file() for path in self.files)

    @property
    def megabytes(self) -> float:
        """Size of the weights in MB; 0 where they are absent."""
        return sum(path.stat().st_size for path in self.files) / 1e6 if self.present else 0.0


PRIORS: tuple[Prior, ...] = (
    Prior(
        key="pixel",
        label="Embedded pixel prior",
        summary="Small denoising network on gray images, trained on crops of open medical images.",
        kind="pixel",
        parts=("unet",),
        licence="Apache-2.0; training data under the licences in its card",
        source=Embedded(),
    ),
    Prior(
        key="latent",
        label="Embedded latent prior",
        summary="Small autoencoder (factor 4) and a denoising network on its latents.",
        kind="latent",
        parts=("vae", "unet"),
        licence="Apache-2.0; training data under the licences in its card",
        source=Embedded(),
    ),
    Prior(
        key="adm256",
        label="ADM ImageNet-256, unconditional",
        summary="OpenAI's guided-diffusion network on photographs: the prior of the UniMIE paper.",
        kind="pixel",
        parts=("unet",),
        licence="MIT",
        source=Download(
            "https://openaipublic.blob.core.windows.net/diffusion/jul-2021/256x256_diffusion_uncond.pt",
            2_211_383_297,
            "a37c32fffd316cd494cf3f35b339936debdc1576dad13fe57c42399a5dbc78b1",
        ),
        channels=3,
        native=256,
        checkpoint=Checkpoint(head_channels=64),
        parameters=552_814_086,
    ),
)


def prior(key: str, kind: Kind | None = None) -> Prior:
    """The prior with this key.

    Raises
    ------
    ParameterError
        There is none, or it is of another kind than ``kind``.
    """
    found = next((entry for entry in PRIORS if entry.key == key), None)
    if found is None:
        raise ParameterError(f"No network {key}; {nearest(key, [each.key for each in PRIORS])}.")
    if kind is not None and found.kind != kind:
        raise ParameterError(
            f"The network {key} is a {found.kind} prior and this method samples from {kind} ones."
        )
    return found
