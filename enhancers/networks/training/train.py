"""Training of the embedded priors, within a number of minutes, resumable, on CPU or GPU.

Pixel prior: a denoising diffusion network (ε-prediction; Ho et al. 2020) on crops. Latent prior: an
autoencoder first, then the same kind of network on its latents (Rombach et al. 2022).
"""

from __future__ import annotations

import json
import math
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from diffusers import AutoencoderKL, UNet2DModel
from torch import Tensor, nn
from torch.nn import functional as F
from tqdm.auto import tqdm

from enhancers.errors import NetworkMissing
from enhancers.networks.prediction_type import EPSILON, Target
from enhancers.networks.training import architectures
from enhancers.networks.training.card import render
from enhancers.networks.training.corpus import Corpus, Crops
from enhancers.networks.training.validation import (
    as_tensor,
    denoising_psnr,
    latent_errors,
    round_trip_psnr,
)

PIXEL_SIDE = 64
LATENT_SIDE = 32
FACTOR = 4
BATCH = 8
RATE, AUTOENCODER_RATE = 5e-4, 1e-3
EMA = 0.999
SQUARED_WEIGHT = 10.0
"""Of the squared error beside the absolute one: at a round trip of 30 dB they weigh the same."""
WARM_UP_STEPS = 200
CHECKPOINT_SECONDS = 120.0
AUTOENCODER_SHARE = 0.85
ENCODING_SHARE = 0.03
LOW_NOISE_BIAS = 1.6
"""Timesteps are drawn as T u^1.6: restoration lives at low noise, where uniform draws are few."""


@dataclass(frozen=True)
class Report:
    """What a training did, for the card: steps, minutes, losses, validation figures."""

    stage: str
    steps: int
    minutes: float
    loss: float
    validation: dict[str, float]


class Stage:
    """One network under training: weights, moving average, optimiser, clock, checkpoint.

    Its budget is ``minutes``, or ``most`` steps where that is given.
    """

    def __init__(
        self, name: str, model: Any, minutes: float, out: Path, device: str, rate: float = RATE,
        *, most: int | None = None,
    ) -> None:  # fmt: skip
        self.name = name
        self.minutes = minutes
        self.most = most
        self.rate = rate
        out.mkdir(parents=True, exist_ok=True)
        self.path = out / f"{name}.pt"
        self.device = device
        self.model = model.to(device=device, memory_format=torch.channels_last)
        self.average = {k: v.detach().clone() for k, v in model.state_dict().items()}
        self.optimizer = torch.optim.AdamW(model.parameters(), lr=rate, weight_decay=1e-4)
        self.steps = 0
        self.elapsed = 0.0
        self.loss = math.nan

    def resume(self) -> None:
        """Take up the checkpoint, if there is one."""
        if not self.path.exists():
            return
        state = torch.load(self.path, map_location=self.device, weights_only=True)
        self.model.load_state_dict(state["model"])
        self.average = state["average"]
        self.optimizer.load_state_dict(state["optimizer"])
        self.steps, self.elapsed, self.loss = state["steps"], state["elapsed"], state["loss"]

    def save(self) -> None:
        """Write the checkpoint, whole or not at all."""
        state = {
            "model": self.model.state_dict(),
            "average": self.average,
            "optimizer": self.optimizer.state_dict(),
            "steps": self.steps,
            "elapsed": self.elapsed,
            "loss": self.loss,
        }
        partial = self.path.with_suffix(".partial")
        torch.save(state, partial)
        partial.replace(self.path)

    def progress(self) -> float:
        """Share of the budget that is used up."""
        if self.most is not None:
            return self.steps / self.most
        return self.elapsed / (self.minutes * 60)

    def fit(self, loss_of: Callable[[], Tensor]) -> None:
        """Minimise ``loss_of()`` until the budget is used up."""
        saved = last = time.monotonic()
        with tqdm(total=100, initial=min(round(100 * self.progress()), 100), unit="%",
                  desc=self.name) as bar:  # fmt: skip
            while (progress := self.progress()) < 1:
                loss = self._step(loss_of, progress)
                now = time.monotonic()
                self.elapsed += now - last
                last = now
                self.loss = loss if math.isnan(self.loss) else 0.99 * self.loss + 0.01 * loss
                bar.set_postfix(step=self.steps, loss=f"{self.loss:.4f}", refresh=False)
                bar.update(min(round(100 * self.progress()), 100) - bar.n)
                if now - saved > CHECKPOINT_SECONDS:
                    self.save()
                    saved = now
        self.save()

    def _step(self, loss_of: Callable[[], Tensor], progress: float) -> float:
        warm = min(1.0, (self.steps + 1) / WARM_UP_STEPS)
        rate = self.rate * warm * (0.02 + 0.98 * 0.5 * (1 + math.cos(math.pi * progress)))
        for group in self.optimizer.param_groups:
            group["lr"] = rate
        loss = loss_of()
        self.optimizer.zero_grad(set_to_none=True)
        torch.autograd.backward(loss)
        nn.utils.clip_grad_norm_(self.model.parameters(), 1.0)
        self.optimizer.step()
        self.steps += 1
        decay = min(EMA, (1 + self.steps) / (10 + self.steps))
        with torch.no_grad():
            for key, value in self.model.state_dict().items():
                self.average[key].lerp_(value, 1 - decay)
        return float(loss.detach())

    def averaged(self) -> Any:
        """The network with its moving-average weights, ready to use."""
        self.model.load_state_dict(self.average)
        return self.model.eval()


def diffusion_loss(
    model: Any,
    clean: Tensor,
    signal: Tensor,
    *,
    target: Target = EPSILON,
    bias: float = LOW_NOISE_BIAS,
) -> Tensor:
    """Prediction error on ``clean`` noised to random timesteps.

    Parameters
    ----------
    model : UNet2DModel
    clean : Tensor, shape (B, C, H, W)
    signal : Tensor, shape (T,)
        ābar.
    target : Target
    bias : float
        Timesteps are drawn as T u^bias.
    """
    share = torch.rand(len(clean), device=clean.device)
    steps = (share**bias * len(signal)).long()
    kept = signal[steps].view(-1, 1, 1, 1)
    noise = torch.randn_like(clean)
    noisy = kept.sqrt() * clean + (1 - kept).sqrt() * noise
    error = (model(noisy, steps).sample - target.of(clean, noise, kept)).square()
    loss: Tensor = (target.weight(kept) * error).mean()
    return loss


def train_pixel(
    corpus: Corpus, minutes: float, out: Path, device: str, *,
    seed: int = 0, resume: bool = False, start: Path | None = None,
) -> tuple[Report, ...]:  # fmt: skip
    """Train the pixel prior and write it as a diffusers folder below ``out``.

    Parameters
    ----------
    start : Path, optional
        Folder of a trained prior whose network is trained further.
    """
    torch.manual_seed(seed)
    earlier = _earlier(start)
    network = architectures.pixel_unet() if start is None else _read(UNet2DModel, start / "unet")
    stage = Stage("pixel-unet", network, minutes, out, device)
    if resume:
        stage.resume()
    crops = Crops(corpus, PIXEL_SIDE, seed + stage.steps + _steps(earlier, stage))
    signal = architectures.scheduler().alphas_cumprod.to(device)
    stage.fit(lambda: diffusion_loss(stage.model, as_tensor(crops.batch(BATCH), device), signal))
    model = stage.averaged()
    report = _report(stage, denoising_psnr(model, corpus, signal, device), earlier)
    model.half().save_pretrained(out / "unet")
    architectures.scheduler().save_pretrained(out / "scheduler")
    _write_reports("pixel", out, corpus, (report,))
    return (report,)


def train_latent(
    corpus: Corpus, minutes: float, out: Path, device: str, *,
    seed: int = 0, resume: bool = False, start: Path | None = None,
) -> tuple[Report, ...]:  # fmt: skip
    """Train the autoencoder, then the latent network, and write both below ``out``.

    Parameters
    ----------
    start : Path, optional
        Folder of a trained prior. Its autoencoder is kept as it is, since the network knows no
        other latents, and the whole time goes to the network.
    """
    torch.manual_seed(seed)
    earlier = _earlier(start)
    if start is None:
        vae, first = _train_autoencoder(corpus, minutes, out, device, seed=seed, resume=resume)
        network, share = architectures.latent_unet(), 1 - AUTOENCODER_SHARE - ENCODING_SHARE
    else:
        vae, first = _read(AutoencoderKL, start / "vae").to(device).eval(), earlier["autoencoder"]
        network, share = _read(UNet2DModel, start / "unet"), 1 - ENCODING_SHARE
    latents = _encode(vae, corpus, minutes * ENCODING_SHARE, device, seed)
    if start is None:
        vae.register_to_config(scaling_factor=1.0 / float(latents.std()))
    latents = latents * vae.config.scaling_factor
    stage = Stage("latent-unet", network, minutes * share, out, device)
    if resume:
        stage.resume()
    random = np.random.default_rng(seed + stage.steps + _steps(earlier, stage))
    signal = architectures.scheduler().alphas_cumprod.to(device)
    stage.fit(
        lambda: diffusion_loss(stage.model, _latent_crops(latents, random, device), signal)
    )  # fmt: skip
    model = stage.averaged()
    second = _report(stage, latent_errors(model, vae, corpus, signal, device), earlier)
    vae.half().save_pretrained(out / "vae")
    model.half().save_pretrained(out / "unet")
    architectures.scheduler().save_pretrained(out / "scheduler")
    _write_reports("latent", out, corpus, (first, second))
    return first, second


def _train_autoencoder(
    corpus: Corpus, minutes: float, out: Path, device: str, *, seed: int, resume: bool
) -> tuple[Any, Report]:
    coder = Stage(
        "autoencoder", architectures.autoencoder(), minutes * AUTOENCODER_SHARE, out, device,
        rate=AUTOENCODER_RATE,
    )  # fmt: skip
    if resume:
        coder.resume()
    crops = Crops(corpus, PIXEL_SIDE, seed + coder.steps)
    coder.fit(lambda: _autoencoder_loss(coder.model, as_tensor(crops.batch(BATCH), device)))
    vae = coder.averaged()
    return vae, _report(coder, round_trip_psnr(vae, corpus, device), {})


def _read(kind: Any, folder: Path) -> Any:
    """A network of a trained prior, in float32."""
    try:
        network = kind.from_pretrained(
            folder, torch_dtype=torch.float32, local_files_only=True, low_cpu_mem_usage=False
        )
    except (OSError, ValueError) as error:
        raise NetworkMissing(
            f"{folder} holds no trained network to start from; give the folder of a prior, "
            "such as assets/networks/latent."
        ) from error
    # Where it lay on this machine would be saved with it.
    network.register_to_config(_name_or_path="")
    return network


def _earlier(start: Path | None) -> dict[str, Report]:
    """What the prior in ``start`` says of its own training, by stage."""
    if start is None:
        return {}
    try:
        facts = json.loads((start / "training.json").read_text(encoding="utf-8"))
        return {stage["stage"]: Report(**stage) for stage in facts["stages"]}
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise NetworkMissing(
            f"{start} has no readable training.json; start from the folder of a trained prior."
        ) from error


def _steps(earlier: Mapping[str, Report], stage: Stage) -> int:
    return earlier[stage.name].steps if stage.name in earlier else 0


def _report(stage: Stage, validation: dict[str, float], earlier: Mapping[str, Report]) -> Report:
    """Of a stage, with the steps and minutes that its weights had before."""
    before = earlier.get(stage.name)
    minutes = stage.elapsed / 60 + (before.minutes if before else 0.0)
    return Report(
        stage.name, stage.steps + _steps(earlier, stage), minutes, stage.loss, validation
    )  # fmt: skip


def _autoencoder_loss(model: Any, images: Tensor) -> Tensor:
    posterior = model.encode(images).latent_dist
    decoded = model.decode(posterior.sample()).sample
    fidelity = F.l1_loss(decoded, images) + SQUARED_WEIGHT * F.mse_loss(decoded, images)
    loss: Tensor = fidelity + 1e-6 * posterior.kl().mean() / images[0].numel()
    return loss


@torch.no_grad()
def _encode(vae: Any, corpus: Corpus, minutes: float, device: str, seed: int) -> Tensor:
    """Latents of augmented 128-pixel crops, as many as the minutes allow, (N, 8, 32, 32)."""
    crops = Crops(corpus, LATENT_SIDE * FACTOR, seed + 1)
    most = 4 * sum(len(images) for images in corpus.train.values())
    ends = time.monotonic() + minutes * 60
    found: list[Tensor] = []
    while (time.monotonic() < ends or not found) and len(found) * BATCH < most:
        batch = as_tensor(crops.batch(BATCH), device)
        found.append(vae.encode(batch).latent_dist.mode())
    return torch.cat(found)


def _latent_crops(latents: Tensor, random: np.random.Generator, device: str) -> Tensor:
    picked = torch.from_numpy(random.integers(len(latents), size=BATCH)).to(latents.device)
    return latents[picked].to(device)


def _write_reports(which: str, out: Path, corpus: Corpus, reports: tuple[Report, ...]) -> None:
    facts = {
        "batch": BATCH,
        "corpus_sha256": corpus.digest,
        "images": {
            name: [len(corpus.train[name]), len(corpus.validation[name])] for name in corpus.groups
        },
        "subjects": {name: list(counts) for name, counts in corpus.subjects.items()},
        "stages": [asdict(report) for report in reports],
    }
    (out / "training.json").write_text(json.dumps(facts, indent=2) + "\n", encoding="utf-8")
    (out / "README.md").write_text(render(which, facts, corpus.attribution), encoding="utf-8")
