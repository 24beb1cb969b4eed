"""A user's images with their masks, split by subject.

``NAME.mask.png`` next to ``NAME.png`` (or .dcm, .nii, .tif, .jpg) holds the masks: each gray value
is a structure, 0 the background. The parts are the folders ``train``, ``validation`` and ``test``;
without them the subjects are split by a digest of their names. Each folder is a subject, and so is
each image outside a folder.
"""

from __future__ import annotations

import hashlib
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks.segmentation.subjects import Cohort, Labels, Subject
from enhancers.colour import luminance
from enhancers.errors import ImageReadError, ReadingRoomError
from enhancers.image import Pixels
from enhancers.image_folders import MASK_ENDING
from enhancers.load import Caps, load
from enhancers.method import Modality

PARTS = ("train", "validation", "test")
SHARES = {"test": 0.2, "validation": 0.15}
MOST_STRUCTURES = 32
"""A mask with more gray values is considered an image."""


@dataclass(frozen=True)
class _Pair:
    """Paths of an image and its masks; ``part`` is empty where the folders do not state it."""

    name: str
    image: Path
    mask: Path
    part: str
    subject: str


def read_folder(
    folder: Path, *, size: int, modality: Modality | None = None, caps: Caps | None = None
) -> Cohort:
    """Read images and masks, pad them to squares and scale them to ``size`` pixels a side.

    Parameters
    ----------
    folder : Path
    size : int
    modality : Modality, optional
        By default, what the files state.
    caps : Caps, optional
        Limits of `enhancers.load`.

    Raises
    ------
    ReadingRoomError
        No masks, a mask without its image or of another size, or too few subjects.
    """
    pairs = _pairs(folder)
    parts = _split(pairs)
    limits = Caps() if caps is None else caps
    loaded = {pair.name: _load(pair, limits) for pair in pairs}
    values = sorted({int(v) for _, masks, _ in loaded.values() for v in np.unique(masks)} - {0})
    if not values:
        raise ReadingRoomError("Every mask is empty: no pixel has a gray value above 0.")
    if len(values) > MOST_STRUCTURES:
        raise ReadingRoomError(
            f"The masks have {len(values)} gray values; at most {MOST_STRUCTURES} structures are "
            "possible. Save them without smoothing and without compression."
        )
    numbered = {value: number for number, value in enumerate(values, 1)}
    subjects = {
        name: Subject(name, *_squared(image, _renumbered(masks, numbered), size))
        for name, (image, masks, _) in loaded.items()
    }
    kinds = {kind for _, _, kind in loaded.values()}
    if modality is None and len(kinds) > 1:
        raise ReadingRoomError(
            f"The images are of several modalities ({', '.join(sorted(kinds))}); name one with "
            "--modality."
        )
    chosen = {
        part: tuple(subjects[pair.name] for pair in pairs if parts[pair.name] == part)
        for part in PARTS
    }
    return Cohort(
        key="images",
        label="Your images",
        modality=kinds.pop() if modality is None else modality,
        structures=tuple(f"gray value {value}" for value in values),
        note=f"A folder of {len(pairs)} images, scaled to {size} x {size} pixels",
        **chosen,
    )


def _pairs(folder: Path) -> list[_Pair]:
    if not folder.is_dir():
        raise ReadingRoomError(f"There is no folder {folder}.")
    masks = sorted(
        path for path in folder.rglob(f"*{MASK_ENDING}")
        if not any(part.startswith(".") for part in path.relative_to(folder).parts)
    )  # fmt: skip
    if not masks:
        raise ReadingRoomError(
            f"No masks below {folder}: name them NAME{MASK_ENDING}, next to the image NAME.png."
        )
    return [_pair(folder, mask) for mask in masks]


def _pair(folder: Path, mask: Path) -> _Pair:
    stem = mask.name.removesuffix(MASK_ENDING)
    beside = [
        path for path in sorted(mask.parent.iterdir())
        if path.is_file() and path != mask and path.name.startswith(f"{stem}.")
        and not path.name.endswith(MASK_ENDING) and "." not in _ending(path, stem)
    ]  # fmt: skip
    below = mask.relative_to(folder).as_posix()
    if len(beside) != 1:
        found = ", ".join(path.name for path in beside) or "none"
        raise ReadingRoomError(f"{below} needs one image of its name next to it; found: {found}.")
    where = mask.relative_to(folder).parts[:-1]
    part = where[0] if where and where[0] in PARTS else ""
    inner = where[1:] if part else where
    subject = inner[0] if inner else below
    return _Pair(below.removesuffix(MASK_ENDING), beside[0], mask, part, subject)


def _ending(path: Path, stem: str) -> str:
    """The extension after the stem; ``.nii.gz`` counts as one."""
    return path.name[len(stem) + 1 :].replace("nii.gz", "nii")


def _split(pairs: Sequence[_Pair]) -> dict[str, str]:
    """The part of each image: that of its folder, else by its subject."""
    placed = {pair.part for pair in pairs}
    if "" in placed and len(placed) > 1:
        loose = next(pair for pair in pairs if not pair.part)
        raise ReadingRoomError(
            f"{loose.name} lies outside the folders {', '.join(sorted(placed - {''}))}; move it "
            "into one of them."
        )
    if "" not in placed and "validation" in placed:
        return {pair.name: pair.part for pair in pairs}
    chosen = {pair.name: pair.part for pair in pairs if pair.part == "test"}
    rest = [pair for pair in pairs if pair.name not in chosen]
    subjects = sorted({pair.subject for pair in rest}, key=_shuffled)
    taken = 0
    part_of = dict.fromkeys(subjects, "train")
    for part in [name for name in SHARES if name not in placed]:
        count = max(1, round(SHARES[part] * len(subjects)))
        part_of.update(dict.fromkeys(subjects[taken : taken + count], part))
        taken += count
    return chosen | {pair.name: part_of[pair.subject] for pair in rest}


def _shuffled(subject: str) -> str:
    return hashlib.sha256(subject.encode()).hexdigest()


def _load(pair: _Pair, caps: Caps) -> tuple[Pixels, NDArray[np.int64], Modality]:
    try:
        image = load(pair.image, caps=caps)
        masks = _read_mask(pair.mask, image.shape)
    except ImageReadError as error:
        raise ImageReadError(f"{pair.name}: {error}") from error
    return luminance(image.pixels), masks, image.modality


def _read_mask(path: Path, shape: tuple[int, int]) -> NDArray[np.int64]:
    """Gray values, or palette numbers, of a PNG file."""
    from PIL import Image, UnidentifiedImageError

    try:
        with Image.open(io.BytesIO(path.read_bytes()), formats=("PNG",)) as file:
            # The size is checked before decoding.
            if (file.height, file.width) != shape:
                raise ImageReadError(
                    f"The mask has {file.width} x {file.height} pixels and the image "
                    f"{shape[1]} x {shape[0]}."
                )
            if file.mode in ("1", "L", "P", "I", "I;16"):
                return np.asarray(file).astype(np.int64)
            values = np.asarray(file.convert("RGB")).astype(np.int64)
    except (
        UnidentifiedImageError, Image.DecompressionBombError, OSError, SyntaxError, ValueError,
    ) as error:  # fmt: skip
        raise ImageReadError("The mask is not a PNG file that can be read.") from error
    if (values != values[..., :1]).any():
        raise ImageReadError("The mask is a colour image; give one gray value to each structure.")
    return np.ascontiguousarray(values[..., 0])


def _renumbered(masks: NDArray[np.int64], numbered: Mapping[int, int]) -> Labels:
    labels = np.zeros(masks.shape, np.uint8)
    for value, number in numbered.items():
        labels[masks == value] = number
    return labels


def _squared(pixels: Pixels, labels: Labels, size: int) -> tuple[Pixels, Labels]:
    """Both on a black square of side ``size``, with unchanged proportions."""
    import cv2

    height, width = pixels.shape
    side = max(height, width)
    top, left = (side - height) // 2, (side - width) // 2
    frame = (slice(top, top + height), slice(left, left + width))
    square, marks = np.zeros((side, side), np.float32), np.zeros((side, side), np.uint8)
    square[frame], marks[frame] = pixels, labels
    if side != size:
        way = cv2.INTER_AREA if side > size else cv2.INTER_LINEAR
        square = np.clip(cv2.resize(square, (size, size), interpolation=way), 0.0, 1.0)
        marks = cv2.resize(marks, (size, size), interpolation=cv2.INTER_NEAREST_EXACT)
    return square.astype(np.float32), marks.astype(np.uint8)
