"""Headers that are text: MetaImage and NRRD. No text of a file reaches a message."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from enhancers.errors import ImageReadError
from enhancers.method import Modality

_CT = re.compile(r"\bCT\b|COMPUTED TOMOGRAPHY|HOUNSFIELD|\bHU\b")
_MR = re.compile(r"\bMRI?\b|MAGNETIC RESONANCE|\bT[ER]=\d")
_NAMED = re.compile(r"\bMODALITY\W+(?:MET MOD )?(CT|MR)\b")
_MOST_DIMENSIONS = 16


def hint_of(text: str) -> Modality | None:
    """What the free text of a header says of the modality; None for nothing, or for both.

    Examples
    --------
    >>> hint_of("5.0 mm CT abdomen") is Modality.CT
    True
    """
    words = text.upper().replace("_", " ")
    if named := _NAMED.search(words):
        return Modality.CT if named[1] == "CT" else Modality.MR
    found = [kind for kind, mark in ((Modality.CT, _CT), (Modality.MR, _MR)) if mark.search(words)]
    return found[0] if len(found) == 1 else None


def lines_of(head: bytes) -> Iterator[tuple[str, int]]:
    """The complete lines of a text, each with the place of the next one."""
    place = 0
    while (end := head.find(b"\n", place)) >= 0:
        yield head[place:end].decode("latin-1").rstrip("\r"), end + 1
        place = end + 1


@dataclass(frozen=True)
class Fields:
    """The fields of a header.

    Parameters
    ----------
    format : str
        For messages.
    values : mapping of str
    """

    format: str
    values: Mapping[str, str]

    def text(self, name: str) -> str:
        """A value; empty where there is none."""
        return self.values.get(name, "")

    def flag(self, *names: str, default: bool = False) -> bool:
        """Whether the first of these fields that is there is true."""
        stated = next((self.values[name] for name in names if name in self.values), None)
        return default if stated is None else stated[:1].upper() in ("T", "1", "Y")

    def whole(self, name: str, default: int) -> int:
        """A whole number."""
        return self.wholes(name, 1)[0] if name in self.values else default

    def wholes(self, name: str, count: int) -> tuple[int, ...]:
        """So many whole numbers.

        Raises
        ------
        ImageReadError
            The field is missing, or holds something else.
        """
        words = self.text(name).split()
        usable = len(words) == count and all(re.fullmatch(r"[+-]?\d{1,18}", one) for one in words)
        if not usable or not 1 <= count <= _MOST_DIMENSIONS:
            raise self.unusable(name)
        return tuple(int(one) for one in words)

    def numbers(self, name: str, count: int) -> tuple[float, ...] | None:
        """So many finite numbers; None where the field is missing.

        Raises
        ------
        ImageReadError
            The field holds something else.
        """
        if name not in self.values:
            return None
        found = floats(self.values[name])
        if found is None or len(found) != count:
            raise self.unusable(name)
        return found

    def unusable(self, name: str) -> ImageReadError:
        """The error of a field that is missing or damaged."""
        return ImageReadError(
            f"The {self.format} header states no usable {name}; the file is damaged."
        )


def floats(text: str) -> tuple[float, ...] | None:
    """Finite numbers that are separated by spaces; None where there is anything else."""
    try:
        found = tuple(float(one) for one in text.split())
    except ValueError:
        return None
    return found if all(math.isfinite(one) for one in found) else None
