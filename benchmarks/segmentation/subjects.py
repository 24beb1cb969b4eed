"""Images with known masks, divided into training, validation and test images."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from enhancers.errors import ParameterError
from enhancers.image import Pixels, check_pixels, pixels_digest
from enhancers.method import Modality
from enhancers.phantoms import phantom

Labels = NDArray[np.uint8]

HEARTS: dict[str, tuple[str, ...]] = {
    "echo": ("left ventricle", "myocardium", "left atrium"),
    "cardiac_mr": ("left ventricle", "myocardium", "right ventricle"),
}
"""Simulated hearts and the names of their structures 1, 2, 3 (0 is the background)."""

_LABELS = {"echo": "Echocardiogram, four chambers", "cardiac_mr": "Cardiac MR, short axis"}

FIRST_SEED = {"test": 11_000, "train": 20_000, "validation": 30_000}
"""First seeds of the simulated hearts; networks are not trained on seeds from 10,000 on."""
MOST_SUBJECTS = 9_000
LEAST_TRAINING = 2


@dataclass(frozen=True, eq=False)
class Subject:
    """An image and its masks.

    Parameters
    ----------
    key : str
        Unique within a cohort.
    pixels : ndarray, float32, shape (S, S), in [0, 1]
        Clean.
    labels : ndarray, uint8, shape (S, S)
        0 is the background.
    """

    key: str
    pixels: Pixels
    labels: Labels

    def __post_init__(self) -> None:
        check_pixels(self.pixels)
        if self.labels.shape != self.pixels.shape or self.labels.dtype != np.uint8:
            raise ValueError(
                f"labels {self.labels.shape} {self.labels.dtype} do not fit {self.pixels.shape}"
            )

    @property
    def digest(self) -> str:
        """SHA-256 of image and masks, in hexadecimal."""
        text = pixels_digest(self.pixels).encode() + self.labels.tobytes()
        return hashlib.sha256(text).hexdigest()


@dataclass(frozen=True, eq=False)
class Cohort:
    """Subjects of one kind, each in one of three parts.

    ``structures`` are the names of labels 1, 2, ...; ``note`` says where the images come from.
    """

    key: str
    label: str
    modality: Modality
    structures: tuple[str, ...]
    train: tuple[Subject, ...]
    validation: tuple[Subject, ...]
    test: tuple[Subject, ...]
    note: str = ""

    def __post_init__(self) -> None:
        if len(self.train) < LEAST_TRAINING or not self.validation or not self.test:
            raise ParameterError(
                f"{self.key} has {len(self.train)} images to train on, {len(self.validation)} to "
                f"stop by and {len(self.test)} to test on; at least {LEAST_TRAINING}, 1 and 1 are "
                "needed."
            )

    @property
    def account(self) -> str:
        """The origin of the images and the number of each part."""
        return (
            f"{self.note}: {len(self.train)} to train on, {len(self.validation)} to stop by, "
            f"{len(self.test)} to test on"
        )

    @property
    def size(self) -> int:
        """Side of the images in pixels."""
        return int(self.test[0].pixels.shape[0])

    @property
    def classes(self) -> int:
        """Number of labels, including the background."""
        return len(self.structures) + 1


def hearts(kind: str, *, size: int, train: int, validation: int, test: int) -> Cohort:
    """Simulate hearts of one kind, each with a different anatomy.

    Parameters
    ----------
    kind : str
        A key of `HEARTS`.
    size : int
        Side in pixels.
    train, validation, test : int
        Number of each: at least 2, 1 and 1, at most 9000.

    Raises
    ------
    ParameterError
        The kind or a number is not possible.
    """
    if kind not in HEARTS:
        raise ParameterError(f"No simulated heart {kind}; use one of {', '.join(HEARTS)}.")
    counts = {"train": train, "validation": validation, "test": test}
    drawn: dict[str, tuple[Subject, ...]] = {}
    for part, count in counts.items():
        if count > MOST_SUBJECTS:
            raise ParameterError(
                f"{count} hearts to {part} are not possible; give at most {MOST_SUBJECTS}."
            )
        drawn[part] = tuple(_heart(kind, size, FIRST_SEED[part] + n) for n in range(count))
    return Cohort(
        key=kind,
        label=_LABELS[kind],
        modality=phantom(kind, size=size, seed=0).modality,
        structures=HEARTS[kind],
        train=drawn["train"],
        validation=drawn["validation"],
        test=drawn["test"],
        note=f"Simulated, {size} x {size} pixels",
    )


def _heart(kind: str, size: int, seed: int) -> Subject:
    image = phantom(kind, size=size, seed=seed)
    if image.labels is None:
        raise AssertionError(f"{kind} is drawn without labels")
    return Subject(f"{kind}-{seed}", image.pixels, image.labels)
