"""The parameters of the methods as components, generated from the registry."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import gradio as gr

from enhancers.errors import ParameterError
from enhancers.method import Method, Modality, Parameter, ParameterValue
from enhancers.networks.entry import Kind
from enhancers.networks.installed import states
from enhancers.registry import METHODS, get, resolve
from enhancers.ui.added_cards import FIELD_KEY, by_method, chosen_added
from enhancers.ui.html import piece
from enhancers.ui.numbers import plain_number

NO_NETWORK = "no network"
"""In the place of the expected time of a method that cannot run on this machine."""

COLOUR = (Modality.FUNDUS, Modality.ENDOSCOPY, Modality.MICROSCOPY)
"""The modalities of colour photographs, for which UniMIE restores the exposure."""


@dataclass(frozen=True)
class MethodCard:
    """The components of one method: its checkbox and a field per parameter."""

    method: Method
    chosen: Any
    fields: Mapping[str, Any]

    def inputs(self) -> dict[str, Any]:
        """The components of the card by their keyword."""
        named = {
            FIELD_KEY.format(method=self.method.key, parameter=name): field
            for name, field in self.fields.items()
        }
        return {self.method.key: self.chosen, **named}


def method_card(method: Method, *, chosen: bool, missing: str = "") -> MethodCard:
    """Create the card of a method: checkbox with the expected time, collapsed parameters.

    Parameters
    ----------
    method : Method
    chosen : bool
        Whether it is selected at first.
    missing : str
        Why it cannot run on this machine; empty where it can.
    """
    defaults = resolve(method.key, Modality.OTHER)
    plain = [parameter for parameter in method.parameters if not parameter.advanced]
    advanced = [parameter for parameter in method.parameters if parameter.advanced]
    fields: dict[str, Any] = {}
    with gr.Group(elem_classes="method-card"):
        box = gr.Checkbox(
            chosen and not missing,
            label=method.label,
            info=NO_NETWORK if missing else None,
            interactive=not missing,
            elem_id=f"choose-{method.key}",
            elem_classes="method-choice",
        )
        with gr.Accordion("Parameters", open=False, elem_classes="method-parameters"):
            gr.HTML(piece("method_summary", missing or method.summary))
            for parameter in plain:
                fields[parameter.name] = parameter_field(
                    method, parameter, defaults[parameter.name]
                )
            if advanced:
                with gr.Accordion("Advanced", open=False, elem_classes="method-advanced"):
                    for parameter in advanced:
                        fields[parameter.name] = parameter_field(
                            method, parameter, defaults[parameter.name]
                        )
    return MethodCard(method, box, fields)


def parameter_field(method: Method, parameter: Parameter, value: ParameterValue) -> Any:
    """The component of one parameter; an automatic parameter is an empty text field.

    The registry checks ranges when the value is used, so that its message is shown.
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
        common["info"] = f"{parameter.help} Leave empty for automatic.".strip()
        # A text field, because a number field cannot be empty.
        hint = f"auto ({parameter.low:g} to {parameter.high:g})"
        return gr.Textbox(field_value(parameter, value), placeholder=hint, max_lines=1, **common)
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
    """Label and key of every network of a kind, marked where it is not installed."""
    return [
        (state.entry.label + ("" if state.status == "present" else " (not installed)"), state.key)
        for state in states()
        if state.entry is not None and state.kind == kind
    ]


def field_value(parameter: Parameter, value: ParameterValue) -> ParameterValue:
    """The content of a field for a value: an empty text for automatic."""
    if not parameter.automatic:
        return value
    return "" if value is None else f"{value:g}"


def _parsed(parameter: Parameter, raw: Any) -> ParameterValue:
    """The value of a field's content: None for an empty automatic parameter."""
    if raw is not None and not isinstance(raw, str | int | float):
        raise ParameterError(
            f"{parameter.name} is a {type(raw).__name__}; give {parameter.expects()}."
        )
    if isinstance(raw, str) and parameter.kind in ("int", "float"):
        raw = plain_number(raw)
    blank = raw is None or (isinstance(raw, str) and not raw.strip())
    return None if blank and parameter.automatic else raw


def chosen_methods(values: Mapping[str, Any]) -> list[Method]:
    """The selected methods, in the order of the registry.

    Raises
    ------
    UnknownMethod
        An added network that was selected has been removed since.
    """
    added = [get(key) for key in chosen_added(values)]
    return [*(method for method in METHODS if values.get(method.key)), *added]


def parameter_values(method: Method, values: Mapping[str, Any]) -> dict[str, ParameterValue]:
    """The checked parameters of a method from a handler's keywords.

    Raises
    ------
    ParameterError
        A value is out of range or of the wrong type.
    """
    values = by_method(values)
    found = {
        parameter.name: _parsed(parameter, values[name])
        for parameter in method.parameters
        if (name := FIELD_KEY.format(method=method.key, parameter=parameter.name)) in values
    }
    return resolve(method.key, Modality.OTHER, found)


def selected_at_first(modality: Modality, *, spine: bool = False) -> tuple[str, ...]:
    """Keys of the methods that are selected for a modality: the pipeline, and a few made for it.

    For a ``spine`` at several depths, the method that makes one image of them, and a filter.
    """
    if spine:
        return ("srad", "morphology")
    suited = ("unimie",) if modality in COLOUR else ("denoiser", "pseudo_label", "null_space")
    return ("classical", *(key for key in suited if modality in get(key).modalities))


def preset_changes(
    old: Modality, new: Modality, values: Mapping[str, Any], *, spine: bool = False
) -> dict[str, ParameterValue]:
    """New values by keyword for a change of modality; fields that the user edited are left out.

    The selection of the methods is one choice: a user who has changed it keeps all of it. ``spine``
    is as for `selected_at_first`, of the new image.
    """
    changes: dict[str, ParameterValue] = {}
    chosen = {method.key for method in METHODS if values.get(method.key)} | {*chosen_added(values)}
    if chosen in [set(selected_at_first(old, spine=former)) for former in (False, True)]:
        keys = set(selected_at_first(new, spine=spine))
        changes.update((key, key in keys) for key in chosen ^ keys)
    for method in METHODS:
        before, after = resolve(method.key, old), resolve(method.key, new)
        for parameter in method.parameters:
            keyword = FIELD_KEY.format(method=method.key, parameter=parameter.name)
            former, value = (
                field_value(parameter, found[parameter.name]) for found in (before, after)
            )
            if former != value and values.get(keyword) == former:
                changes[keyword] = value
    return changes
