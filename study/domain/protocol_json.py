"""Reading a protocol from JSON."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import fields
from enum import StrEnum
from typing import Any

from study.domain.entries import entries_of, made_from, object_of, without_repeats
from study.domain.errors import ProtocolError
from study.domain.inference import Hypothesis, Random
from study.domain.protocol import DEFAULTS, WASHOUT_DAYS, Protocol, RepeatSession
from study.domain.qualification import known_answer
from study.domain.questions import question_from
from study.domain.terms import Shown
from study.domain.windows import window_from

_CHOICES: dict[str, type[StrEnum]] = {
    "random": Random, "hypothesis": Hypothesis, "presentation": Shown,
}  # fmt: skip


def from_json(text: str) -> Protocol:
    """Read a protocol from JSON.

    Raises
    ------
    ProtocolError
        It is not JSON, has an unknown field, or a value that is not possible.
    """
    try:
        raw = json.loads(text, object_pairs_hook=without_repeats)
    except ProtocolError:
        raise
    except RecursionError:
        raise ProtocolError("The protocol is not JSON: it has too many brackets.") from None
    except ValueError as error:
        raise ProtocolError(f"The protocol is not JSON: {error}.") from None
    if not isinstance(raw, dict):
        raise ProtocolError("The protocol must be a JSON object.")
    known = {f.name for f in fields(Protocol)}
    unknown = sorted(set(raw) - known)
    if unknown:
        raise ProtocolError(f"The protocol has unknown fields: {', '.join(unknown)}.")
    try:
        raw |= {
            name: tuple(made(entry) for entry in entries_of(raw[name], name))
            for name, made in _LISTS.items()
            if name in raw
        }
        raw |= {name: chosen(name, raw[name]) for name in _CHOICES if name in raw}
        raw = DEFAULTS.get(raw.get("presentation", Shown.PAIR), {}) | raw
        if raw.get("crossover") is True:
            raw = {"washout_days": WASHOUT_DAYS} | raw
        return Protocol(**raw)
    except (TypeError, ValueError, OverflowError) as error:
        raise ProtocolError(f"The protocol cannot be used: {error}.") from None


def _pair_from(entry: object) -> tuple[str, str]:
    if not isinstance(entry, list) or len(entry) != 2:
        raise ProtocolError(
            f'A pair is two methods in brackets, such as ["a", "b"], not {entry!r}.'
        )
    first, second = (str(name) for name in entry)
    return first, second


def _repeat_session_from(entry: object) -> RepeatSession:
    stated = object_of(entry, "repeat session", RepeatSession)
    return made_from(stated, "repeat session", RepeatSession)


_LISTS: dict[str, Callable[[Any], Any]] = {
    "questions": question_from, "qualification": known_answer, "blinding_groups": str,
    "windows": window_from, "repeat_sessions": _repeat_session_from, "pairs": _pair_from,
    "primary_pair": str,
}  # fmt: skip
"""How the entries of each list are read."""


def chosen(name: str, value: str) -> Any:
    """The choice of a field that has a few, from its text.

    Raises
    ------
    ProtocolError
        It is none of them; the error lists them.
    """
    choices = _CHOICES[name]
    if value not in tuple(choices):
        raise ProtocolError(f"{name}={value!r} is unknown: choose from {', '.join(choices)}.")
    return choices(value)
