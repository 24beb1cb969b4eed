"""Tables of cases: the manifest of ready-made images, and the list of patients.

`read_table` reads them, whatever their encoding and separator.

An error lists the first `SHOWN` problems with their line numbers.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path

from study.domain.composed import composed
from study.domain.errors import BuildError
from study.stats.table_file import read_table, whole_number_of
from study.stimuli.slice_range import SliceRange

SHOWN = 8
"""Problems that an error message lists."""

_YES = frozenset(("yes", "true", "1", "y"))
_NO = frozenset(("no", "false", "0", "n", ""))


@dataclass(frozen=True)
class ManifestRow:
    """One line of a table; values without a column are empty."""

    line: int
    case: str
    patient: str = ""
    method: str = ""
    file: Path = Path()
    training: bool = False
    slice_index: int | None = None
    truth: str = ""
    stack: SliceRange | None = None


@dataclass
class _Problems:
    """Collects the problems of a table, for one error message."""

    name: str
    found: list[str] = field(default_factory=list)

    def add(self, line: int, text: str) -> None:
        self.found.append(f"{self.name}, line {line}: {text}")

    def stop(self) -> None:
        if not self.found:
            return
        more = len(self.found) - SHOWN
        rest = [f"... and {more} more problems."] if more > 0 else []
        raise BuildError("\n".join([*self.found[:SHOWN], *rest]))


def read_manifest(path: Path, root: Path | None = None) -> tuple[ManifestRow, ...]:
    """Read a manifest with the columns ``case,patient,method,file``.

    Three columns are optional: ``training`` (yes or no: a case for training and dummies only),
    ``slice`` (index in a volume, from 0, or the slices of a stack as `SliceRange.parse` has them)
    and ``truth`` (yes or no: whether the case has what readers look for; no reader sees it). A file
    may be a folder with a DICOM series.

    Parameters
    ----------
    path : Path
    root : Path, optional
        Folder of the files, whose paths are relative to it; by default that of the manifest.

    Raises
    ------
    BuildError
        A column, a value or a file is missing, a line has too many values, an image is listed
        twice, a case has two patients, or a file lies outside ``root``.
    """
    problems = _Problems(path.name)
    base = (root or path.parent).resolve()
    rows: list[ManifestRow] = []
    needed = ("case", "patient", "method", "file")
    for line, cells in read_table(path, required=needed, error=BuildError).mappings():
        empty = [name for name in needed if not cells[name]]
        if empty:
            problems.add(line, f"{empty[0]} is empty.")
            continue
        file = _file(base, cells["file"], partial(problems.add, line))
        row = _row(line, cells, problems)
        if file is not None and row is not None:
            rows.append(replace(row, method=cells["method"], file=file))
    _check_twice(rows, problems)
    _check_agree(rows, problems)
    problems.stop()
    if not rows:
        raise BuildError(f"{path.name} lists no image; give one line for each.")
    return tuple(rows)


def read_patients(path: Path) -> Mapping[str, ManifestRow]:
    """Read a list of cases with the columns ``case,patient``, by case.

    ``training``, ``slice`` and ``truth`` are optional, as in a manifest.

    Raises
    ------
    BuildError
        As `read_manifest`; also for a case that is listed twice.
    """
    problems = _Problems(path.name)
    rows: dict[str, ManifestRow] = {}
    needed = ("case", "patient")
    for line, cells in read_table(path, required=needed, error=BuildError).mappings():
        empty = [name for name in needed if not cells[name]]
        if empty:
            problems.add(line, f"{empty[0]} is empty.")
            continue
        row = _row(line, cells, problems)
        if row is not None and row.case in rows:
            problems.add(line, f"case {row.case!r} is in line {rows[row.case].line} already.")
        elif row is not None:
            rows[row.case] = row
    problems.stop()
    return rows


def _row(line: int, cells: Mapping[str, str], problems: _Problems) -> ManifestRow | None:
    """A row with the columns that both tables have; None after a complaint."""
    training, number = cells.get("training", "").lower(), cells.get("slice", "")
    if training not in _YES | _NO:
        problems.add(line, f"training is {training!r}; give yes or no.")
        return None
    index, stack = whole_number_of(number), None
    if number and index is None:
        try:
            stack = SliceRange.parse(number)
        except BuildError:
            problems.add(
                line,
                f"slice is {number!r}; give a whole number from 0, or a stack: all, 10-49 or "
                "10-49:2.",
            )
            return None
    truth = cells.get("truth", "").lower()
    if truth not in _YES | _NO:
        problems.add(line, f"truth is {truth!r}; give yes or no, or nothing where it is unknown.")
        return None
    return ManifestRow(
        line,
        cells["case"],
        cells["patient"],
        training=training in _YES,
        slice_index=index,
        truth=truth and ("yes" if truth in _YES else "no"),
        stack=stack,
    )


def _file(base: Path, name: str, complain: Callable[[str], None]) -> Path | None:
    """The file below ``base``, or None after a complaint.

    A name with backslashes, as Windows writes paths, is a path where no file is called so.
    """
    try:
        path = _spelled_as_on_disk(base, name).resolve()
        exists = path.exists()
        if not exists and "\\" in name:
            path = _spelled_as_on_disk(base, name.replace("\\", "/")).resolve()
            exists = path.exists()
    except (OSError, ValueError):
        complain(f"the file name {name!r} is not valid.")
        return None
    if base not in path.parents:
        complain(f"{name} lies outside {base}; put all images below that folder.")
        return None
    if not exists:
        complain(f"there is no file {name} in {base}.")
        return None
    return path


def _spelled_as_on_disk(base: Path, name: str) -> Path:
    """A path below ``base`` whose letters may be composed otherwise on the disk."""
    path = base / name
    if path.exists():
        return path
    found = base
    for part in Path(name).parts:
        if not (found / part).exists() and found.is_dir():
            same = (one for one in found.iterdir() if composed(one.name) == composed(part))
            found = next(same, found / part)
        else:
            found /= part
    return found


def _check_twice(rows: list[ManifestRow], problems: _Problems) -> None:
    images: dict[tuple[str, str], int] = {}
    files: dict[tuple[Path, int | None, SliceRange | None], int] = {}
    for row in rows:
        before = images.setdefault((row.case, row.method), row.line)
        if before != row.line:
            text = f"case {row.case!r} has an image of {row.method!r} in line {before} already."
            problems.add(row.line, text)
            continue
        before = files.setdefault((row.file, row.slice_index, row.stack), row.line)
        if before != row.line:
            problems.add(row.line, f"the file {row.file.name} is in line {before} already.")


def _check_agree(rows: list[ManifestRow], problems: _Problems) -> None:
    """A case has one patient, role, slice and truth, whichever line states them."""
    first: dict[str, ManifestRow] = {}
    for row in rows:
        other = first.setdefault(row.case, row)
        for what, here, there in (
            ("patient", row.patient, other.patient),
            ("training", row.training, other.training),
            ("slice", row.slice_index, other.slice_index),
            ("slice", row.stack and str(row.stack), other.stack and str(other.stack)),
            ("truth", row.truth, other.truth),
        ):
            if here != there:
                problems.add(
                    row.line,
                    f"{what} of case {row.case!r} is {here!r}, but {there!r} in line {other.line}.",
                )
