"""Training of the embedded networks for a number of minutes; resumable, on CPU or GPU.

"pixel" is a denoising diffusion network on crops of images (ε-prediction; Ho et al. 2020), "latent"
an autoencoder and the same kind of network on its latents (Rombach et al. 2022).
"""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from diffusers import AutoencoderKL, UNet2DModel
from torch import Tensor
from torch.nn import functional as F

from enhancers.networks.denoising_unet import DenoisingUNet
from enhancers.networks.training import architectures
from enhancers.networks.training.card import render
from enhancers.networks.training.corpus import Corpus, Crops
from enhancers.networks.training.stage import DECAY_SHARE, Recipe, Stage, StageResult
from enhancers.networks.training.trained import (
    earlier_stages,
    load_trained,
    stage_result,
    steps_before,
)
from enhancers.networks.training.validation import (
    as_tensor,
    denoising_psnr,
    latent_errors,
    round_trip_psnr,
)
from enhancers.restore_clipped import restore_clipped

PIXEL_RATE = 3e-3
PIXEL_SIDE, PIXEL_BATCH = 64, 24
LATENT_SIDE = 32
FACTOR = 4
AUTOENCODER_SIDE = 64
BATCH = 8
AUTOENCODER_RATE = 1e-3
SQUARED_WEIGHT = 10.0
"""Weight of the squared error in the autoencoder's loss; the absolute error has 1. Both contribute
equally at a round trip of 30 dB."""
AUTOENCODER_SHARE = 0.85
ENCODING_SHARE = 0.03
LOW_NOISE_BIAS = 1.6
"""Timesteps of the latent network are drawn as T u^1.6, u uniform: restoration depends on the low
noise levels."""
RESTORATION_SIGMAS = (0.01, 1.0)
CLIPPED_SIGMAS = (0.02, 0.8)
"""Ranges of the noise-to-signal ratio σ, in units of [-1, 1] (see `PixelObjective`)."""
BALANCE, MOST_SIGMA = 0.85, 1.0
"""The squared error of ε times σ^0.85 is about the same at every noise level of restoration; beyond
this σ the weight grows no more."""


class NoisedBatch(NamedTuple):
    """Images (B, C, H, W) noised to random timesteps: x_t = sqrt(ābar) x_0 + sqrt(1 - ābar) ε.

    ``steps`` has shape (B,), ``abar`` (B, 1, 1, 1).
    """

    noisy: Tensor
    noise: Tensor
    steps: Tensor
    abar: Tensor


def noised(clean: Tensor, signal: Tensor, bias: float = LOW_NOISE_BIAS) -> NoisedBatch:
    """Add noise to ``clean`` at timesteps drawn as T u^bias; ``signal`` is ābar, shape (T,)."""
    share = torch.rand(len(clean), device=clean.device)
    steps = (share**bias * len(signal)).long()
    abar = signal[steps].view(-1, 1, 1, 1)
    noise = torch.randn_like(clean)
    return NoisedBatch(abar.sqrt() * clean + (1 - abar).sqrt() * noise, noise, steps, abar)


def diffusion_loss(model: Any, clean: Tensor, signal: Tensor) -> Tensor:
    """Mean squared error of the noise that ``model`` predicts (see `noised`)."""
    batch = noised(clean, signal)
    loss: Tensor = (model(batch.noisy, batch.steps).sample - batch.noise).square().mean()
    return loss


@dataclass(frozen=True)
class PixelObjective:
    """What the pixel network is trained for.

    Parameters
    ----------
    restoration_share : float
        Share of the timesteps whose noise-to-signal ratio σ is drawn from `RESTORATION_SIGMAS`,
        evenly in its logarithm; the others are even, for sampling.
    clipped_share : float
        Share of the images with σ in `CLIPPED_SIGMAS` whose noise was clipped, then restored, as it
        is in images that come as files.
    balanced : bool
        Whether every noise level counts alike. The squared error of ε alone counts little noise
        most. (A logarithm of each crop's error balances noise levels too, but then flat crops count
        as much as those with detail, on which the PSNR of images depends: 0.1 dB less.)
    """

    restoration_share: float = 0.85
    clipped_share: float = 0.5
    balanced: bool = True


RESTORATION = PixelObjective()
"""What the embedded pixel network is trained for."""


class PixelLoss:
    """The loss of a noise predictor: of the error of ε.

    Parameters
    ----------
    signal : Tensor, shape (T,)
        ābar.
    seed : int
    objective : PixelObjective
    """

    def __init__(self, signal: Tensor, seed: int, objective: PixelObjective = RESTORATION) -> None:
        self.objective = objective
        self.signal = signal
        self.sigmas = ((1 - signal) / signal).sqrt()
        self.random = np.random.default_rng(seed)

    def __call__(self, model: Any, clean: Tensor) -> Tensor:
        """The loss of ``model`` on ``clean``, (B, C, H, W) in [-1, 1]."""
        steps = self._steps(len(clean)).to(clean.device)
        abar = self.signal[steps].view(-1, 1, 1, 1)
        sigma = self.sigmas[steps].view(-1, 1, 1, 1)
        image = clean + sigma * torch.randn_like(clean)
        image = self._clipped(image, self.sigmas[steps].tolist())
        predicted = model(abar.sqrt() * image, steps).sample
        # Where noise was clipped ε is unknown, but the image that it hides is not.
        wanted = (image - clean) / sigma
        error = (predicted - wanted).square().flatten(1).mean(1)
        if self.objective.balanced:
            error = sigma.flatten().clamp(max=MOST_SIGMA) ** BALANCE * error
        loss: Tensor = error.mean()
        return loss

    def _steps(self, count: int) -> Tensor:
        low, high = np.log(RESTORATION_SIGMAS)
        levels = torch.from_numpy(np.exp(self.random.uniform(low, high, count)))
        steps = torch.searchsorted(self.sigmas.cpu().double(), levels)
        others = torch.from_numpy(self.random.integers(len(self.signal), size=count))
        restores = torch.from_numpy(self.random.random(count) < self.objective.restoration_share)
        return torch.where(restores, steps, others).clamp(max=len(self.signal) - 1)

    def _clipped(self, images: Tensor, sigmas: list[float]) -> Tensor:
        """The images, some with clipped noise that was restored, as the methods do."""
        low, high = CLIPPED_SIGMAS
        for number, sigma in enumerate(sigmas):
            share = self.objective.clipped_share if low <= sigma <= high else 0.0
            if self.random.random() < share:
                pixels = ((images[number, 0] + 1) / 2).clamp(0, 1).cpu().numpy()
                seed = int(self.random.integers(2**31))
                restored = restore_clipped(pixels, sigma / 2, seed=seed)
                images[number, 0] = torch.from_numpy(restored) * 2 - 1
        return images


def train_pixel(
    corpus: Corpus, minutes: float, out: Path, device: str, *,
    seed: int = 0, resume: bool = False, start: Path | None = None,
) -> tuple[StageResult, ...]:  # fmt: skip
    """Train the pixel network and write it as a folder below ``out``.

    Parameters
    ----------
    start : Path, optional
        Folder of a trained pixel network, whose training is continued.
    """
    torch.manual_seed(seed)
    earlier = earlier_stages(start)
    network = (
        architectures.pixel_unet() if start is None else load_trained(DenoisingUNet, start / "unet")
    )
    stage = Stage("pixel-unet", network, minutes, out, device, Recipe(PIXEL_RATE))
    if resume:
        stage.resume()
    seed += stage.steps + steps_before(earlier, stage)
    crops = Crops(corpus, seed)
    signal = architectures.scheduler().alphas_cumprod.to(device)
    loss = PixelLoss(signal, seed)
    stage.fit(lambda: loss(stage.model, as_tensor(crops.batch(PIXEL_BATCH, PIXEL_SIDE), device)))
    model = stage.averaged()
    result = stage_result(stage, denoising_psnr(model, corpus, signal, device), earlier)
    model.half().save_pretrained(out / "unet")
    architectures.scheduler().save_pretrained(out / "scheduler")
    batches = f"{PIXEL_BATCH} crops of {PIXEL_SIDE} pixels"
    _write_card("pixel", out, corpus, (result,), batches, {"unet": model})
    return (result,)


def train_latent(
    corpus: Corpus, minutes: float, out: Path, device: str, *,
    seed: int = 0, resume: bool = False, start: Path | None = None,
) -> tuple[StageResult, ...]:  # fmt: skip
    """Train the autoencoder, then the latent network, and write both below ``out``.

    Parameters
    ----------
    start : Path, optional
        Folder of a trained latent prior. Its autoencoder stays unchanged, since the network depends
        on its latents, and all the time goes to the network.
    """
    torch.manual_seed(seed)
    earlier = earlier_stages(start)
    if start is None:
        vae, first = _train_autoencoder(corpus, minutes, out, device, seed=seed, resume=resume)
        network, share = architectures.latent_unet(), 1 - AUTOENCODER_SHARE - ENCODING_SHARE
    else:
        vae, first = (
            load_trained(AutoencoderKL, start / "vae").to(device).eval(),
            earlier["autoencoder"],
        )
        network, share = load_trained(UNet2DModel, start / "unet"), 1 - ENCODING_SHARE
    latents = _encode(vae, corpus, minutes * ENCODING_SHARE, device, seed)
    if start is None:
        vae.register_to_config(scaling_factor=1.0 / float(latents.std()))
    latents = latents * vae.config.scaling_factor
    stage = Stage("latent-unet", network, minutes * share, out, device)
    if resume:
        stage.resume()
    random = np.random.default_rng(seed + stage.steps + steps_before(earlier, stage))
    signal = architectures.scheduler().alphas_cumprod.to(device)
    stage.fit(
        lambda: diffusion_loss(stage.model, _latent_crops(latents, random, device), signal)
    )  # fmt: skip
    model = stage.averaged()
    second = stage_result(stage, latent_errors(model, vae, corpus, signal, device), earlier)
    vae.half().save_pretrained(out / "vae")
    model.half().save_pretrained(out / "unet")
    architectures.scheduler().save_pretrained(out / "scheduler")
    parts = {"vae": vae, "unet": model}
    _write_card("latent", out, corpus, (first, second), f"{BATCH} crops", parts)
    return first, second


def _train_autoencoder(
    corpus: Corpus, minutes: float, out: Path, device: str, *, seed: int, resume: bool
) -> tuple[Any, StageResult]:
    coder = Stage(
        "autoencoder", architectures.autoencoder(), minutes * AUTOENCODER_SHARE, out, device,
        Recipe(AUTOENCODER_RATE),
    )  # fmt: skip
    if resume:
        coder.resume()
    crops = Crops(corpus, seed + coder.steps)
    coder.fit(lambda: _autoencoder_loss(
        coder.model, as_tensor(crops.batch(BATCH, AUTOENCODER_SIDE), device)
    ))  # fmt: skip
    vae = coder.averaged()
    return vae, stage_result(coder, round_trip_psnr(vae, corpus, device), {})


def _autoencoder_loss(model: Any, images: Tensor) -> Tensor:
    posterior = model.encode(images).latent_dist
    decoded = model.decode(posterior.sample()).sample
    fidelity = F.l1_loss(decoded, images) + SQUARED_WEIGHT * F.mse_loss(decoded, images)
    loss: Tensor = fidelity + 1e-6 * posterior.kl().mean() / images[0].numel()
    return loss


@torch.no_grad()
def _encode(vae: Any, corpus: Corpus, minutes: float, device: str, seed: int) -> Tensor:
    """Latents of augmented 128-pixel crops, as many as the minutes allow, (N, 8, 32, 32)."""
    crops = Crops(corpus, seed + 1)
    most = 4 * sum(len(images) for images in corpus.train.values())
    ends = time.monotonic() + minutes * 60
    found: list[Tensor] = []
    while (time.monotonic() < ends or not found) and len(found) * BATCH < most:
        batch = as_tensor(crops.batch(BATCH, LATENT_SIDE * FACTOR), device)
        found.append(vae.encode(batch).latent_dist.mode())
    return torch.cat(found)


def _latent_crops(latents: Tensor, random: np.random.Generator, device: str) -> Tensor:
    picked = torch.from_numpy(random.integers(len(latents), size=BATCH)).to(latents.device)
    return latents[picked].to(device)


def _write_card(
    which: str,
    out: Path,
    corpus: Corpus,
    stages: tuple[StageResult, ...],
    batches: str,
    parts: Mapping[str, object],
) -> None:
    facts = {
        "recipe": f"{batches} a step; Muon and AdamW, linear decay in the last {DECAY_SHARE:.0%}",
        "classes": {part: type(network).__name__ for part, network in parts.items()},
        "corpus_sha256": corpus.digest,
        "images": {
            name: [len(corpus.train[name]), len(corpus.validation[name])] for name in corpus.groups
        },
        "subjects": {name: list(counts) for name, counts in corpus.subjects.items()},
        "stages": [asdict(stage) for stage in stages],
    }
    (out / "training.json").write_text(json.dumps(facts, indent=2) + "\n", encoding="utf-8")
    (out / "README.md").write_text(render(which, facts, corpus.attribution), encoding="utf-8")
