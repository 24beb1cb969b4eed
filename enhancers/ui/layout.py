"""What is on the compare page and where; nothing happens here yet."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields
from typing import Any

import gradio as gr

from enhancers.asset_files import asset_text
from enhancers.method import Modality
from enhancers.networks.installed import states
from enhancers.registry import METHODS
from enhancers.ui import evidence as evidence_room
from enhancers.ui import networks_view, render
from enhancers.ui.evidence import EvidenceTab
from enhancers.ui.html import piece
from enhancers.ui.networks_view import NetworksTab
from enhancers.ui.parameters import MethodCard, method_card
from enhancers.ui.session import FILE_WINDOW, Session
from enhancers.ui.study_tab import StudyLinks, study_tab_html
from enhancers.ui.viewer import Viewer

SIDE, SLIDER, DIFFERENCE = "Side by side", "Slider", "Difference"
METRICS_TAB, PROVENANCE, CARDS = "Metrics", "Provenance", "Method cards"
EVIDENCE, NETWORKS, STUDY = "How good is it?", "Networks", "Study"

START_WITH = ("classical", "pseudo_label", "null_space", "unimie")
"""Ticked at first: a classical, a hybrid and two purely generative methods."""

_FAMILIES = {
    "classical": ("Classical", "Seconds on any machine; nothing is invented."),
    "diffusion": ("Diffusion", "Sampled from a network: plausible detail is not evidence."),
}


@dataclass(frozen=True, eq=False)
class Layout:
    """The components of the page by name."""

    header: Any
    notice: Any
    upload: Any
    samples: Any
    facts: Any
    modality: Any
    slice: Any
    window: Any
    manual: Any
    low: Any
    high: Any
    truth: Any
    seed: Any
    device: Any
    estimate: Any
    confirm: Any
    run: Any
    stop: Any
    progress: Any
    tabs: Any
    active: Any
    viewer: Any
    slider_left: Any
    slider_right: Any
    slider: Any
    slider_note: Any
    difference_left: Any
    difference_right: Any
    gain: Any
    difference: Any
    difference_note: Any
    metrics: Any
    provenance: Any
    card_choice: Any
    card: Any
    evidence: EvidenceTab
    networks: NetworksTab
    cards: Sequence[MethodCard]

    def components(self) -> list[Any]:
        """All of them except those on the method cards and of the tabs with rooms of their own."""
        apart = ("evidence", "networks", "cards")
        return [getattr(self, item.name) for item in fields(self) if item.name not in apart]

    def method_inputs(self) -> dict[str, Any]:
        """Keyword and component of everything that describes a run."""
        named: dict[str, Any] = {"seed": self.seed, "device": self.device, "confirm": self.confirm}
        for card in self.cards:
            named |= card.inputs()
        return named

    def method_components(self) -> Iterator[Any]:
        """The boxes and fields of all method cards."""
        for card in self.cards:
            yield card.chosen
            yield from card.fields.values()


def draw(
    missing: dict[str, str], samples: dict[str, Any], priors: Sequence[tuple[str, bool]],
    doors: StudyLinks, *, changes: bool = True, cap: int = 200_000_000,
) -> Layout:  # fmt: skip
    """Draw the page inside an open `gr.Blocks`.

    Parameters
    ----------
    missing : dict
        Per method that cannot run here, why.
    samples : dict
        Value of the sample gallery.
    priors : sequence of (name, present)
    doors : StudyLinks
        For the Study tab.
    changes : bool
        Whether networks may be fetched, added and removed on the page.
    cap : int
        Largest upload in bytes.
    """
    parts: dict[str, Any] = {
        "header": gr.HTML(render.header_html("", priors), elem_id="header"),
        "active": gr.State(SIDE),
    }
    with gr.Row(elem_id="workspace", equal_height=False):
        with gr.Column(elem_id="sidebar", scale=0, min_width=340):
            with gr.Column(elem_id="settings"):
                _draw_image(parts, samples)
                cards = _draw_methods(missing)
                _draw_machine(parts)
            _draw_run(parts)
        with gr.Column(elem_id="stage", scale=1, min_width=320):
            parts["notice"] = gr.HTML("", elem_id="notice")
            parts["progress"] = gr.HTML(render.progress_html(Session(), ""), elem_id="progress")
            _draw_tabs(parts, doors, changes, cap)
    return Layout(**parts, cards=cards)


def _heading(title: str, remark: str = "") -> None:
    gr.HTML(piece("heading", title, remark), elem_classes="heading")


def _draw_image(parts: dict[str, Any], samples: dict[str, Any]) -> None:
    _heading("Image", "DICOM, NIfTI, PNG, TIFF or JPEG")
    # No file_types: with them the browser refuses DICOM files without an extension.
    parts["upload"] = gr.File(
        label="Image file", show_label=False, file_count="single", elem_id="upload", height=64
    )
    with gr.Accordion("Samples", open=True, elem_id="samples-fold"):
        parts["samples"] = gr.HTML(
            samples,
            html_template=asset_text("samples.html"),
            js_on_load=asset_text("samples.js"),
            apply_default_css=False,
            elem_id="samples",
        )
    parts["facts"] = gr.HTML(render.facts_html(Session()), elem_id="facts")
    choices = [(modality.label, modality.value) for modality in Modality]
    parts["modality"] = gr.Dropdown(
        choices, value=Modality.OTHER.value, label="Modality", info=render.modality_info(None),
        filterable=False, elem_id="modality",
    )  # fmt: skip
    parts["slice"] = gr.Slider(1, 2, value=1, step=1, label="Slice", visible=False, elem_id="slice")
    parts["window"] = gr.Dropdown(
        [("As in the file", FILE_WINDOW)], value=FILE_WINDOW, label="Processing window",
        info="What the methods see; values outside are cut off.", filterable=False,
        elem_id="window",
    )  # fmt: skip
    with gr.Row(visible=False, elem_id="manual-window") as parts["manual"]:
        parts["low"] = gr.Number(label="Black at", elem_id="window-low", min_width=80)
        parts["high"] = gr.Number(label="White at", elem_id="window-high", min_width=80)
    with gr.Accordion(
        "Truth image (optional, for PSNR, SSIM, …)", open=False, elem_id="truth-fold"
    ):
        parts["truth"] = gr.File(
            label="Truth image",
            show_label=False,
            elem_id="truth",
            height=64,
        )


def _draw_methods(missing: dict[str, str]) -> list[MethodCard]:
    cards = []
    for family, (title, remark) in _FAMILIES.items():
        _heading(f"{title} methods", remark)
        cards += [
            method_card(
                method, chosen=method.key in START_WITH, missing=missing.get(method.key, "")
            )
            for method in METHODS
            if method.family == family
        ]
    return cards


def _draw_machine(parts: dict[str, Any]) -> None:
    _heading("Reproducibility")
    with gr.Row():
        parts["seed"] = gr.Number(
            0, precision=0, label="Seed", info="Same seed, same bytes.", elem_id="seed",
            min_width=120,
        )  # fmt: skip
        parts["device"] = gr.Dropdown(
            [("Automatic", "auto"), ("CPU", "cpu")], value="auto", label="Device",
            info="Fastest there is.", filterable=False, elem_id="device", min_width=120,
        )  # fmt: skip


def _draw_run(parts: dict[str, Any]) -> None:
    with gr.Column(elem_id="runbar"):
        parts["estimate"] = gr.HTML(render.estimate_html(render.OPEN_FIRST), elem_id="estimate")
        parts["confirm"] = gr.Checkbox(
            False, label="Run it all the same", visible=False, elem_id="confirm"
        )
        with gr.Row():
            parts["run"] = gr.Button(
                "Run", variant="primary", interactive=False, elem_id="run", min_width=80
            )
            parts["stop"] = gr.Button(
                "Stop", variant="secondary", interactive=False, elem_id="stop", min_width=80
            )


def _draw_tabs(parts: dict[str, Any], doors: StudyLinks, changes: bool, cap: int) -> None:
    with gr.Tabs(elem_id="views") as parts["tabs"]:
        with gr.Tab(SIDE, id=SIDE):
            parts["viewer"] = Viewer(elem_id="viewer", height="var(--viewer-height)")
        with gr.Tab(SLIDER, id=SLIDER):
            _draw_pair(parts, "slider")
            parts["slider_note"] = gr.HTML("", elem_id="slider-note")
            parts["slider"] = gr.ImageSlider(
                format="png", type="numpy", show_label=False, buttons=["fullscreen"],
                interactive=False, max_height=2000, elem_id="slider",
            )  # fmt: skip
        with gr.Tab(DIFFERENCE, id=DIFFERENCE):
            with gr.Row():
                _draw_pair(parts, "difference")
                parts["gain"] = gr.Slider(
                    1, 32, value=4, step=1, label="Gain", elem_id="gain", min_width=160
                )
            parts["difference_note"] = gr.HTML("", elem_id="difference-note")
            parts["difference"] = Viewer(elem_id="difference", height="var(--below-fields)")
        with gr.Tab(METRICS_TAB, id=METRICS_TAB):
            parts["metrics"] = gr.HTML("", elem_id="metrics")
        with gr.Tab(PROVENANCE, id=PROVENANCE):
            parts["provenance"] = gr.JSON(
                None, label="How each result was made", elem_id="provenance", max_height=2000
            )
        with gr.Tab(CARDS, id=CARDS):
            parts["card_choice"] = gr.Dropdown(
                [(method.label, method.key) for method in METHODS], value=METHODS[0].key,
                label="Method", filterable=False, elem_id="card-choice",
            )  # fmt: skip
            parts["card"] = gr.Markdown("", elem_id="card")
        with gr.Tab(EVIDENCE, id=EVIDENCE) as tab:
            parts["evidence"] = evidence_room.draw(tab)
        with gr.Tab(NETWORKS, id=NETWORKS) as tab:
            parts["networks"] = networks_view.draw(tab, states(), changes=changes, cap=cap)
        with gr.Tab(STUDY, id=STUDY):
            gr.HTML(study_tab_html(doors), elem_id="study-doors")


def _draw_pair(parts: dict[str, Any], name: str) -> None:
    with gr.Row(elem_classes="pair"):
        for side, label in (("left", "Left"), ("right", "Right")):
            title = label if name == "slider" else {"Left": "From", "Right": "To"}[label]
            parts[f"{name}_{side}"] = gr.Dropdown(
                [], label=title, filterable=False, elem_id=f"{name}-{side}", min_width=160
            )
