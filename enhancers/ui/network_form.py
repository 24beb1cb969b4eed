"""The form that adds a network: its fields, and the import that they describe."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import gradio as gr

from enhancers.errors import ParameterError
from enhancers.networks.catalog import NETWORKS
from enhancers.networks.entry import Embedded
from enhancers.networks.identify import NetworkImport
from enhancers.ui.html import fill

UNKNOWN = ""
"""Value of the field "The file is" for a network that is not in the catalogue, or not known."""

_UNSPECIFIED = ("Not specified", "")
_FIELDS = {
    "--head-channels": "'Channels per attention head'",
    "--qkv-order": "'Order of the attention rows'",
    "--schedule": "'Noise schedule'",
    "--native": "'Size of the training images'",
    "--tiles": "'Trained on'",
    "--licence": "'Licence'",
    "--label": "'Name on the page'",
    "--key": "'Short name'",
    "--like": "'The file is'",
}
"""The page's field for each option of the command line."""


@dataclass(frozen=True, eq=False)
class NetworkForm:
    """The fields that describe a network to be added."""

    upload: Any
    path: Any
    facts: Any
    like: Any
    heads: Any
    order: Any
    key: Any
    label: Any
    native: Any
    tiles: Any
    schedule: Any
    licence: Any
    add: Any

    def inputs(self) -> dict[str, Any]:
        """The fields by their keyword."""
        return {
            "upload": self.upload, "path": self.path, "like": self.like, "heads": self.heads,
            "order": self.order, "key": self.key, "label": self.label, "native": self.native,
            "tiles": self.tiles, "schedule": self.schedule, "licence": self.licence,
        }  # fmt: skip


def build_form(max_bytes: int) -> NetworkForm:
    """Create the form; ``max_bytes`` is the largest upload."""
    entries = [entry for entry in NETWORKS if not isinstance(entry.source, Embedded)]
    known = [
        ("Another network, or not known", UNKNOWN),
        *((each.label, each.key) for each in entries),
    ]
    with gr.Column(elem_id="network-add"):
        gr.HTML(fill("network_add.html"))
        with gr.Row(equal_height=True, elem_classes="network-sources"):
            upload = gr.File(
                label="Checkpoint", file_count="single", elem_id="network-upload", height=76,
                show_label=False,
            )  # fmt: skip
            with gr.Column(min_width=260):
                path = gr.Textbox(
                    label="Or a path on the machine that runs this page",
                    info=f"For a folder, or a file larger than {max_bytes / 1e6:g} MB.",
                    placeholder="/data/256x256_diffusion_uncond.pt", max_lines=1,
                    elem_id="network-path",
                )  # fmt: skip
        with gr.Accordion(
            "What the file does not specify (only where it is needed)", open=False,
            elem_id="network-facts",
        ) as facts:  # fmt: skip
            fields = _build_facts(known)
        add = gr.Button("Add", variant="primary", elem_id="network-go", min_width=120)
    return NetworkForm(upload=upload, path=path, facts=facts, add=add, **fields)


def _build_facts(known: Sequence[tuple[str, str]]) -> dict[str, Any]:
    """Fields for what a checkpoint does not specify."""
    fields: dict[str, Any] = {}
    with gr.Row():
        fields["like"] = _choice(
            "like", "The file is", known, "Of these networks everything else is known."
        )
        fields["heads"] = _text(
            "heads", "Channels per attention head", "64", "0: a single head; 64: OpenAI's networks."
        )
        orders = [("Legacy (the default)", "legacy"), ("New (use_new_attention_order)", "new")]
        fields["order"] = _choice(
            "order", "Order of the attention rows", [_UNSPECIFIED, *orders],
            "For a checkpoint with several heads.",
        )  # fmt: skip
    with gr.Row():
        fields["label"] = _text("label", "Name on the page", "the file's name")
        fields["key"] = _text("key", "Short name", "the file's name: a-z, 0-9, -")
        fields["licence"] = _text("licence", "Licence", "under which it was published")
    with gr.Row():
        fields["native"] = _text("native", "Size of the training images", "256")
        areas = [("Entire images", "whole"), ("Crops: suited for tiles", "tiles")]
        fields["tiles"] = _choice("tiles", "Trained on", [_UNSPECIFIED, *areas])
        schedules = [
            ("Linear", "linear"), ("Scaled linear", "scaled_linear"),
            ("Cosine", "squaredcos_cap_v2"),
        ]  # fmt: skip
        fields["schedule"] = _choice("schedule", "Noise schedule", [_UNSPECIFIED, *schedules])
    return fields


def _text(name: str, label: str, placeholder: str, info: str | None = None) -> Any:
    return gr.Textbox(
        label=label, placeholder=placeholder, info=info, max_lines=1, elem_id=f"network-{name}",
        min_width=160,
    )  # fmt: skip


def _choice(
    name: str, label: str, choices: Sequence[tuple[str, str]], info: str | None = None
) -> Any:
    """A dropdown whose first choice is selected."""
    return gr.Dropdown(
        choices, value=choices[0][1], label=label, info=info, filterable=False,
        elem_id=f"network-{name}", min_width=160,
    )  # fmt: skip


def network_import(values: dict[str, Any]) -> NetworkImport:
    """The import that the form describes.

    Raises
    ------
    ParameterError
        There is neither a file nor a path, or a number is not an integer.
    """
    texts = {name: str(values.get(name) or "").strip() for name in values}
    path = texts.get("upload") or texts.get("path")
    if not path:
        raise ParameterError("There is nothing to add yet: drop a checkpoint or enter a path.")
    tiles = {"tiles": True, "whole": False}.get(texts["tiles"])
    return NetworkImport(
        path=Path(path),
        key=texts["key"] or None,
        label=texts["label"] or None,
        like=texts["like"] or None,
        head_channels=_as_int("--head-channels", texts["heads"]),
        qkv_order=values["order"] or None,
        schedule=values["schedule"] or None,
        native=_as_int("--native", texts["native"]),
        tiles=tiles,
        licence=texts["licence"] or None,
    )


def with_field_names(sentence: str) -> str:
    """Replace options of the command line by the page's fields in a message.

    A command that is to be copied keeps its options.
    """
    return re.sub(
        r"python -m .*?(?=\. |\.?$)|--[a-z]+(-[a-z]+)*",
        lambda found: _FIELDS.get(found[0], found[0]), sentence,
    )  # fmt: skip


def _as_int(option: str, text: str) -> int | None:
    if not text:
        return None
    if not text.isdecimal() or len(text) > 6:
        raise ParameterError(f"{_FIELDS[option]} is {text[:40]!r}; give an integer.")
    return int(text)
