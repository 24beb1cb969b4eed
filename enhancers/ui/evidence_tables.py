"""Tables of the evidence: their columns of numbers, row names and verdicts are marked."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from markdown_it.token import Token

VERDICTS = {"met": "met", "missed": "missed", "not run": "not-run"}
"""CSS class of the cells that say whether a claim holds."""

_UNIT = r"%|×|x|dB|HU|[kMG]B|s|ms|min|h|px|mm"
_NUMBER = rf"[+\-−<>≤≥≈]?\s*\d[\d.,]*(?:e[+\-]?\d+)?\s*(?:{_UNIT})?"
_NUMBERS = re.compile(rf"(?:{_NUMBER}|±|to|of|inf|[()\[\],;/–]|\s)+")
_LONG = 18
"""Characters from which a text needs a wide column: a narrow one breaks it into many lines."""

_NOTHING = {"", "-", "–", "—", "n/a", "not run"}


@dataclass(frozen=True, eq=False)
class Cell:
    """The tokens around a cell, and its text."""

    opening: Token
    closing: Token
    text: str


def mark_tables(tokens: list[Token]) -> None:
    """Mark columns of numbers, names of rows and verdicts; wrap each table in a box that scrolls.

    Parameters
    ----------
    tokens : list of markdown_it Token
        Of a whole file; changed in place.
    """
    heading, start = "", 0
    marked: list[Token] = []
    for index, token in enumerate(tokens):
        if token.type == "heading_open":
            heading = tokens[index + 1].content
        elif token.type == "table_open":
            start = index
            marked.append(_box(f"Table: {heading}" if heading else "Table"))
        elif token.type == "table_close":
            _mark(list(_rows(tokens[start:index])))
        marked.append(token)
        if token.type == "table_close":
            marked.append(_box())
    tokens[:] = marked


def _box(label: str = "") -> Token:
    """The opening of a box with a label, or the end of the box."""
    from markdown_it.token import Token

    if not label:
        return Token("table_box_close", "div", -1, block=True)
    box = Token("table_box_open", "div", 1, block=True)
    box.attrs = {"class": "evidence-table", "tabindex": "0", "role": "group", "aria-label": label}
    return box


def is_number(text: str) -> bool:
    """Whether a cell holds figures: "0.906 ± 0.022", "+0.009 (-0.007 to +0.025)", "7, 1"."""
    return bool(re.search(r"\d", text)) and _NUMBERS.fullmatch(text) is not None


def _rows(tokens: Sequence[Token]) -> Iterator[list[Cell]]:
    row: list[Cell] = []
    for index, token in enumerate(tokens):
        if token.type in ("th_open", "td_open"):
            text = re.sub(r"\*\*|__|`", "", tokens[index + 1].content).strip()
            row.append(Cell(token, tokens[index + 2], text))
        elif token.type == "tr_close":
            yield row
            row = []


def _mark(rows: Sequence[Sequence[Cell]]) -> None:
    head, body = rows[0], rows[1:]
    for column, title in enumerate(head):
        title.opening.attrSet("scope", "col")
        cells = [row[column] for row in body]
        known = [cell.text for cell in cells if cell.text.lower() not in _NOTHING]
        if known and all(is_number(text) for text in known):
            for cell in (title, *cells):
                _add_class(cell.opening, "number")
            continue
        kind = "words" if any(len(text) >= _LONG for text in known) else "short"
        for cell in (title, *cells):
            _add_class(cell.opening, kind)
        if column == 0:
            for cell in cells:
                cell.opening.tag = cell.closing.tag = "th"
                cell.opening.attrSet("scope", "row")
    for row in body:
        for cell in row:
            verdict = VERDICTS.get(cell.text.lower())
            if verdict:
                _add_class(cell.opening, f"verdict {verdict}")


def _add_class(token: Token, name: str) -> None:
    # The alignment that the file gives would come as a style, and before the sheet's.
    token.attrs.pop("style", None)
    token.attrJoin("class", name)
