"""Test images from a user's folder: held-out subjects of archives, or image files with masks."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from enhancers.colour import luminance
from enhancers.errors import ImageReadError, ImagesAbsent
from enhancers.evaluation.neighbour_slices import with_neighbours
from enhancers.evaluation.problem import TestImage, seed_of, usable_mask
from enhancers.image import MedicalImage, Pixels, from_array
from enhancers.image_folders import (
    MASK_ENDING,
    ImageFile,
    archives,
    held_out,
    read_archive,
    read_images,
)
from enhancers.load import load
from enhancers.method import Modality

MODALITIES = {
    "mr": Modality.MR,
    "ct": Modality.CT,
    "us": Modality.US,
    "xr": Modality.XR,
    "fundus": Modality.FUNDUS,
    "endoscopy": Modality.ENDOSCOPY,
    "micro": Modality.MICROSCOPY,
}
"""The modality of each group; archives are named after the groups."""


def folder_cases(
    folder: Path,
    groups: Sequence[str],
    *,
    modality: Modality | None,
    strict: bool,
    needs_neighbours: bool,
    tell: Callable[[str], None],
) -> list[TestImage]:
    """The test images of a folder; parameters and errors as for `cases.read_cases`."""
    found = archives(folder)
    if found:
        absent = [group for group in groups if group not in found]
        if absent:
            raise ImagesAbsent(
                f"{folder} has no {absent[0]}.npz, which this protocol needs; add it or choose "
                "other groups."
            )
        return [
            case for group in groups for case in _of_archive(found[group], group, needs_neighbours)
        ]
    cases = _of_files(folder, groups, modality, strict, tell)
    return with_neighbours(cases, [case.key for case in cases]) if needs_neighbours else cases


def _of_archive(path: Path, group: str, needs_neighbours: bool) -> list[TestImage]:
    archive = read_archive(path)
    images, subjects = archive.images, archive.subjects
    by_source = needs_neighbours and bool(archive.sources)
    if by_source and len(archive.sources) != len(images):
        raise ImageReadError(
            f"{path.name} holds {len(archive.sources)} source_id for {len(images)} images; it "
            "needs one for each."
        )
    held = held_out(subjects)
    cases, names = [], []
    for index in (index for index, subject in enumerate(subjects) if subject in held):
        key = f"{group}-{index:04d}"
        truth = luminance(images[index].astype(np.float32) / np.float32(255))
        mask = None if archive.masks is None else archive.masks[index] > 0
        if mask is not None and not usable_mask(mask):
            mask = None
        cases.append(
            TestImage(key, MODALITIES[group], truth, mask, seed_of(key), group, subjects[index])
        )
        if by_source:
            names.append(f"{subjects[index]}\0{archive.sources[index]}")
    return with_neighbours(cases, names) if names else cases


def _of_files(
    folder: Path,
    groups: Sequence[str],
    modality: Modality | None,
    strict: bool,
    tell: Callable[[str], None],
) -> list[TestImage]:
    cases = []
    for file in read_images(folder, lambda name, error: tell(f"{name} is left out: {error}")):
        image = file.image
        stated = image.modality_origin == "file"
        if modality is not None:
            image = image.with_modality(modality)
        elif (stated and group_of(image.modality) not in groups) or (strict and not stated):
            is_other = f"is {group_of(image.modality)}, not {' or '.join(groups)}"
            what = is_other if stated else "does not state its modality"
            tell(f"{file.path.relative_to(folder)} is left out: it {what}.")
            continue
        elif not stated:
            guessed = group_of(image.modality) in groups
            image = image.with_modality(image.modality if guessed else MODALITIES[groups[0]])
        cases.append(_of_file(file, image))
    if not cases:
        way = (
            "files must state their modality, as DICOM does, or come as .npz archives"
            if strict
            else "give DICOM, NIfTI, PNG, TIFF or JPEG, and --modality where the files do not "
            "state it"
        )
        named = " or ".join(groups)
        raise ImagesAbsent(f"There is no readable {named} image below {folder}; {way}.")
    return cases


def _of_file(file: ImageFile, image: MedicalImage) -> TestImage:
    truth = luminance(image.pixels)
    if image.is_colour:
        image = from_array(truth, image.modality)
    return TestImage(
        key=file.name,
        modality=image.modality,
        truth=truth,
        mask=_mask(file.path, truth),
        seed=seed_of(file.name),
        group=group_of(image.modality),
        subject=file.subject,
        image=image,
    )


def group_of(modality: Modality) -> str:
    """The group of a modality; its name in lower case where there is none."""
    named = {one: group for group, one in MODALITIES.items()}
    return named.get(modality, str(modality).lower())


def _mask(path: Path, truth: Pixels) -> NDArray[np.bool_] | None:
    """The pixels of ``NAME.mask.png`` that are not black; None without such a file."""
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
    if not usable_mask(mask):
        raise ImageReadError(
            f"{place.name} marks {'everything' if mask.all() else 'nothing'}; "
            "mark the structure white and the rest black."
        )
    return mask
