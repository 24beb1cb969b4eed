"""The form that adds a network: its fields, and the import that they describe."""

from __future__ import annotations

import re
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import gradio as gr

from enhancers.errors import ParameterError
from enhancers.networks.catalog import NETWORKS
from enhancers.networks.entry import Embedded
from enhancers.networks.identify import NetworkImport
from enhancers.networks.spandrel_package import INSTALL, has_spandrel
from enhancers.settings import get_settings
from enhancers.ui.html import fill

UNKNOWN = ""
"""Value of the field "The file is" for a network that is not in the catalogue, or not known."""

PATHS_OFF = (
    "This page takes no path of the server, only a file that you upload. The operator can allow "
    "paths of one folder (READINGROOM_NETWORK_FOLDER), or use python -m enhancers networks add."
)

_UNSPECIFIED = ("Not specified", "")
_FIELDS = {
    "--head-channels": "'Channels per attention head'",
    "--qkv-order": "'Order of the attention rows'",
    "--schedule": "'Noise schedule'",
    "--native": "'Size of the training images'",
    "--tiles": "'Trained on'",
    "--licence": "'Licence'",
    "--source": "'Source'",
    "--label": "'Name on the page'",
    "--key": "'Short name'",
    "--like": "'The file is'",
}
"""The page's field for each option of the command line."""


@dataclass(frozen=True, eq=False)
class NetworkForm:
    """The fields that describe a network to be added; ``path`` only where one may be named."""

    upload: Any
    path: Any | None
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
    source: Any
    add: Any

    def inputs(self) -> dict[str, Any]:
        """The fields by their keyword."""
        named = {} if self.path is None else {"path": self.path}
        return named | {
            "upload": self.upload, "like": self.like, "heads": self.heads,
            "order": self.order, "key": self.key, "label": self.label, "native": self.native,
            "tiles": self.tiles, "schedule": self.schedule, "licence": self.licence,
            "source": self.source,
        }  # fmt: skip


def build_form(max_bytes: int, folder: Path | None = None) -> NetworkForm:
    """Create the form.

    Parameters
    ----------
    max_bytes : int
        Largest upload.
    folder : Path, optional
        Folder of this machine whose files visitors may name (see `network_import`).
    """
    entries = [entry for entry in NETWORKS if not isinstance(entry.source, Embedded)]
    known = [
        ("Another network, or not known", UNKNOWN),
        *((each.label, each.key) for each in entries),
    ]
    with gr.Column(elem_id="network-add"):
        gr.HTML(
            fill(
                "network_add.html", folders=folder is not None, spandrel=has_spandrel(),
                install=INSTALL,
            )
        )  # fmt: skip
        with gr.Row(equal_height=True, elem_classes="network-sources"):
            upload = gr.File(
                label="Checkpoint", file_count="single", elem_id="network-upload", height=76,
                show_label=False,
            )  # fmt: skip
            path = None if folder is None else _path(max_bytes)
        with gr.Accordion(
            "What the file does not specify (only where it is needed)", open=False,
            elem_id="network-facts",
        ) as facts:  # fmt: skip
            fields = _build_facts(known)
        add = gr.Button("Add", variant="primary", elem_id="network-go", min_width=120)
    return NetworkForm(upload=upload, path=path, facts=facts, add=add, **fields)


def _path(max_bytes: int) -> Any:
    """Field for a file or folder of this machine."""
    with gr.Column(min_width=260):
        return gr.Textbox(
            label="Or a path in the server's folder for networks",
            info=f"For a folder, or a file larger than {max_bytes / 1e6:g} MB.",
            placeholder="256x256_diffusion_uncond.pt", max_lines=1, elem_id="network-path",
        )  # fmt: skip


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
        fields["source"] = _text("source", "Source", "address where it was published")
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


def network_import(values: dict[str, Any], folder: Path | None = None) -> NetworkImport:
    """The import that the form describes.

    Parameters
    ----------
    values : dict
        Of the fields.
    folder : Path, optional
        Folder of this machine: a path that is typed is one of it. None accepts uploads only.

    Raises
    ------
    ParameterError
        There is neither a file nor a path, the path leads out of the folder, or a number is not
        an integer.
    """
    texts = {name: str(values.get(name) or "").strip() for name in values}
    path = texts.get("upload") or _named(texts.get("path", ""), folder)
    if not path:
        raise ParameterError(
            "There is nothing to add yet: drop a checkpoint"
            f"{'.' if folder is None else ' or enter a path.'}"
        )
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
        source=texts.get("source") or None,
    )


def _named(text: str, folder: Path | None) -> str:
    """The path that was typed, in the folder; whether anything else exists is not said."""
    if not text:
        return ""
    if folder is None:
        raise ParameterError(PATHS_OFF)
    home = folder.resolve()
    try:
        path = (home / text).resolve()
    except (OSError, RuntimeError, ValueError):
        path = home
    if home not in path.parents:
        raise ParameterError(
            f"{text[:80]!r} is no path in the server's folder for networks: give one below it."
        )
    return str(path)


def without_paths(sentence: str, folder: Path | None = None) -> str:
    """A message in which every file and folder of this machine goes by its last name alone.

    Parameters
    ----------
    sentence : str
    folder : Path, optional
        A folder that the message may name, besides those of the settings.
    """
    settings = get_settings()
    known = [
        settings.models_dir, settings.priors_dir, settings.cache_dir, settings.network_folder,
        folder, folder and folder.resolve(),
        Path(tempfile.gettempdir()), Path.home(), Path.cwd(),
    ]  # fmt: skip
    for name in sorted({str(one) for one in known if one is not None}, key=len, reverse=True):
        if len(name) > 1:
            sentence = re.sub(rf"{re.escape(name)}[\\/]?", "/", sentence)
    return re.sub(r"(?<![\w:/])(?:[A-Za-z]:)?[\\/](?:[^\s\\/'\"]+[\\/])*(?=[^\s\\/])", "", sentence)


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
