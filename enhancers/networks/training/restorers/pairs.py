"""Pairs of a simulated acquisition and its clean image, by modality, split by subject."""

from __future__ import annotations

import hashlib
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import cycle
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from enhancers.colour import luminance
from enhancers.degrade import degrade
from enhancers.errors import ReadingRoomError
from enhancers.image import Pixels
from enhancers.image_folders import archives, held_out, read_archive
from enhancers.networks.restorers.conditions import MODALITIES
from enhancers.networks.training.card import UNATTRIBUTED
from enhancers.phantoms import KINDS, phantom

Images = Sequence[NDArray[np.uint8]]
"""Gray images, each of shape (H, W)."""

MOST_DEGREES = 10.0
PUBLISHED_SHARE = 0.5
"""Share of the training images that are degraded as the reader-study paper degrades them."""
LEAST_DEVIATION = 0.02
"""Crops with less contrast than this, in [0, 1], are drawn anew, up to `ATTEMPTS` times."""
ATTEMPTS = 4
KEPT, FIRST = 64, 4
"""Degraded images of each modality at hand at most, and from the first batch on."""


@dataclass(frozen=True)
class Acquisition:
    """How images of a modality are degraded.

    Parameters
    ----------
    kind : str
        A kind of degradation that simulates a scanner.
    published : float
        Its level in the reader-study paper.
    least, most : float
        Levels of training; they are drawn evenly in between, in their logarithm if ``even_ratio``.
    """

    kind: str
    published: float
    least: float
    most: float
    even_ratio: bool = False

    def level(self, random: np.random.Generator) -> float:
        """A level for training."""
        if random.random() < PUBLISHED_SHARE:
            return self.published
        if self.even_ratio:
            return float(np.exp(random.uniform(np.log(self.least), np.log(self.most))))
        return float(random.uniform(self.least, self.most))


ACQUISITIONS: Mapping[str, Acquisition] = {
    "CT": Acquisition("ct_dose", 0.25, 0.1, 1.0, even_ratio=True),
    "MR": Acquisition("mr_undersample", 6.0, 2.0, 8.0, even_ratio=True),
    "US": Acquisition("us_snr", -6.0, -6.0, 10.0),
}
"""How images of each of `MODALITIES` are degraded."""


class Split(NamedTuple):
    """Images for training, validation and test; no subject is in two of them."""

    train: Images
    validation: Images
    test: Images


@dataclass(frozen=True, eq=False)
class PairedCorpus:
    """Clean images by modality.

    Parameters
    ----------
    images : mapping of modality to Split
        The keys are among `MODALITIES`.
    subjects : mapping of modality to (int, int, int)
        The number of subjects of each part.
    digest : str
        SHA-256 of the images.
    attribution : str
        Markdown for the card: sources and licences of the images.
    """

    images: Mapping[str, Split]
    subjects: Mapping[str, tuple[int, int, int]]
    digest: str
    attribution: str = UNATTRIBUTED


def read_pairs(
    folder: Path | None, wanted: Sequence[str] = MODALITIES, *, phantoms: int = 20, seed: int = 0
) -> PairedCorpus:
    """The archives of ``folder`` that are named after a modality, and phantoms.

    Parameters
    ----------
    folder : Path, optional
        With ``ct.npz``, ``mr.npz``, ``us.npz`` (`enhancers.image_folders`), or some of them.
    wanted : sequence of str
        Modalities, among `MODALITIES`.
    phantoms : int
        Phantoms of each kind; they are all for training where there are other images.
    seed : int
        Of the phantoms.

    Raises
    ------
    ReadingRoomError
        There is no image of a modality.
    """
    found = {} if folder is None else archives(folder)
    images, subjects = {}, {}
    digest = hashlib.sha256()
    for modality in wanted:
        drawn = _phantoms(modality, phantoms, seed)
        if (path := found.get(modality.lower())) is not None:
            archive = read_archive(path)
            part, counts = _split(gray_images(archive.images), archive.subjects)
            part = part._replace(train=[*part.train, *drawn])
        elif drawn:
            part, counts = _shared_out(drawn)
        else:
            raise ReadingRoomError(
                f"There is no {modality.lower()}.npz in {folder} and phantoms=0: give images."
            )
        images[modality], subjects[modality] = part, counts
        for some in part:
            digest.update(modality.encode() + b"".join(image.tobytes() for image in some))
    note = None if folder is None else folder / "ATTRIBUTION.md"
    attribution = UNATTRIBUTED
    if note is not None and note.is_file():
        attribution = note.read_text(encoding="utf-8")
    return PairedCorpus(images, subjects, digest.hexdigest(), attribution)


def parts_of(subjects: Sequence[str]) -> list[int]:
    """The part of each image by its subject: 0 for training, 1 for validation, 2 for test.

    About 70, 10 and 20 % of the images; what other trainings hold out is in the last part.
    """
    left, parts = list(subjects), []
    for _ in range(3):
        parts.append(held_out(left))
        left = [subject for subject in left if subject not in parts[-1]]
    validation, test = parts[2], parts[0] | parts[1]
    return [2 * (subject in test) + (subject in validation) for subject in subjects]


def _split(images: Images, subjects: Sequence[str]) -> tuple[Split, tuple[int, int, int]]:
    of = parts_of(subjects)
    found = Split(
        *([x for x, at in zip(images, of, strict=True) if at == part] for part in range(3))
    )
    training, validation, test = (
        len({subject for subject, at in zip(subjects, of, strict=True) if at == part})
        for part in range(3)
    )
    return found, (training, validation, test)


def _shared_out(phantoms: Images) -> tuple[Split, tuple[int, int, int]]:
    """70, 10 and 20 % of phantoms, each of which is a subject of its own."""
    ends = len(phantoms) * 7 // 10, len(phantoms) * 8 // 10
    found = Split(phantoms[: ends[0]], phantoms[ends[0] : ends[1]], phantoms[ends[1] :])
    return found, (len(found.train), len(found.validation), len(found.test))


def gray_images(images: NDArray[np.uint8]) -> Images:
    """The luminance of each of uint8 images, (N, H, W) or (N, H, W, 3)."""
    if images.ndim == 3:
        return list(images)
    unit = images.astype(np.float32) / 255
    return [np.round(luminance(one) * 255).astype(np.uint8) for one in unit]


def _phantoms(modality: str, each: int, seed: int) -> Images:
    images = []
    kinds = [kind for kind in KINDS if phantom(kind, size=32).modality == modality]
    for kind in kinds:
        for index in range(each):
            pixels = luminance(phantom(kind, size=256, seed=seed + index).pixels)
            images.append(np.round(pixels * 255).astype(np.uint8))
    return images


def degraded(pixels: Pixels, modality: str, level: float, seed: int) -> Pixels:
    """An image in [0, 1], (H, W), as a scanner of its modality would have made it."""
    return degrade(pixels, ACQUISITIONS[modality].kind, level, seed=seed)


class PairBatch(NamedTuple):
    """Degraded and clean crops in [-1, 1], float32, (B, 1, S, S), and places of modalities."""

    degraded: Pixels
    clean: Pixels
    modalities: NDArray[np.int64]


class _Pair(NamedTuple):
    """A clean image and what a scanner made of it, both in [0, 1], (H, W)."""

    clean: Pixels
    degraded: Pixels


class Pairs:
    """Random crops of training images that a simulated scanner has degraded.

    Images are mirrored and turned by up to `MOST_DEGREES` before a scanner is simulated on the
    whole image. That takes longer than a step of training, so that most crops of a batch are of
    images degraded for earlier batches.

    Parameters
    ----------
    corpus : PairedCorpus
    seed : int
    fresh : int
        Images degraded anew for each batch, of modalities in turn.
    kept : int
        Degraded images of each modality from which crops are taken; the oldest go first.
    """

    def __init__(self, corpus: PairedCorpus, seed: int, fresh: int = 1, kept: int = KEPT) -> None:
        self.corpus = corpus
        self.random = np.random.default_rng(seed)
        self.fresh, self.first = fresh, min(FIRST, kept)
        self.pool = {modality: deque[_Pair](maxlen=kept) for modality in corpus.images}
        self.turn = cycle(self.pool)

    def batch(self, count: int, side: int) -> PairBatch:
        """``count`` crops of ``side`` pixels, of modalities in turn."""
        empty = sum(max(self.first - len(pairs), 0) for pairs in self.pool.values())
        for _ in range(max(self.fresh, empty)):
            self._degrade(next(self.turn))
        wanted = tuple(self.pool)
        first = int(self.random.integers(len(wanted)))
        crops, places = [], []
        for place in range(first, first + count):
            modality = wanted[place % len(wanted)]
            pairs = self.pool[modality]
            crops.append(self._crop(pairs[int(self.random.integers(len(pairs)))], side))
            places.append(MODALITIES.index(modality))
        clean, worse = (np.stack(images)[:, None] * 2 - 1 for images in zip(*crops, strict=True))
        return PairBatch(worse, clean, np.array(places))

    def _degrade(self, modality: str) -> None:
        image = self._image(modality)
        level = ACQUISITIONS[modality].level(self.random)
        made = degraded(image, modality, level, int(self.random.integers(2**31)))
        self.pool[modality].append(_Pair(image, made))

    def _image(self, modality: str) -> Pixels:
        import cv2

        images = self.corpus.images[modality].train
        image = images[int(self.random.integers(len(images)))].astype(np.float32) / 255
        height, width = image.shape
        turn = cv2.getRotationMatrix2D(
            ((width - 1) / 2, (height - 1) / 2), self.random.uniform(-MOST_DEGREES, MOST_DEGREES), 1
        )
        image = np.clip(cv2.warpAffine(image, turn, (width, height), flags=cv2.INTER_CUBIC), 0, 1)
        # Ultrasound has a top: sound comes from there, and speckle is wider than it is deep.
        flips = (1,) if modality == "US" else (0, 1)
        for axis in flips:
            if self.random.random() < 0.5:
                image = np.flip(image, axis)
        return np.ascontiguousarray(image, np.float32)

    def _crop(self, pair: _Pair, side: int) -> _Pair:
        for _ in range(ATTEMPTS):
            top, left = (int(self.random.integers(size - side + 1)) for size in pair.clean.shape)
            part = slice(top, top + side), slice(left, left + side)
            if pair.clean[part].std() >= LEAST_DEVIATION:
                break
        return _Pair(pair.clean[part], pair.degraded[part])
