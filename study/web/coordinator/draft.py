"""The tabs of a draft: the fields of the design, and the sources of the images."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import gradio as gr

from study.domain.protocol import Protocol
from study.domain.question_kinds import LEAST_RANKED, MOST_RANKED
from study.domain.questions import CATALOG
from study.domain.reader_texts import languages, shipped_texts
from study.web.coordinator import design_form, views

MANIFEST, FOLDERS, IMAGES = "table", "folders", "images"
_SOURCES = [
    ("Ready-made images, listed in a table", MANIFEST),
    ("Ready-made images, one folder per method", FOLDERS),
    ("Images that methods are run on", IMAGES),
]


@dataclass(frozen=True, eq=False)
class DesignFields:
    """The tab of the design; `seen` holds the values that the fields were filled with."""

    fields: dict[str, Any]
    seen: Any
    draft: Any
    sheet: Any
    planner: Any
    cost: Any
    save: Any


@dataclass(frozen=True, eq=False)
class ImageFields:
    """The tab of cases and methods."""

    fields: dict[str, Any]
    draft: Any
    upload: Any
    state: Any
    progress: Any
    gates: Any
    buttons: Any
    build: Any
    stop: Any
    restore: Any
    made: Any
    ready: Any


def heading(title: str, note: str = "") -> None:
    """A heading, with a note in small print."""
    gr.HTML(views.heading(title, note), elem_classes="heading")


def draw_design() -> DesignFields:
    """Draw the tab of the design: fields of a draft, later the frozen protocol as text."""
    parts: dict[str, Any] = {"fields": {}}
    fields = parts["fields"]
    parts["sheet"] = gr.HTML("", visible=False)
    with gr.Row(elem_classes="co-split", visible=False) as parts["draft"]:
        with gr.Column(scale=3, min_width=420):
            _questions(fields)
            _pairs(fields)
            _inference(fields)
            _reading(fields)
            heading("Texts", "Readers see these texts; they must not name a method.")
            fields["title"] = gr.Textbox(label="Title", max_lines=1)
            fields["instructions"] = gr.Textbox(label="Instructions", lines=3)
            fields["consent"] = gr.Textbox(label="Consent", lines=3)
            fields["language"] = gr.Dropdown(
                [(shipped_texts(code)["page.language"], code) for code in languages()],
                label="Language of the buttons and messages on the readers' pages",
                allow_custom_value=True,
            )
            fields["notes"] = gr.Textbox(
                label="Notes",
                lines=2,
                info="Kept with the protocol, such as a registration.",
            )
        with gr.Column(scale=2, min_width=320, elem_classes="co-aside"):
            heading("Workload")
            with gr.Row(visible=False) as parts["planner"]:
                for name, value in design_form.PLANNED.items():
                    label = name.removeprefix("planned_").capitalize()
                    fields[name] = gr.Number(
                        value, precision=0, minimum=1, label=label, min_width=80
                    )
            parts["cost"] = gr.HTML("", elem_id="cost")
            parts["save"] = gr.Button("Save the design", variant="primary", elem_id="save")
    return DesignFields(seen=gr.State(None), **parts)


def _questions(fields: dict[str, Any]) -> None:
    heading("Questions", "Each is answered for every image that is shown.")
    fields["criteria"] = gr.CheckboxGroup(
        [(question.text, question.code) for question in CATALOG],
        label="Criteria, 1 to 5", elem_id="criteria",
    )  # fmt: skip
    with gr.Row():
        fields["primary"] = gr.Dropdown([], label="Primary criterion", filterable=False)
        fields["preference"] = gr.Checkbox(label="Ask which image is preferred")
        fields["cannot_judge"] = gr.Checkbox(label="Allow “cannot judge”")
    with gr.Row(elem_classes="co-numbers"):
        fields["ranked"] = gr.Number(
            precision=0, minimum=LEAST_RANKED, maximum=MOST_RANKED,
            label=design_form.LABELS["ranked"], info="As many as methods; for rankings alone.",
        )  # fmt: skip
        fields["ties"] = gr.Checkbox(label="In a ranking, images may have the same rank")


def _pairs(fields: dict[str, Any]) -> None:
    heading(
        "Images", "Every case is read once with each pair of methods, each method alone, or all."
    )
    fields["presentation"] = gr.Radio(
        [(label, key.value) for key, label in design_form.SHOWN.items()],
        label="Shown at a time", elem_id="presentation",
    )  # fmt: skip
    fields["crossover"] = gr.Checkbox(
        label="Crossover of single images: each method in a session by itself, after a washout "
        "(28 days are usual), in orders that are balanced for carry-over"
    )
    fields["show_original"] = gr.Checkbox(
        label="Show the unenhanced image beside pairs and single images, labelled and not rated "
        "(build it on the tab Images)"
    )
    fields["pairing"] = gr.Radio(list(design_form.PAIRINGS), label="Compare", elem_id="pairing")
    fields["control"] = gr.Dropdown([], label="Control method", visible=False)
    fields["pairs"] = gr.CheckboxGroup([], label="Pairs of methods", visible=False)
    hints = {
        "readers": "Each has a separate plan.",
        "block": "Besides the control; 0: all.",
        "training": "Read first; never analysed.",
        "dummies": "The first ones, discarded.",
        "nulls": "One image twice; only for pairs.",
        "repeats": "Main ones shown again.",
        "repeat_distance": "0: 20, or a quarter of all.",
        "washout_days": "0: repeats in the same session.",
        "seconds_per_pair": "Used in the estimate.",
    }
    _numbers(fields, hints, 4)


def _inference(fields: dict[str, Any]) -> None:
    heading(
        "Conclusions",
        "The primary comparison is on the primary criterion; everything else is secondary.",
    )
    with gr.Row():
        fields["random"] = gr.Radio(
            [(label, key.value) for key, label in design_form.RANDOM.items()],
            label="Results hold for other", elem_id="random",
        )  # fmt: skip
    with gr.Row():
        fields["primary_pair"] = gr.Dropdown(
            [(label, key) for key, label in design_form.NO_PRIMARY.items()],
            label="Primary comparison", filterable=False,
        )  # fmt: skip
        fields["hypothesis"] = gr.Dropdown(
            [(label, key.value) for key, label in design_form.HYPOTHESES.items()],
            label="It is to show that", filterable=False,
        )  # fmt: skip
    hints = {"margin": "In points; 0 for a difference.", "alpha": "For the family of tests."}
    _numbers(fields, hints, 4)


def _reading(fields: dict[str, Any]) -> None:
    heading("Reading")
    hints = {
        "break_minutes": "A break is suggested then.",
        "least_width": "In CSS pixels.",
        "least_height": "In CSS pixels.",
    }
    _numbers(fields, hints, 4)
    fields["windows"] = gr.Dropdown(
        [], multiselect=True, label="Display windows", filterable=False,
        info="The first is shown first. None: all that are known for the modality.",
    )  # fmt: skip
    with gr.Row():
        fields["feedback"] = gr.Checkbox(
            label="After a training pair, say what it showed (needs cases for training)"
        )
        fields["ask_blinding"] = gr.Checkbox(label="At the end, ask how images were made")
    fields["groups"] = gr.Textbox(
        label="Possible answers to that question", info="Separated by commas.", max_lines=1
    )


def _numbers(fields: dict[str, Any], hints: dict[str, str], in_row: int) -> None:
    names = list(hints)
    start = Protocol()
    for first in range(0, len(names), in_row):
        with gr.Row(elem_classes="co-numbers"):
            for name in names[first : first + in_row]:
                fields[name] = gr.Number(
                    getattr(start, name), precision=0 if name in design_form.INTEGERS else None,
                    label=design_form.NUMBERS[name], info=hints[name], min_width=120,
                )  # fmt: skip


def draw_images() -> ImageFields:
    """Draw the tab of cases and methods."""
    parts: dict[str, Any] = {"fields": {}}
    fields = parts["fields"]
    with gr.Row(elem_classes="co-split"):
        with gr.Column(scale=3, min_width=420, visible=False) as parts["draft"]:
            heading("Where the images are")
            fields["kind"] = gr.Radio(_SOURCES, value=MANIFEST, show_label=False, elem_id="kind")
            fields["path"] = gr.Textbox(
                label="Path on the server", max_lines=1, elem_id="path",
                info="Path of the table (case,patient,method,file) or of the folder.",
            )  # fmt: skip
            parts["upload"] = gr.File(
                label="Or a zip file with the table or the folders", file_count="single",
                height=74, elem_id="zip",
            )  # fmt: skip
            parts["made"] = _images_to_process(fields)
            parts["ready"] = _ready_made(fields)
            _about_files(fields)
        with gr.Column(scale=2, min_width=320, elem_classes="co-aside"):
            heading("Built images")
            with gr.Row(visible=False) as parts["buttons"]:
                parts["build"] = gr.Button("Build", variant="primary", elem_id="build")
                parts["stop"] = gr.Button("Stop", interactive=False, elem_id="stop-build")
            parts["restore"] = gr.Button(
                "Restore lost images", visible=False, elem_id="restore-images"
            )
            parts["progress"] = gr.HTML("", elem_id="build-progress")
            parts["state"] = gr.HTML("", elem_id="built")
    parts["gates"] = gr.HTML("", elem_id="gates")
    return ImageFields(**parts)


def _images_to_process(fields: dict[str, Any]) -> Any:
    """Fields for images that methods are run on."""
    with gr.Column(visible=False) as column:
        fields["methods"] = gr.Textbox(
            label="Methods", lines=3,
            info="One per line, with parameters after a colon (key:name=value); input is the "
            "unprocessed image. python -m enhancers list shows the keys.",
        )  # fmt: skip
        with gr.Row():
            fields["truth"] = gr.Textbox(
                label="Folder of clean images", max_lines=1,
                info="Files of the same names: the hidden reference.",
            )  # fmt: skip
            fields["degraded"] = gr.Textbox(
                label="Degraded on purpose", max_lines=1,
                info="As kind:level, separated by commas.",
            )  # fmt: skip
    return column


def _ready_made(fields: dict[str, Any]) -> Any:
    """Fields for images that other programs have made."""
    with gr.Row(visible=True) as row:
        fields["reference"] = gr.Textbox(
            label="Reference", max_lines=1, info="Method with clean images."
        )
        fields["anchors"] = gr.Textbox(
            label="Anchors",
            max_lines=1,
            info="Methods degraded on purpose.",
        )
        fields["answers"] = gr.Textbox(
            label="Right answers", lines=2,
            info="As method = answer, one per line.",
        )  # fmt: skip
    return row


def _about_files(fields: dict[str, Any]) -> None:
    """Fields for all kinds of images."""
    with gr.Row():
        fields["separator"] = gr.Textbox(
            label="Patient ends at", max_lines=1, info="A character in file names, such as _."
        )
        fields["training_cases"] = gr.Textbox(
            label="Cases for training", max_lines=1, info="Names, separated by commas."
        )
        fields["modality"] = gr.Textbox(
            label="Modality", max_lines=1, info="Such as CT, where files do not state it."
        )
    with gr.Row():
        fields["original"] = gr.Textbox(
            label="Unenhanced images", max_lines=1,
            info="Method shown beside the others; input where methods are run.",
        )  # fmt: skip
        fields["stack"] = gr.Textbox(
            label="Slices of volumes", max_lines=1,
            info="Empty: one. Stack to scroll: all, or 10-49:2 with a step; 64 at most.",
        )  # fmt: skip
    fields["attest"] = gr.Checkbox(
        label="I have inspected the pixels of all files: they identify nobody"
    )
    with gr.Row():
        fields["accept_cases"] = gr.Textbox(
            label="Cases with accepted differences", max_lines=1,
            info="Names, separated by commas: you have looked at their marks, shifts and so on.",
        )  # fmt: skip
        fields["accept"] = gr.Checkbox(label="Accept the differences of all cases")
