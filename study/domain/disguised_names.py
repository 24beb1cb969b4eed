"""Search of a text for names, in any spelling."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable

from study.domain.protocol import Protocol

SHORTEST = 2
"""Names with fewer letters and digits are not searched for: "A" is in every text."""

INSIDE = 5
"""Names with at least this many letters and digits are also found inside words."""

_CAMEL = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")
_WORD = re.compile(r"[^\W_]+")


def words(text: str) -> list[str]:
    """The words of a text: lower case, no accents, split at punctuation and in camelCase."""
    split = _CAMEL.sub(" ", unicodedata.normalize("NFKD", text))
    plain = "".join(letter for letter in split if not unicodedata.combining(letter))
    return _WORD.findall(plain.casefold())


def normalised(name: str) -> str:
    """A name as one word: "Non-local means" and "NonLocal_Means" are both "nonlocalmeans"."""
    return "".join(words(name))


_COMMON_WORDS = frozenset(words(Protocol().to_json()))


def names_in(text: str, names: Iterable[str]) -> tuple[str, ...]:
    """Which of the names a text contains, in their order.

    Case, accents, hyphens, spaces, underscores and points do not matter, nor does a plural s or a
    number after the name. A name is found only at the beginning of a word, unless it is long
    (`INSIDE`).
    """
    parts = words(text)
    return tuple(name for name in names if _occurs(normalised(name), parts))


def case_names_in(text: str, names: Iterable[str]) -> tuple[str, ...]:
    """Which names of cases, patients and files a text contains as complete words.

    Names that identify nothing are ignored: short ones, and words that the texts of every study
    contain, such as "image".
    """
    parts = words(text)
    whole = {"".join(run) for run in _runs(parts, longest=8)}
    return tuple(name for name in names if _is_identifying(name) and normalised(name) in whole)


def _is_identifying(name: str) -> bool:
    plain = normalised(name)
    return len(plain) >= (5 if plain.isdigit() else 4) and not set(words(name)) <= _COMMON_WORDS


def _runs(parts: list[str], longest: int) -> list[list[str]]:
    """All sequences of up to ``longest`` neighbouring words."""
    return [
        parts[start:end]
        for start in range(len(parts))
        for end in range(start + 1, min(start + longest, len(parts)) + 1)
    ]


def _occurs(name: str, parts: list[str]) -> bool:
    if len(name) < SHORTEST:
        return False
    if len(name) >= INSIDE and any(name in part for part in parts):
        return True
    return any(_begins(name, parts, start) for start in range(len(parts)))


def _begins(name: str, parts: list[str], start: int) -> bool:
    """Whether the joined words from ``start`` on are the name, or the name with an ending."""
    joined = ""
    for part in parts[start:]:
        joined += part
        if len(joined) < len(name):
            if not name.startswith(joined):
                return False
            continue
        ending = joined[len(name) :]
        whole = ending in ("", "s") or ending.isdigit() or len(name) >= INSIDE
        return joined.startswith(name) and whole
    return False
