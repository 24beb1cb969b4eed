"""A method's settings as components, generated from the registry."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import gradio as gr

from enhancers.method import Method, Modality, Parameter, ParameterValue
from enhancers.networks.entry import Kind
from enhancers.networks.installed import states
from enhancers.registry import METHODS, resolve

NAME = "{method}__{parameter}"
"""The keyword under which a field's value reaches a handler."""


@dataclass(frozen=True)
class MethodCard:
    """The components of one method: the box that chooses it and a field a parameter."""

    method: Method
    chosen: Any
    fields: Mapping[str, Any]

    def inputs(self) -> dict[str, Any]:
        """Keyword and component of everything on the card."""
        named = {
            NAME.format(method=self.method.key, parameter=name): field
            for name, field in self.fields.items()
        }
        return {self.method.key: self.chosen, **named}


def method_card(method: Method, *, chosen: bool, missing: str = "") -> MethodCard:
    """Draw a method: checkbox, and its parameters folded below.

    Parameters
    ----------
    method : Method
    chosen : bool
        Whether it starts ticked.
    missing : str
        Why it cannot run on this machine; empty when it can.
    """
    defaults = resolve(method.key, Modality.OTHER)
    plain = [parameter for parameter in method.parameters if not parameter.advanced]
    advanced = [parameter for parameter in method.parameters if parameter.advanced]
    fields: dict[str, Any] = {}
    with gr.Group(elem_classes="method-card"):
        box = gr.Checkbox(
            chosen and not missing,
            label=method.label,
            info=missing or method.summary,
            interactive=not missing,
            elem_id=f"choose-{method.key}",
            elem_classes="method-choice",
        )
        with gr.Accordion("Parameters", open=False, elem_classes="method-parameters"):
            for parameter in plain:
                fields[parameter.name] = field(method, parameter, defaults[parameter.name])
            if advanced:
                with gr.Accordion("Advanced", open=False, elem_classes="method-advanced"):
                    for parameter in advanced:
                        fields[parameter.name] = field(method, parameter, defaults[parameter.name])
    return MethodCard(method, box, fields)


def field(method: Method, parameter: Parameter, value: ParameterValue) -> Any:
    """The component of one parameter; an automatic one is empty and says "auto".

    Ranges are checked by the registry when the value is used, so that its message is shown.
    """
    label = f"{parameter.label} ({parameter.unit})" if parameter.unit else parameter.label
    common = {
        "label": label,
        "info": parameter.help or None,
        "elem_id": f"set-{method.key}-{parameter.name}",
    }
    if parameter.kind == "bool":
        return gr.Checkbox(value, **common)
    if parameter.kind == "prior":
        choices = prior_choices(method.prior) if method.prior else []
        return gr.Dropdown(choices, value=value, filterable=False, **common)
    if parameter.kind == "choice":
        return gr.Dropdown(list(parameter.choices), value=value, filterable=False, **common)
    if parameter.automatic:
        common["info"] = f"{parameter.help} Empty: automatic.".strip()
        # A text field, because a number field has no way to show that it is empty.
        hint = f"auto ({parameter.low:g} to {parameter.high:g})"
        return gr.Textbox(shown(parameter, value), placeholder=hint, max_lines=1, **common)
    precision = 0 if parameter.kind == "int" else None
    return gr.Slider(
        parameter.low,
        parameter.high,
        value=value,
        step=parameter.step,
        precision=precision,
        **common,
    )


def prior_choices(kind: Kind) -> list[tuple[str, str]]:
    """Label and key of every network of a kind; those that are not here say so."""
    return [
        (state.entry.label + ("" if state.status == "present" else " (not here)"), state.key)
        for state in states()
        if state.entry is not None and state.kind == kind
    ]


def shown(parameter: Parameter, value: ParameterValue) -> ParameterValue:
    """A value as its field holds it: automatic is an empty text."""
    if not parameter.automatic:
        return value
    return "" if value is None else f"{value:g}"


def _entered(parameter: Parameter, raw: Any) -> ParameterValue:
    """What a field holds as the registry takes it."""
    blank = raw is None or (isinstance(raw, str) and not raw.strip())
    return None if blank and parameter.automatic else raw


def chosen_methods(values: Mapping[str, Any]) -> list[Method]:
    """The ticked methods, in the registry's order."""
    return [method for method in METHODS if values.get(method.key)]


def given(method: Method, values: Mapping[str, Any]) -> dict[str, ParameterValue]:
    """A method's settings out of a handler's keywords, checked.

    Raises
    ------
    ParameterError
        With the method's label in front, since several methods are on the page.
    """
    found = {
        parameter.name: _entered(parameter, values[name])
        for parameter in method.parameters
        if (name := NAME.format(method=method.key, parameter=parameter.name)) in values
    }
    return resolve(method.key, Modality.OTHER, found)


def follow_preset(
    old: Modality, new: Modality, values: Mapping[str, Any]
) -> dict[str, ParameterValue]:
    """The fields that change when the modality does: those still at the old modality's preset.

    Returns
    -------
    dict
        New value by keyword. What a user has edited is not among them.
    """
    changes: dict[str, ParameterValue] = {}
    for method in METHODS:
        before, after = resolve(method.key, old), resolve(method.key, new)
        for parameter in method.parameters:
            keyword = NAME.format(method=method.key, parameter=parameter.name)
            former, value = (shown(parameter, found[parameter.name]) for found in (before, after))
            if former != value and values.get(keyword) == former:
                changes[keyword] = value
    return changes
