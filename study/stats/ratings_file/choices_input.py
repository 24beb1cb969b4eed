"""Reads preferences in pairs, and guesses of readers, from a table of text or an export.

Preferences need the columns item, rater, left, right (the methods shown) and value: left, right or
tie; -1, 0 or 1 as in an export; or the name of the preferred method. Guesses need the column of the
true method or group (method, group or truth) and that of the guess (value or guess).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TypeVar

from study.domain.errors import StatisticsError
from study.stats.comparison.blinding_index import Guess
from study.stats.comparison.preference import Choice, Preference
from study.stats.ratings_file.csv_input import COLUMNS, ColumnChoice
from study.stats.ratings_file.export_input import chosen_question, is_export
from study.stats.scale import MISSING_WORDS
from study.stats.table_file import TextTable, read_table

LEFT, RIGHT = ("left", "left_method"), ("right", "right_method")
TIES = frozenset(("0", "tie", "none", "neither", "equal", "no preference", "no difference"))
SIDES = {
    "-1": Preference.LEFT, "left": Preference.LEFT, "l": Preference.LEFT,
    "1": Preference.RIGHT, "right": Preference.RIGHT, "r": Preference.RIGHT,
}  # fmt: skip
UNKNOWN = frozenset(("do not know", "don't know", "dont know", "unknown", "not sure", "?"))
Read = TypeVar("Read")


def read_choices(
    path: Path, columns: ColumnChoice | None = None
) -> tuple[tuple[Choice, ...], tuple[str, ...]]:
    """Preferences, and remarks on what was left out.

    Raises
    ------
    StatisticsError
        The file cannot be read, lacks a column, or a line is wrong.
    """
    chosen = columns or ColumnChoice()
    table = read_table(path, likely=(*LEFT, *RIGHT, "item", "case", "rater", "reader", "value"))
    names = {
        kind: _column(table, getattr(chosen, kind, ""), known, kind)
        for kind, known in (
            ("item", COLUMNS["item"]), ("rater", COLUMNS["rater"]), ("left", LEFT),
            ("right", RIGHT), ("value", (*COLUMNS["value"], "preferred", "preference")),
        )
    }  # fmt: skip
    cluster = _optional(table, chosen.cluster, COLUMNS["cluster"], "cluster")
    lines, notes = _counted(table, chosen)

    def choice(cells: dict[str, str]) -> Choice:
        left, right = cells[names["left"]], cells[names["right"]]
        for side, method in (("left", left), ("right", right)):
            if not method:
                raise StatisticsError(f"the {side} method is empty")
        preferred = _preferred(cells[names["value"]], left, right)
        return Choice(cells[names["item"]], cells[names["rater"]], left, right, preferred,
                      cells.get(cluster, ""))  # fmt: skip

    return _each(table, lines, choice), notes


def read_guesses(
    path: Path, columns: ColumnChoice | None = None
) -> tuple[tuple[Guess, ...], tuple[str, ...]]:
    """Guesses, and remarks on how they were read.

    Raises
    ------
    StatisticsError
        The file cannot be read, lacks a column, or a line is wrong.
    """
    chosen = columns or ColumnChoice()
    table = read_table(path, likely=("method", "group", "truth", "guess", "value"))
    truth = _column(table, chosen.truth or chosen.method, ("group", "truth", "method"), "method")
    value = _column(table, chosen.value, ("guess", *COLUMNS["value"]), "value")

    def guess(cells: dict[str, str]) -> Guess:
        if not cells[truth]:
            raise StatisticsError(f"the column {truth} is empty: it needs what was shown")
        said = cells[value]
        known = said.lower() not in UNKNOWN | MISSING_WORDS
        return Guess(cells[truth], said if known else None)

    note = f"the column {truth} is what was shown, {value} what was guessed"
    return _each(table, list(table.mappings()), guess), (note,)


def _preferred(text: str, left: str, right: str) -> Preference | None:
    plain = text.lower()
    # A method may be called 0, left or none: names go first.
    if text in (left, right) and left != right:
        return Preference.LEFT if text == left else Preference.RIGHT
    if plain in SIDES:
        return SIDES[plain]
    if plain in TIES:
        return Preference.TIE
    if plain in MISSING_WORDS:
        return None
    raise StatisticsError(
        f"the preference {text!r} is neither left, right or tie, nor -1, 0 or 1, nor {left!r} or "
        f"{right!r}"
    )


def _counted(
    table: TextTable, chosen: ColumnChoice
) -> tuple[list[tuple[int, dict[str, str]]], tuple[str, ...]]:
    """The lines that count: of an export its main and identical pairs, without excluded ones."""
    lines = list(table.mappings())
    if not is_export(table.names):
        return lines, ()
    of_pairs = [(number, cells) for number, cells in lines if cells["side"] == "pair"]
    codes = dict.fromkeys(cells["question"] for _, cells in of_pairs)
    if not codes:
        raise StatisticsError(f"{table.name} is an export without a question about pairs")
    code = chosen.question or next(iter(codes))
    if len(codes) > 1 or code not in codes:
        code = chosen_question(table, chosen.question, "question")
    asked = [(number, cells) for number, cells in of_pairs if cells["question"] == code]
    kept = [
        (number, cells)
        for number, cells in asked
        if not cells["excluded"] and cells["role"] in ("main", "null")
    ]
    notes = [f"question {code} of an export"]
    if len(asked) > len(kept):
        notes.append(
            f"{len(asked) - len(kept)} rows are left out: training, dummies, repeats, excluded"
        )
    return kept, tuple(notes)


def _each(
    table: TextTable,
    lines: Sequence[tuple[int, dict[str, str]]],
    read: Callable[[dict[str, str]], Read],
) -> tuple[Read, ...]:
    found = []
    for number, cells in lines:
        try:
            found.append(read(cells))
        except StatisticsError as error:
            raise StatisticsError(f"{table.name}, line {number}: {error}") from error
    if not found:
        raise StatisticsError(f"{table.name} has no answers below its header")
    return tuple(found)


def _optional(table: TextTable, wanted: str, known: Sequence[str], kind: str) -> str:
    """The column of a kind; empty if there is none."""
    if wanted and wanted.strip().lower() not in table.names:
        raise StatisticsError(
            f"{table.name} has no column {wanted!r} for --{kind}: it has {', '.join(table.header)}"
        )
    return wanted.strip().lower() or next((name for name in known if name in table.names), "")


def _column(table: TextTable, wanted: str, known: Sequence[str], kind: str) -> str:
    found = _optional(table, wanted, known, kind)
    if not found:
        mappable = kind not in ("left", "right")
        advice = f". Say which it is: --{kind} NAME" if mappable else ""
        raise StatisticsError(
            f"{table.name} lacks the column {kind} ({' or '.join(known)}); it has "
            f"{', '.join(table.header) or 'none'}{advice}"
        )
    return found
