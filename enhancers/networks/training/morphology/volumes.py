"""The volumes that the networks learn from, and random batches of them."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F
from tqdm.auto import tqdm

from enhancers.phantoms.spine.cohort import Scan, cohort

ROTATION, SCALE, SHIFT = 0.07, 0.06, 0.06
"""Most that an image is turned (in radians), enlarged and moved (in shares of its side)."""


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


@dataclass(frozen=True, eq=False)
class SpineCorpus:
    """Volumes without artefacts (stage I), all volumes (II and III), and those for validation."""

    clean: Volumes
    tuning: Volumes
    validation: Volumes
    cohorts: int = 1
    """Of which the training parts are."""

    def __iter__(self) -> Iterator[Volumes]:
        return iter((self.clean, self.tuning, self.validation))

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
        len({scan.seed for scan in scans}),
    )


def _gray(pixels: NDArray[np.float32]) -> NDArray[np.uint8]:
    return np.round(pixels * 255).astype(np.uint8)


def spine_corpus(
    side: int, seed: int = 0, most: int | None = None, cohorts: int = 1
) -> SpineCorpus:
    """The parts of a cohort that may be learned from; its test part is not drawn.

    Stage III has the volumes without artefacts too, as in Table I of the paper; stage II has those
    with artefacts too, other than there, where it segmented them worse. ``cohorts`` above 1 add
    the training parts of cohorts with the next seeds, which have other subjects. ``most`` limits
    the volumes of each part of a cohort.
    """

    def volumes(part: str, cohorts: int = cohorts) -> Volumes:
        scans: list[Scan] = []
        for number in range(cohorts):
            scans += [scan for scan in cohort(seed + number) if scan.part == part][:most]
        return draw(scans, side)

    clean, tuning = volumes("clean"), volumes("tuning")
    return SpineCorpus(clean, clean.joined(tuning), volumes("validation", 1), cohorts)


class Batch(NamedTuple):
    """Images in [-1, 1]: all depths (B, D, S, S), optimal and clean (B, 1, S, S); classes int64."""

    depths: Tensor
    optimal: Tensor
    clean: Tensor
    classes: Tensor


def moved_batches(volumes: Volumes, device: str) -> Callable[[int, np.random.Generator], Batch]:
    """A function that draws batches: mirrored, turned, enlarged and moved a little at random."""

    def batch(count: int, random: np.random.Generator) -> Batch:
        picked = random.integers(len(volumes), size=count)
        return moved(batch_of(volumes, picked, device), _positions(count, random).to(device))

    return batch


def _positions(count: int, random: np.random.Generator) -> Tensor:
    """Affine maps (B, 2, 3) of `torch.nn.functional.affine_grid`."""
    draw = random.uniform
    angle = draw(-ROTATION, ROTATION, count)
    scale = 1 + draw(-SCALE, SCALE, count)
    mirror = random.choice((-1.0, 1.0), count)
    found = np.empty((count, 2, 3), np.float32)
    found[:, 0, 0] = mirror * scale * np.cos(angle)
    found[:, 0, 1] = -scale * np.sin(angle)
    found[:, 1, 0] = mirror * scale * np.sin(angle)
    found[:, 1, 1] = scale * np.cos(angle)
    found[:, :, 2] = draw(-2 * SHIFT, 2 * SHIFT, (count, 2))
    return torch.from_numpy(found)


def moved(given: Batch, positions: Tensor) -> Batch:
    """A batch after affine maps (B, 2, 3); what enters from outside is black and background."""
    grid = F.affine_grid(positions, list(given.clean.shape), align_corners=False)

    def images(found: Tensor) -> Tensor:
        return F.grid_sample(found + 1, grid, align_corners=False) - 1

    classes = given.classes[:, None].float()
    nearest = F.grid_sample(classes, grid, mode="nearest", align_corners=False)
    return Batch(
        images(given.depths), images(given.optimal), images(given.clean), nearest[:, 0].long()
    )


def mirrored(given: Batch) -> Batch:
    """A batch with left and right exchanged."""
    return Batch(*(images.flip(-1) for images in given))


def batch_of(volumes: Volumes, picked: NDArray[np.integer], device: str) -> Batch:
    """Some of the volumes."""

    def signed(images: NDArray[np.uint8]) -> Tensor:
        return torch.from_numpy(images[picked]).to(device).float() / 127.5 - 1

    return Batch(
        signed(volumes.depths), signed(volumes.best)[:, None], signed(volumes.clean)[:, None],
        torch.from_numpy(volumes.classes[picked]).to(device).long(),
    )  # fmt: skip
