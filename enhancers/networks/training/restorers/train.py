"""Training of the restorers for a number of minutes; resumable, on CPU or GPU."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from enhancers.networks.restorers.conditions import MODALITIES
from enhancers.networks.restorers.diffusion_unet import DiffusionUNet
from enhancers.networks.restorers.pix2pix import PatchDiscriminator, Pix2PixGenerator
from enhancers.networks.restorers.restormer import Restormer
from enhancers.networks.restorers.sampling import Sampling, samples
from enhancers.networks.training import architectures
from enhancers.networks.training.card import render_restorer
from enhancers.networks.training.muon import optimizers
from enhancers.networks.training.restorers.objectives import (
    Given,
    absolute_loss,
    adversarial_loss,
    conditional_loss,
)
from enhancers.networks.training.restorers.pairs import PairedCorpus, Pairs
from enhancers.networks.training.restorers.validation import Selection, ValidationPairs
from enhancers.networks.training.stage import Recipe, Stage, StageResult, adam, cosine_decay
from enhancers.networks.training.trained import (
    earlier_stages,
    load_trained,
    stage_result,
    steps_before,
)

RATE = 2e-4
PUBLISHED = Recipe(RATE, cosine_decay, adam)
FAST = Recipe(3e-3, cosine_decay)
"""Orthogonalised momentum: in five minutes of a CPU it takes the diffusion network further than
`PUBLISHED` does in fifty."""


def opposed(networks: nn.Module, rate: float) -> Iterator[Optimizer]:
    """Those of `FAST` for the generator; the discriminator learns at the published rate."""
    yield from optimizers(networks.get_submodule("generator"), rate)
    yield from adam(networks.get_submodule("discriminator"), RATE, momentum=0.5)


VALIDATION_STEPS = 10
DEVIATION_BATCHES = 12
SIDE = 128

Network = Any
Loss = Callable[[Network, Given], Tensor]


@dataclass(frozen=True)
class Patches:
    """``count`` crops of ``side`` pixels from the share ``since`` of the budget on."""

    since: float
    side: int
    count: int


@dataclass(frozen=True)
class Plan:
    """How a restorer is trained.

    Parameters
    ----------
    network : callable
        Makes the network under training from the corpus, a seed and the settings of its class.
    published : mapping
        The settings of the published size, which wants a GPU.
    loss : Loss
    restore : callable
        The restored images of a batch, from the network.
    patches : tuple of Patches
        Of growing size.
    recipe : Recipe
    part : callable
        What is stored of the network under training.
    optimizer : str
        What the card calls the optimiser of the recipe.
    """

    network: Callable[..., Network]
    published: Mapping[str, Any]
    loss: Loss
    restore: Callable[[Network, Given], Tensor]
    patches: tuple[Patches, ...]
    recipe: Recipe = PUBLISHED
    part: Callable[[Network], Network] = lambda network: network
    optimizer: str = "Adam"

    def patches_at(self, progress: float) -> Patches:
        """The patches at a share of the budget."""
        return [each for each in self.patches if each.since <= progress][-1]


SIGNAL = architectures.scheduler().alphas_cumprod


def _conditional(network: DiffusionUNet, given: Given) -> Tensor:
    return conditional_loss(network, given, SIGNAL.to(given.clean.device))


def _sample(network: DiffusionUNet, given: Given) -> Tensor:
    device = given.condition.device
    # Drawn on the CPU, so that every device has the same.
    generator = torch.Generator().manual_seed(0)

    def draw(shape: torch.Size) -> Tensor:
        return torch.randn(shape, generator=generator).to(device)

    how = Sampling(VALIDATION_STEPS)
    *_, last = samples(network, network, SIGNAL.to(device), given.condition, how, draw)
    return last


def _diffusion(corpus: PairedCorpus, seed: int, **config: Any) -> DiffusionUNet:
    if config.get("target") != "image":
        config["residual_deviations"] = deviations(corpus, seed)
    network: DiffusionUNet = DiffusionUNet(**config)
    return network


def deviations(corpus: PairedCorpus, seed: int) -> tuple[float, ...]:
    """The root mean square of clean less degraded training crops, by modality, in [-1, 1] units.

    1 for modalities without images.
    """
    pairs = Pairs(corpus, seed, fresh=len(corpus.images), kept=1)
    squares: dict[int, list[float]] = {}
    for _ in range(DEVIATION_BATCHES):
        batch = pairs.batch(len(corpus.images), SIDE)
        for place, worse, clean in zip(batch.modalities, batch.degraded, batch.clean, strict=True):
            squares.setdefault(int(place), []).append(float(np.square(clean - worse).mean()))
    return tuple(
        round(float(np.sqrt(np.mean(squares[place]))), 4) if place in squares else 1.0
        for place in range(len(MODALITIES))
    )


GROWING = (Patches(0.0, 64, 16), Patches(0.4, 96, 8), Patches(0.7, SIDE, 4))
LARGE = (Patches(0.0, SIDE, 8),)
PUBLISHED_UNET = {"block_out_channels": (64, 128, 256, 512), "layers_per_block": 2, "fold": 1}

PLANS: dict[str, Plan] = {
    "restormer": Plan(
        network=lambda corpus, seed, **config: Restormer(**config),
        published={"width": 48, "fold": 1, "blocks": (4, 6, 6, 8), "refinement": 4},
        loss=absolute_loss,
        restore=lambda network, given: network(given.condition),
        patches=GROWING,
        recipe=FAST,
        optimizer="Muon and AdamW",
    ),
    "pix2pix": Plan(
        network=lambda corpus, seed, **config: nn.ModuleDict(
            {"generator": Pix2PixGenerator(**config), "discriminator": PatchDiscriminator()}
        ),
        published={"widths": (64, 128, 256, 512, 512, 512, 512)},
        loss=adversarial_loss,
        restore=lambda network, given: network["generator"](given.condition),
        patches=LARGE,
        recipe=Recipe(FAST.rate, cosine_decay, opposed),
        part=lambda network: network["generator"],
        optimizer="Muon and AdamW for the generator, Adam for the discriminator",
    ),
    "diffusion_unet": Plan(
        network=_diffusion, published=PUBLISHED_UNET,
        loss=_conditional, restore=_sample, patches=GROWING, recipe=FAST,
        optimizer="Muon and AdamW",
    ),
    "diffusion_unet_published": Plan(
        network=partial(_diffusion, target="image", prediction_type="epsilon"),
        published=PUBLISHED_UNET,
        loss=_conditional, restore=_sample, patches=LARGE,
    ),
}  # fmt: skip
"""By the name of the restorer; the last one predicts ε of the clean image, as published."""


def train_restorer(
    which: str, corpus: PairedCorpus, minutes: float, out: Path, device: str, *,
    seed: int = 0, resume: bool = False, start: Path | None = None, published: bool = False,
) -> StageResult:  # fmt: skip
    """Train the restorer ``which``, a key of `PLANS`, and write it as a folder below ``out``.

    Parameters
    ----------
    start : Path, optional
        Folder of a trained restorer of the same kind and size, whose training is continued.
    published : bool
        Whether it has the published size instead of one that two processor cores can train.
    """
    torch.manual_seed(seed)
    plan = PLANS[which]
    network = plan.network(corpus, seed, **(plan.published if published else {}))
    earlier = earlier_stages(start)
    if start is not None:
        part = plan.part(network)
        part.load_state_dict(load_trained(type(part), start / "restorer").state_dict())
    stage = Stage(which, network, minutes, out, device, plan.recipe)
    known = ValidationPairs(corpus, device)

    def score(network: Network) -> float:
        return float(np.mean(list(known.restored(network, plan.restore).values())))

    best = Selection(stage, out / f"{which}-best.pt", score)
    if resume:
        stage.resume()
        best.resume()
    pairs = Pairs(corpus, seed + steps_before(earlier, stage) + stage.steps)

    def loss() -> Tensor:
        patches = plan.patches_at(stage.progress())
        return plan.loss(stage.model, Given.of(pairs.batch(patches.count, patches.side), device))

    stage.fit(loss, best.is_over)
    best.evaluate()
    model = best.chosen()
    figures = known.restored(model, plan.restore)
    validation = {
        f"{modality} {what}, dB": round(value, 2)
        for what, found in (("degraded", known.degraded()), ("restored", figures))
        for modality, value in found.items()
    }
    result = stage_result(stage, validation, earlier)
    chosen = plan.part(model)
    chosen.half().save_pretrained(out / "restorer")
    architectures.scheduler().save_pretrained(out / "scheduler")
    _write_card(which, out, corpus, result, best.curve, type(chosen).__name__)
    return result


def _write_card(
    which: str, out: Path, corpus: PairedCorpus, result: StageResult,
    curve: list[tuple[float, float]], kind: str,
) -> None:  # fmt: skip
    facts = {
        "class": kind,
        "optimizer": PLANS[which].optimizer,
        "corpus_sha256": corpus.digest,
        "images": {name: [len(part) for part in split] for name, split in corpus.images.items()},
        "subjects": {name: list(counts) for name, counts in corpus.subjects.items()},
        "stages": [asdict(result)],
        "curve": [[round(minutes, 1), round(figure, 2)] for minutes, figure in curve],
    }
    (out / "training.json").write_text(json.dumps(facts, indent=2) + "\n", encoding="utf-8")
    (out / "README.md").write_text(render_restorer(which, facts, corpus.attribution))
