"""Test images: held-out subjects of a folder's archives, a folder of anyone's images, phantoms."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from enhancers.colour import luminance
from enhancers.errors import ImageReadError, ImagesAbsent, ParameterError, ReadingRoomError
from enhancers.evaluation.neighbour_slices import with_drawn_neighbours, with_neighbours
from enhancers.evaluation.problem import TestImage
from enhancers.evaluation.slice_stack import neighbours_of
from enhancers.evaluation.texture import GROUP as DISCS
from enhancers.evaluation.texture import disc_case
from enhancers.image import MedicalImage, Pixels, from_array
from enhancers.method import Modality, nearest

HELD_OUT_SEED = 10_000
"""Phantoms with seeds from here on are never trained on."""

PHANTOMS = "phantoms"
"""What is given for a folder to have drawn images."""

DRAWN = {
    "mr": "cardiac_mr",
    "ct": "ct",
    "us": "echo",
    "xr": "chest_xray",
    "fundus": "fundus",
    "endoscopy": "endoscopy",
}
"""The phantom of each group."""

MODALITIES = {
    "mr": Modality.MR,
    "ct": Modality.CT,
    "us": Modality.US,
    "xr": Modality.XR,
    "fundus": Modality.FUNDUS,
    "endoscopy": Modality.ENDOSCOPY,
    "micro": Modality.MICROSCOPY,
}
"""The groups there are, named as the archives of a training folder are."""

SIDE, FEW = 256, 8
"""Of the phantoms: their side, and how many of each group are drawn unless told otherwise."""

MASK_ENDING = ".mask.png"
STRUCTURE = 1
"""Label of a phantom that is its mask: the left ventricle."""


def read_cases(
    data: str | Path,
    groups: Sequence[str],
    *,
    limit: int | None = None,
    modality: Modality | None = None,
    strict: bool = False,
    needs_mask: bool = False,
    needs_neighbours: bool = False,
    side: int = SIDE,
    tell: Callable[[str], None] = lambda _: None,
) -> list[TestImage]:
    """The test images of ``groups``, at most ``limit`` of each, evenly spread.

    Parameters
    ----------
    data : path or "phantoms"
        A folder with ``<group>.npz`` archives (``images``, ``subject_id`` and, if there are any,
        ``masks``), of which the subjects are taken that training holds out; or a folder of images
        of any readable kind, where the parent folder names the subject, and ``NAME.mask.png``
        beside NAME marks the structure of interest. Colour counts as its luminance. Slices lie
        side by side where names differ only in a trailing number, by one: those of the files, or
        of ``source_id`` in an archive.
    groups : sequence of str
        Keys of `MODALITIES`, or that of the faint discs, which are always drawn. Of a folder of
        images those are taken that say to be of one; a file that does not say counts as the first.
    limit : int, optional
    modality : Modality, optional
        What all images of a folder are, whatever they say.
    strict : bool
        Leave out files that do not say what they are, and refuse where a group has no image.
    needs_mask : bool
        Leave out images without a mask.
    needs_neighbours : bool
        Leave out images without a slice on either side; those of phantoms are drawn.
    side : int
        Of the phantoms, in pixels.
    tell : callable
        Is told of every file that is left out, and why.

    Raises
    ------
    ParameterError
        A group is unknown, or the limit is not possible.
    ImagesAbsent
        The folder holds no image, or lacks a group, every mask or every neighbour.
    ReadingRoomError
        The folder is absent, or an archive cannot be read.
    """
    for group in groups:
        if group not in (*MODALITIES, DISCS):
            raise ParameterError(f"No group {group}; {nearest(group, list(MODALITIES))}.")
        if group == DISCS and str(data) != PHANTOMS:
            raise ParameterError(
                f"Faint discs are always drawn; give {PHANTOMS} instead of {data}."
            )
    if limit is not None and limit < 1:
        raise ParameterError(f"limit={limit} is not possible; give 1 or more.")
    if str(data) == PHANTOMS:
        found = _phantoms(groups, limit or FEW, side)
        if needs_neighbours:
            found = [with_drawn_neighbours(case) for case in found]
    else:
        found = _folder(Path(data), groups, modality, strict, needs_neighbours, tell)
        absent = [group for group in groups if group not in {case.group for case in found}]
        if strict and absent:
            raise ImagesAbsent(
                f"{data} has no {absent[0]} image, which this protocol needs; files must say what "
                "they are, as DICOM does, or come as .npz archives."
            )
    if needs_mask:
        found = [case for case in found if case.mask is not None]
        if not found:
            raise ImagesAbsent(
                f"No image of {data} has a mask, which this protocol needs; "
                f"put NAME{MASK_ENDING} beside each image."
            )
    if needs_neighbours:
        found = [case for case in found if neighbours_of(case)]
        if not found:
            raise ImagesAbsent(
                f"No image of {data} has a slice before and one after it, which this protocol "
                "needs; number the files of a series one after the other, as slice_001.png, or the "
                "source_id of an archive."
            )
    return list(_spread(found, limit))


def seed_of(key: str) -> int:
    """The seed of a case: it does not change when other images come or go."""
    return int.from_bytes(hashlib.sha256(key.encode("utf-8", "surrogatepass")).digest()[:4], "big")


def _spread(cases: Sequence[TestImage], limit: int | None) -> Iterable[TestImage]:
    """At most ``limit`` of each group, evenly spread over what there is."""
    for group, count in Counter(case.group for case in cases).items():
        members = [case for case in cases if case.group == group]
        wanted = count if limit is None else min(limit, count)
        picked = np.linspace(0, count - 1, wanted).round().astype(int)
        yield from (members[index] for index in picked)


def _phantoms(groups: Sequence[str], each: int, side: int) -> list[TestImage]:
    for group in groups:
        if group not in (*DRAWN, DISCS):
            raise ReadingRoomError(
                f"There is no phantom of {group}; choose among {', '.join(DRAWN)}."
            )
    numbers = range(HELD_OUT_SEED, HELD_OUT_SEED + each)
    return [_phantom(group, number, side) for group in groups for number in numbers]


def _phantom(group: str, number: int, side: int) -> TestImage:
    from enhancers.phantoms import phantom

    if group == DISCS:
        return disc_case(number, side=side)
    drawn = phantom(DRAWN[group], size=side, seed=number)
    key = f"{DRAWN[group]}-{number}"
    mask = None if drawn.labels is None else drawn.labels == STRUCTURE
    if mask is not None and not _usable(mask):
        mask = None
    return TestImage(key, drawn.modality, luminance(drawn.pixels), mask, seed_of(key), group, key)


def _folder(
    folder: Path,
    groups: Sequence[str],
    modality: Modality | None,
    strict: bool,
    needs_neighbours: bool,
    tell: Callable[[str], None],
) -> list[TestImage]:
    if not folder.is_dir():
        raise ReadingRoomError(
            f"{folder} is not a folder; give one with images or .npz archives, or {PHANTOMS}."
        )
    archives = {group: folder / f"{group}.npz" for group in groups}
    if any(folder.glob("*.npz")):
        absent = [path.name for path in archives.values() if not path.is_file()]
        if absent:
            raise ImagesAbsent(
                f"{folder} has no {absent[0]}, which this protocol needs; add it or choose other "
                "groups."
            )
        return [
            case for group in groups for case in _archive(archives[group], group, needs_neighbours)
        ]
    cases = _files(folder, groups, modality, strict, tell)
    return with_neighbours(cases, [case.key for case in cases]) if needs_neighbours else cases


def _archive(path: Path, group: str, needs_neighbours: bool) -> list[TestImage]:
    """The images of the subjects that `enhancers.networks.training.corpus` holds out."""
    from enhancers.networks.training.corpus import held_out

    try:
        with np.load(path, allow_pickle=False) as archive:
            images = archive["images"]
            subjects = [str(subject) for subject in archive["subject_id"]]
            masks = archive["masks"] if "masks" in archive.files else None
            asked = needs_neighbours and "source_id" in archive.files
            sources = [str(source) for source in archive["source_id"]] if asked else None
    except Exception as error:
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
    if sources is not None and len(sources) != len(images):
        raise ImageReadError(
            f"{path.name} holds {len(sources)} source_id for {len(images)} images; it needs one "
            "for each."
        )
    held = held_out(subjects)
    cases, names = [], []
    for index in (index for index, subject in enumerate(subjects) if subject in held):
        key = f"{group}-{index:04d}"
        truth = luminance(images[index].astype(np.float32) / np.float32(255))
        mask = None if masks is None else masks[index] > 0
        if mask is not None and not _usable(mask):
            mask = None
        cases.append(
            TestImage(key, MODALITIES[group], truth, mask, seed_of(key), group, subjects[index])
        )
        if sources is not None:
            names.append(f"{subjects[index]}\0{sources[index]}")
    return with_neighbours(cases, names) if names else cases


def _files(
    folder: Path,
    groups: Sequence[str],
    modality: Modality | None,
    strict: bool,
    tell: Callable[[str], None],
) -> list[TestImage]:
    from enhancers.load import load

    cases = []
    for path in sorted(path for path in folder.rglob("*") if path.is_file()):
        if path.name.endswith(MASK_ENDING):
            continue
        try:
            image = load(path)
        except ImageReadError as error:
            tell(f"{path.relative_to(folder)} is left out: {error}")
            continue
        said = image.modality_origin == "file"
        if modality is not None:
            image = image.with_modality(modality)
        elif (said and _group(image.modality) not in groups) or (strict and not said):
            is_other = f"is {_group(image.modality)}, not {' or '.join(groups)}"
            what = is_other if said else "does not say what it is"
            tell(f"{path.relative_to(folder)} is left out: it {what}.")
            continue
        elif not said:
            guessed = image.modality if _group(image.modality) in groups else MODALITIES[groups[0]]
            image = image.with_modality(guessed)
        cases.append(_of_file(folder, path, image))
    if not cases:
        way = (
            "files must say what they are, as DICOM does, or come as .npz archives"
            if strict
            else "give DICOM, NIfTI, PNG, TIFF or JPEG, and say --modality where the files do not"
        )
        named = " or ".join(groups)
        raise ImagesAbsent(f"There is no readable {named} image below {folder}; {way}.")
    return cases


def _of_file(folder: Path, path: Path, image: MedicalImage) -> TestImage:
    below = path.relative_to(folder)
    truth = luminance(image.pixels)
    if image.is_colour:
        image = from_array(truth, image.modality)
    return TestImage(
        key=below.as_posix(),
        modality=image.modality,
        truth=truth,
        mask=_mask(path, truth),
        seed=seed_of(below.as_posix()),
        group=_group(image.modality),
        # Files side by side say nothing about whose they are: each is a subject of its own.
        subject=below.parent.as_posix() if below.parent != Path() else below.as_posix(),
        image=image,
    )


def _group(modality: Modality) -> str:
    named = {one: group for group, one in MODALITIES.items()}
    return named.get(modality, str(modality).lower())


def _mask(path: Path, truth: Pixels) -> NDArray[np.bool_] | None:
    """What ``NAME.mask.png`` marks: every pixel that is not black."""
    from enhancers.load import load

    place = path.with_name(path.stem + MASK_ENDING)
    if not place.is_file():
        return None
    try:
        mask = luminance(load(place).pixels) > 0
    except ImageReadError as error:
        raise ImageReadError(f"{place.name} cannot be read as a mask: {error}") from error
    if mask.shape != truth.shape:
        raise ImageReadError(
            f"{place.name} is {mask.shape[1]}x{mask.shape[0]} but its image is "
            f"{truth.shape[1]}x{truth.shape[0]}; they must have the same size."
        )
    if not _usable(mask):
        raise ImageReadError(
            f"{place.name} marks {'everything' if mask.all() else 'nothing'}; "
            "mark the structure white and the rest black."
        )
    return mask


def _usable(mask: NDArray[np.bool_]) -> bool:
    return bool(mask.any() and not mask.all())
