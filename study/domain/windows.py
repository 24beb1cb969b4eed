"""The display windows that readers may choose among, where the protocol lists them.

A window holds for cases whose source states its units, such as HU for CT; other cases are shown at
their full range. All images of a screen have the same window.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from study.domain.entries import is_storable, made_from, object_of
from study.domain.errors import ProtocolError

HOUNSFIELD = "HU"
LONGEST_LABEL = 40
"""Characters of the label of a window."""
MOST_WINDOWS = 12
_FINEST = 65535
"""The 16-bit gray level of the upper end of a case's window."""


@dataclass(frozen=True)
class DisplayWindow:
    """A window, by its level and width in source units.

    Parameters
    ----------
    label : str
        What readers see.
    level, width : float
    units : str
        As the files state them.
    """

    label: str
    level: float
    width: float
    units: str = HOUNSFIELD


NAMED: Mapping[str, DisplayWindow] = {
    "soft-tissue": DisplayWindow("Soft tissue", 40, 400),
    "lung": DisplayWindow("Lung", -600, 1500),
    "bone": DisplayWindow("Bone", 300, 1500),
    "brain": DisplayWindow("Brain", 40, 80),
    "liver": DisplayWindow("Liver", 60, 160),
}
"""The usual windows of CT, which a protocol lists by name: those of `enhancers.display.PRESETS`,
which would bring the programs of an image into the reader's path."""
WHOLE = {"full": "Full range", "auto": "Auto (1-99 %)"}
"""Windows that follow from the image of the case, by name, with their labels."""
Listed = str | DisplayWindow
"""A window as a protocol has it: by name or in full."""


def window_from(entry: Any) -> Listed:
    """A window from its entry in a protocol: a name, or an object.

    Raises
    ------
    ProtocolError
        There is no such window, or it is not possible.
    """
    if isinstance(entry, str):
        if entry not in NAMED and entry not in WHOLE:
            raise ProtocolError(
                f"windows has {entry!r}: choose from {', '.join((*WHOLE, *NAMED))}, or give an "
                "object with label, level, width and units."
            )
        return entry
    return made_from(object_of(entry, "window", DisplayWindow), "window", DisplayWindow)


def plain_window(window: Listed) -> str | dict[str, Any]:
    """Its entry in a protocol."""
    return window if isinstance(window, str) else asdict(window)


def label_of(window: Listed) -> str:
    """What readers see of a window."""
    if isinstance(window, str):
        return WHOLE[window] if window in WHOLE else NAMED[window].label
    return window.label


def check_windows(windows: Sequence[Listed]) -> None:
    """Raise ProtocolError for windows that are not possible, or that readers cannot tell apart."""
    if len(windows) > MOST_WINDOWS:
        raise ProtocolError(f"There are {len(windows)} windows: list at most {MOST_WINDOWS}.")
    for one in windows:
        if isinstance(one, str):
            window_from(one)
            continue
        texts = all(isinstance(text, str) and is_storable(text) for text in (one.label, one.units))
        numbers = all(
            isinstance(number, int | float) and not isinstance(number, bool) and abs(number) < 1e9
            for number in (one.level, one.width)
        )
        if not texts or not numbers or not 0 < len(one.label.strip()) <= LONGEST_LABEL:
            raise ProtocolError(
                f"The window {one.label!r} needs a label of 1 to {LONGEST_LABEL} characters, a "
                "level and a width, and units as the files state them."
            )
        if one.width <= 0 or not one.units:
            raise ProtocolError(
                f"The window {one.label!r} needs a width above 0 and units such as {HOUNSFIELD}."
            )
    labels = [label_of(one) for one in windows]
    if len(set(labels)) < len(labels):
        raise ProtocolError(f"Two windows have the same label: {', '.join(labels)}.")


def presets_of(case: Mapping[str, Any], windows: Sequence[Listed]) -> list[dict[str, Any]]:
    """The windows of a case for the page, in the order of the protocol; the first is shown first.

    Parameters
    ----------
    case : mapping
        ``window``, ``units`` and ``presets`` as they are stored with the case (`Item.window_json`).
    windows : sequence of str or DisplayWindow
        Empty for all that are stored with the case.

    Returns
    -------
    list of dict
        ``label``, and ``levels``: the 16-bit gray levels that are black and white. The full range
        where no window fits: it has other units, or most of it is outside of the case's.
    """
    stored: list[dict[str, Any]] = list(case["presets"])
    if not windows:
        return stored
    first, last = case["window"]
    found = []
    for one in windows:
        if one in WHOLE:
            found += [preset for preset in stored if preset["label"] == label_of(one)]
            continue
        wanted = NAMED[one] if isinstance(one, str) else one
        if wanted.units == case["units"] and (levels := _levels(wanted, first, last)):
            found.append({"label": wanted.label, "levels": list(levels)})
    return found or stored[:1]


def fits(case: Mapping[str, Any], windows: Sequence[Listed]) -> bool:
    """Whether a case can be shown in all of the windows."""
    shown = [preset["label"] for preset in presets_of(case, windows)]
    return not windows or shown == [label_of(one) for one in windows]


def _levels(wanted: DisplayWindow, first: float, last: float) -> tuple[int, int] | None:
    """The levels of a window; None where more than half of it is outside of the case's.

    The case's window is from ``first`` (black) to ``last`` (white), which may be below.
    """
    low, high = wanted.level - wanted.width / 2, wanted.level + wanted.width / 2
    if min(high, max(first, last)) - max(low, min(first, last)) < wanted.width / 2:
        return None
    ends = (low, high) if first < last else (high, low)
    black, white = (round((end - first) * _FINEST / (last - first)) for end in ends)
    return black, max(black + 1, white)


def described(windows: Sequence[Listed]) -> str:
    """The windows in words, such as "Lung (level -600, width 1500 HU), Full range"."""
    words = []
    for one in windows:
        wanted = NAMED.get(one) if isinstance(one, str) else one
        sizes = (
            ""
            if wanted is None
            else (f" (level {wanted.level:g}, width {wanted.width:g} {wanted.units})")
        )
        words.append(f"{label_of(one)}{sizes}")
    return ", ".join(words)
