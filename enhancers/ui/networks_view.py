"""The Networks tab as it looks: every network, and what can be done with it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from typing import Any

import gradio as gr

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
_STATES = {
    "present": "here",
    "not here": "not here",
    "incomplete": "incomplete",
    "damaged": "damaged",
}
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
    gr.HTML(f'<p class="networks-lead">{escape(LEAD)}</p>', elem_classes="networks-head")
    with gr.Row(visible=False, elem_id="network-work", equal_height=True) as work:
        told = gr.HTML("", elem_id="network-told")
        stop = gr.Button("Stop", size="sm", elem_id="network-stop", scale=0, min_width=90)
    shown = gr.HTML(
        list_html(states, changes=changes),
        js_on_load=_LIST_JS,
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
    groups: dict[str, list[State]] = {title: [] for title in _GROUPS}
    for state in states:
        groups[_group(state)].append(state)
    parts = []
    for title, members in groups.items():
        if members:
            rows = "".join(_row(state, changes, busy) for state in members)
            parts.append(f"<h3>{title}</h3><ul>{rows}</ul>")
    closed = "" if changes else f'<p class="remark">{escape(CLOSED)}</p>'
    return f'<div class="networks">{"".join(parts)}{closed}</div>'


def _group(state: State) -> str:
    shipped = next((entry for entry in NETWORKS if entry.key == state.key), None)
    if shipped is None or state.entry is None:
        return "Your own"
    return "With the program" if isinstance(shipped.source, Embedded) else "Published"


def _row(state: State, changes: bool, busy: bool) -> str:
    entry = state.entry
    label = entry.label if entry else state.key
    what = f"<p>{escape(entry.summary)}</p>{_facts(entry)}" if entry else ""
    fault = state.status == "damaged" or (state.status == "incomplete" and not state.cost)
    note = f'<p class="network-note">{escape(state.note)}</p>' if state.note and fault else ""
    buttons = _buttons(state, busy) if changes else ""
    return (
        f'<li class="network" data-network="{escape(state.key)}" data-status="{state.status}">'
        f'<div class="network-text"><h4>{escape(label)} <code>{escape(state.key)}</code></h4>'
        f"{what}{note}</div>"
        f'<div class="network-side">{_status(state)}{buttons}</div></li>'
    )


def _status(state: State) -> str:
    word = _STATES[state.status]
    if state.status == "present":
        word += f" · {bytes_text(state.size)}"
    elif state.status == "incomplete" and state.cost:
        word = f"{bytes_text(state.size)} of {bytes_text(state.size + state.cost)} here"
    return f'<span class="network-state {state.status.replace(" ", "-")}">{word}</span>'


def _facts(entry: NetworkEntry) -> str:
    facts = [_KINDS[entry.kind], "gray" if entry.channels == 1 else "colour"]
    seen = "crops" if entry.tiles else "whole images"
    facts.append(f"trained on {seen} of {entry.native} × {entry.native}")
    if entry.parameters:
        facts.append(f"{entry.parameters / 1e6:,.1f} M parameters")
    users = ", ".join(short(method.label) for method in METHODS if method.prior == entry.kind)
    lines = [
        ("For", users),
        ("Is", " · ".join(facts)),
        ("From", describe_source(entry)),
        ("Licence", entry.licence),
    ]
    told = "".join(f"<dt>{name}</dt><dd>{escape(text)}</dd>" for name, text in lines)
    return f"<dl>{told}</dl>"


def _buttons(state: State, busy: bool) -> str:
    entry, made = state.entry, []
    whole = state.status == "present"
    if state.cost and not whole:
        begun = "Go on: download" if state.status == "incomplete" else "Download"
        made.append(_button(state, "fetch", f"{begun} {bytes_text(state.cost)}", "primary", busy))
    if entry and entry.origin is None and not whole and not isinstance(entry.source, Embedded):
        file = entry.source.file if isinstance(entry.source, FromUser) else "a copy"
        made.append(_button(state, "choose", f"Add {file} …", "", busy))
    if whole:
        made.append(_button(state, "verify", "Verify", "", busy))
    if _removable(state):
        size = f" {bytes_text(state.size)}" if state.size else ""
        made.append(_button(state, "remove", "Remove", "", busy, f"Really remove{size}?"))
    return "".join(made)


def _removable(state: State) -> bool:
    """Whether it was put here by this program: added, damaged, or a download that began."""
    entry = state.entry
    if entry is None or entry.origin is not None:
        return True
    return isinstance(entry.source, Download) and state.status == "incomplete" and state.size > 0


def _button(
    state: State, action: str, text: str, style: str, busy: bool, question: str = ""
) -> str:
    asks = f' data-question="{escape(question)}"' if question else ""
    return (
        f'<button type="button" class="network-button {style}" data-action="{action}" '
        f'data-key="{escape(state.key)}"{asks}{" disabled" if busy else ""}>{escape(text)}</button>'
    )


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
    return (
        f'<div class="network-working" role="status"><span>{escape(note)}</span>'
        f'<span class="network-amount">{escape(amount)}</span>'
        f'<div class="run-bar"><i style="width:{100 * done:.1f}%"></i></div></div>'
    )


# A button with a question asks by changing its own text, and forgets after a while.
_LIST_JS = """
element.addEventListener('click', (event) => {
  const button = event.target.closest('[data-action]');
  if (!button) return;
  const question = button.dataset.question;
  if (question && !button.classList.contains('asked')) {
    const before = button.textContent;
    button.classList.add('asked');
    button.textContent = question;
    setTimeout(() => {
      button.classList.remove('asked');
      button.textContent = before;
    }, 5000);
    return;
  }
  if (button.dataset.action === 'choose') {
    document.querySelector('#network-add')?.scrollIntoView({behavior: 'smooth', block: 'start'});
  }
  trigger('act', {action: button.dataset.action, key: button.dataset.key});
});
"""
