"""Training images: anyone's folder, the project's phantoms, the split by subject, the crops."""

from __future__ import annotations

import hashlib
from collections import Counter
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from enhancers.colour import luminance
from enhancers.errors import ImageReadError, ReadingRoomError
from enhancers.networks.training.card import UNATTRIBUTED
from enhancers.phantoms import KINDS, phantom

Images = NDArray[np.uint8]
"""Gray images, shape (N, H, W)."""

PHANTOM = "phantom"
VALIDATION_SHARE = 0.1
VALIDATION_LEAST = 8
WEIGHTS = {"fundus": 0.4, "micro": 0.3, "color": 0.4, PHANTOM: 0.6}
"""How often a group is drawn from, relative to 1 for the others."""


@dataclass(frozen=True, eq=False)
class Corpus:
    """Images by group (a modality, or the phantoms), split by subject.

    ``train`` and ``validation`` map a group's name to its images; no subject is in both.
    ``subjects`` counts (train, validation) subjects by group.
    """

    train: dict[str, Images]
    validation: dict[str, Images]
    subjects: dict[str, tuple[int, int]]
    digest: str
    attribution: str = UNATTRIBUTED

    @property
    def groups(self) -> tuple[str, ...]:
        """The names of the groups."""
        return tuple(self.train)


def read_corpus(folder: Path | None, *, phantoms: int = 20, seed: int = 0) -> Corpus:
    """Read the training images below ``folder`` and draw ``phantoms`` of each kind beside them.

    A folder holds ``<group>.npz`` archives with ``images`` (uint8, (N, H, W) or (N, H, W, 3)) and
    ``subject_id``, or image files of any readable kind, where the parent folder names the subject;
    its ``ATTRIBUTION.md``, where there is one, goes into the card.

    Raises
    ------
    ReadingRoomError
        The folder is absent or holds no image.
    """
    groups: dict[str, tuple[Images, list[str]]] = {}
    if folder is not None:
        if not folder.is_dir():
            raise ReadingRoomError(f"{folder} is not a folder; give one with images or .npz files.")
        for archive in sorted(folder.glob("*.npz")):
            groups[archive.stem] = _read_archive(archive)
        if not groups:
            groups["images"] = _read_files(folder)
    if phantoms:
        groups[PHANTOM] = _draw_phantoms(phantoms, seed)
    corpus = _split(groups)
    note = None if folder is None else folder / "ATTRIBUTION.md"
    if note is not None and note.is_file():
        corpus = replace(corpus, attribution=note.read_text(encoding="utf-8"))
    return corpus


def _read_archive(path: Path) -> tuple[Images, list[str]]:
    with np.load(path, allow_pickle=False) as archive:
        images, subjects = archive["images"], [str(s) for s in archive["subject_id"]]
    return _gray(images), subjects


def _read_files(folder: Path) -> tuple[Images, list[str]]:
    from skimage.transform import resize

    from enhancers.load import load

    images, subjects = [], []
    for path in sorted(p for p in folder.rglob("*") if p.is_file()):
        try:
            pixels = luminance(load(path).pixels)
        except ImageReadError:
            continue
        scale = 256 / min(pixels.shape)
        shape = [round(side * scale) for side in pixels.shape]
        side = resize(pixels, shape, anti_aliasing=scale < 1)[:256, :256]
        images.append(np.round(side * 255).astype(np.uint8))
        subjects.append(str(path.parent.relative_to(folder)))
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


def _split(groups: dict[str, tuple[Images, list[str]]]) -> Corpus:
    train, validation, counts = {}, {}, {}
    digest = hashlib.sha256()
    for name, (images, subjects) in groups.items():
        held = held_out(subjects)
        mask = np.array([subject in held for subject in subjects])
        train[name], validation[name] = images[~mask], images[mask]
        counts[name] = (len(set(subjects)) - len(held), len(held))
        digest.update(name.encode() + images.tobytes())
    return Corpus(train, validation, counts, digest.hexdigest())


def held_out(subjects: list[str]) -> set[str]:
    """The validation subjects: by the hash of their names, until a tenth of the images is reached.

    At least eight images where there are so many, never all the subjects, and those with many
    images last, so that the validation is not one person's.
    """
    wanted = max(VALIDATION_LEAST, round(VALIDATION_SHARE * len(subjects)))
    images_of = Counter(subjects)
    order = sorted(
        images_of,
        key=lambda s: (images_of[s] > wanted / 2, hashlib.sha256(s.encode()).hexdigest()),
    )
    held: set[str] = set()
    taken = 0
    for subject in order[:-1]:
        if taken >= wanted:
            break
        held.add(subject)
        taken += images_of[subject]
    return held


class Crops:
    """Endless random crops of the training images, augmented; values in [-1, 1].

    Flips, quarter turns, a scale between 0.75 and 1.5, and a mild change of gamma and gain.
    """

    def __init__(self, corpus: Corpus, side: int, seed: int) -> None:
        self.corpus = corpus
        self.side = side
        self.random = np.random.default_rng(seed)
        weights = np.array([WEIGHTS.get(name, 1.0) for name in corpus.groups])
        self.weights = weights / weights.sum()

    def batch(self, count: int) -> NDArray[np.float32]:
        """``count`` crops, shape (count, 1, side, side)."""
        return np.stack([self.one() for _ in range(count)])[:, None]

    def one(self) -> NDArray[np.float32]:
        """One crop, shape (side, side)."""
        import cv2

        group = self.corpus.groups[self.random.choice(len(self.weights), p=self.weights)]
        images = self.corpus.train[group]
        image = images[self.random.integers(len(images))]
        source = min(round(self.side * self.random.uniform(0.67, 1.33)), *image.shape)
        top = self.random.integers(image.shape[0] - source + 1)
        left = self.random.integers(image.shape[1] - source + 1)
        crop = image[top : top + source, left : left + source].astype(np.float32) / 255
        method = cv2.INTER_AREA if source > self.side else cv2.INTER_CUBIC
        crop = np.clip(cv2.resize(crop, (self.side, self.side), interpolation=method), 0, 1)
        crop = np.rot90(crop, int(self.random.integers(4)))
        if self.random.random() < 0.5:
            crop = crop[:, ::-1]
        if self.random.random() < 0.5:
            crop = self.random.uniform(0.6, 1.0) * crop ** self.random.uniform(0.7, 1.4)
        return np.ascontiguousarray(crop * 2 - 1, np.float32)
