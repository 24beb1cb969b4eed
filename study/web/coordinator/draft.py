"""The pages of a draft: the fields of the design, and where the images are."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import gradio as gr

from study.domain.protocol import CATALOG, Protocol
from study.web.coordinator import design_form

MANIFEST, FOLDERS, IMAGES = "table", "folders", "images"
_SOURCES = [
    ("Ready-made images, listed in a table", MANIFEST),
    ("Ready-made images, one folder a method", FOLDERS),
    ("Images that methods are run on", IMAGES),
]


@dataclass(frozen=True, eq=False)
class DesignFields:
    """The page of the protocol."""

    fields: dict[str, Any]
    draft: Any
    sheet: Any
    planner: Any
    cost: Any
    save: Any


@dataclass(frozen=True, eq=False)
class ImageFields:
    """The page of cases and methods."""

    fields: dict[str, Any]
    draft: Any
    upload: Any
    state: Any
    progress: Any
    gates: Any
    buttons: Any
    build: Any
    stop: Any
    made: Any
    ready: Any


def heading(text: str) -> None:
    """A heading; what is small in it is quiet."""
    gr.HTML(f"<h2>{text}</h2>", elem_classes="heading")


def draw_design() -> DesignFields:
    """The page of the protocol: fields while it is a draft, a sheet later."""
    parts: dict[str, Any] = {"fields": {}}
    fields_ = parts["fields"]
    parts["sheet"] = gr.HTML("", visible=False)
    with gr.Row(elem_classes="co-split", visible=False) as parts["draft"]:
        with gr.Column(scale=3, min_width=420):
            _questions(fields_)
            _pairs(fields_)
            _reading(fields_)
            heading("Texts <small>Readers see them; they must not name a method.</small>")
            fields_["title"] = gr.Textbox(label="Title", max_lines=1)
            fields_["instructions"] = gr.Textbox(label="Instructions", lines=3)
            fields_["consent"] = gr.Textbox(label="Consent", lines=3)
            fields_["notes"] = gr.Textbox(
                label="Notes", lines=2, info="Kept with the protocol, such as a registration."
            )
        with gr.Column(scale=2, min_width=320, elem_classes="co-aside"):
            heading("What it costs")
            with gr.Row(visible=False) as parts["planner"]:
                for name, value in design_form.PLANNED.items():
                    label = name.removeprefix("planned_").capitalize()
                    fields_[name] = gr.Number(
                        value, precision=0, minimum=1, label=label, min_width=80
                    )
            parts["cost"] = gr.HTML("", elem_id="cost")
            parts["save"] = gr.Button("Save the design", variant="primary", elem_id="save")
    return DesignFields(**parts)


def _questions(fields_: dict[str, Any]) -> None:
    heading("Questions <small>Each is answered for both images of a pair.</small>")
    fields_["criteria"] = gr.CheckboxGroup(
        [(question.text, question.code) for question in CATALOG],
        label="Criteria, 1 to 5", elem_id="criteria",
    )  # fmt: skip
    with gr.Row():
        fields_["primary"] = gr.Dropdown([], label="Primary criterion", filterable=False)
        fields_["preference"] = gr.Checkbox(label="Ask which one is preferred")
        fields_["cannot_judge"] = gr.Checkbox(label="Allow “cannot judge”")


def _pairs(fields_: dict[str, Any]) -> None:
    heading("Pairs <small>Every case is read once with each pair of methods.</small>")
    fields_["pairing"] = gr.Radio(list(design_form.PAIRINGS), label="Compare", elem_id="pairing")
    fields_["control"] = gr.Dropdown([], label="With this one", visible=False)
    fields_["pairs"] = gr.CheckboxGroup([], label="These pairs", visible=False)
    hints = {
        "readers": "Each has its own plan.",
        "training": "Before; never analysed.",
        "dummies": "The first, discarded.",
        "nulls": "The same image twice.",
        "repeats": "Main pairs once more.",
        "repeat_distance": "0: 20 or a quarter.",
        "washout_days": "0: the same session.",
        "seconds_per_pair": "For the estimate.",
    }
    _numbers(fields_, hints, 4)


def _reading(fields_: dict[str, Any]) -> None:
    heading("Reading")
    hints = {
        "break_minutes": "Then one is suggested.",
        "least_width": "CSS pixels.",
        "least_height": "CSS pixels.",
        "alpha": "Of the whole family.",
    }
    _numbers(fields_, hints, 4)
    with gr.Row():
        fields_["feedback"] = gr.Checkbox(label="Say afterwards what training pairs showed")
        fields_["ask_blinding"] = gr.Checkbox(label="Ask at the end how images were made")
    fields_["groups"] = gr.Textbox(
        label="Answers to that question", info="Separated by commas.", max_lines=1
    )


def _numbers(fields_: dict[str, Any], hints: dict[str, str], in_row: int) -> None:
    names = list(hints)
    start = Protocol()
    for first in range(0, len(names), in_row):
        with gr.Row(elem_classes="co-numbers"):
            for name in names[first : first + in_row]:
                fields_[name] = gr.Number(
                    getattr(start, name), precision=0 if name in design_form.WHOLE else None,
                    label=design_form.NUMBERS[name], info=hints[name], min_width=120,
                )  # fmt: skip


def draw_images() -> ImageFields:
    """The page of cases and methods."""
    parts: dict[str, Any] = {"fields": {}}
    fields_ = parts["fields"]
    with gr.Row(elem_classes="co-split"):
        with gr.Column(scale=3, min_width=420, visible=False) as parts["draft"]:
            heading("Where the images are")
            fields_["kind"] = gr.Radio(_SOURCES, value=MANIFEST, show_label=False, elem_id="kind")
            fields_["path"] = gr.Textbox(
                label="Path on the server", max_lines=1, elem_id="path",
                info="Of the table (case,patient,method,file) or the folder.",
            )  # fmt: skip
            parts["upload"] = gr.File(
                label="Or a zip file with the table or the folders", file_count="single",
                height=74, elem_id="zip",
            )  # fmt: skip
            with gr.Column(visible=False) as parts["made"]:
                fields_["methods"] = gr.Textbox(
                    label="Methods", lines=3,
                    info="One a line, with parameters after a colon (key:name=value); input is the "
                    "image as it is. python -m enhancers list shows the keys.",
                )  # fmt: skip
                with gr.Row():
                    fields_["truth"] = gr.Textbox(
                        label="Folder of clean images", max_lines=1,
                        info="Same names; the hidden reference.",
                    )  # fmt: skip
                    fields_["degraded"] = gr.Textbox(
                        label="Degraded on purpose", max_lines=1,
                        info="kind:level; commas between.",
                    )  # fmt: skip
            with gr.Row(visible=True) as parts["ready"]:
                fields_["reference"] = gr.Textbox(
                    label="Reference", max_lines=1, info="The clean or original one."
                )
                fields_["anchors"] = gr.Textbox(
                    label="Anchors",
                    max_lines=1,
                    info="Degraded on purpose.",
                )
                fields_["answers"] = gr.Textbox(
                    label="Right answers", lines=2,
                    info="method = answer, one a line.",
                )  # fmt: skip
            with gr.Row():
                fields_["separator"] = gr.Textbox(
                    label="Patient ends at", max_lines=1, info="In file names, such as _."
                )
                fields_["training_cases"] = gr.Textbox(
                    label="Cases for training", max_lines=1, info="Names, commas between."
                )
                fields_["modality"] = gr.Textbox(
                    label="Modality", max_lines=1, info="Such as CT, where files do not say."
                )
            fields_["attest"] = gr.Checkbox(
                label="I have looked at the pixels of all files: they name nobody"
            )
            fields_["accept"] = gr.Checkbox(
                label="Sharp differences at the edge of images are no marks"
            )
        with gr.Column(scale=2, min_width=320, elem_classes="co-aside"):
            heading("What is built")
            with gr.Row(visible=False) as parts["buttons"]:
                parts["build"] = gr.Button("Build", variant="primary", elem_id="build")
                parts["stop"] = gr.Button("Stop", interactive=False, elem_id="stop-build")
            parts["progress"] = gr.HTML("", elem_id="build-progress")
            parts["state"] = gr.HTML("", elem_id="built")
    parts["gates"] = gr.HTML("", elem_id="gates")
    return ImageFields(**parts)
