"""Trains the network of a recipe and measures it; stored results are reused."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from pydantic import TypeAdapter, ValidationError

from benchmarks.ablations.recipes import SHIPPED, Recipe
from enhancers.files import write_atomic
from enhancers.networks.training.corpus import PHANTOM, Corpus
from enhancers.source_digest import source_digest

if TYPE_CHECKING:
    from torch import Tensor

SIGMAS = (0.05, 0.1, 0.2)
"""Noise levels σ of [0, 1] at which one call of the network is measured."""
CODE = tuple(f"enhancers.networks.training.{name}" for name in ("train", "validation"))
"""Modules that a result depends on, with all that they import."""
SEED = 0


@dataclass(frozen=True)
class Trained:
    """The result of a training.

    Parameters
    ----------
    key, label : str
        From the recipe.
    parameters, steps, images : int
        Size of the network, number of training steps and of training images.
    seconds : float
        Duration of the training.
    psnr : mapping of σ to group to dB
        Of the image that one network call estimates, on held-out subjects.
    """

    key: str
    label: str
    parameters: int
    steps: int
    images: int
    seconds: float
    psnr: Mapping[str, Mapping[str, float]]

    def mean(self, sigma: float, groups: tuple[str, ...]) -> float:
        """Unweighted mean over the groups, in dB."""
        return float(np.mean([self.psnr[f"{sigma:g}"][group] for group in groups]))


def train(recipe: Recipe, corpus: Corpus, steps: int, work: Path, device: str) -> Trained:
    """Train for ``steps`` times the length of the recipe, or return the stored result.

    Parameters
    ----------
    recipe : Recipe
    corpus : Corpus
        Its validation images are used for every recipe, whatever part is trained on.
    steps : int
    work : Path
        Folder of checkpoints and results, by a digest of everything that determines them.
    device : str
    """
    import torch

    from enhancers.networks.training import architectures
    from enhancers.networks.training.corpus import Crops
    from enhancers.networks.training.stage import Recipe, Stage
    from enhancers.networks.training.train import PIXEL_BATCH, PIXEL_RATE, PIXEL_SIDE, PixelLoss
    from enhancers.networks.training.validation import as_tensor

    total = round(steps * recipe.length)
    folder = work / _digest(recipe, corpus, total, device)
    stored = _read(folder / "trained.json")
    if stored is not None:
        return replace(stored, label=recipe.label)
    torch.manual_seed(SEED)
    seen = share(corpus, recipe)
    network = architectures.pixel_unet(recipe.widths)
    stage = Stage(recipe.key, network, 0.0, folder, device, Recipe(PIXEL_RATE), max_steps=total)
    stage.resume()
    crops = Crops(seen, SEED + stage.steps)
    signal = architectures.scheduler().alphas_cumprod.to(device)
    loss = PixelLoss(signal, SEED + stage.steps, recipe.objective)
    stage.fit(lambda: loss(stage.model, as_tensor(crops.batch(PIXEL_BATCH, PIXEL_SIDE), device)))
    found = Trained(
        recipe.key, recipe.label, sum(p.numel() for p in network.parameters()), total,
        sum(len(images) for images in seen.train.values()), round(stage.elapsed, 1),
        _psnr(stage.averaged(), corpus, signal, device),
    )  # fmt: skip
    write_atomic(folder / "trained.json", TypeAdapter(Trained).dump_json(found, indent=2))
    stage.path.unlink(missing_ok=True)
    return found


def shipped(corpus: Corpus, device: str) -> Trained:
    """The embedded pixel network, measured in the same way."""
    import torch

    from enhancers.networks.config_checks import network_class, read_config
    from enhancers.networks.training import architectures
    from enhancers.settings import get_settings

    folder = get_settings().priors_dir / "pixel"
    facts = json.loads((folder / "training.json").read_text(encoding="utf-8"))
    stage = facts["stages"][0]
    kind = network_class(read_config(folder / "unet" / "config.json"))
    network = kind.from_pretrained(
        folder / "unet", torch_dtype=torch.float32, local_files_only=True, low_cpu_mem_usage=False
    )
    signal = architectures.scheduler().alphas_cumprod.to(device)
    return Trained(
        SHIPPED, "the prior that is shipped", sum(p.numel() for p in network.parameters()),
        int(stage["steps"]), sum(counts[0] for counts in facts["images"].values()),
        60.0 * float(stage["minutes"]),
        _psnr(network.to(device).eval(), corpus, signal, device),
    )  # fmt: skip


def share(corpus: Corpus, recipe: Recipe) -> Corpus:
    """The corpus reduced to the training images of a recipe; the validation images stay."""
    if recipe.share == "all":
        return corpus
    if recipe.share == "phantoms":
        return replace(corpus, train={PHANTOM: corpus.train[PHANTOM]})
    # Images of one subject are adjacent, so that fewer images also come from fewer subjects.
    part = {name: images[: max(1, len(images) // 10)] for name, images in corpus.train.items()}
    return replace(corpus, train=part)


def _psnr(model: Any, corpus: Corpus, signal: Tensor, device: str) -> dict[str, dict[str, float]]:
    from enhancers.networks.training.validation import one_call_psnr

    def predict(noisy: Tensor, step: int) -> Tensor:
        noise: Tensor = model(noisy, step).sample
        return noise

    return {
        f"{sigma:g}": one_call_psnr(predict, corpus, signal, device, sigma=sigma)
        for sigma in SIGMAS
    }


def _digest(recipe: Recipe, corpus: Corpus, steps: int, device: str) -> str:
    determining = {
        "recipe": {**asdict(recipe), "label": ""},
        "corpus": corpus.digest,
        "steps": steps,
        "seed": SEED,
        "device": device,
        "code": source_digest(*CODE),
    }
    text = json.dumps(determining, sort_keys=True)
    return f"{recipe.key}-{hashlib.sha256(text.encode()).hexdigest()[:16]}"


def _read(path: Path) -> Trained | None:
    try:
        return TypeAdapter(Trained).validate_json(path.read_bytes())
    except (OSError, ValidationError):
        return None
