"""Test images with a known truth: from a user's folder, or phantoms."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

import numpy as np

from enhancers.colour import luminance
from enhancers.errors import ImagesAbsent, ParameterError, ReadingRoomError
from enhancers.evaluation.case_folders import MODALITIES, folder_cases
from enhancers.evaluation.neighbour_slices import with_drawn_neighbours
from enhancers.evaluation.problem import TestImage, seed_of, usable_mask
from enhancers.evaluation.slice_stack import neighbours_of
from enhancers.evaluation.texture import GROUP as DISCS
from enhancers.evaluation.texture import disc_case
from enhancers.image_folders import MASK_ENDING
from enhancers.method import Modality, nearest

HELD_OUT_SEED = 10_000
"""Phantoms with this seed or a larger one are never used for training."""

PHANTOMS = "phantoms"
"""Given instead of a folder, it stands for phantoms."""

DRAWN = {
    "mr": "cardiac_mr",
    "ct": "ct",
    "us": "echo",
    "xr": "chest_xray",
    "fundus": "fundus",
    "endoscopy": "endoscopy",
}
"""The kind of phantom of each group."""

SIDE, FEW = 256, 8
"""Side of the phantoms in pixels, and their number per group without a limit."""
STRUCTURE = 1
"""Label in a phantom of the structure that becomes its mask: the left ventricle."""
TISSUE = 2
"""Label of the tissue with which the structure is compared: the myocardium around it."""


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
    """The test images of ``groups``.

    Parameters
    ----------
    data : path or "phantoms"
        A folder with ``<group>.npz`` archives (``images``, ``subject_id`` and optionally
        ``masks``), of which only the subjects held out from training are used; or a folder of
        image files, where the parent folder names the subject and ``NAME.mask.png`` marks the
        structure of interest in NAME. Colour images count as their luminance. Slices are
        neighbours where their names (of the files, or ``source_id`` in an archive) differ only in
        a trailing number, by one.
    groups : sequence of str
        Keys of `MODALITIES`, or that of the phantom with faint discs. Of a folder of files, those
        of another group are left out; a file that does not state its modality counts as the first
        group.
    limit : int, optional
        Largest number of images per group; they are evenly spread over what there is.
    modality : Modality, optional
        The modality of all images of a folder, whatever they state.
    strict : bool
        Leave out files that do not state their modality, and raise where a group has no image.
    needs_mask : bool
        Leave out images without a mask.
    needs_neighbours : bool
        Leave out images without a slice on either side; neighbours of phantoms are simulated.
    side : int
        Side of the phantoms in pixels.
    tell : callable
        Called with a sentence for every file that is left out.

    Raises
    ------
    ParameterError
        A group is unknown, or the limit is not possible.
    ImagesAbsent
        The folder holds no image, or lacks a group, every mask or every neighbour.
    ReadingRoomError
        The folder does not exist, or an archive cannot be read.
    """
    _check(data, groups, limit)
    if str(data) == PHANTOMS:
        found = _phantoms(groups, limit or FEW, side)
        if needs_neighbours:
            found = [with_drawn_neighbours(case) for case in found]
    else:
        found = folder_cases(
            Path(data), groups, modality=modality, strict=strict,
            needs_neighbours=needs_neighbours, tell=tell,
        )  # fmt: skip
        absent = [group for group in groups if group not in {case.group for case in found}]
        if strict and absent:
            raise ImagesAbsent(
                f"{data} has no {absent[0]} image, which this protocol needs; files must state "
                "their modality, as DICOM does, or come as .npz archives."
            )
    if needs_mask:
        found = [case for case in found if case.mask is not None]
        if not found:
            raise ImagesAbsent(
                f"No image of {data} has a mask, which this protocol needs; "
                f"put NAME{MASK_ENDING} next to each image."
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


def _check(data: str | Path, groups: Sequence[str], limit: int | None) -> None:
    for group in groups:
        if group not in (*MODALITIES, DISCS):
            raise ParameterError(f"No group {group}; {nearest(group, list(MODALITIES))}.")
        if group == DISCS and str(data) != PHANTOMS:
            raise ParameterError(
                f"Faint discs are always phantoms; give {PHANTOMS} instead of {data}."
            )
    if limit is not None and limit < 1:
        raise ParameterError(f"limit={limit} is not possible; give 1 or more.")


def _spread(cases: Sequence[TestImage], limit: int | None) -> Iterable[TestImage]:
    """At most ``limit`` cases of each group, evenly spread."""
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
    if mask is not None and not usable_mask(mask):
        mask = None
    tissue = None if mask is None or drawn.labels is None else drawn.labels == TISSUE
    return TestImage(
        key, drawn.modality, luminance(drawn.pixels), mask, seed_of(key), group, key,
        background=tissue if tissue is not None and usable_mask(tissue) else None,
    )  # fmt: skip
