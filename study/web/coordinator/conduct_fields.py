"""Fields of the qualification of a draft, and of the amendment of a frozen protocol."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import gradio as gr

from enhancers.private_folders import process_folder
from study.domain.errors import ProtocolError
from study.domain.protocol import Protocol, RepeatSession
from study.domain.questions import CATALOG, Question, QuestionKind
from study.planning.qualification import AnswerRow, read_answers
from study.web.coordinator.draft import heading

WORDING = {"title": "Title", "instructions": "Instructions", "consent": "Consent", "notes": "Notes"}
NUMBERS = {
    "readers": "Readers", "attempts": "Attempts to qualify", "washout_days": "Washout in days",
    "break_minutes": "Break after minutes",
}  # fmt: skip
_HEADER = "case,method,question,low,high"


@dataclass(frozen=True, eq=False)
class QualificationFields:
    """What a reader has to answer before the study."""

    box: Any
    state: Any
    answers: Any
    pass_mark: Any
    attempts: Any
    declare: Any
    remove: Any


@dataclass(frozen=True, eq=False)
class AmendmentFields:
    """What may change of a frozen protocol, and why; `seen` holds what the fields began with."""

    box: Any
    fields: dict[str, Any]
    seen: Any
    amend: Any


def draw_qualification() -> QualificationFields:
    """Draw the qualification on the tab of the freeze."""
    parts: dict[str, Any] = {}
    with gr.Column(visible=False) as parts["box"]:
        heading(
            "Qualification",
            "Optional: training cases with known answers, which each reader answers before the "
            "study; they enter no analysis.",
        )
        parts["state"] = gr.HTML("", elem_id="qualification")
        parts["answers"] = gr.Textbox(
            label="Known answers", lines=3, placeholder=f"{_HEADER}\nknee-17,,quality,4,5",
            elem_id="known-answers",
            info=f"A table with the columns {_HEADER}: the least and the largest right answer; "
            "truth as low stands for the truth of the case. Empty: they stay.",
        )  # fmt: skip
        with gr.Row(elem_classes="co-act"):
            parts["pass_mark"] = gr.Number(
                80, minimum=1, maximum=100, label="Pass mark in percent", elem_id="pass-mark"
            )
            parts["attempts"] = gr.Number(
                1, precision=0, minimum=1, label="Attempts", elem_id="attempts"
            )
            parts["declare"] = gr.Button("Set the qualification", elem_id="declare")
            parts["remove"] = gr.Button("Remove it", visible=False, elem_id="remove-qualification")
    return QualificationFields(**parts)


def draw_amendment() -> AmendmentFields:
    """Draw the amendment below the frozen protocol."""
    parts: dict[str, Any] = {"fields": {}}
    fields = parts["fields"]
    with gr.Column(visible=False, elem_id="amendment") as parts["box"]:
        heading(
            "Amend the protocol",
            "A new version, from the next answer on; every answer keeps its version. Methods, "
            "images, plans, scales and the primary comparison stay as they were frozen.",
        )
        for name, label in WORDING.items():
            long = {"lines": 2} if name != "title" else {"max_lines": 1}
            fields[name] = gr.Textbox(label=label, **long)
        fields["questions"] = gr.Textbox(
            label="Wording of the questions", lines=3,
            info="One per line, as code: text. A new code adds an optional question: a criterion "
            f"of the catalogue ({', '.join(one.code for one in CATALOG)}), or a free text.",
        )  # fmt: skip
        with gr.Row(elem_classes="co-numbers"):
            for name, label in NUMBERS.items():
                whole = {"precision": 0} if name in ("readers", "attempts") else {}
                fields[name] = gr.Number(label=label, min_width=120, **whole)
        with gr.Row(elem_classes="co-numbers"):
            fields["added_repeats"] = gr.Number(
                0, precision=0, minimum=0, label="Repeats of an added session", min_width=120,
                info="0: none is added. Each reader reads that many main ones once more.",
            )  # fmt: skip
            fields["added_washout"] = gr.Number(
                0, minimum=0, label="Its washout in days", min_width=120,
                info="From the end of the reader's session before.",
            )  # fmt: skip
        fields["words"] = gr.Checkbox(
            label="I have read the doubtful words: they name nothing", elem_id="amend-words"
        )
        with gr.Row(elem_classes="co-act co-wide"):
            fields["reason"] = gr.Textbox(
                label="Reason, which the report prints", max_lines=1, elem_id="amend-reason"
            )
            parts["amend"] = gr.Button("Amend", variant="primary", elem_id="amend")
    return AmendmentFields(seen=gr.State(None), **parts)


def pasted_answers(text: str) -> tuple[AnswerRow, ...] | None:
    """The known answers in a pasted table; None where it is empty."""
    if not text.strip():
        return None
    with tempfile.TemporaryDirectory(dir=process_folder()) as folder:
        path = Path(folder) / "the table"
        path.write_text(text.strip() + "\n", "utf-8")
        return read_answers(path)


def amended_values(protocol: Protocol) -> dict[str, Any]:
    """What the fields of an amendment show for a protocol, by name."""
    lines = [f"{one.code}: {' '.join(one.text.split())}" for one in protocol.questions]
    plain = {name: getattr(protocol, name) for name in (*WORDING, *NUMBERS)}
    empty = {"added_repeats": 0, "added_washout": 0.0, "words": False, "reason": ""}
    return {**plain, "questions": "\n".join(lines), **empty}


def amended_protocol(values: Mapping[str, Any], base: Protocol) -> Protocol:
    """The protocol that the fields of an amendment describe.

    Raises
    ------
    ProtocolError
        A number is missing, or a line of the questions cannot be read.
    """
    numbers: dict[str, Any] = {}
    for name, label in NUMBERS.items():
        value = values[name]
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise ProtocolError(f"{label} is empty: give a number.")
        numbers[name] = type(getattr(base, name))(value)
    repeats, washout = (float(values[name] or 0) for name in ("added_repeats", "added_washout"))
    if washout and not repeats:
        raise ProtocolError(
            "The washout of an added session is given, but not its repeats: give both."
        )
    added = (RepeatSession(int(repeats), washout),) if repeats else ()
    return base.with_(
        **{name: str(values[name] or "").strip() for name in WORDING},
        **numbers,
        repeat_sessions=(*base.repeat_sessions, *added),
        questions=_questions(str(values["questions"] or ""), base),
    )


def _questions(text: str, base: Protocol) -> tuple[Question, ...]:
    known = {one.code: one for one in base.questions}
    catalogue = {one.code: replace(one, primary=False) for one in CATALOG}
    found: dict[str, Question] = {}
    for line in filter(str.strip, text.splitlines()):
        code, colon, words = (part.strip() for part in line.partition(":"))
        if not colon or not code or not words:
            raise ProtocolError(f"{line.strip()!r} is not the code of a question, a colon, a text.")
        if code in found:
            raise ProtocolError(f"The question {code} is listed twice.")
        old = known.get(code) or catalogue.get(code)
        if old is None:
            old = Question(code, words, QuestionKind.TEXT, 0, 0, cannot_judge=False)
        same = " ".join(old.text.split()) == words
        found[code] = old if same else replace(old, text=words)
    return tuple(found.values())
