"""PSNR of the restorers on the validation images, and the training that was best by it."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from enhancers.files import atomic_path
from enhancers.image import Pixels
from enhancers.networks.restorers.conditions import MODALITIES
from enhancers.networks.training.restorers.objectives import Given
from enhancers.networks.training.restorers.pairs import (
    ACQUISITIONS,
    Images,
    PairBatch,
    PairedCorpus,
    degraded,
)
from enhancers.networks.training.stage import Stage

EACH, SIDE = 6, 128
"""Largest number of validation images of a modality, and of how many pixels each way."""
PATIENCE = 15
"""Evaluations without a better one after which a training ends."""
EVALUATIONS = 40
"""In a whole training."""

Restore = Callable[[Any, Given], Tensor]
"""The restored images, (B, 1, H, W), from a network."""


class ValidationPairs:
    """The middle of validation images of each modality, degraded as in the reader-study paper."""

    def __init__(self, corpus: PairedCorpus, device: str) -> None:
        self.batches = {
            modality: Given.of(_batch(modality, split.validation), device)
            for modality, split in corpus.images.items()
        }

    def degraded(self) -> dict[str, float]:
        """PSNR in dB of the degraded images, by modality."""
        return {
            modality: psnr(given.condition[:, :1], given.clean)
            for modality, given in self.batches.items()
        }

    @torch.no_grad()
    def restored(self, network: Any, restore: Restore) -> dict[str, float]:
        """PSNR in dB of the restored images, by modality."""
        torch.manual_seed(0)
        return {
            modality: psnr(restore(network, given), given.clean)
            for modality, given in self.batches.items()
        }


def _batch(modality: str, images: Images) -> PairBatch:
    picked = np.unique(np.linspace(0, len(images) - 1, EACH).round().astype(int))
    level = ACQUISITIONS[modality].published
    whole = [images[place].astype(np.float32) / 255 for place in picked]
    clean = np.stack([_middle(image) for image in whole])[:, None]
    worse = np.stack(
        [_middle(degraded(image, modality, level, seed)) for seed, image in enumerate(whole)]
    )[:, None]
    places = np.full(len(clean), MODALITIES.index(modality))
    return PairBatch(worse * 2 - 1, clean * 2 - 1, places)


def _middle(image: Pixels) -> Pixels:
    top, left = ((size - SIDE) // 2 for size in image.shape)
    return image[top : top + SIDE, left : left + SIDE]


def psnr(images: Tensor, clean: Tensor) -> float:
    """Mean PSNR in dB of images in [-1, 1], clipped to them, (B, 1, H, W)."""
    errors = ((images.clamp(-1, 1) - clean) / 2).square().flatten(1).mean(1)
    return float(np.mean([-10 * math.log10(max(error, 1e-10)) for error in errors.tolist()]))


class Selection:
    """Keeps the moving average of the weights that is best on the validation images.

    Parameters
    ----------
    stage : Stage
    path : Path
        Where it is stored.
    score : callable
        The figure of a network, of which more is better.
    """

    def __init__(self, stage: Stage, path: Path, score: Callable[[Any], float]) -> None:
        self.stage, self.path, self.score = stage, path, score
        self.best: Mapping[str, Any] = {"score": -math.inf}
        self.curve: list[tuple[float, float]] = []
        """Minutes and figure of each evaluation."""
        self.waited = 0
        self.due = 0.0

    def resume(self) -> None:
        """Continue with what is stored, if anything is."""
        if self.path.exists():
            state = torch.load(self.path, map_location=self.stage.device, weights_only=True)
            self.best, self.curve = state["best"], [(a, b) for a, b in state["curve"]]
            self.waited, self.due = state["waited"], state["due"]

    def is_over(self) -> bool:
        """Evaluate where it is time to; whether there was no better network for too long."""
        if self.stage.progress() < self.due:
            return False
        self.due = self.stage.progress() + 1 / EVALUATIONS
        self.evaluate()
        return self.waited >= PATIENCE

    def evaluate(self) -> None:
        """Evaluate the moving average as it is, and keep it if it is the best."""
        network = copy.deepcopy(self.stage.model)
        network.load_state_dict(self.stage.average)
        figure = self.score(network.eval())
        self.curve.append((self.stage.elapsed / 60, figure))
        self.waited += 1
        if figure > self.best["score"]:
            weights = {name: value.clone() for name, value in self.stage.average.items()}
            self.best, self.waited = {"score": figure, "weights": weights}, 0
        state = {
            "best": self.best, "curve": self.curve, "waited": self.waited, "due": self.due,
        }  # fmt: skip
        with atomic_path(self.path) as part:
            torch.save(state, part)

    def chosen(self) -> Any:
        """The best network, in evaluation mode."""
        self.stage.model.load_state_dict(self.best["weights"])
        return self.stage.model.eval()
