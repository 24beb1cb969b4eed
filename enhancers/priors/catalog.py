"""Which priors there are, as pure data, and where their files lie."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal


@dataclass(frozen=True)
class Prior:
    """One network, or the pair of autoencoder and network, to sample from.

    ``parts`` are the diffusers folders below `folder`; ``card`` is its README there.
    """

    key: Literal["pixel", "latent"]
    label: str
    summary: str
    parts: tuple[str, ...]
    licence: str

    @property
    def folder(self) -> Path:
        """Where its files lie."""
        from enhancers.settings import get_settings

        return get_settings().priors_dir / self.key

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
        parts=("unet",),
        licence="Apache-2.0; training data under the licences in its card",
    ),
    Prior(
        key="latent",
        label="Embedded latent prior",
        summary="Small autoencoder (factor 4) and a denoising network on its latents.",
        parts=("vae", "unet"),
        licence="Apache-2.0; training data under the licences in its card",
    ),
)


def prior(key: str) -> Prior:
    """The prior with this key."""
    return next(entry for entry in PRIORS if entry.key == key)
