"""Trains a segmentation network on clean images, as in section 3 of the paper."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from benchmarks.segmentation.networks import build, logits
from benchmarks.segmentation.subjects import Cohort, Labels, Subject
from enhancers.errors import ParameterError, ReadingRoomError
from enhancers.image import Pixels

PREDICTION_BATCH = 16
SMOOTH = 1.0
"""Added to both sides of the Dice ratio, so that an absent structure has a gradient."""


@dataclass(frozen=True)
class Recipe:
    """The parameters of a training; the defaults are those of the paper.

    Parameters
    ----------
    epochs : int
        Largest number of epochs.
    learning_rate : float
        Of Adam (β 0.9, 0.999); it falls to 0 along a cosine.
    batch : int
        Images per step, at least 2.
    patience : int
        Epochs without a lower validation loss after which training stops.
    rotation : float
        Largest angle of the augmentation in degrees.
    scaling : float
        Largest relative change of size.
    flip : bool
        Mirror half of the images, left to right.
    """

    epochs: int = 500
    learning_rate: float = 1e-4
    batch: int = 16
    patience: int = 20
    rotation: float = 15.0
    scaling: float = 0.1
    flip: bool = True

    def __post_init__(self) -> None:
        if self.epochs < 1 or self.batch < 2 or self.patience < 1:
            raise ParameterError(
                f"epochs={self.epochs}, batch={self.batch}, patience={self.patience} is not "
                "possible; give at least 1, 2 and 1."
            )
        if not 0.0 < self.learning_rate <= 1.0:
            raise ParameterError(
                f"learning_rate={self.learning_rate:g} is not possible; give more than 0 and at "
                "most 1."
            )

    @property
    def text(self) -> str:
        """In words."""
        mirrored = ", mirrored" if self.flip else ""
        return (
            f"at most {self.epochs} epochs of Adam at {self.learning_rate:g} along a cosine, "
            f"batches of {self.batch}, stopping after {self.patience} epochs without gain; "
            f"images turned by up to {self.rotation:g}°, scaled by up to {self.scaling:.0%}"
            f"{mirrored}"
        )


@dataclass(frozen=True)
class Progress:
    """The number of a finished epoch, from 1, and its validation loss."""

    epoch: int
    loss: float


def train(
    cohort: Cohort,
    key: str,
    recipe: Recipe,
    *,
    seed: int,
    device: str,
    tick: Callable[[Progress], None] = lambda _: None,
) -> nn.Module:
    """Train a network on the clean images of a cohort; the epoch with the lowest loss is used.

    The same arguments give the same weights on a processor with the same number of threads.

    Parameters
    ----------
    cohort : Cohort
    key : str
        Of the network.
    recipe : Recipe
    seed : int
        Of the initial weights, the order of the images and the augmentation.
    device : str
        A torch device.
    tick : callable, optional
        Called after every epoch.

    Returns
    -------
    torch module in evaluation mode
    """
    network = build(key, cohort.classes, cohort.size, seed).to(device)
    with torch.random.fork_rng(devices=[]):
        # Dropout draws from the global generator.
        torch.manual_seed(seed)
        return _fit(network, cohort, recipe, torch.Generator().manual_seed(seed), device, tick)


def _fit(
    network: nn.Module,
    cohort: Cohort,
    recipe: Recipe,
    rng: torch.Generator,
    device: str,
    tick: Callable[[Progress], None],
) -> nn.Module:
    images, labels = _stack(cohort.train)
    held, held_labels = (part.to(device) for part in _stack(cohort.validation))
    adam = torch.optim.Adam(network.parameters(), lr=recipe.learning_rate, betas=(0.9, 0.999))
    pace = torch.optim.lr_scheduler.CosineAnnealingLR(adam, recipe.epochs)
    lowest, since, best = math.inf, 0, copy.deepcopy(network.state_dict())
    for epoch in range(1, recipe.epochs + 1):
        network.train()
        for chosen in batches(len(images), recipe.batch, rng):
            x, y = augment(images[chosen], labels[chosen], recipe, rng)
            adam.zero_grad(set_to_none=True)
            loss = segmentation_loss(logits(network, x.to(device)), y.to(device))
            torch.autograd.backward(loss)
            adam.step()
        pace.step()
        found = _validate(network, held, held_labels)
        tick(Progress(epoch, found))
        if found < lowest:
            lowest, since, best = found, 0, copy.deepcopy(network.state_dict())
        else:
            since += 1
        if since >= recipe.patience:
            break
    if not math.isfinite(lowest):
        raise ReadingRoomError(
            f"Training {type(network).__name__} diverged at learning rate "
            f"{recipe.learning_rate:g}; give a lower one."
        )
    network.load_state_dict(best)
    return network.eval()


def segmentation_loss(scores: Tensor, labels: Tensor) -> Tensor:
    """Dice loss, mean over the structures without the background, plus cross-entropy.

    Parameters
    ----------
    scores : Tensor, shape (B, classes, H, W)
    labels : Tensor, int64, shape (B, H, W)
    """
    entropy = functional.cross_entropy(scores, labels)
    wanted = functional.one_hot(labels, scores.shape[1]).movedim(-1, 1).to(scores.dtype)
    share = scores.softmax(1)
    common = (share * wanted).sum((0, 2, 3))
    both = share.sum((0, 2, 3)) + wanted.sum((0, 2, 3))
    dice = (2.0 * common + SMOOTH) / (both + SMOOTH)
    return entropy + 1.0 - dice[1:].mean()


def augment(
    images: Tensor, labels: Tensor, recipe: Recipe, rng: torch.Generator
) -> tuple[Tensor, Tensor]:
    """Rotate, scale and mirror images (B, 1, H, W) and, in the same way, labels (B, H, W)."""
    count = len(images)
    draws = torch.rand(count, 3, generator=rng)
    angle = torch.deg2rad((2.0 * draws[:, 0] - 1.0) * recipe.rotation)
    scale = 1.0 / (1.0 + (2.0 * draws[:, 1] - 1.0) * recipe.scaling)
    mirror = torch.ones(count)
    if recipe.flip:
        mirror[draws[:, 2] < 0.5] = -1.0
    cosine, sine = scale * angle.cos(), scale * angle.sin()
    zero = torch.zeros(count)
    theta = torch.stack(
        [
            torch.stack([mirror * cosine, -sine, zero], 1),
            torch.stack([mirror * sine, cosine, zero], 1),
        ],
        1,
    )
    grid = functional.affine_grid(theta, list(images.shape), align_corners=False)
    moved = functional.grid_sample(images, grid, "bilinear", "zeros", align_corners=False)
    followed = functional.grid_sample(
        labels[:, None].float(), grid, "nearest", "zeros", align_corners=False
    )
    return moved, followed[:, 0].round().long()


def batches(count: int, size: int, rng: torch.Generator) -> list[Tensor]:
    """The numbers below ``count`` in random order, in groups of ``size``.

    No group has one member, because batch normalisation needs two.
    """
    order = torch.randperm(count, generator=rng)
    parts = [order[first : first + size] for first in range(0, count, size)]
    if len(parts) > 1 and len(parts[-1]) == 1:
        parts[-2:] = [torch.cat(parts[-2:])]
    return parts


def predict(network: nn.Module, images: Sequence[Pixels], device: str) -> list[Labels]:
    """The most likely class of every pixel.

    Parameters
    ----------
    network : torch module
    images : sequence of ndarray, float32, shape (S, S), in [0, 1]
    device : str

    Returns
    -------
    list of ndarray, uint8, shape (S, S)
    """
    found: list[Labels] = []
    with torch.inference_mode():
        for first in range(0, len(images), PREDICTION_BATCH):
            part = np.stack(images[first : first + PREDICTION_BATCH])[:, None]
            scores = logits(network, torch.from_numpy(part).to(device))
            found += list(scores.argmax(1).to(torch.uint8).cpu().numpy())
    return found


def _validate(network: nn.Module, images: Tensor, labels: Tensor) -> float:
    network.eval()
    total = 0.0
    with torch.inference_mode():
        for first in range(0, len(images), PREDICTION_BATCH):
            part = slice(first, first + PREDICTION_BATCH)
            loss = segmentation_loss(logits(network, images[part]), labels[part])
            total += float(loss) * len(images[part])
    return total / len(images)


def _stack(subjects: Sequence[Subject]) -> tuple[Tensor, Tensor]:
    images = np.stack([subject.pixels for subject in subjects])[:, None]
    labels = np.stack([subject.labels for subject in subjects])
    return torch.from_numpy(images), torch.from_numpy(labels.astype(np.int64))
