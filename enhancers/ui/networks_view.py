"""The Networks tab as it looks: the list of networks, and the form that adds one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from typing import Any

import gradio as gr

from enhancers.priors.catalog import PRIORS, Download, Embedded, FromUser, Prior, bytes_text
from enhancers.priors.shelf import State, describe_source
from enhancers.registry import METHODS
from enhancers.ui.render import short

LEAD = (
    "The diffusion methods sample from these networks; choose one under Parameters, Network. Those "
    "that come with the program are enough to run everything. Nothing is downloaded before you "
    "press a button that says how much."
)
CLOSED = (
    "Networks are added by whoever runs this server (python -m enhancers priors fetch or add); "
    "visitors cannot."
)
UNKNOWN = ""
"""Value of the field that says which network of the catalogue a file is: none, or not known."""

_KINDS = {"pixel": "works on images", "latent": "works on the latents of an autoencoder"}
_STATES = {
    "present": "here",
    "not here": "not here",
    "incomplete": "incomplete",
    "damaged": "damaged",
}
_GROUPS = ("With the program", "Published", "Your own")


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
    form = _draw_form(cap) if changes else None
    return NetworksTab(tab, shown, work, told, stop, form)


def _draw_form(cap: int) -> Form:
    entries = [entry for entry in PRIORS if not isinstance(entry.source, Embedded)]
    known = [("Another, or I do not know", UNKNOWN), *((each.label, each.key) for each in entries)]
    with gr.Column(elem_id="network-add"):
        gr.HTML(
            "<h3>Add a network</h3><p>A checkpoint of guided-diffusion (.pt or .safetensors), "
            "or a folder as diffusers writes it. A checkpoint is converted once, the original is "
            "not touched, and a file with program code in it is refused.</p>"
        )
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
            known, value=UNKNOWN, label="It is", filterable=False, elem_id="network-like",
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
    shipped = next((entry for entry in PRIORS if entry.key == state.key), None)
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


def _facts(entry: Prior) -> str:
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
