"""The Networks tab as it looks: every network, and what can be done with it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import gradio as gr

from enhancers.asset_files import asset_text
from enhancers.networks.catalog import (
    NETWORKS,
    Download,
    Embedded,
    FromUser,
    NetworkEntry,
    bytes_text,
)
from enhancers.networks.installed import State, describe_source
from enhancers.registry import METHODS
from enhancers.ui.html import fill, piece
from enhancers.ui.networks_form import Form, draw_form
from enhancers.ui.render import short

LEAD = (
    "The diffusion methods sample from these networks; choose one under Parameters, Network. Those "
    "that come with the program are enough to run everything. Nothing is downloaded before you "
    "press a button that says how much."
)
CLOSED = (
    "Networks are added by whoever runs this server (python -m enhancers networks fetch or add); "
    "visitors cannot."
)
_KINDS = {"pixel": "works on images", "latent": "works on the latents of an autoencoder"}
_GROUPS = ("With the program", "Published", "Your own")


@dataclass(frozen=True, eq=False)
class NetworksTab:
    """The components of the tab; ``form`` is None where visitors may not change anything."""

    tab: Any
    list: Any
    work: Any
    told: Any
    stop: Any
    form: Form | None


def draw(tab: Any, states: Sequence[State], *, changes: bool, cap: int) -> NetworksTab:
    """Draw the tab's content inside the open tab.

    Parameters
    ----------
    tab : gradio.Tab
    states : sequence of State
    changes : bool
        Whether networks may be fetched, added and removed here.
    cap : int
        Largest upload in bytes.
    """
    gr.HTML(piece("paragraph", "networks-lead", LEAD), elem_classes="networks-head")
    with gr.Row(visible=False, elem_id="network-work", equal_height=True) as work:
        told = gr.HTML("", elem_id="network-told")
        stop = gr.Button("Stop", size="sm", elem_id="network-stop", scale=0, min_width=90)
    shown = gr.HTML(
        list_html(states, changes=changes),
        js_on_load=asset_text("networks.js"),
        apply_default_css=False,
        elem_id="networks",
    )
    form = draw_form(cap) if changes else None
    return NetworksTab(tab, shown, work, told, stop, form)


def list_html(states: Sequence[State], *, changes: bool, busy: bool = False) -> str:
    """Every network: what it is for, its facts, whether it is here, and what can be done.

    Parameters
    ----------
    states : sequence of State
    changes : bool
        Whether there are buttons.
    busy : bool
        Whether something is under way, so that the buttons wait.
    """
    groups: dict[str, list[dict[str, Any]]] = {title: [] for title in _GROUPS}
    for state in states:
        groups[_group(state)].append(_network(state, changes=changes))
    closed = "" if changes else CLOSED
    return fill("networks.html", groups=groups.items(), busy=busy, closed=closed)


def _group(state: State) -> str:
    shipped = next((entry for entry in NETWORKS if entry.key == state.key), None)
    if shipped is None or state.entry is None:
        return "Your own"
    return "With the program" if isinstance(shipped.source, Embedded) else "Published"


def _network(state: State, *, changes: bool) -> dict[str, Any]:
    """A network as the template shows it."""
    entry = state.entry
    fault = state.status == "damaged" or (state.status == "incomplete" and not state.cost)
    return {
        "key": state.key,
        "status": state.status,
        "status_text": _status_text(state),
        "label": entry.label if entry else state.key,
        "summary": entry.summary if entry else None,
        "facts": _facts(entry) if entry else (),
        "note": state.note if fault else "",
        "buttons": _buttons(state) if changes else (),
    }


def _status_text(state: State) -> str:
    if state.status == "present":
        return f"here · {bytes_text(state.size)}"
    if state.status == "incomplete" and state.cost:
        return f"{bytes_text(state.size)} of {bytes_text(state.size + state.cost)} here"
    return state.status


def _facts(entry: NetworkEntry) -> list[tuple[str, str]]:
    facts = [_KINDS[entry.kind], "gray" if entry.channels == 1 else "colour"]
    seen = "crops" if entry.tiles else "whole images"
    facts.append(f"trained on {seen} of {entry.native} × {entry.native}")
    if entry.parameters:
        facts.append(f"{entry.parameters / 1e6:,.1f} M parameters")
    users = ", ".join(short(method.label) for method in METHODS if method.prior == entry.kind)
    return [
        ("For", users),
        ("Is", " · ".join(facts)),
        ("From", describe_source(entry)),
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
        verb = "Go on: download" if state.status == "incomplete" else "Download"
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
    """Whether it was put here by this program: added, damaged, or a download that began."""
    entry = state.entry
    if entry is None or entry.origin is not None:
        return True
    return isinstance(entry.source, Download) and state.status == "incomplete" and state.size > 0


def work_html(note: str, done: float, amount: str) -> str:
    """What is under way: in words, as a bar, and how much.

    Parameters
    ----------
    note : str
    done : float
        In [0, 1].
    amount : str
        ``1.2 of 2.2 GB``, or empty.
    """
    return fill("network_work.html", note=note, done=done, amount=amount)
