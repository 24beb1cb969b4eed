"""Cards of the networks that users added: a fixed number of places, filled while the page is open.

The components of a page are made once, when the server starts, and networks come and go after that.
So a card has a place instead of a method, and a hidden field that names the method which is in it.
Each open page keeps its own assignment until it is refreshed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import gradio as gr

from enhancers.method import Method
from enhancers.registry import METHODS, SIGMA, UNCLIP, methods
from enhancers.ui.html import piece

PLACES = 8
"""Most added networks on the page; the command line and the API have all of them."""

FIELD_KEY = "{method}__{parameter}"
"""Keyword under which handlers get the value of a field."""

_PLACE = "added{number}"
_FIELDS = {parameter.name: parameter for parameter in (SIGMA, UNCLIP)}


@dataclass(frozen=True, eq=False)
class AddedCard:
    """The components of a place: ``method`` holds the key of the method that is in it."""

    number: int
    group: Any
    method: Any
    chosen: Any
    summary: Any
    fields: Mapping[str, Any]

    @property
    def place(self) -> str:
        """The name of the place, which takes that of a method in keywords."""
        return _PLACE.format(number=self.number)

    def inputs(self) -> dict[str, Any]:
        """The components that describe a run, by their keyword."""
        named = {
            FIELD_KEY.format(method=self.place, parameter=name): field
            for name, field in self.fields.items()
        }
        method = FIELD_KEY.format(method=self.place, parameter="method")
        return {self.place: self.chosen, method: self.method, **named}

    def components(self) -> list[Any]:
        """All components."""
        return [self.group, self.method, self.chosen, self.summary, *self.fields.values()]


@dataclass(frozen=True, eq=False)
class AddedCards:
    """The places and what surrounds them."""

    section: Any
    heading: Any
    cards: Sequence[AddedCard]

    def components(self) -> list[Any]:
        """All components."""
        found = [self.section, self.heading]
        for card in self.cards:
            found += card.components()
        return found

    def inputs(self) -> dict[str, Any]:
        """The components that describe a run, by their keyword."""
        return {name: field for card in self.cards for name, field in card.inputs().items()}

    def updates(self, values: Mapping[str, Any], *, restore: bool = False) -> dict[Any, Any]:
        """Fill the places with the added networks of now.

        Parameters
        ----------
        values : mapping
            Of the fields by their keyword; a network that moves to another place keeps its own.
        restore : bool
            Whether the fields of the page do not have these values yet.
        """
        found = added_methods()
        more = len(found) - PLACES
        remark = f"and {more} more, on the command line and in the API" if more > 0 else ""
        updates: dict[Any, Any] = {
            self.section: gr.update(visible=bool(found)),
            self.heading: heading(remark),
        }
        own = by_method(values)
        for card, method in zip(self.cards, (*found, *[None] * PLACES), strict=False):
            before = values.get(FIELD_KEY.format(method=card.place, parameter="method"), "")
            moved = restore or before != (method.key if method else "")
            updates |= _filled(card, method, own) if moved else {}
        return updates


def added_methods() -> tuple[Method, ...]:
    """The methods that added networks are."""
    return methods()[len(METHODS) :]


def heading(remark: str = "") -> str:
    """The heading of the section."""
    return piece("heading", "Your networks", remark or "added in the Networks tab", "", "")


def build_added_cards() -> AddedCards:
    """Create the section, hidden and empty, inside an open layout."""
    with gr.Column(visible=False, elem_id="added-methods") as section:
        title = gr.HTML(heading(), elem_classes="heading")
        with gr.Column(elem_classes="method-list"):
            cards = [_card(number) for number in range(1, PLACES + 1)]
    return AddedCards(section, title, cards)


def _card(number: int) -> AddedCard:
    place = _PLACE.format(number=number)
    with gr.Group(visible=False, elem_classes="method-card") as group:
        chosen = gr.Checkbox(
            False, label=place, elem_id=f"choose-{place}", elem_classes="method-choice"
        )
        method = gr.Textbox("", visible=False, elem_id=f"method-{place}")
        with gr.Accordion("Parameters", open=False, elem_classes="method-parameters"):
            summary = gr.HTML("")
            sigma = gr.Textbox(
                "", label=SIGMA.label, info=f"{SIGMA.help} Leave empty for automatic.",
                placeholder=f"auto ({SIGMA.low:g} to {SIGMA.high:g})", max_lines=1,
                visible=False, elem_id=f"set-{place}-sigma",
            )  # fmt: skip
            unclip = gr.Checkbox(
                bool(UNCLIP.default), label=UNCLIP.label, info=UNCLIP.help, visible=False,
                elem_id=f"set-{place}-unclip",
            )  # fmt: skip
    return AddedCard(number, group, method, chosen, summary, {"sigma": sigma, "unclip": unclip})


def _filled(card: AddedCard, method: Method | None, own: Mapping[str, Any]) -> dict[Any, Any]:
    """A place with a method, and with the values that the method had in another place."""
    if method is None:
        return {
            card.group: gr.update(visible=False),
            card.method: "",
            card.chosen: gr.update(value=False, info=""),
        }
    names = {parameter.name for parameter in method.parameters}
    updates: dict[Any, Any] = {
        card.group: gr.update(visible=True),
        card.method: method.key,
        card.chosen: gr.update(
            value=bool(own.get(method.key)), label=method.label, info=""
        ),
        card.summary: piece("method_summary", method.summary),
    }  # fmt: skip
    for name, field in card.fields.items():
        default = "" if _FIELDS[name].automatic else _FIELDS[name].default
        value = own.get(FIELD_KEY.format(method=method.key, parameter=name), default)
        updates[field] = gr.update(visible=name in names, value=value)
    return updates


def by_method(values: Mapping[str, Any]) -> dict[str, Any]:
    """The values with the keywords of methods in place of those of places."""
    found = dict(values)
    for number in range(1, PLACES + 1):
        place = _PLACE.format(number=number)
        key = found.pop(FIELD_KEY.format(method=place, parameter="method"), "")
        chosen = found.pop(place, False)
        fields = {
            name: found.pop(keyword)
            for name in _FIELDS
            if (keyword := FIELD_KEY.format(method=place, parameter=name)) in found
        }
        if key and isinstance(key, str):
            found[key] = chosen
            found |= {
                FIELD_KEY.format(method=key, parameter=name): value
                for name, value in fields.items()
            }
    return found


def chosen_added(values: Mapping[str, Any]) -> list[str]:
    """The keys of the added methods that are selected, in the order of their places."""
    found = []
    for number in range(1, PLACES + 1):
        place = _PLACE.format(number=number)
        key = values.get(FIELD_KEY.format(method=place, parameter="method"))
        if key and values.get(place):
            found.append(str(key))
    return found
