"""Folders of images by subject: ``.npz`` archives, or image files below a folder per subject.

Training, evaluation and benchmarks read the same folders, and none of them may see a subject that
another one holds out.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from enhancers.errors import ImageReadError, ReadingRoomError
from enhancers.image import MedicalImage
from enhancers.load import load

ENDINGS = (
    ".dcm", ".dicom", ".nii", ".gz", ".png", ".tif", ".tiff", ".jpg", ".jpeg", ".npy", ".npz",
    ".mha", ".mhd", ".nrrd", ".nhdr", ".hdr", ".gipl", ".mgh", ".mgz", ".mnc", ".vtk", ".h5",
    ".hdf5", ".bmp", ".pgm", ".ppm", ".pnm", ".webp", ".gif", ".jp2", ".j2k",
)  # fmt: skip
"""Endings of image files: what is named so and is no image is damaged."""
MASK_ENDING = ".mask.png"
"""``NAME.mask.png`` next to the image NAME marks structures in it."""
VALIDATION_SHARE = 0.1
MIN_VALIDATION = 8


@dataclass(frozen=True, eq=False)
class Archive:
    """The content of a ``<group>.npz`` archive.

    Parameters
    ----------
    images : ndarray, uint8, shape (N, H, W) or (N, H, W, 3)
    subjects : tuple of str
        ``subject_id``, one for each image.
    masks : ndarray, shape (N, H, W), or None
        Not zero inside the structure of interest.
    sources : tuple of str
        ``source_id``, the names of the files that the images come from; empty if not stored.
    """

    images: NDArray[np.uint8]
    subjects: tuple[str, ...]
    masks: NDArray[np.generic] | None = None
    sources: tuple[str, ...] = ()


@dataclass(frozen=True, eq=False)
class ImageFile:
    """An image file below a folder: ``name`` is its path there, ``subject`` whose image it is."""

    path: Path
    name: str
    subject: str
    image: MedicalImage


def archives(folder: Path) -> dict[str, Path]:
    """The archives of a folder by group, sorted.

    Raises
    ------
    ReadingRoomError
        The folder does not exist.
    """
    if not folder.is_dir():
        raise ReadingRoomError(f"{folder} is not a folder; give one with images or .npz archives.")
    return {path.stem: path for path in sorted(folder.glob("*.npz"))}


def read_archive(path: Path) -> Archive:
    """Read and check an archive.

    Raises
    ------
    ImageReadError
        It is damaged, or its arrays are missing, of another type or shape.
    """
    try:
        with np.load(path, allow_pickle=False) as stored:
            images = stored["images"]
            subjects = tuple(str(subject) for subject in stored["subject_id"])
            masks = stored["masks"] if "masks" in stored.files else None
            sources = stored["source_id"] if "source_id" in stored.files else ()
            names = tuple(str(source) for source in sources)
    except Exception as error:
        # A damaged archive ends in an error of zipfile, zlib, numpy or the operating system.
        raise ImageReadError(
            f"{path.name} cannot be read ({type(error).__name__}); it needs images and subject_id."
        ) from error
    shape_fits = images.ndim == 3 or (images.ndim == 4 and images.shape[3] == 3)
    if images.dtype != np.uint8 or not shape_fits or len(subjects) != len(images):
        raise ImageReadError(
            f"{path.name} holds {images.dtype} images of shape {images.shape} and {len(subjects)} "
            "subjects; it needs uint8, (N, H, W), and a subject for each."
        )
    if masks is not None and masks.shape != images.shape[:3]:
        raise ImageReadError(
            f"{path.name} holds masks of shape {masks.shape} for images of {images.shape[:3]}."
        )
    return Archive(images, subjects, masks, names)


def read_images(
    folder: Path, skipped: Callable[[str, ImageReadError], None] = lambda name, error: None
) -> Iterator[ImageFile]:
    """Every readable image below ``folder`` except masks, in the order of the paths.

    The parent folder names the subject; a file directly in ``folder`` is a subject of its own.
    ``skipped`` is called with the path of every other file, relative to ``folder``, and the error.
    """
    for path in sorted(path for path in folder.rglob("*") if path.is_file()):
        if path.name.endswith(MASK_ENDING):
            continue
        below = path.relative_to(folder)
        try:
            image = load(path)
        except ImageReadError as error:
            skipped(str(below), error)
            continue
        owner = below.parent if below.parent != Path() else below
        yield ImageFile(path, below.as_posix(), owner.as_posix(), image)


def same_name(relative: Path, folder: Path, kind: str) -> Path | None:
    """The file of a folder with the same relative name and any ending; None where there is none.

    Parameters
    ----------
    relative : Path
        Of an image below another folder.
    folder : Path
    kind : str
        What the file is, in a word, for the error.

    Raises
    ------
    ImageReadError
        There are several.
    """
    wanted = folder / relative
    if not wanted.parent.is_dir():
        return None
    stem = _stem(wanted.name)
    found = sorted(one for one in wanted.parent.iterdir() if _stem(one.name) == stem)
    if len(found) > 1:
        raise ImageReadError(
            f"There are {len(found)} {kind}s for {relative.name}: "
            f"{', '.join(one.name for one in found)}; keep one."
        )
    return found[0] if found else None


def _stem(name: str) -> str:
    """The name without the ending of an image, such as .nii.gz."""
    stem = name.lower().removesuffix(".gz")
    return next((stem.removesuffix(end) for end in ENDINGS if stem.endswith(end)), stem)


def held_out(subjects: Sequence[str]) -> set[str]:
    """The subjects that training leaves to validation and evaluation.

    ``subjects`` has an entry for each image. Subjects are taken by the hash of their names until
    they have a tenth of the images, at least eight, but never all subjects. Those with many images
    come last, so that the validation images are not all of one person.
    """
    wanted = max(MIN_VALIDATION, round(VALIDATION_SHARE * len(subjects)))
    images_of = Counter(subjects)
    order = sorted(
        images_of,
        key=lambda s: (images_of[s] > wanted / 2, hashlib.sha256(s.encode()).hexdigest()),
    )
    held: set[str] = set()
    count = 0
    for subject in order[:-1]:
        if count >= wanted:
            break
        held.add(subject)
        count += images_of[subject]
    return held
