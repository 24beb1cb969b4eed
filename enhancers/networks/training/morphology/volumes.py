"""The volumes that the networks learn from, and random batches of them."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from tqdm.auto import tqdm

from enhancers.phantoms.spine.cohort import Scan, cohort


@dataclass(frozen=True, eq=False)
class Volumes:
    """Volumes of one part of a cohort.

    Parameters
    ----------
    depths : ndarray, uint8, shape (N, D, S, S)
    clean, classes : ndarray, uint8, shape (N, S, S)
        The artefact-free images, and the masks.
    optimal : ndarray of int, shape (N,)
    subjects : int
    """

    depths: NDArray[np.uint8]
    clean: NDArray[np.uint8]
    classes: NDArray[np.uint8]
    optimal: NDArray[np.intp]
    subjects: int

    def __len__(self) -> int:
        return len(self.clean)

    @property
    def best(self) -> NDArray[np.uint8]:
        """The image of the optimal depth of each volume, (N, S, S)."""
        return self.depths[np.arange(len(self)), self.optimal]

    def joined(self, other: Volumes) -> Volumes:
        """These volumes and others, of other subjects."""
        return Volumes(
            np.concatenate([self.depths, other.depths]),
            np.concatenate([self.clean, other.clean]),
            np.concatenate([self.classes, other.classes]),
            np.concatenate([self.optimal, other.optimal]),
            self.subjects + other.subjects,
        )


class SpineCorpus(NamedTuple):
    """Volumes without artefacts (stages I and II), those for stage III, and for validation."""

    clean: Volumes
    tuning: Volumes
    validation: Volumes

    @property
    def digest(self) -> str:
        """SHA-256 of all images."""
        found = hashlib.sha256()
        for part in self:
            found.update(part.depths.tobytes() + part.clean.tobytes() + part.classes.tobytes())
        return found.hexdigest()


def draw(scans: Sequence[Scan], side: int) -> Volumes:
    """The volumes of scans with ``side`` pixels each way."""
    drawn = [scan.volume(side) for scan in tqdm(scans, desc="phantoms", unit="volume", leave=False)]
    return Volumes(
        np.stack([_gray(volume.depths) for volume in drawn]),
        np.stack([_gray(volume.clean) for volume in drawn]),
        np.stack([volume.mask for volume in drawn]),
        np.array([volume.optimal for volume in drawn]),
        len({scan.subject for scan in scans}),
    )


def _gray(pixels: NDArray[np.float32]) -> NDArray[np.uint8]:
    return np.round(pixels * 255).astype(np.uint8)


def spine_corpus(side: int, seed: int = 0, most: int | None = None) -> SpineCorpus:
    """The parts of a cohort that may be learned from; its test part is not drawn.

    Stage III has the volumes without artefacts too, as in Table I of the paper. ``most`` limits the
    volumes of each part.
    """
    scans = cohort(seed)
    clean, tuning, validation = (
        draw([scan for scan in scans if scan.part == part][:most], side)
        for part in ("clean", "tuning", "validation")
    )
    return SpineCorpus(clean, clean.joined(tuning), validation)


class Batch(NamedTuple):
    """Images in [-1, 1]: all depths (B, D, S, S), optimal and clean (B, 1, S, S); classes int64."""

    depths: Tensor
    optimal: Tensor
    clean: Tensor
    classes: Tensor


class Batches:
    """Random batches of volumes, mirrored at random."""

    def __init__(self, volumes: Volumes, seed: int, device: str) -> None:
        self.volumes, self.device = volumes, device
        self.random = np.random.default_rng(seed)

    def batch(self, count: int) -> Batch:
        """``count`` volumes."""
        picked = self.random.integers(len(self.volumes), size=count)
        flips = self.random.random(count) < 0.5
        return batch_of(self.volumes, picked, self.device, flips)


def batch_of(
    volumes: Volumes, picked: NDArray[np.integer], device: str,
    flips: NDArray[np.bool_] | None = None,
) -> Batch:  # fmt: skip
    """Some of the volumes; those of ``flips`` mirrored."""

    def chosen(images: NDArray[np.uint8]) -> Tensor:
        found = images[picked].copy()
        if flips is not None:
            found[flips] = found[flips][..., ::-1]
        return torch.from_numpy(found).to(device)

    def signed(images: NDArray[np.uint8]) -> Tensor:
        return chosen(images).float() / 127.5 - 1

    return Batch(
        signed(volumes.depths), signed(volumes.best)[:, None], signed(volumes.clean)[:, None],
        chosen(volumes.classes).long(),
    )  # fmt: skip
