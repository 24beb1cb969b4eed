"""The texts of the readers' pages in the language of a study.

English and German are shipped in ``assets/reader_texts``. A protocol names the language and may
replace single texts, or all of them for another language; what it leaves out is English there.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from functools import cache
from types import MappingProxyType

from enhancers.asset_files import ASSETS, asset_text
from study.domain.entries import is_storable
from study.domain.errors import ProtocolError

ENGLISH = "en"
LONGEST = 1000
"""Most characters of a text."""
_FOLDER = "reader_texts"
_SHOWN = ("single.", "ranking.")
"""Prefixes of the texts for what is shown in place of pairs."""
_LANGUAGE = re.compile(r"[a-z]{2,3}(-[A-Za-z0-9]{2,8})*")
_PLURAL = re.compile(r"(.+)\.(zero|one|two|few|many|other)")
_FIELD = re.compile(r"\{(\w+)\}")


@cache
def languages() -> tuple[str, ...]:
    """Codes (BCP 47) of the languages whose texts are shipped, English first."""
    found = {path.stem for path in (ASSETS / _FOLDER).glob("*.json")}
    return (ENGLISH, *sorted(found - {ENGLISH}))


@cache
def shipped_texts(language: str) -> Mapping[str, str]:
    """The texts that come with the program, by name; empty for a language that is not shipped."""
    if language not in languages():
        return MappingProxyType({})
    return MappingProxyType(json.loads(asset_text(f"{_FOLDER}/{language}.json")))


def reader_texts(language: str, changed: Mapping[str, str], shown: str = "") -> dict[str, str]:
    """All texts of a study's pages, by name.

    Parameters
    ----------
    language : str
        BCP 47 code.
    changed : mapping
        The protocol's own texts, by name.
    shown : str
        What is shown at a time: of "single" a text ``single.NAME`` takes the place of ``NAME``.
    """
    found: dict[str, str] = {}
    for layer in (shipped_texts(ENGLISH), shipped_texts(language), changed):
        found |= {name: text for name, text in layer.items() if not name.startswith(_SHOWN)}
        prefix = f"{shown}."
        own = {name: text for name, text in layer.items() if name.startswith(prefix)}
        if prefix in _SHOWN:
            found |= {name.removeprefix(prefix): text for name, text in own.items()}
    return found


def check_texts(language: str, changed: Mapping[str, str]) -> None:
    """Raise ProtocolError where a language or a text cannot be shown.

    A text must have a known name and the fields in braces of the English text, such as ``{n}``;
    names for plurals may have any form of Unicode CLDR, such as ``ready.pairs.few``.
    """
    if not _LANGUAGE.fullmatch(language):
        raise ProtocolError(f"language={language!r} is not a code such as en, de or pt-BR.")
    if not isinstance(changed, Mapping):
        raise ProtocolError(f"texts={changed!r} must be an object in braces of names and texts.")
    english = shipped_texts(ENGLISH)
    for name, text in changed.items():
        plural = _PLURAL.fullmatch(name)
        model = english.get(name) or (english.get(f"{plural[1]}.other") if plural else None)
        if model is None:
            raise ProtocolError(
                f"texts has {name!r}, which no page shows: `texts` prints the names there are."
            )
        if not isinstance(text, str) or not 0 < len(text.strip()) <= LONGEST:
            raise ProtocolError(f"The text {name!r} needs 1 to {LONGEST} characters.")
        if not is_storable(text):
            raise ProtocolError(f"The text {name!r} has characters that are no text: {text!r}.")
        if extra := set(_FIELD.findall(text)) - set(_FIELD.findall(model)):
            raise ProtocolError(
                f"The text {name!r} has the fields {', '.join(sorted(extra))}, which the page does "
                f"not fill in. The English text is: {model}"
            )


def plural_name(name: str, n: int) -> str:
    """The name of the form of a text for a number, as English and German count."""
    return f"{name}.{'one' if n == 1 else 'other'}"
