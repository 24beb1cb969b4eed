"""Trains a recipe and measures it; what was measured before is read back."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from pydantic import TypeAdapter, ValidationError

from benchmarks.ablations.recipes import SHIPPED, Recipe
from enhancers.networks.training.corpus import PHANTOM, Corpus
from enhancers.source_digest import source_digest

SIGMAS = (0.05, 0.1, 0.2)
"""Noise levels of [0, 1] at which one call of the network is judged."""
SEED = 0


@dataclass(frozen=True)
class Trained:
    """What a training reached.

    Parameters
    ----------
    key, label : str
        Of the recipe.
    parameters, steps, images : int
        Of the network, made, trained on.
    seconds : float
        Of the training.
    psnr : mapping of σ to group to dB
        Of one call on held-out subjects.
    """

    key: str
    label: str
    parameters: int
    steps: int
    images: int
    seconds: float
    psnr: Mapping[str, Mapping[str, float]]

    def mean(self, sigma: float, groups: tuple[str, ...]) -> float:
        """Unweighted over the groups, in dB."""
        return float(np.mean([self.psnr[f"{sigma:g}"][group] for group in groups]))


def train(recipe: Recipe, corpus: Corpus, steps: int, work: Path, device: str) -> Trained:
    """Train for ``steps`` times the length of the recipe, or read what was measured before.

    Parameters
    ----------
    recipe : Recipe
    corpus : Corpus
        Its validation images judge, whatever is trained on.
    steps : int
    work : Path
        Keeps checkpoints and figures, by all that determines them.
    device : str
    """
    import torch

    from enhancers.networks.training import architectures
    from enhancers.networks.training.corpus import Crops
    from enhancers.networks.training.train import BATCH, PIXEL_SIDE, Stage, diffusion_loss
    from enhancers.networks.training.validation import as_tensor

    most = round(steps * recipe.length)
    folder = work / _digest(recipe, corpus, most, device)
    known = _read(folder / "trained.json")
    if known is not None:
        return replace(known, label=recipe.label)
    torch.manual_seed(SEED)
    taken = share(corpus, recipe)
    network = architectures.pixel_unet(recipe.widths)
    stage = Stage(recipe.key, network, 0.0, folder, device, most=most)
    stage.resume()
    crops = Crops(taken, PIXEL_SIDE, SEED + stage.steps)
    signal = architectures.scheduler().alphas_cumprod.to(device)
    stage.fit(
        lambda: diffusion_loss(
            stage.model, as_tensor(crops.batch(BATCH), device), signal,
            target=recipe.target, bias=recipe.bias,
        )
    )  # fmt: skip
    found = Trained(
        recipe.key, recipe.label, sum(p.numel() for p in network.parameters()), most,
        sum(len(images) for images in taken.train.values()), round(stage.elapsed, 1),
        _judge(stage.averaged(), corpus, signal, device, recipe),
    )  # fmt: skip
    (folder / "trained.json").write_text(json.dumps(asdict(found), indent=2), encoding="utf-8")
    stage.path.unlink(missing_ok=True)
    return found


def shipped(corpus: Corpus, device: str) -> Trained:
    """The embedded pixel prior, judged alike."""
    import torch
    from diffusers import UNet2DModel

    from enhancers.networks.training import architectures
    from enhancers.settings import get_settings

    folder = get_settings().priors_dir / "pixel"
    facts = json.loads((folder / "training.json").read_text(encoding="utf-8"))
    stage = facts["stages"][0]
    network = UNet2DModel.from_pretrained(
        folder / "unet", torch_dtype=torch.float32, local_files_only=True, low_cpu_mem_usage=False
    )
    signal = architectures.scheduler().alphas_cumprod.to(device)
    return Trained(
        SHIPPED, "the prior that is shipped", sum(p.numel() for p in network.parameters()),
        int(stage["steps"]), sum(counts[0] for counts in facts["images"].values()),
        60.0 * float(stage["minutes"]),
        _judge(network.to(device).eval(), corpus, signal, device, Recipe(SHIPPED, "")),
    )  # fmt: skip


def share(corpus: Corpus, recipe: Recipe) -> Corpus:
    """The corpus with the part of the training images that a recipe sees."""
    if recipe.share == "all":
        return corpus
    if recipe.share == "phantoms":
        return replace(corpus, train={PHANTOM: corpus.train[PHANTOM]})
    # Images of a subject lie together, so that few images are of few subjects.
    part = {name: images[: max(1, len(images) // 10)] for name, images in corpus.train.items()}
    return replace(corpus, train=part)


def _judge(
    model: Any, corpus: Corpus, signal: Any, device: str, recipe: Recipe
) -> dict[str, dict[str, float]]:
    from enhancers.networks.training.validation import one_call_psnr

    return {
        f"{sigma:g}": one_call_psnr(
            model, corpus, signal, device, sigma=sigma, target=recipe.target
        )
        for sigma in SIGMAS
    }


def _digest(recipe: Recipe, corpus: Corpus, most: int, device: str) -> str:
    determining = {
        "recipe": {**asdict(recipe), "label": ""},
        "corpus": corpus.digest,
        "steps": most,
        "seed": SEED,
        "device": device,
        "code": [source_digest(f"enhancers.networks.{name}") for name in ("train", "validation")],
    }
    text = json.dumps(determining, sort_keys=True)
    return f"{recipe.key}-{hashlib.sha256(text.encode()).hexdigest()[:16]}"


def _read(path: Path) -> Trained | None:
    try:
        return TypeAdapter(Trained).validate_json(path.read_bytes())
    except (OSError, ValidationError):
        return None
