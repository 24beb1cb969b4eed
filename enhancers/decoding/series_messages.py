"""The series of an upload as plain values, from the worker that found them to the server.

Files are named by their number in the folder of the upload, or their place in its archive, so that
a worker that was taken over by a file names no other one.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any

from enhancers.decoding.messages import ConnectionEnded
from enhancers.geometry import ImageGeometry, Vector
from enhancers.series import Series, SeriesFound, Slice
from enhancers.series.files import ArchiveEntry, LocalFile, SourceFile


def file_facts(file: SourceFile) -> list[int]:
    """A file of an upload, without its name."""
    if isinstance(file, ArchiveEntry):
        return [file.place, file.size, file.crc]
    return [int(file.name)]


def source_file(numbers: list[int], source: Path) -> SourceFile:
    """The file of `file_facts`, in the folder or archive of its upload."""
    if len(numbers) == 1:
        name = str(int(numbers[0]))
        return LocalFile(source / name if source.is_dir() else source, name)
    place, size, crc = (int(value) for value in numbers)
    return ArchiveEntry(source, place, "", size, crc)


def found_facts(found: SeriesFound) -> dict[str, Any]:
    """What was found, as JSON types."""
    files: dict[SourceFile, int] = {}
    series = []
    for one in found.series:
        facts = {each.name: getattr(one, each.name) for each in fields(one)}
        facts["slices"] = [
            (files.setdefault(each.file, len(files)), each.frame, each.position, each.step)
            for each in one.slices
        ]
        facts["geometry"] = None if one.geometry is None else one.geometry.as_json()
        series.append(facts)
    listed = [file_facts(file) for file in files]
    return {"series": series, "files": listed, "ignored": dict(found.ignored)}


def series_found(facts: Mapping[str, Any], source: Path) -> SeriesFound:
    """What was found in an upload.

    Raises
    ------
    ConnectionEnded
        These are no `found_facts`.
    """
    try:
        files = [source_file(one, source) for one in facts["files"]]
        series = tuple(_series(one, files) for one in facts["series"])
        ignored = {str(why): int(count) for why, count in facts["ignored"].items()}
    except (TypeError, ValueError, KeyError, IndexError, AttributeError) as error:
        raise ConnectionEnded("no series") from error
    return SeriesFound(series, ignored)


def _series(facts: Mapping[str, Any], files: list[SourceFile]) -> Series:
    slices = tuple(
        Slice(files[file], None if frame is None else int(frame), _number(position), _step(step))
        for file, frame, position, step in facts["slices"]
    )
    spacing = None
    if facts["pixel_spacing"] is not None:
        row, column = facts["pixel_spacing"]
        spacing = float(row), float(column)
    return Series(
        key=str(facts["key"]),
        modality=str(facts["modality"]),
        rows=int(facts["rows"]),
        columns=int(facts["columns"]),
        plane=str(facts["plane"]),
        pixel_spacing=spacing,
        slice_spacing=_number(facts["slice_spacing"]),
        thickness=_number(facts["thickness"]),
        parts=tuple(str(one) for one in facts["parts"]),
        slices=slices,
        notes=tuple(str(one) for one in facts["notes"]),
        reference=range(len(slices))[int(facts["reference"])],
        windows_differ=bool(facts["windows_differ"]),
        geometry=ImageGeometry.from_json(facts["geometry"]),
        tiles=bool(facts["tiles"]),
    )


def _step(value: Any) -> Vector | None:
    if value is None:
        return None
    x, y, z = value
    return float(x), float(y), float(z)


def _number(value: Any) -> float | None:
    return None if value is None else float(value)
