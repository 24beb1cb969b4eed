"""Image files of folders by case, and the table that says which case is of which patient."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from enhancers.files import given_path
from study.domain.composed import composed
from study.domain.errors import BuildError
from study.stimuli.manifest import ManifestRow, read_patients
from study.stimuli.slice_range import SliceRange
from study.storage.key import stem

PATIENTS = "patients.csv"
"""Table of patients in a folder of images."""


@dataclass(frozen=True)
class SourceCase:
    """A case: its patient and its files, one for each method in the order of the methods.

    A file is a picture, a volume, or a folder or zip archive with a DICOM series. ``slice_index``
    is the index of the slice that is shown of a volume, from 0; None means the default. With a
    ``stack`` readers scroll through these slices. ``masks`` has the file of the mask of missing
    pixels for each method, or None; it is empty where no method has one. ``truth`` is yes, no or
    empty.
    """

    name: str
    patient: str
    files: tuple[Path, ...]
    training: bool = False
    slice_index: int | None = None
    masks: tuple[Path | None, ...] = ()
    truth: str = ""
    stack: SliceRange | None = None


def all_files(case: SourceCase) -> tuple[Path, ...]:
    """The files of a case and of its masks."""
    return (*case.files, *(mask for mask in case.masks if mask is not None))


def visible_files(folder: Path) -> list[Path]:
    """The sorted entries of a folder without hidden files."""
    try:
        return sorted(path for path in folder.iterdir() if not path.name.startswith("."))
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or "the path is not valid"
        raise BuildError(f"The folder {folder} cannot be read: {reason}.") from None


def images_by_case(folder: Path) -> dict[str, Path]:
    """The files and series of a folder, except its table of patients, by name without extension."""
    return _by_stem([path for path in visible_files(folder) if path.name != PATIENTS], folder)


def _by_stem(paths: Sequence[Path], where: Path | str) -> dict[str, Path]:
    found: dict[str, Path] = {}
    for path in paths:
        if not path.is_file() and not path.is_dir():
            raise BuildError(f"{path} is not a file; {where} may hold images only.")
        name = composed(path.name if path.is_dir() else stem(str(path)))
        if name in found:
            raise BuildError(
                f"{found[name].name} and {path.name} in {where} are both of case {name!r}; "
                "rename or remove one."
            )
        found[name] = path.resolve()
    if not found:
        raise BuildError(f"{where} holds no image.")
    return found


def inputs_by_case(inputs: Sequence[Path]) -> dict[str, Path]:
    """The given files, and those of the given folders, by name without extension."""
    paths: list[Path] = []
    for path in inputs:
        if path.is_dir():
            paths += [one for one in visible_files(path) if one.name != PATIENTS]
        elif path.is_file():
            paths.append(path)
        else:
            raise BuildError(f"There is no file or folder {path}.")
    return _by_stem(paths, "the input")


def patient_table(folder: Path | None, given: Path | None) -> Mapping[str, ManifestRow]:
    """The given table of patients, or that in the folder; empty where there is none."""
    if given is None and folder is not None and (folder / PATIENTS).is_file():
        given = folder / PATIENTS
    return read_patients(given) if given is not None else {}


def source_case(
    name: str, files: tuple[Path, ...], table: Mapping[str, ManifestRow], separator: str
) -> SourceCase:
    """A case with its patient from the table, or from the file name before the separator."""
    row = table.get(name)
    if row is not None:
        return SourceCase(
            name, row.patient, files, row.training, row.slice_index, truth=row.truth,
            stack=row.stack,
        )  # fmt: skip
    if table:
        raise BuildError(f"The table of patients has no case {name!r}; add a line for it.")
    before = name.split(separator, 1)[0] if separator else name
    return SourceCase(name, before or name, files)


def masks_of(mask: str, cases: Collection[str]) -> Mapping[str, Path]:
    """The file of the mask of each case: the same for all, or that of its name in a folder.

    Raises
    ------
    BuildError
        There is no such file or folder, or it lacks the mask of a case.
    """
    path = given_path(mask)
    if not path.is_dir():
        if not path.is_file():
            raise BuildError(f"There is no file or folder {path}, which a method names as mask.")
        return dict.fromkeys(cases, path.resolve())
    found = images_by_case(path)
    missing = [name for name in cases if name not in found]
    if missing:
        raise BuildError(
            f"{path} has no mask of {', '.join(missing[:5])}; give one for each case, with its "
            "name, or one file for all."
        )
    return found


def check_table(table: Mapping[str, ManifestRow], cases: Collection[str]) -> None:
    """Refuse a table with a case that has no image."""
    for name, row in table.items():
        if name not in cases:
            raise BuildError(
                f"The table of patients names case {name!r} in line {row.line}, of which there is "
                "no image."
            )
