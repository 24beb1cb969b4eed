"""The series that were found as a table and as JSON."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from typing import Any

from enhancers.series.found import Series, SeriesFound
from enhancers.series.times import without_number

_HEAD = ("series", "modality", "size", "slices", "plane", "spacing (mm)", "thickness", "")
_ONE_OF = re.compile(r"(.+) (\d+) of (\d+)")


def as_text(found: SeriesFound) -> str:
    """One line for each series, with notes below; the times of one acquisition share a line."""
    rows = [_HEAD, *(_row(group) for group in _grouped(found.series))]
    widths = [max(len(row[column]) for row in rows) for column in range(len(_HEAD))]
    lines = [
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in rows
    ]
    notes: dict[tuple[str, str], list[str]] = {}
    for one in found.series:
        for note in one.notes:
            notes.setdefault((one.key.partition(".")[0], note), []).append(one.key)
    lines += [f"Note on {_span(keys)}: {note}" for (_, note), keys in notes.items()]
    return "\n".join([*lines, *([found.left_out] if found.left_out else [])])


def as_json(found: SeriesFound) -> str:
    """Every series with its slices, as indented JSON."""
    facts = {"series": [_facts(one) for one in found.series], "ignored": dict(found.ignored)}
    return json.dumps(facts, indent=2, ensure_ascii=False)


def _facts(one: Series) -> dict[str, Any]:
    return {
        "key": one.key,
        "description": one.description,
        "modality": one.modality,
        "rows": one.rows,
        "columns": one.columns,
        "plane": one.plane,
        "pixel_spacing": one.pixel_spacing,
        "slice_spacing": one.slice_spacing,
        "thickness": one.thickness,
        "parts": one.parts,
        "notes": one.notes,
        "slices": [
            {"file": each.file.name, "frame": each.frame, "position": each.position}
            for each in one.slices
        ],
    }


def _grouped(series: Sequence[Series]) -> list[list[Series]]:
    """Runs of series that differ in their number only, as "time 2 of 5"."""
    groups: list[list[Series]] = []
    for one in series:
        if groups and without_number(groups[-1][0]) == without_number(one) is not None:
            groups[-1].append(one)
        else:
            groups.append([one])
    return groups


def _row(group: Sequence[Series]) -> tuple[str, ...]:
    one = group[0]
    parts = list(one.parts)
    slices = str(len(one.slices))
    if len(group) > 1:
        match = _ONE_OF.fullmatch(parts.pop())
        assert match is not None
        parts.append(f"{match[1]} {match[2]} to {int(match[2]) + len(group) - 1}")
        slices = f"{slices} x {len(group)}"
    spacing = [] if one.pixel_spacing is None else [*one.pixel_spacing]
    spacing += [] if one.slice_spacing is None else [one.slice_spacing]
    return (
        _span([each.key for each in group]),
        one.modality or "?",
        f"{one.columns} x {one.rows}",
        slices,
        one.plane,
        " x ".join(f"{value:.4g}" for value in spacing),
        "" if one.thickness is None else f"{one.thickness:.4g}",
        ", ".join(parts),
    )


def _span(keys: Sequence[str]) -> str:
    """Keys of one DICOM series: those that follow one another as a range."""
    places = [int(key.partition(".")[2] or 0) for key in keys]
    if len(keys) > 2 and places == list(range(places[0], places[0] + len(keys))):
        return f"{keys[0]} to {keys[-1]}"
    return ", ".join(keys)
