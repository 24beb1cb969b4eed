"""The left side of the compare page: image, methods, what makes a run repeatable, and Run."""

from __future__ import annotations

from typing import Any

import gradio as gr

from enhancers.asset_files import asset_text
from enhancers.degrade.kinds import KINDS
from enhancers.method import Family, Modality
from enhancers.registry import METHODS
from enhancers.ui import render, series_list
from enhancers.ui.html import piece
from enhancers.ui.parameters import MethodCard, method_card, selected_at_first
from enhancers.ui.session import FILE_WINDOW, Session

PAINT = (255, 60, 40)
"""Colour of the brush that marks missing pixels."""

_GROUPS: tuple[tuple[tuple[Family, ...], str, str], ...] = (
    (("classical",), "Classical methods", "invent no detail"),
    (("trained", "diffusion"), "Networks", "may remove or invent detail"),
)


def _heading(title: str, remark: str = "", question: str = "", answer: str = "") -> None:
    gr.HTML(piece("heading", title, remark, question, answer), elem_classes="heading")


def image_section(samples: dict[str, Any], remarks: tuple[str, str]) -> dict[str, Any]:
    """From the upload to the ground truth; see `layout.build_layout` for the parameters."""
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


def method_section(missing: dict[str, str]) -> list[MethodCard]:
    """A card for each method; ``missing`` says why one cannot run here."""
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


def reproducibility_section() -> dict[str, Any]:
    """Seed, seeds to compare, and device."""
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


def run_bar() -> dict[str, Any]:
    """What a run will take, and the buttons that start and stop it."""
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
