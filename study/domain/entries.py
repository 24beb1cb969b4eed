"""From the objects and lists of a protocol's JSON to dataclasses, with errors for who wrote it."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import MISSING, fields
from typing import TYPE_CHECKING, Any, TypeVar

from study.domain.errors import ProtocolError

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

Made = TypeVar("Made", bound="DataclassInstance")
_TYPES: dict[str, tuple[str, type | tuple[type, ...]]] = {
    "str": ("a text in quotes", str),
    "int": ("a whole number", int),
    "float": ("a number", (int, float)),
    "bool": ("true or false", bool),
}

_UNSTORABLE = re.compile("[\x00\ud800-\udfff]")


def is_storable(text: str) -> bool:
    """Whether every database can store it: no NUL, no lone surrogate."""
    return _UNSTORABLE.search(text) is None


def check_types(thing: DataclassInstance) -> None:
    """Raise ProtocolError where a plain field of a dataclass has a value of another type."""
    for entry in fields(thing):
        value = getattr(thing, entry.name)
        words, wanted = _TYPES.get(str(entry.type), ("", object))
        plain = wanted is object or wanted is bool or not isinstance(value, bool)
        if not isinstance(value, wanted) or not plain:
            raise ProtocolError(f"{entry.name}={value!r} must be {words}.")
        for text in value if isinstance(value, tuple) else (value,):
            if isinstance(text, str) and not is_storable(text):
                raise ProtocolError(f"{entry.name}={text!r} has characters that are no text.")


def object_of(entry: object, what: str, kind: type[DataclassInstance]) -> dict[str, Any]:
    """An entry of a protocol as a dictionary of the fields of a dataclass.

    Parameters
    ----------
    entry : object
        As it was read from JSON.
    what : str
        What it stands for, such as "question".
    kind : type
        The dataclass.

    Raises
    ------
    ProtocolError
        It is no JSON object, or has fields that the dataclass does not have.
    """
    known = [field.name for field in fields(kind)]
    if not isinstance(entry, dict):
        raise ProtocolError(
            f"The {what} {entry!r} must be an object in braces with {', '.join(known[:3])}, ..."
        )
    if unknown := sorted(set(entry) - set(known)):
        raise ProtocolError(
            f"The {what} {_name(entry)} has unknown fields: {', '.join(unknown)}. There are "
            f"{', '.join(known)}."
        )
    return entry


def made_from(entry: dict[str, Any], what: str, kind: type[Made]) -> Made:
    """The dataclass of an entry's fields; ProtocolError where one that it needs is not there."""
    needed = [
        field.name
        for field in fields(kind)
        if field.default is MISSING and field.default_factory is MISSING
    ]
    if lacking := [name for name in needed if name not in entry]:
        raise ProtocolError(f"The {what} {_name(entry)} lacks {', '.join(lacking)}.")
    return kind(**entry)


def entries_of(raw: object, name: str) -> list[Any]:
    """The entries of a list in a protocol; ProtocolError where it is none."""
    if not isinstance(raw, list):
        raise ProtocolError(f"{name} must be a list in square brackets, not {raw!r}.")
    return raw


def without_repeats(pairs: Iterable[tuple[str, Any]]) -> dict[str, Any]:
    """A JSON object; ProtocolError where a field is stated twice, of which one would be lost."""
    found: dict[str, Any] = {}
    for name, value in pairs:
        if name in found:
            raise ProtocolError(f"{name} is stated twice in the protocol: leave one.")
        found[name] = value
    return found


def _name(entry: dict[str, Any]) -> str:
    return repr(entry.get("code") or entry.get("label") or entry.get("case") or entry)
