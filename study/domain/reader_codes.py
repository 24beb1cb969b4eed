"""Codes of readers: R01, R02, ..., or those that a coordinator chooses."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Collection, Sequence

from study.domain.errors import ProtocolError
from study.domain.formatting import plural

LONGEST = 20
_CODE = re.compile(rf"[^\W_][\w.-]{{0,{LONGEST - 1}}}")
_LABEL = re.compile(r"[CMP]\d+")
"""Labels of cases, methods and patients."""
_NUMBERED = re.compile(r"R(\d+)")


def normalised_code(code: str) -> str:
    """A code as it is stored: upper case, without spaces around it, and composed (NFKC)."""
    return unicodedata.normalize("NFKC", code.strip().upper())


def checked_code(code: str, taken: Collection[str]) -> str:
    """A chosen code as it is stored.

    Parameters
    ----------
    code : str
    taken : collection of str
        The codes of the study's readers.

    Raises
    ------
    ProtocolError
        It is not possible, looks like the label of a case, a patient or a method, or is taken.
    """
    found = normalised_code(code)
    if not _CODE.fullmatch(found):
        raise ProtocolError(
            f"The reader code {code!r} is not possible: use 1 to {LONGEST} letters, digits, dots, "
            "hyphens or underscores, beginning with a letter or a digit."
        )
    if _LABEL.fullmatch(found):
        raise ProtocolError(
            f"The reader code {found} looks like the label of a case, a patient or a method (C1, "
            "P1, M1): choose another one."
        )
    if found in taken:
        raise ProtocolError(f"There is a reader {found} already: choose another code.")
    return found


def checked_codes(codes: Sequence[str], readers: int) -> tuple[str, ...]:
    """The codes of all readers of a study: the chosen ones, or R01, R02, ... where there are none.

    Raises
    ------
    ProtocolError
        A code is not possible, or their number is not that of the readers.
    """
    if not codes:
        width = max(2, len(str(readers)))
        return tuple(f"R{place:0{width}d}" for place in range(1, readers + 1))
    if len(codes) != readers:
        raise ProtocolError(
            f"{plural(len(codes), 'code')} of readers given for {plural(readers, 'reader')}: give "
            "one for each, or none."
        )
    found: list[str] = []
    for code in codes:
        found.append(checked_code(code, found))
    return tuple(found)


def next_code(taken: Collection[str]) -> str:
    """The code after the highest of R01, R02, ..."""
    numbered = [found for code in taken if (found := _NUMBERED.fullmatch(code))]
    width = max((len(one[1]) for one in numbered), default=2)
    return f"R{max((int(one[1]) for one in numbered), default=0) + 1:0{width}d}"
