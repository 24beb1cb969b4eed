"""The components of the compare page and their arrangement, without handlers."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import gradio as gr

from enhancers.method import Method
from enhancers.networks.installed import states
from enhancers.registry import METHODS
from enhancers.ui import evidence_tab, networks_tab, render, sidebar
from enhancers.ui.added_cards import FIELD_KEY, AddedCards, added_methods, build_added_cards
from enhancers.ui.evidence_tab import EvidenceTab
from enhancers.ui.networks_tab import NetworksTab
from enhancers.ui.parameters import MethodCard
from enhancers.ui.session import Session
from enhancers.ui.slices_tab import SlicesTab
from enhancers.ui.slices_tab import build_tab as build_slices_tab
from enhancers.ui.study_tab import StudyLinks, study_tab_html
from enhancers.ui.viewer import Viewer

SIDE, SLIDER, DIFFERENCE, MAPS = "Side by side", "Slider", "Difference", "Maps"
METRICS_TAB, PROVENANCE, ALL_SLICES, CARDS = "Metrics", "Provenance", "All slices", "Method cards"
EVIDENCE, NETWORKS, STUDY = "How good is it?", "Networks", "Study"

SIGNED, SIMILARITY = "Signed difference", "Structural similarity (SSIM)"
"""What the Difference tab shows of its two images."""


@dataclass(frozen=True, eq=False)
class Layout:
    """The components of the page."""

    header: Any
    notice: Any
    upload: Any
    series: Any
    samples: Any
    facts: Any
    depths: Any
    modality: Any
    not_ct: Any
    slice: Any
    navigator: Any
    crop: Any
    window: Any
    limits: Any
    truth: Any
    degrade_kind: Any
    degrade_level: Any
    degrade: Any
    undo_degrade: Any
    mask: Any
    paint: Any
    use_painting: Any
    painting: Any
    seed: Any
    seeds: Any
    device: Any
    estimate: Any
    confirm: Any
    run: Any
    stop: Any
    progress: Any
    tabs: Any
    active: Any
    visit: Any
    moment: Any
    viewer: Any
    slider_left: Any
    slider_right: Any
    slider: Any
    difference_left: Any
    difference_right: Any
    difference: Any
    difference_kind: Any
    difference_note: Any
    maps_choice: Any
    maps_note: Any
    maps: Any
    metrics: Any
    provenance: Any
    card_choice: Any
    card: Any
    slices: SlicesTab
    evidence: EvidenceTab
    networks: NetworksTab
    cards: Sequence[MethodCard]
    added: AddedCards

    def components(self) -> list[Any]:
        """All components except those of the method cards and of the tabs with own handlers."""
        apart = ("slices", "evidence", "networks", "cards", "added")
        return [getattr(self, item.name) for item in fields(self) if item.name not in apart]

    def method_inputs(self) -> dict[str, Any]:
        """Components that describe a run, by the keyword under which handlers get their values."""
        named: dict[str, Any] = {
            "seed": self.seed, "seeds": self.seeds, "device": self.device, "confirm": self.confirm,
        }  # fmt: skip
        for card in self.cards:
            named |= card.inputs()
        return named | self.added.inputs()

    def method_components(self) -> Iterator[Any]:
        """Checkboxes and parameter fields of all method cards."""
        for card in self.cards:
            yield card.chosen
            yield from card.fields.values()
        for place in self.added.cards:
            yield place.chosen
            yield from place.fields.values()

    def choices(self, values: Mapping[str, Any]) -> Iterator[tuple[Method, Any]]:
        """The methods that can be selected, each with its checkbox.

        Parameters
        ----------
        values : mapping
            Of the fields by their keyword.
        """
        yield from ((card.method, card.chosen) for card in self.cards if card.chosen.interactive)
        now = {method.key: method for method in added_methods()}
        for place in self.added.cards:
            key = values.get(FIELD_KEY.format(method=place.place, parameter="method"))
            if key in now:
                yield now[key], place.chosen


def build_layout(
    missing: dict[str, str], samples: dict[str, Any], priors: Sequence[tuple[str, bool]],
    links: StudyLinks, *, changes: bool = True, max_bytes: int = 200_000_000,
    network_folder: Path | None = None, remarks: tuple[str, str] = ("", ""),
) -> Layout:  # fmt: skip
    """Create the components inside an open `gr.Blocks`.

    Parameters
    ----------
    missing : dict
        By the key of each method that cannot run here, the reason.
    samples : dict
        Value of the sample gallery.
    priors : sequence of (name, present)
    links : StudyLinks
        For the Study tab.
    changes : bool
        Whether networks can be downloaded, added and removed on the page.
    max_bytes : int
        Largest upload.
    network_folder : Path, optional
        Folder of this machine from which visitors may add networks by path.
    remarks : tuple of str
        What is read and where it goes; how long it is kept.
    """
    parts: dict[str, Any] = {
        "header": gr.HTML(render.header_html("", priors), elem_id="header"),
        "active": gr.State(SIDE),
        "visit": gr.Textbox("", visible=False, elem_id="visit"),
        "moment": gr.Number(None, visible=False, elem_id="moment"),
    }
    with gr.Row(elem_id="workspace", equal_height=False):
        with gr.Column(elem_id="sidebar", scale=0, min_width=340):
            with gr.Column(elem_id="settings"):
                parts |= sidebar.image_section(samples, remarks)
                parts["cards"] = sidebar.method_section(missing)
                parts["added"] = build_added_cards()
                parts |= sidebar.reproducibility_section()
            parts |= sidebar.run_bar()
        with gr.Column(elem_id="stage", scale=1, min_width=320):
            parts["notice"] = gr.HTML("", elem_id="notice")
            parts["progress"] = gr.HTML(render.progress_html(Session(), ""), elem_id="progress")
            with gr.Tabs(elem_id="views") as parts["tabs"]:
                parts |= _image_tabs()
                parts |= _report_tabs()
                with gr.Tab(EVIDENCE, id=EVIDENCE) as tab:
                    parts["evidence"] = evidence_tab.build_tab(tab)
                with gr.Tab(NETWORKS, id=NETWORKS) as tab:
                    parts["networks"] = networks_tab.build_tab(
                        tab,
                        states(),
                        changes=changes,
                        max_bytes=max_bytes,
                        folder=network_folder,
                    )
                with gr.Tab(STUDY, id=STUDY):
                    gr.HTML(study_tab_html(links), elem_id="study-doors")
    return Layout(**parts)


def _image_tabs() -> dict[str, Any]:
    parts: dict[str, Any] = {}
    with gr.Tab(SIDE, id=SIDE):
        parts["viewer"] = Viewer(elem_id="viewer", height="var(--viewer-height)")
    with gr.Tab(SLIDER, id=SLIDER):
        parts |= _pair("slider", "Left", "Right")
        parts["slider"] = Viewer(elem_id="slider", height="var(--below-fields)")
    with gr.Tab(DIFFERENCE, id=DIFFERENCE):
        kinds = gr.Dropdown(
            [SIGNED, SIMILARITY], value=SIGNED, label="Map", filterable=False,
            elem_id="difference-kind", min_width=160, render=False,
        )  # fmt: skip
        parts |= _pair("difference", "From", "To", kinds)
        parts["difference_kind"] = kinds
        parts["difference_note"] = gr.HTML("", elem_id="difference-note")
        parts["difference"] = Viewer(elem_id="difference", height="var(--below-fields)")
    with gr.Tab(MAPS, id=MAPS):
        with gr.Row(elem_classes="pair"):
            parts["maps_choice"] = gr.Dropdown(
                [], label="Result", filterable=False, elem_id="maps-choice", min_width=160
            )
        parts["maps"] = Viewer(elem_id="maps", height="var(--below-fields)")
        parts["maps_note"] = gr.HTML("", elem_id="maps-note")
    return parts


def _report_tabs() -> dict[str, Any]:
    parts: dict[str, Any] = {}
    with gr.Tab(METRICS_TAB, id=METRICS_TAB):
        parts["metrics"] = gr.HTML("", elem_id="metrics")
    with gr.Tab(PROVENANCE, id=PROVENANCE):
        parts["provenance"] = gr.JSON(
            None, label="How each result was made", elem_id="provenance", max_height=2000
        )
    with gr.Tab(ALL_SLICES, id=ALL_SLICES):
        parts["slices"] = build_slices_tab()
    with gr.Tab(CARDS, id=CARDS):
        parts["card_choice"] = gr.Dropdown(
            [(method.label, method.key) for method in METHODS], value=METHODS[0].key,
            label="Method", filterable=False, elem_id="card-choice",
        )  # fmt: skip
        parts["card"] = gr.Markdown("", elem_id="card")
    return parts


def _pair(name: str, left: str, right: str, *more: Any) -> dict[str, Any]:
    """The dropdowns of the two panels that a tab compares, and what stands next to them."""
    with gr.Row(elem_classes="pair"):
        found = {
            f"{name}_{side}": gr.Dropdown(
                [], label=label, filterable=False, elem_id=f"{name}-{side}", min_width=160
            )
            for side, label in (("left", left), ("right", right))
        }
        for component in more:
            component.render()
    return found
