"""The form that adds a network: its fields, and what is read from them."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import gradio as gr

from enhancers.errors import ParameterError
from enhancers.networks.catalog import NETWORKS, Embedded
from enhancers.networks.identify import NetworkImport
from enhancers.ui.html import fill

UNKNOWN = ""
"""Value of the field that says which network of the catalogue a file is: none, or not known."""

# The page has fields where the command line has options.
_FIELDS = {
    "--head-channels": "'Channels of an attention head'",
    "--qkv-order": "'Order of the attention's rows'",
    "--schedule": "'Noise schedule'",
    "--native": "'Side of its training images'",
    "--tiles": "'Trained on'",
    "--licence": "'Licence'",
    "--label": "'Name on the page'",
    "--key": "'Short name'",
    "--like": "'The file is'",
}


@dataclass(frozen=True, eq=False)
class Form:
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
        """Keyword and component of everything that is typed."""
        return {
            "upload": self.upload, "path": self.path, "like": self.like, "heads": self.heads,
            "order": self.order, "key": self.key, "label": self.label, "native": self.native,
            "tiles": self.tiles, "schedule": self.schedule, "licence": self.licence,
        }  # fmt: skip


def draw_form(cap: int) -> Form:
    """Draw the form; ``cap`` is the largest upload in bytes."""
    entries = [entry for entry in NETWORKS if not isinstance(entry.source, Embedded)]
    known = [("Another, or I do not know", UNKNOWN), *((each.label, each.key) for each in entries)]
    with gr.Column(elem_id="network-add"):
        gr.HTML(fill("network_add.html"))
        with gr.Row(equal_height=True, elem_classes="network-sources"):
            upload = gr.File(
                label="A checkpoint", file_count="single", elem_id="network-upload", height=76,
                show_label=False,
            )  # fmt: skip
            with gr.Column(min_width=260):
                path = gr.Textbox(
                    label="Or a path on the computer that runs this page",
                    info=f"For a folder, or a file of more than {cap / 1e6:g} MB.",
                    placeholder="/data/256x256_diffusion_uncond.pt", max_lines=1,
                    elem_id="network-path",
                )  # fmt: skip
        with gr.Accordion(
            "What the file does not tell (asked for when it is needed)", open=False,
            elem_id="network-facts",
        ) as facts:  # fmt: skip
            fields = _draw_facts(known)
        add = gr.Button("Add", variant="primary", elem_id="network-go", min_width=120)
    return Form(upload=upload, path=path, facts=facts, add=add, **fields)


def _draw_facts(known: Sequence[tuple[str, str]]) -> dict[str, Any]:
    fields: dict[str, Any] = {}
    with gr.Row():
        fields["like"] = gr.Dropdown(
            known, value=UNKNOWN, label="The file is", filterable=False, elem_id="network-like",
            info="Of these, nothing more has to be said.", min_width=200,
        )  # fmt: skip
        fields["heads"] = gr.Textbox(
            label="Channels of an attention head", placeholder="64", max_lines=1,
            info="0: one head. OpenAI's networks: 64.", elem_id="network-heads", min_width=160,
        )  # fmt: skip
        fields["order"] = gr.Dropdown(
            [("Not told", ""), ("Legacy (the default there)", "legacy"),
             ("New (use_new_attention_order)", "new")],
            value="", label="Order of the attention's rows", filterable=False,
            info="Of a checkpoint with several heads.", elem_id="network-order", min_width=200,
        )  # fmt: skip
    with gr.Row():
        fields["label"] = gr.Textbox(
            label="Name on the page", placeholder="as the file", max_lines=1,
            elem_id="network-label", min_width=160,
        )  # fmt: skip
        fields["key"] = gr.Textbox(
            label="Short name", placeholder="as the file: a-z, 0-9, -", max_lines=1,
            elem_id="network-key", min_width=160,
        )  # fmt: skip
        fields["licence"] = gr.Textbox(
            label="Licence", placeholder="under which you have it", max_lines=1,
            elem_id="network-licence", min_width=160,
        )  # fmt: skip
    with gr.Row():
        fields["native"] = gr.Textbox(
            label="Side of its training images", placeholder="256", max_lines=1,
            elem_id="network-native", min_width=160,
        )  # fmt: skip
        fields["tiles"] = gr.Dropdown(
            [("Not told", ""), ("Whole images", "whole"), ("Crops: it may see tiles", "tiles")],
            value="", label="Trained on", filterable=False, elem_id="network-tiles", min_width=160,
        )  # fmt: skip
        fields["schedule"] = gr.Dropdown(
            [("Not told", ""), ("Linear", "linear"), ("Scaled linear", "scaled_linear"),
             ("Cosine", "squaredcos_cap_v2")],
            value="", label="Noise schedule", filterable=False, elem_id="network-schedule",
            min_width=160,
        )  # fmt: skip
    return fields


def addition(values: dict[str, Any]) -> NetworkImport:
    """What the form says.

    Raises
    ------
    ParameterError
        There is neither a file nor a path, or a number is none.
    """
    told = {name: str(values.get(name) or "").strip() for name in values}
    place = told.get("upload") or told.get("path")
    if not place:
        raise ParameterError("There is nothing to add yet: drop a checkpoint, or give a path.")
    tiles = {"tiles": True, "whole": False}.get(told["tiles"])
    return NetworkImport(
        path=Path(place),
        key=told["key"] or None,
        label=told["label"] or None,
        like=told["like"] or None,
        head_channels=_whole("--head-channels", told["heads"]),
        qkv_order=values["order"] or None,
        schedule=values["schedule"] or None,
        native=_whole("--native", told["native"]),
        tiles=tiles,
        licence=told["licence"] or None,
    )


def on_page(sentence: str) -> str:
    """A sentence in which the command line's options are the page's fields."""
    return re.sub(
        r"--[a-z]+(-[a-z]+)*", lambda found: _FIELDS.get(found[0], found[0]), sentence
    )  # fmt: skip


def _whole(option: str, text: str) -> int | None:
    if not text:
        return None
    if not text.isdecimal() or len(text) > 6:
        raise ParameterError(f"{_FIELDS[option]} is {text[:40]!r}; give a whole number.")
    return int(text)
