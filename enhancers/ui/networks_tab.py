"""The Networks tab: every network, its state, and what can be done with it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import gradio as gr

from enhancers.asset_files import asset_text
from enhancers.networks.catalog import NETWORKS
from enhancers.networks.entry import Download, Embedded, FromUser, NetworkEntry, bytes_text
from enhancers.networks.installed import State, describe_source
from enhancers.registry import METHODS
from enhancers.ui.html import fill, piece
from enhancers.ui.network_form import NetworkForm, build_form, without_paths
from enhancers.ui.render import short_label

CHANGES_OFF = (
    "Visitors cannot change networks; the operator of this server can, with python -m enhancers "
    "networks fetch or add."
)
_KINDS = {
    "pixel": "operates on images", "latent": "operates on the latents of an autoencoder",
    "restoration": "restores images in one call",
    "restorer": "restores simulated acquisitions",
    "morphology": "makes one image of several depths",
}  # fmt: skip
_GROUPS = ("Embedded", "Published", "Your own")


@dataclass(frozen=True, eq=False)
class NetworksTab:
    """The components of the tab; ``form`` is None where networks cannot be changed."""

    tab: Any
    list: Any
    work: Any
    progress: Any
    stop: Any
    form: NetworkForm | None


def build_tab(
    tab: Any, states: Sequence[State], *, changes: bool, max_bytes: int, folder: Path | None = None
) -> NetworksTab:
    """Create the components inside the open tab.

    Parameters
    ----------
    tab : gradio.Tab
    states : sequence of State
    changes : bool
        Whether networks can be downloaded, added and removed here.
    max_bytes : int
        Largest upload.
    folder : Path, optional
        Folder of this machine whose files visitors may name.
    """
    gr.HTML(piece("networks_lead"), elem_classes="networks-head")
    with gr.Row(visible=False, elem_id="network-work", equal_height=True) as work:
        progress = gr.HTML("", elem_id="network-told")
        stop = gr.Button("Stop", size="sm", elem_id="network-stop", scale=0, min_width=90)
    shown = gr.HTML(
        list_html(states, changes=changes),
        js_on_load=asset_text("networks.js"),
        apply_default_css=False,
        elem_id="networks",
    )
    form = build_form(max_bytes, folder) if changes else None
    return NetworksTab(tab, shown, work, progress, stop, form)


def list_html(states: Sequence[State], *, changes: bool, busy: bool = False) -> str:
    """Every network: its purpose, facts, state and buttons.

    Parameters
    ----------
    states : sequence of State
    changes : bool
        Whether there are buttons.
    busy : bool
        Whether a job is running, so that the buttons are disabled.
    """
    groups: dict[str, list[dict[str, Any]]] = {title: [] for title in _GROUPS}
    for state in states:
        groups[_group(state)].append(_network(state, changes=changes))
    closed = "" if changes else CHANGES_OFF
    return fill("networks.html", groups=groups.items(), busy=busy, closed=closed)


def _group(state: State) -> str:
    shipped = next((entry for entry in NETWORKS if entry.key == state.key), None)
    if shipped is None or state.entry is None:
        return "Your own"
    return "Embedded" if isinstance(shipped.source, Embedded) else "Published"


def _network(state: State, *, changes: bool) -> dict[str, Any]:
    """The values of a network in the template."""
    entry = state.entry
    fault = state.status == "damaged" or (state.status == "incomplete" and not state.cost)
    return {
        "key": state.key,
        "status": state.status,
        "status_text": _status_text(state),
        "label": entry.label if entry else state.key,
        "summary": entry.summary if entry else None,
        "facts": _facts(entry) if entry else (),
        "note": without_paths(state.note) if fault else "",
        "buttons": _buttons(state) if changes else (),
    }


def _status_text(state: State) -> str:
    if state.status == "present":
        return f"installed · {bytes_text(state.size)}"
    if state.status == "incomplete" and state.cost:
        return f"{bytes_text(state.size)} of {bytes_text(state.size + state.cost)} downloaded"
    return "not installed" if state.status == "not here" else state.status


def _facts(entry: NetworkEntry) -> list[tuple[str, str]]:
    facts = [_KINDS[entry.kind], "gray" if entry.channels == 1 else "colour"]
    known = entry.restoration
    if known is None:
        seen = "crops" if entry.tiles else "entire images"
        facts.append(f"trained on {seen} of {entry.native} × {entry.native}")
    if known is not None and known.scale > 1:
        facts.append(f"enlarges {known.scale} times")
    if entry.parameters:
        facts.append(f"{entry.parameters / 1e6:,.1f} M parameters")
    users = ", ".join(
        short_label(method.label) for method in METHODS if method.takes(entry.kind, entry.key)
    )
    source = describe_source(entry)
    return [
        ("Used by", users) if known is None else ("Method", entry.key),
        ("Type", " · ".join(facts)),
        ("Source", source if known is None else f"{known.source} ({source})"),
        ("Licence", entry.licence),
    ]


@dataclass(frozen=True)
class Button:
    """A button of the list; one with a question asks it before it acts."""

    action: str
    text: str
    primary: bool = False
    question: str = ""


def _buttons(state: State) -> list[Button]:
    entry, found = state.entry, []
    present = state.status == "present"
    if state.cost and not present:
        verb = "Continue: download" if state.status == "incomplete" else "Download"
        found.append(Button("fetch", f"{verb} {bytes_text(state.cost)}", primary=True))
    if entry and entry.origin is None and not present and not isinstance(entry.source, Embedded):
        file = entry.source.file if isinstance(entry.source, FromUser) else "a copy"
        found.append(Button("choose", f"Add {file} …"))
    if present:
        found.append(Button("verify", "Verify"))
    if _removable(state):
        size = f" {bytes_text(state.size)}" if state.size else ""
        found.append(Button("remove", "Remove", question=f"Really remove{size}?"))
    return found


def _removable(state: State) -> bool:
    """Whether it was added, is damaged, or is an unfinished download: all else stays."""
    entry = state.entry
    if entry is None or entry.origin is not None:
        return True
    return isinstance(entry.source, Download) and state.status == "incomplete" and state.size > 0


def work_html(note: str, done: float, amount: str) -> str:
    """Progress of a job: description, bar and amount.

    Parameters
    ----------
    note : str
    done : float
        In [0, 1].
    amount : str
        Such as "1.2 GB of 2.2 GB", or empty.
    """
    return fill("network_work.html", note=note, done=done, amount=amount)
