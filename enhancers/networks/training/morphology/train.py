"""Training of the networks of the morphology-consistent diffusion; resumable, on CPU or GPU.

Stage I learns artefact-free images, stage II segments these and optimal ones, stage III tunes the
skip connections of the first to the features of the second, in each variant.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Collection, Mapping
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from enhancers.curve_angle import CLASSES
from enhancers.depths import depth_weights
from enhancers.errors import ParameterError
from enhancers.networks.morphology.sampling import signal
from enhancers.networks.morphology.tuner import VARIANTS, MorphologyTuner
from enhancers.networks.morphology.unet import MorphologyUNet
from enhancers.networks.training.morphology.card import render_morphology
from enhancers.networks.training.morphology.fused import FusedVolumes
from enhancers.networks.training.morphology.objectives import (
    segmentation_loss,
    tuner_loss,
    velocity_loss,
)
from enhancers.networks.training.morphology.validation import (
    restoration_figures,
    segmentation_figures,
    velocity_figures,
)
from enhancers.networks.training.morphology.volumes import SpineCorpus, moved_batches
from enhancers.networks.training.stage import Recipe, Stage, StageResult, cosine_decay

BATCH = 8
RECIPES = {
    "diffusion": Recipe(2e-3, cosine_decay),
    "segmentation": Recipe(2e-3, cosine_decay),
    "tuner": Recipe(4e-3, cosine_decay),
}
"""The paper has Adam, with 1e-3 for the diffusion and 1e-4 for the segmentation, much longer."""
SHARES = {"diffusion": 0.4, "segmentation": 0.3, "tuner": 0.1}
"""Of the minutes; the last for each variant of the tuner."""
STAGES = ("diffusion", "segmentation", *(f"tuner_{variant}" for variant in VARIANTS))
"""In their order; the tuners depend on the first two."""


def train_morphology(
    corpus: SpineCorpus, minutes: float, out: Path, device: str, *,
    seed: int = 0, resume: bool = False, only: Collection[str] = (),
    steps: Mapping[str, int] | None = None,
) -> tuple[StageResult, ...]:  # fmt: skip
    """Train all networks and write them as folders below ``out``.

    Parameters
    ----------
    corpus : SpineCorpus
    minutes : float
        Shared out as `SHARES`.
    only : collection of str, optional
        Among `STAGES`: those that go on from their checkpoints, with equal shares of the minutes.
        The others stay as they are.
    steps : mapping, optional
        The number of steps of each stage, a key of `SHARES`, instead of the minutes.

    Raises
    ------
    ParameterError
        A stage that is to stay as it is has no checkpoint.
    """
    found = _Stages(minutes, out, device, seed, resume, only, steps or {})
    abar = signal().to(device)
    side = int(corpus.clean.clean.shape[-1])
    known = corpus.validation

    torch.manual_seed(seed)
    network, first = found.train(
        "diffusion", MorphologyUNet(sample_size=side), moved_batches(corpus.clean, device),
        lambda model, given: velocity_loss(model, given.clean, abar),
        lambda model: velocity_figures(model, known, device),
    )  # fmt: skip
    segmenting = MorphologyUNet(out_channels=len(CLASSES), timed=False, sample_size=side)
    extractor, second = found.train(
        "segmentation", segmenting, moved_batches(corpus.tuning, device), segmentation_loss,
        lambda model: segmentation_figures(model, known, device),
    )  # fmt: skip
    for frozen in (network, extractor):
        frozen.requires_grad_(False)
    weights = depth_weights(corpus.tuning.depths.shape[1])
    fused = FusedVolumes(corpus.tuning, extractor, weights, device)
    results, parts = [first, second], {"diffusion": network, "segmentation": extractor}
    for variant in VARIANTS:
        # Published: optimal images, with their speckle. Phantoms have artefact-free ones, too.
        images = fused.clean if variant == "tuned" else fused.optimal
        tuner, result = found.train(
            f"tuner_{variant}", MorphologyTuner(variant=variant), partial(fused.batch, images),
            lambda model, given: tuner_loss(model, network, given[0], given[1], abar),
            lambda model: restoration_figures(model, network, extractor, known, weights, device),
        )  # fmt: skip
        results.append(result)
        parts[f"tuner_{variant}"] = tuner
    for name, part in parts.items():
        part.half().save_pretrained(out / name)
    _write_card(out, corpus, tuple(results), parts)
    return tuple(results)


class _Stages:
    """Trains one stage after the other."""

    def __init__(
        self, minutes: float, out: Path, device: str, seed: int, resume: bool,
        only: Collection[str], steps: Mapping[str, int],
    ) -> None:  # fmt: skip
        self.minutes, self.out, self.device = minutes, out, device
        self.seed, self.resume, self.only, self.steps = seed, resume, only, steps

    def train(
        self, name: str, model: Any, batch: Callable[[int, np.random.Generator], Any],
        loss: Callable[[Any, Any], Tensor], figures: Callable[[Any], dict[str, float]],
    ) -> tuple[Any, StageResult]:  # fmt: skip
        """The averaged network of a stage, in evaluation mode, and what it reached."""
        kind = name.split("_", maxsplit=1)[0]
        stage = Stage(
            name, model, self.minutes * SHARES[kind], self.out, self.device, RECIPES[kind],
            max_steps=self.steps.get(kind),
        )  # fmt: skip
        if self.resume or self.only:
            stage.resume()
        if self.only and name not in self.only:
            if not stage.steps:
                raise ParameterError(
                    f"There is no checkpoint of {name} in {self.out}; train this stage first."
                )
            stage.max_steps = stage.steps
        elif self.only:
            stage.minutes = stage.elapsed / 60 + self.minutes / len(self.only)
        # A training that goes on sees other images and noise than the one before.
        seed = self.seed + stage.steps
        torch.manual_seed(seed)
        random = np.random.default_rng(seed)
        stage.fit(lambda: loss(stage.model, batch(BATCH, random)))
        trained = stage.averaged()
        return trained, StageResult(
            name, stage.steps, stage.elapsed / 60, stage.loss, figures(trained)
        )


def _write_card(
    out: Path, corpus: SpineCorpus, results: tuple[StageResult, ...], parts: Mapping[str, Any]
) -> None:
    names = ("clean", "tuning", "validation")
    facts = {
        "classes": {name: type(part).__name__ for name, part in parts.items()},
        "schedule": "cosine, T = 1000",
        "side": int(corpus.clean.clean.shape[-1]),
        "depth_weights": depth_weights(corpus.tuning.depths.shape[1]),
        "cohorts": corpus.cohorts,
        "corpus_sha256": corpus.digest,
        "images": {name: len(part) for name, part in zip(names, corpus, strict=True)},
        "subjects": {name: part.subjects for name, part in zip(names, corpus, strict=True)},
        "bytes": sum(
            os.path.getsize(path) for name in parts for path in (out / name).glob("*.safetensors")
        ),
        "stages": [asdict(result) for result in results],
    }
    (out / "training.json").write_text(json.dumps(facts, indent=2) + "\n", encoding="utf-8")
    (out / "README.md").write_text(render_morphology(facts), encoding="utf-8")
