"""Validation of the embedded networks on held-out subjects, for their cards."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from enhancers.networks.training.corpus import Corpus

EACH = 8
"""Largest number of validation images of a group."""
LATENT_TIMES = (50, 200, 500)
"""Timesteps at which the latent network is validated."""

NoisePredictor = Callable[[Tensor, int], Tensor]
"""The noise in a state (B, C, H, W) at a timestep."""


def as_tensor(images: NDArray[np.float32], device: str) -> Tensor:
    """Images (B, 1, H, W) on the device, channels last."""
    return torch.from_numpy(images).to(device).contiguous(memory_format=torch.channels_last)


def denoising_psnr(model: Any, corpus: Corpus, signal: Tensor, device: str) -> dict[str, float]:
    """PSNR in dB of the one-call estimate at σ = 0.1 of [0, 1], as cards state it."""
    found = one_call_psnr(lambda x, t: model(x, t).sample, corpus, signal, device, sigma=0.1)
    return {f"{name} denoised, dB": value for name, value in found.items()}


@torch.no_grad()
def one_call_psnr(
    predict: NoisePredictor,
    corpus: Corpus,
    signal: Tensor,
    device: str,
    *,
    sigma: float,
) -> dict[str, float]:
    """PSNR in dB of the clean image that one network call estimates at noise σ of [0, 1], by group.

    Parameters
    ----------
    predict : NoisePredictor
    corpus : Corpus
    signal : Tensor, shape (T,)
        ābar.
    device : str
    sigma : float
        The timestep is the one whose noise level is nearest.
    """
    generator = torch.Generator().manual_seed(0)
    step = int(((1 - signal).sqrt() / signal.sqrt() - 2 * sigma).abs().argmin())
    abar = signal[step]
    figures = {}
    for name, images in _validation_images(corpus):
        errors = []
        for image in torch.split(as_tensor(images, device), 1):
            noise = torch.randn(image.shape, generator=generator).to(device)
            noisy = abar.sqrt() * image + (1 - abar).sqrt() * noise
            clean = (noisy - (1 - abar).sqrt() * predict(noisy, step)) / abar.sqrt()
            errors.append(float(((clean.clamp(-1, 1) - image) / 2).square().mean()))
        figures[name] = _mean_psnr(errors)
    return figures


@torch.no_grad()
def round_trip_psnr(vae: Any, corpus: Corpus, device: str) -> dict[str, float]:
    """PSNR in dB of decode(encode(x)), by group."""
    figures = {}
    for name, images in _validation_images(corpus):
        errors = []
        for image in torch.split(as_tensor(images, device), 1):
            latent = vae.encode(image).latent_dist.mode()
            decoded = vae.decode(latent).sample.clamp(-1, 1)
            errors.append(float(((decoded - image) / 2).square().mean()))
        figures[f"{name} round trip, dB"] = _mean_psnr(errors)
    return figures


@torch.no_grad()
def latent_errors(
    model: Any, vae: Any, corpus: Corpus, signal: Tensor, device: str
) -> dict[str, float]:
    """Mean squared error of the predicted noise at `LATENT_TIMES`, by group; 1 if none is made."""
    generator = torch.Generator().manual_seed(0)
    figures = {}
    for name, images in _validation_images(corpus):
        errors = []
        for image in torch.split(as_tensor(images, device), 1):
            clean = vae.encode(image).latent_dist.mode() * vae.config.scaling_factor
            for step in LATENT_TIMES:
                noise = torch.randn(clean.shape, generator=generator).to(device)
                abar = float(signal[step])
                noisy = math.sqrt(abar) * clean + math.sqrt(1 - abar) * noise
                errors.append(float((model(noisy, step).sample - noise).square().mean()))
        figures[f"{name} noise error"] = round(float(np.mean(errors)), 4)
    return figures


def _mean_psnr(errors: list[float]) -> float:
    return round(float(np.mean([-10 * math.log10(max(e, 1e-10)) for e in errors])), 2)


def _validation_images(corpus: Corpus) -> Iterator[tuple[str, NDArray[np.float32]]]:
    """At most `EACH` held-out images of each group, evenly spread, in [-1, 1], (n, 1, H, W)."""
    for name, images in corpus.validation.items():
        picked = images[np.unique(np.linspace(0, len(images) - 1, EACH).round().astype(int))]
        yield name, (picked[:, None].astype(np.float32) / 127.5) - 1
