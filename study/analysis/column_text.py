"""Text of many records by column: what all of them share is encoded once."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache
from itertools import repeat
from json.encoder import encode_basestring
from operator import is_
from types import NoneType
from typing import Any

import orjson

Texts = str | Iterable[str]
"""The encoded values of a column, or the one text of all of them."""
_NUMBERS = frozenset((int, float, NoneType))
_text = lru_cache(maxsize=4096)(encode_basestring)


def is_shared(column: Sequence[object]) -> bool:
    """Whether all values of a column are one object or equal texts."""
    first = column[0]
    if isinstance(first, str):
        return first == column[-1] and column.count(first) == len(column)
    return all(map(is_, column, repeat(first)))


def number_texts(column: Sequence[Any], null: str) -> Iterable[str] | None:
    """Numbers as Python writes them, with a text in place of None; None of other values."""
    kinds = set(map(type, column))
    if kinds == {int}:
        return map(repr, column)
    # Beyond these bounds the faster encoder writes other exponents.
    if kinds <= _NUMBERS and all(1e-4 <= abs(one) < 1e16 for one in filter(None, column)):
        return orjson.dumps(column)[1:-1].decode().replace("null", null).split(",")
    return None


def json_texts(column: Sequence[Any], encoder: json.JSONEncoder) -> Texts:
    """JSON of the values of a column, as an encoder that escapes no letters writes it."""
    if is_shared(column):
        return _json_text(column[0], encoder)
    if all(issubclass(kind, str) for kind in set(map(type, column))):
        return map(_text, column)
    return number_texts(column, "null") or map(_json_text, column, repeat(encoder))


def _json_text(value: object, encoder: json.JSONEncoder) -> str:
    if isinstance(value, str):
        return _text(value)
    return "[]" if value == () else encoder.encode(value)


def laid_out(layout: str, columns: Sequence[Texts], rows: int) -> Iterator[str]:
    """Lines of encoded columns.

    Parameters
    ----------
    layout : str
        Of a line, with %s for each column.
    columns : sequence of Texts
    rows : int
        Number of lines.
    """
    before, *between = layout.split("%s")
    pieces: list[Iterable[str]] = []
    for column, after in zip(columns, between, strict=True):
        if isinstance(column, str):
            before += column + after
        else:
            pieces += [repeat(before), column]
            before = after
    return map("".join, zip(*pieces, repeat(before, rows), strict=False))
