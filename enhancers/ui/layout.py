"""The components of the compare page and their arrangement, without handlers."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import gradio as gr

from enhancers.asset_files import asset_text
from enhancers.degrade.kinds import KINDS
from enhancers.method import Family, Method, Modality
from enhancers.networks.installed import states
from enhancers.registry import METHODS
from enhancers.ui import evidence_tab, networks_tab, render, series_list
from enhancers.ui.added_cards import FIELD_KEY, AddedCards, added_methods, build_added_cards
from enhancers.ui.evidence_tab import EvidenceTab
from enhancers.ui.html import piece
from enhancers.ui.networks_tab import NetworksTab
from enhancers.ui.parameters import MethodCard, method_card, selected_at_first
from enhancers.ui.session import FILE_WINDOW, Session
from enhancers.ui.slices_tab import SlicesTab
from enhancers.ui.slices_tab import build_tab as build_slices_tab
from enhancers.ui.study_tab import StudyLinks, study_tab_html
from enhancers.ui.viewer import Viewer

SIDE, SLIDER, DIFFERENCE, MAPS = "Side by side", "Slider", "Difference", "Maps"
METRICS_TAB, PROVENANCE, ALL_SLICES, CARDS = "Metrics", "Provenance", "All slices", "Method cards"
EVIDENCE, NETWORKS, STUDY = "How good is it?", "Networks", "Study"

SIGNED, SIMILARITY = "Signed difference", "Structural similarity (SSIM)"
"""What the Difference tab shows of its two images."""

PAINT = (255, 60, 40)
"""Colour of the brush that marks missing pixels."""

_GROUPS: tuple[tuple[tuple[Family, ...], str, str], ...] = (
    (("classical",), "Classical methods", "invent no detail"),
    (("trained", "diffusion"), "Networks", "may remove or invent detail"),
)


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
                parts |= _image_section(samples, remarks)
                parts["cards"] = _method_section(missing)
                parts["added"] = build_added_cards()
                parts |= _reproducibility_section()
            parts |= _run_bar()
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


def _heading(title: str, remark: str = "", question: str = "", answer: str = "") -> None:
    gr.HTML(piece("heading", title, remark, question, answer), elem_classes="heading")


def _image_section(samples: dict[str, Any], remarks: tuple[str, str]) -> dict[str, Any]:
    parts: dict[str, Any] = {}
    what, kept = remarks
    _heading("Image", what, "How long is it kept?", kept)
    with gr.Row(elem_id="opening"):
        # No file_types: with them the browser refuses DICOM files without an extension.
        parts["upload"] = gr.File(
            label="Image files", show_label=False, file_count="multiple", elem_id="upload",
            height=44, min_width=160,
        )  # fmt: skip
        # series.js lets it choose a folder.
        gr.Button("Folder", size="sm", elem_id="upload-folder", scale=0, min_width=64)
    parts["series"] = gr.HTML(
        series_list.empty(), html_template=asset_text("series.html"),
        js_on_load=asset_text("series.js"), apply_default_css=False, elem_id="series",
    )  # fmt: skip
    parts["samples"] = gr.HTML(
        samples, html_template=asset_text("samples.html"), js_on_load=asset_text("samples.js"),
        apply_default_css=False, elem_id="samples",
    )  # fmt: skip
    parts["facts"] = gr.HTML(render.facts_html(Session()), elem_id="facts")
    parts["depths"] = gr.HTML("", visible=False, elem_id="depths")
    parts["slice"] = gr.Slider(1, 2, value=1, step=1, label="Slice", visible=False, elem_id="slice")
    parts["navigator"] = gr.HTML(
        None, html_template=asset_text("navigator.html"), js_on_load=asset_text("navigator.js"),
        css_template=asset_text("navigator.css"), apply_default_css=False, visible=False,
        elem_id="navigator",
    )  # fmt: skip
    parts["crop"] = gr.Checkbox(
        False, label="Crop to the ultrasound region", visible=False, elem_id="crop",
        info="Leaves out text and scales beside the image.",
    )  # fmt: skip
    with gr.Row(elem_id="interpretation"):
        parts["modality"] = gr.Dropdown(
            [(modality.label, modality.value) for modality in Modality],
            value=Modality.OTHER.value, label="Modality", info=render.modality_info(None),
            filterable=False, elem_id="modality", min_width=120,
        )  # fmt: skip
        parts["window"] = gr.Dropdown(
            [("File, or default", FILE_WINDOW)], value=FILE_WINDOW, label="Processing window",
            info="clips values outside", filterable=False, elem_id="window",
            min_width=120,
        )  # fmt: skip
    parts["not_ct"] = gr.Button(
        "Not CT: read the values as stored", size="sm", visible=False, elem_id="not-ct"
    )
    parts["limits"] = gr.HTML(
        None, html_template=asset_text("window_fields.html"),
        js_on_load=asset_text("window_fields.js"),
        apply_default_css=False, visible=False, elem_id="window-limits",
    )  # fmt: skip
    with gr.Accordion("Ground truth, degrading, missing pixels", open=False, elem_id="truth-fold"):
        gr.HTML(piece("remark", "Ground truth, for PSNR, SSIM and other measures."))
        parts["truth"] = gr.File(
            label="Ground truth image", show_label=False, elem_id="truth", height=64
        )
        parts |= _degrade_fields()
        parts |= _mask_fields()
    return parts


def _degrade_fields() -> dict[str, Any]:
    first = next(iter(KINDS.values()))
    gr.HTML(
        piece(
            "remark",
            "Or degrade this image, which becomes the ground truth of the degraded one. The seed "
            "is that of the run.",
        )
    )
    kind = gr.Dropdown(
        [(one.label, one.key) for one in KINDS.values()], value=first.key, label="Degradation",
        info=first.help, filterable=False, elem_id="degrade-kind",
    )  # fmt: skip
    level = gr.Number(
        first.default, label="Level", info=render.degrade_info(first), elem_id="degrade-level"
    )
    with gr.Row():
        apply = gr.Button("Degrade", size="sm", elem_id="degrade", min_width=80)
        undo = gr.Button(
            "Back to the original", size="sm", visible=False, elem_id="undo-degrade", min_width=80
        )
    return {
        "degrade_kind": kind, "degrade_level": level, "degrade": apply, "undo_degrade": undo,
    }  # fmt: skip


def _mask_fields() -> dict[str, Any]:
    gr.HTML(
        piece(
            "remark",
            "Missing pixels, for DDNM's task inpaint: a mask of the image's size, not zero where a "
            "pixel is missing.",
        )
    )
    mask = gr.File(label="Mask of missing pixels", show_label=False, elem_id="mask", height=64)
    with gr.Row():
        paint = gr.Button("Paint on the image", size="sm", elem_id="paint", min_width=80)
        use = gr.Button(
            "Use the painting", size="sm", visible=False, elem_id="use-painting", min_width=80
        )
    painting = gr.ImageEditor(
        visible=False, show_label=False, label="Missing pixels", elem_id="painting", height=360,
        type="numpy", image_mode="RGBA", format="png", sources=(), transforms=(), layers=False,
        brush=gr.Brush(6, [f"rgb{PAINT}"], color_mode="fixed"), buttons=["fullscreen"],
    )  # fmt: skip
    return {"mask": mask, "paint": paint, "use_painting": use, "painting": painting}


def _method_section(missing: dict[str, str]) -> list[MethodCard]:
    cards = []
    for families, title, remark in _GROUPS:
        _heading(title, remark)
        with gr.Column(elem_classes="method-list"):
            cards += [
                method_card(
                    method,
                    chosen=method.key in selected_at_first(Modality.OTHER),
                    missing=missing.get(method.key, ""),
                )
                for method in METHODS
                if method.family in families
            ]
    return cards


def _reproducibility_section() -> dict[str, Any]:
    _heading("Reproducibility")
    with gr.Row():
        seed = gr.Number(
            0, precision=0, label="Seed", info="The same seed gives the same result.",
            elem_id="seed", min_width=120,
        )  # fmt: skip
        seeds = gr.Number(
            1, precision=0, label="Seeds to compare", elem_id="seeds", min_width=120,
            info="Mean, and where they differ.",
        )  # fmt: skip
        device = gr.Dropdown(
            [("Automatic", "auto"), ("CPU", "cpu")], value="auto", label="Device",
            info="Automatic: the fastest one.", filterable=False, elem_id="device", min_width=120,
        )  # fmt: skip
    return {"seed": seed, "seeds": seeds, "device": device}


def _run_bar() -> dict[str, Any]:
    parts: dict[str, Any] = {}
    with gr.Column(elem_id="runbar"):
        parts["estimate"] = gr.HTML(render.estimate_html(render.OPEN_FIRST), elem_id="estimate")
        parts["confirm"] = gr.Checkbox(False, label="Run anyway", visible=False, elem_id="confirm")
        with gr.Row():
            parts["run"] = gr.Button(
                "Run", variant="primary", interactive=False, elem_id="run", min_width=80
            )
            parts["stop"] = gr.Button(
                "Stop", variant="secondary", interactive=False, elem_id="stop", min_width=80
            )
    return parts


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
