"""The rival that the published method is not compared with: a U-Net that is shown the truth.

It has the shape of the method's networks and their training (`enhancers.networks.training
.morphology`), is given all depths as channels, and learns the artefact-free image.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import cast

import numpy as np
import torch
from torch.nn import functional as F

from enhancers.networks.morphology.unet import WIDTHS, MorphologyUNet
from enhancers.networks.training.morphology.train import BATCH, RECIPES
from enhancers.networks.training.morphology.volumes import Volumes, moved_batches
from enhancers.networks.training.stage import Stage
from enhancers.phantoms.spine import DEPTHS


@dataclass(frozen=True, eq=False)
class Rival:
    """The trained network, (B, 5, S, S) to (B, 1, S, S), both in [-1, 1], and its training."""

    network: MorphologyUNet
    steps: int
    minutes: float
    loss: float

    @property
    def digest(self) -> str:
        """SHA-256 of the weights."""
        found = hashlib.sha256()
        for name, weight in self.network.state_dict().items():
            found.update(name.encode() + weight.cpu().contiguous().numpy().tobytes())
        return found.hexdigest()


def trained_rival(
    volumes: Callable[[], Volumes], side: int, minutes: float, folder: Path, device: str, *,
    widths: Sequence[int] = WIDTHS, max_steps: int | None = None,
) -> Rival:  # fmt: skip
    """The rival from the checkpoint in ``folder``, trained further until its time is used up.

    Parameters
    ----------
    volumes : callable
        Draws the volumes to learn from; called only if there is something left to learn.
    side : int
        Of the images in pixels.
    minutes : float
    folder : Path
    device : str
    widths : sequence of int
        Channels of the levels.
    max_steps : int, optional
        Number of steps, instead of the minutes.
    """
    torch.manual_seed(0)
    network = MorphologyUNet(
        in_channels=DEPTHS, block_out_channels=tuple(widths), timed=False, sample_size=side
    )
    recipe = RECIPES["segmentation"]
    stage = Stage(f"rival-{side}", network, minutes, folder, device, recipe, max_steps=max_steps)
    stage.resume()
    if stage.progress() < 1:
        torch.manual_seed(stage.steps)
        draw, random = moved_batches(volumes(), device), np.random.default_rng(stage.steps)

        def loss() -> torch.Tensor:
            given = draw(BATCH, random)
            return F.l1_loss(stage.model(given.depths), given.clean)

        stage.fit(loss)
    trained = cast(MorphologyUNet, stage.averaged()).requires_grad_(False)
    return Rival(trained, stage.steps, stage.elapsed / 60, stage.loss)
