"""Training images: a folder and phantoms, split by subject, and random crops of them."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from enhancers.colour import luminance
from enhancers.errors import ReadingRoomError
from enhancers.image_folders import archives, held_out, read_archive, read_images
from enhancers.networks.training.card import UNATTRIBUTED
from enhancers.phantoms import KINDS, phantom

Images = NDArray[np.uint8]
"""Gray images, shape (N, H, W)."""

PHANTOM = "phantom"
WEIGHTS = {"fundus": 0.4, "micro": 0.3, "color": 0.4, PHANTOM: 0.6}
"""Sampling weights of groups; the others have 1."""


@dataclass(frozen=True, eq=False)
class Corpus:
    """Images by group (a modality, or the phantoms), split by subject.

    Parameters
    ----------
    train, validation : mapping of group to Images
        No subject is in both.
    subjects : mapping of group to (int, int)
        Number of training and validation subjects.
    digest : str
        SHA-256 of the images.
    attribution : str
        Markdown for the card: sources and licences of the images.
    """

    train: Mapping[str, Images]
    validation: Mapping[str, Images]
    subjects: Mapping[str, tuple[int, int]]
    digest: str
    attribution: str = UNATTRIBUTED

    @property
    def groups(self) -> tuple[str, ...]:
        """The names of the groups."""
        return tuple(self.train)


def read_corpus(folder: Path | None, *, phantoms: int = 20, seed: int = 0) -> Corpus:
    """Read the training images below ``folder`` and draw ``phantoms`` of each kind.

    The folder is read as `enhancers.image_folders` describes. Its ``ATTRIBUTION.md``, where there
    is one, becomes part of the network's card.

    Raises
    ------
    ReadingRoomError
        The folder does not exist or holds no image.
    """
    groups: dict[str, tuple[Images, Sequence[str]]] = {}
    if folder is not None:
        for group, path in archives(folder).items():
            archive = read_archive(path)
            groups[group] = _gray(archive.images), archive.subjects
        if not groups:
            groups["images"] = _read_files(folder)
    if phantoms:
        groups[PHANTOM] = _draw_phantoms(phantoms, seed)
    corpus = _split(groups)
    note = None if folder is None else folder / "ATTRIBUTION.md"
    if note is not None and note.is_file():
        corpus = replace(corpus, attribution=note.read_text(encoding="utf-8"))
    return corpus


def _read_files(folder: Path) -> tuple[Images, list[str]]:
    from skimage.transform import resize

    images, subjects = [], []
    for file in read_images(folder):
        pixels = luminance(file.image.pixels)
        scale = 256 / min(pixels.shape)
        shape = [round(side * scale) for side in pixels.shape]
        side = resize(pixels, shape, anti_aliasing=scale < 1)[:256, :256]
        images.append(np.round(side * 255).astype(np.uint8))
        subjects.append(file.subject)
    if not images:
        raise ReadingRoomError(f"No readable image below {folder}; give DICOM, PNG, TIFF or NIfTI.")
    return np.stack(images), subjects


def _draw_phantoms(each: int, seed: int) -> tuple[Images, list[str]]:
    images, subjects = [], []
    for kind in KINDS:
        for index in range(each):
            pixels = luminance(phantom(kind, size=256, seed=seed + index).pixels)
            images.append(np.round(pixels * 255).astype(np.uint8))
            subjects.append(f"{kind}-{index}")
    return np.stack(images), subjects


def _gray(images: NDArray[np.uint8]) -> Images:
    if images.ndim == 3:
        return images
    unit = images.astype(np.float32) / 255
    return np.stack([np.round(luminance(one) * 255).astype(np.uint8) for one in unit])


def _split(groups: Mapping[str, tuple[Images, Sequence[str]]]) -> Corpus:
    train, validation, counts = {}, {}, {}
    digest = hashlib.sha256()
    for name, (images, subjects) in groups.items():
        held = held_out(subjects)
        mask = np.array([subject in held for subject in subjects])
        train[name], validation[name] = images[~mask], images[mask]
        counts[name] = (len(set(subjects)) - len(held), len(held))
        digest.update(name.encode() + images.tobytes())
    return Corpus(train, validation, counts, digest.hexdigest())


class Crops:
    """Random augmented crops of the training images, with values in [-1, 1].

    Augmentations are flips, quarter turns, scales from 0.75 to 1.5, and mild changes of gamma and
    gain.
    """

    def __init__(self, corpus: Corpus, seed: int) -> None:
        self.corpus = corpus
        self.random = np.random.default_rng(seed)
        weights = np.array([WEIGHTS.get(name, 1.0) for name in corpus.groups])
        self.weights = weights / weights.sum()

    def batch(self, count: int, side: int) -> NDArray[np.float32]:
        """``count`` crops, float32, shape (count, 1, side, side)."""
        return np.stack([self.one(side) for _ in range(count)])[:, None]

    def one(self, side: int) -> NDArray[np.float32]:
        """One crop, float32, shape (side, side)."""
        import cv2

        group = self.corpus.groups[self.random.choice(len(self.weights), p=self.weights)]
        images = self.corpus.train[group]
        image = images[self.random.integers(len(images))]
        source = min(round(side * self.random.uniform(0.67, 1.33)), *image.shape)
        top = self.random.integers(image.shape[0] - source + 1)
        left = self.random.integers(image.shape[1] - source + 1)
        crop = image[top : top + source, left : left + source].astype(np.float32) / 255
        method = cv2.INTER_AREA if source > side else cv2.INTER_CUBIC
        crop = np.clip(cv2.resize(crop, (side, side), interpolation=method), 0, 1)
        crop = np.rot90(crop, int(self.random.integers(4)))
        if self.random.random() < 0.5:
            crop = crop[:, ::-1]
        if self.random.random() < 0.5:
            crop = self.random.uniform(0.6, 1.0) * crop ** self.random.uniform(0.7, 1.4)
        return np.ascontiguousarray(crop * 2 - 1, np.float32)
