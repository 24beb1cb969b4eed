"""How the images of a study were made, as the key file keeps it, to make a lost one again."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from study.domain.errors import BuildError
from study.domain.recipes import ImageSource, SourceMethod
from study.domain.terms import MethodKind
from study.stimuli.slice_range import SliceRange
from study.stimuli.source_folders import SourceCase, all_files
from study.stimuli.sources import Sources


def recipe_of(sources: Sources, seed: int, device: str) -> dict[str, Any]:
    """Sources and settings of a build as values for JSON."""
    return {
        "methods": [asdict(one) for one in sources.methods],
        "cases": [
            {
                "name": one.name,
                "patient": one.patient,
                "files": [str(file) for file in one.files],
                "training": one.training,
                "slice": one.slice_index,
                "stack": None if one.stack is None else str(one.stack),
                "masks": [_with_digest(mask) for mask in one.masks],
            }
            for one in sources.cases
        ],
        "modality": sources.modality,
        "seed": seed,
        "device": device,
        # Studies of earlier versions had no common gray levels and are made again without.
        "grid": True,
    }


def _with_digest(mask: Path | None) -> dict[str, str] | None:
    """A mask's path and SHA-256; the images' own are in the digests of their stimuli."""
    if mask is None:
        return None
    try:
        digest = hashlib.sha256(mask.read_bytes()).hexdigest()
    except OSError as error:
        raise BuildError(f"The mask {mask} cannot be read: {error.strerror}.") from None
    return {"file": str(mask), "sha256": digest}


def sources_of(recipe: Mapping[str, Any], root: Path | None = None) -> Sources:
    """The sources of a build.

    Parameters
    ----------
    recipe : mapping
        From `recipe_of`.
    root : Path, optional
        Where the files lie now, in place of the folder that they all had in common.

    Raises
    ------
    BuildError
        The recipe cannot be read.
    """
    try:
        methods = tuple(
            SourceMethod(
                str(one["name"]),
                MethodKind(one["kind"]),
                str(one["group"]),
                ImageSource(one["source"]),
                str(one["recipe"]),
                tuple((str(name), str(value)) for name, value in one["values"]),
                # Studies of earlier versions have no masks.
                str(one.get("mask", "")),
            )
            for one in recipe["methods"]
        )
        cases = [
            SourceCase(
                str(one["name"]),
                str(one["patient"]),
                tuple(Path(file) for file in one["files"]),
                bool(one["training"]),
                one["slice"],
                tuple(
                    None if mask is None else Path(mask["file"]) for mask in one.get("masks", ())
                ),
                # Studies of earlier versions have no stacks.
                stack=None if one.get("stack") is None else SliceRange.parse(str(one["stack"])),
            )
            for one in recipe["cases"]
        ]
        if root is not None:
            common = Path(os.path.commonpath([f.parent for one in cases for f in all_files(one)]))
            cases = [
                replace(
                    one,
                    files=tuple(root / file.relative_to(common) for file in one.files),
                    masks=tuple(m and root / m.relative_to(common) for m in one.masks),
                )
                for one in cases
            ]
        return Sources(tuple(cases), methods, str(recipe["modality"]))
    except (KeyError, TypeError, ValueError) as error:
        raise BuildError(f"The recipe in the key file cannot be read: {error}.") from None
