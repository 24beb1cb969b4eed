"""A small classifier of modalities, whose features give the distances between sets of images."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from itertools import pairwise
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional as F

from enhancers.files import atomic_path
from enhancers.image import Pixels
from enhancers.image_folders import archives, read_archive
from enhancers.networks.restorers.conditions import MODALITIES
from enhancers.networks.training.restorers.pairs import gray_images, parts_of

SIDE = 64
"""Of patches in pixels."""
FEATURES = 64
STEPS, BATCH, RATE = 600, 48, 1e-3
LEAST_DEVIATION = 0.02
ATTEMPTS = 20

Features = NDArray[np.float64]


class Classifier(nn.Module):
    """Tells the modality of patches, (B, 1, 64, 64) in [-1, 1]."""

    def __init__(self) -> None:
        super().__init__()
        widths = (1, 16, 32, 64, FEATURES)
        layers: list[nn.Module] = []
        for given, made in pairwise(widths):
            layers += [nn.Conv2d(given, made, 3, 2, 1), nn.GroupNorm(8, made), nn.SiLU()]
        self.layers = nn.Sequential(*layers)
        self.head = nn.Linear(FEATURES, len(MODALITIES))

    def features(self, patches: Tensor) -> Tensor:
        """(B, `FEATURES`)."""
        found: Tensor = self.layers(patches).mean((2, 3))
        return found

    def forward(self, patches: Tensor) -> Tensor:
        """Logits, (B, 3)."""
        logits: Tensor = self.head(self.features(patches))
        return logits


def classifier(data: Path, folder: Path, seed: int = 0) -> tuple[Classifier, float]:
    """The classifier of the training subjects of ``data``, and its accuracy on validation ones.

    It is stored in ``folder`` and not trained twice for the same images.
    """
    training, validation = _images(data, 0), _images(data, 1)
    digest = hashlib.sha256(f"{STEPS} {BATCH} {SIDE} {seed}".encode())
    for images in (*training.values(), *validation.values()):
        digest.update(b"".join(image.tobytes() for image in images))
    path = folder / f"classifier-{digest.hexdigest()[:16]}.pt"
    torch.manual_seed(seed)
    network = Classifier()
    if path.is_file():
        network.load_state_dict(torch.load(path, weights_only=True))
    else:
        _train(network, training, np.random.default_rng(seed))
        folder.mkdir(parents=True, exist_ok=True)
        with atomic_path(path) as part:
            torch.save(network.state_dict(), part)
    network.eval()
    patches, labels = _batch(validation, 300, np.random.default_rng(seed + 1))
    with torch.inference_mode():
        accuracy = float((network(patches).argmax(1) == labels).float().mean())
    return network, accuracy


def _images(data: Path, part: int) -> Mapping[str, Sequence[NDArray[np.uint8]]]:
    found = {}
    for group, path in archives(data).items():
        if group.upper() in MODALITIES:
            archive = read_archive(path)
            at = [i for i, of in enumerate(parts_of(archive.subjects)) if of == part]
            found[group.upper()] = gray_images(archive.images[at])
    return found


def _train(
    network: Classifier,
    images: Mapping[str, Sequence[NDArray[np.uint8]]],
    random: np.random.Generator,
) -> None:
    optimizer = torch.optim.Adam(network.parameters(), RATE)
    for _ in range(STEPS):
        patches, labels = _batch(images, BATCH, random)
        optimizer.zero_grad()
        loss = F.cross_entropy(network(patches), labels)
        torch.autograd.backward(loss)
        optimizer.step()


def _batch(
    images: Mapping[str, Sequence[NDArray[np.uint8]]], count: int, random: np.random.Generator
) -> tuple[Tensor, Tensor]:
    wanted = list(images)
    labels = random.integers(len(wanted), size=count)
    cut = []
    for label in labels:
        among = images[wanted[label]]
        image = unit(among[int(random.integers(len(among)))])
        cut.append(image[corner(image, random)])
    places = [MODALITIES.index(wanted[label]) for label in labels]
    return torch.from_numpy(np.stack(cut))[:, None] * 2 - 1, torch.tensor(places)


def unit(image: NDArray[np.uint8]) -> Pixels:
    """An image of 8 bits in [0, 1]."""
    return image.astype(np.float32) / np.float32(255)


def corner(image: Pixels, random: np.random.Generator) -> tuple[slice, slice]:
    """A random patch that is not empty, if one is found."""
    for _ in range(ATTEMPTS):
        top, left = (int(random.integers(side - SIDE + 1)) for side in image.shape)
        part = slice(top, top + SIDE), slice(left, left + SIDE)
        if image[part].std() >= LEAST_DEVIATION:
            break
    return part


def features_of(network: Classifier, patches: Sequence[Pixels]) -> Features:
    """Features of patches in [0, 1], (N, `FEATURES`)."""
    batch = torch.from_numpy(np.stack(patches))[:, None] * 2 - 1
    with torch.inference_mode():
        return np.concatenate(
            [network.features(part).double().numpy() for part in torch.split(batch, 64)]
        )
