"""Results of this program, which say what their values are."""

from __future__ import annotations

from dataclasses import replace

from enhancers.image import NamedWindow
from enhancers.load.raw import RawSlice
from enhancers.method import Modality
from enhancers.stated_facts import read_facts

_NAME = "Window of the result"


def as_stated(raw: RawSlice, text: str) -> RawSlice:
    """The slice with the units, window and modality that a text of its file states, if it does.

    A window that the file states in numbers is more exact, and stays.
    """
    facts = read_facts(text)
    if facts is None:
        return raw
    return replace(
        raw,
        units=facts.units,
        modality=None if facts.modality is Modality.OTHER else facts.modality,
        windows=raw.windows or (NamedWindow(_NAME, facts.window.turned(inverted=False)),),
        inverted=facts.window.inverted,
        spacing=raw.spacing or facts.spacing,
    )
