"""Search of a text for names, in any spelling and any script.

Texts and names are compared in their compatibility form (NFKC), without case and accents. Where
words are separated, names of four letters or more are also found inside words, such as compounds;
shorter ones are words, and inside a word they are doubtful: a person has to look. In scripts that
do not separate words, such as Chinese, names are found anywhere. Letters of other scripts that look
like Latin ones are read as these too, and names that are written backwards are doubtful.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache

from study.domain.protocol import Protocol

SHORTEST = 2
"""Names with fewer letters and digits are not searched for: "A" is in every text."""

INSIDE = 4
"""Names with at least this many letters and digits are also found inside words."""

BACKWARDS = 3
"""Names with at least this many letters and digits are also searched for from their end."""

_CYRILLIC = ("АВЕЅІЈКМНОРСТУХԌԚԜҮЗаеѕіјкорсухһԁԛԝүгпит", "ABESIJKMHOPCTYXGQWY3aesijkopcyxhdqwyrnut")
_GREEK = ("ΑΒΕΖΗΙΚΜΝΟΡΤΥΧαβγεικνορτυχω", "ABEZHIKMNOPTYXabyeikvoptuxw")
_OTHERS = ("ıȷɑɡɩʀɴʟᴀᴅꓢꓐ", "ijagirnladsb")
_LOOKALIKES = str.maketrans(
    *("".join(parts) for parts in zip(_CYRILLIC, _GREEK, _OTHERS, strict=True))
)
"""Letters that are taken for Latin ones."""
_TURNED = re.compile("[\u202d\u202e\u2066-\u2069]")
"""Marks that turn the direction in which a text is shown."""
_CAMEL = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")
_WORD = re.compile(r"[^\W_]+")
_VOICED = "\u3099\u309a"
"""Marks that make another letter of Japanese, not an accent."""
_UNSEPARATED = (
    "CJK ", "IDEOGRAPHIC ", "HIRAGANA ", "KATAKANA", "HALFWIDTH KATAKANA ", "BOPOMOFO ", "HANGUL ",
    "THAI ", "LAO ", "KHMER ", "MYANMAR ", "TIBETAN ", "YI ",
)  # fmt: skip
"""Beginnings of the names of letters of scripts in which words are not separated from others."""


@dataclass(frozen=True)
class Doubt:
    """A name that may be meant by a word of a text."""

    name: str
    word: str


def words(text: str) -> list[str]:
    """The words of a text: lower case, no accents, split at punctuation and in camelCase.

    Runs of letters of a script without separated words are words of their own.
    """
    return _words(_CAMEL.sub(" ", unicodedata.normalize("NFKC", text)))


@lru_cache(maxsize=4096)
def normalised(name: str) -> str:
    """A name as one word: "Non-local means" and "NonLocal_Means" are both "nonlocalmeans"."""
    return "".join(words(name))


def _words(text: str) -> list[str]:
    if text.isascii():
        return _WORD.findall(text.lower())
    plain = "".join(
        letter
        for letter in unicodedata.normalize("NFKD", text)
        if letter in _VOICED or not unicodedata.combining(letter)
    )
    found = _WORD.findall(unicodedata.normalize("NFC", plain).casefold())
    return [part for word in found for part in _by_script(word)]


def _by_script(word: str) -> Iterator[str]:
    """The runs of a word with separated and with unseparated scripts."""
    if word.isascii():
        yield word
        return
    start = 0
    for place in range(1, len(word) + 1):
        if place == len(word) or _is_unseparated(word[place]) != _is_unseparated(word[start]):
            yield word[start:place]
            start = place


@lru_cache(maxsize=4096)
def _is_unseparated(letter: str) -> bool:
    return unicodedata.name(letter, "").startswith(_UNSEPARATED)


_COMMON_WORDS = frozenset(words(Protocol().to_json()))


class _Text:
    """A text in the forms in which names are searched for."""

    def __init__(self, text: str) -> None:
        self.parts = words(text)
        # SRADFiltered is one word with an SRAD in it, whatever camelCase makes of it.
        self.whole = _words(unicodedata.normalize("NFKC", text))
        self.joined = "".join(self.whole)

    def word_with(self, name: str) -> str:
        """The first longer word that holds a name; empty where there is none."""
        held = (word for word in (*self.parts, *self.whole) if name in word and word != name)
        return next(held, "")


def names_in(text: str, names: Iterable[str]) -> tuple[str, ...]:
    """Which of the names a text contains for sure, in their order.

    Case, accents, hyphens, spaces, underscores and points do not matter, nor does a plural s or a
    number after the name. A name is found only at the beginning of a word, unless it is long
    (`INSIDE`) or its script does not separate words.
    """
    names = tuple(names)
    readings = _readings(text, names)
    turned = bool(_TURNED.search(text))
    return tuple(
        name
        for name in names
        if any(
            _occurs(form, read) or (turned and _occurs(form[::-1], read))
            for read, form in _forms(name, readings)
        )
    )


def case_names_in(text: str, names: Iterable[str]) -> tuple[str, ...]:
    """Which names of cases, patients and files a text contains as complete words.

    In scripts that do not separate words they are found anywhere. Names that identify nothing are
    ignored: short ones, and words that the texts of every study contain, such as "image".
    """
    names = tuple(names)
    readings = _readings(text, names)
    complete = {
        id(read): {"".join(run) for run in _runs(read.parts, longest=8)} for read, _ in readings
    }
    return tuple(
        name
        for name in names
        if _is_identifying(name)
        and any(
            form in complete[id(read)] or _is_in_unseparated(form, read)
            for read, form in _forms(name, readings)
        )
    )


def doubtful_names_in(text: str, names: Iterable[str]) -> tuple[Doubt, ...]:
    """Words that may mean a name, or not.

    These are longer words with a short name, such as "TVfiltered" or "organ" for "GAN", and names
    that are written backwards.
    """
    read, names = _Text(text), tuple(names)
    sure = names_in(text, names)
    found = []
    for name in names:
        plain = normalised(name)
        if not plain or name in sure:
            continue
        if turned := _backwards(plain, read):
            found.append(Doubt(name, turned))
            continue
        if len(plain) >= INSIDE:
            continue
        if _is_unseparated(plain[0]):
            word = plain if plain in read.joined else ""
        elif len(plain) < SHORTEST:
            word = ""
        else:
            word = _compound(plain, read)
        if word:
            found.append(Doubt(name, word))
    return tuple(found)


def doubtful_case_names_in(text: str, names: Iterable[str]) -> tuple[Doubt, ...]:
    """Names of cases, patients and files inside longer words, or written backwards.

    "Meier" is in "Meierbefund", and "reieM" is one.
    """
    read, names = _Text(text), tuple(names)
    sure = case_names_in(text, names)
    return tuple(
        Doubt(name, word)
        for name in names
        if name not in sure
        and _is_identifying(name)
        and (
            word := read.word_with(normalised(name))
            or _backwards(normalised(name), read, inside=False)
        )
    )


def _readings(text: str, names: Iterable[str]) -> list[tuple[_Text, bool]]:
    """The text as it is, and where that is another one, with letters taken for Latin ones."""
    found = [(_Text(text), False)]
    if any(_latin(one) != unicodedata.normalize("NFKC", one) for one in (text, *names)):
        found.append((_Text(_latin(text)), True))
    return found


def _forms(name: str, readings: list[tuple[_Text, bool]]) -> Iterator[tuple[_Text, str]]:
    for read, is_latin in readings:
        yield read, normalised(_latin(name) if is_latin else name)


def _latin(text: str) -> str:
    return unicodedata.normalize("NFKC", text).translate(_LOOKALIKES)


def _backwards(name: str, read: _Text, *, inside: bool = True) -> str:
    """The word that is, or holds a long, name written from its end; empty where there is none."""
    turned = name[::-1]
    if len(name) < BACKWARDS or turned == name or turned in _COMMON_WORDS:
        return ""
    words_of = (*read.parts, *read.whole)
    held = inside and len(name) >= INSIDE
    holding = (word for word in words_of if word == turned or (held and turned in word))
    spelled = held and any(_begins(turned, read.parts, start) for start in range(len(read.parts)))
    return next(holding, turned if spelled else "")


def _compound(name: str, read: _Text) -> str:
    """The first longer word with a short name; two letters count at its beginning or end only."""
    for word in (*read.parts, *read.whole):
        inside = name in word if len(name) > SHORTEST else word.startswith(name)
        if word != name and word not in _COMMON_WORDS and (inside or word.endswith(name)):
            return word
    return ""


def _is_identifying(name: str) -> bool:
    plain = normalised(name)
    if set(words(name)) <= _COMMON_WORDS:
        return False
    if any(_is_unseparated(letter) for letter in plain):
        return len(plain) >= SHORTEST
    return len(plain) >= (5 if plain.isdigit() else 4)


def _is_in_unseparated(name: str, read: _Text) -> bool:
    held = any(_is_unseparated(letter) for letter in name)
    return held and len(name) >= SHORTEST and name in read.joined


def _runs(parts: list[str], longest: int) -> list[list[str]]:
    """All sequences of up to ``longest`` neighbouring words."""
    return [
        parts[start:end]
        for start in range(len(parts))
        for end in range(start + 1, min(start + longest, len(parts)) + 1)
    ]


def _occurs(name: str, read: _Text) -> bool:
    if len(name) < SHORTEST:
        return False
    if _is_in_unseparated(name, read):
        return True
    if len(name) >= INSIDE and any(name in word for word in (*read.parts, *read.whole)):
        return True
    return any(_begins(name, read.parts, start) for start in range(len(read.parts)))


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
        free = ending in ("", "s") or ending.isdigit() or len(name) >= INSIDE
        return joined.startswith(name) and free
    return False
