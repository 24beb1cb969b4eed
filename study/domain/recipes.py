"""How the images of a method are made, and the notation for it: ``tv:weight=0.1``."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from pathlib import PurePath

from study.domain.errors import BuildError
from study.domain.terms import MethodKind

MASK = "mask"
"""Name of the value that says where the masks of missing pixels are."""
INPUT = "input"
"""Name of the method that does not change the image."""
UNPROCESSED = "not processed"
"""Group of such a method among the default answers to the blinding question."""


class ImageSource(StrEnum):
    """How the images of a method are made."""

    FILE = "file"
    """They are ready-made files."""
    INPUT = "input"
    """The unchanged image of the case."""
    ENHANCE = "enhance"
    """A method of `enhancers`."""
    DEGRADE = "degrade"
    """A degradation of `enhancers`."""


@dataclass(frozen=True)
class SourceMethod:
    """A method as the coordinator specifies it.

    Parameters
    ----------
    name : str
    kind : MethodKind
    group : str
        Right answer to the blinding question; empty means the usual one, and none for ready-made
        images.
    source : ImageSource
    recipe : str
        Key of the method or degradation.
    values : tuple of (name, value)
        Parameters as text; a degradation has one, "level".
    mask : str
        For a method that fills in missing pixels: the file of their mask, or a folder with one
        file per case; empty for none.
    """

    name: str
    kind: MethodKind = MethodKind.TEST
    group: str = ""
    source: ImageSource = ImageSource.FILE
    recipe: str = ""
    values: tuple[tuple[str, str], ...] = ()
    mask: str = ""


def parse_method(text: str) -> SourceMethod:
    """Parse a method: ``key`` or ``key:name=value,name=value``.

    ``mask=PATH`` among the values is no parameter, but where the masks are. The method's name has
    only the last part of the path.
    """
    key, _, rest = text.strip().partition(":")
    key = key.strip()
    if key == INPUT and not rest:
        return SourceMethod(INPUT, source=ImageSource.INPUT)
    values: list[tuple[str, str]] = []
    for pair in filter(None, (part.strip() for part in rest.split(","))):
        name, equals, value = (part.strip() for part in pair.partition("="))
        if not (name and equals and value):
            raise BuildError(f"{pair!r} in {text!r} is not name=value, as in tv:weight=0.1.")
        values.append((name, value))
    if not key:
        raise BuildError(f"{text!r} names no method; give one such as nlm or tv:weight=0.1.")
    masks = [value for name, value in values if name == MASK]
    if len(masks) > 1:
        raise BuildError(f"{text!r} names {len(masks)} masks; give one file or one folder.")
    name, mask = text.strip(), "".join(masks)
    if mask:
        shown = [(one, PurePath(mask).name if one == MASK else value) for one, value in values]
        name = f"{key}:{','.join(f'{one}={value}' for one, value in shown)}"
    return SourceMethod(
        name,
        source=ImageSource.ENHANCE,
        recipe=key,
        values=tuple(pair for pair in values if pair[0] != MASK),
        mask=mask,
    )


def parse_anchor(text: str) -> SourceMethod:
    """Parse a degradation: ``kind:level``."""
    kind, colon, level = (part.strip() for part in text.partition(":"))
    if not (kind and colon and level):
        raise BuildError(f"{text!r} is not a degradation with its level, as in blur:3.")
    values = (("level", level),)
    name = text.strip()
    return SourceMethod(name, MethodKind.ANCHOR, "", ImageSource.DEGRADE, kind, values)
