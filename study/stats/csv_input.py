"""Reads ratings in long form from a CSV file; errors name the line."""

from __future__ import annotations

import csv
import math
from collections.abc import Iterator
from pathlib import Path
from typing import TextIO

from study.domain.errors import StatisticsError
from study.stats.scale import MISSING_WORDS, Scale
from study.stats.table import RatingRow

REQUIRED = ("item", "rater", "value")
CLUSTER_COLUMNS = ("cluster", "patient")


def read_rows(path: Path, scale: Scale | None = None) -> tuple[RatingRow, ...]:
    """Ratings from a CSV file with the columns item, rater and value.

    Optional columns: ``cluster`` or ``patient``; ``method``; ``replicate`` (1, 2, ...). Empty
    cells and NA are missing ratings. Named categories need a scale, which gives their order.

    Raises
    ------
    StatisticsError
        The file cannot be read, lacks a column, has no ratings, or a line is wrong.
    """
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            rows = _parse(_filled_lines(file), path, scale)
    except OSError as error:
        raise StatisticsError(f"{path} cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise StatisticsError(f"{path} is not UTF-8 text: save it as CSV in UTF-8") from error
    except csv.Error as error:
        raise StatisticsError(f"{path} is not a CSV file: {error}") from error
    if not rows:
        raise StatisticsError(f"{path} has no ratings below its header")
    if all(row.value is None for row in rows):
        raise StatisticsError(f"{path} has {len(rows)} rows and all their ratings are missing")
    return rows


def _filled_lines(file: TextIO) -> Iterator[tuple[int, list[str]]]:
    reader = csv.reader(file, strict=True)
    for cells in reader:
        if any(cell.strip() for cell in cells):
            yield reader.line_num, cells


def _parse(
    lines: Iterator[tuple[int, list[str]]], path: Path, scale: Scale | None
) -> tuple[RatingRow, ...]:
    _, header = next(lines, (0, []))
    if not header:
        raise StatisticsError(f"{path} is empty: it needs the columns {', '.join(REQUIRED)}")
    names = [name.strip().lower() for name in header]
    lacking = [name for name in REQUIRED if name not in names]
    if lacking:
        raise StatisticsError(
            f"{path} lacks the column {' and '.join(lacking)}: it needs {', '.join(REQUIRED)} "
            f"and has {', '.join(header)}"
        )
    if len(set(names)) != len(names):
        raise StatisticsError(f"{path} names a column twice: {', '.join(header)}")
    rows = []
    for line, cells in lines:
        if len(cells) != len(names):
            raise StatisticsError(
                f"{path}, line {line}: {len(cells)} cells, but the header has {len(names)}"
            )
        cell = dict(zip(names, map(str.strip, cells), strict=True))
        try:
            rows.append(_row(cell, line, scale))
        except StatisticsError as error:
            raise StatisticsError(f"{path}, line {line}: {error}") from error
    return tuple(rows)


def _row(cell: dict[str, str], line: int, scale: Scale | None) -> RatingRow:
    for name in ("item", "rater"):
        if not cell[name]:
            raise StatisticsError(f"the {name} is empty")
    return RatingRow(
        item=cell["item"],
        rater=cell["rater"],
        value=_score(cell["value"], scale),
        cluster=next((cell[name] for name in CLUSTER_COLUMNS if cell.get(name)), ""),
        method=cell.get("method", ""),
        replicate=_replicate(cell.get("replicate", "1")),
        line=line,
    )


def _score(text: str, scale: Scale | None) -> float | None:
    if scale is not None:
        return scale.score_of(text)
    if text.lower() in MISSING_WORDS:
        return None
    try:
        score = float(text)
    except ValueError as error:
        raise StatisticsError(
            f"the value {text!r} is not a number. Named categories need "
            "an order: declare them with --scale, as poor,fair,good"
        ) from error
    if not math.isfinite(score):
        raise StatisticsError(f"the value {text!r} is not finite")
    return score


def _replicate(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise StatisticsError(f"the replicate {text!r} is not an integer of at least 1")
    return int(text)
