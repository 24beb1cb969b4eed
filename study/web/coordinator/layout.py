"""Components of the coordinator's pages.

The configuration of the page is the same for every study: its content is filled in after the server
has checked who asks.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, fields
from typing import Any

import gradio as gr

from study.web.coordinator.conduct_fields import (
    AmendmentFields,
    QualificationFields,
    draw_amendment,
    draw_qualification,
)
from study.web.coordinator.draft import DesignFields, ImageFields, draw_design, draw_images, heading

TABS = {
    "overview": "Overview",
    "design": "Design",
    "images": "Images",
    "freeze": "Freeze and open",
    "readers": "Readers",
    "close": "Close and unblind",
    "results": "Results",
    "audit": "Audit",
    "accounts": "Accounts",
}


PRESENCE_SECONDS = 60.0
"""Seconds between two signs of an open page."""
CHANGES = {
    "replace": "Replace by a new reader",
    "add": "Add a reader",
    "off": "Switch off",
    "on": "Switch on",
    "attempt": "Allow another attempt to qualify",
    "revoke": "End all links and sessions",
    "rename": "Change the code",
    "note": "Write a note",
}
"""What can be done about a reader after the freeze."""


@dataclass(frozen=True, eq=False)
class Freeze:
    """The tab that fixes the plan and opens the study."""

    check: Any
    found: Any
    hashes: Any
    codes: Any
    words: Any
    confirm: Any
    freeze: Any
    open: Any


@dataclass(frozen=True, eq=False)
class Readers:
    """The tab of the readers."""

    table: Any
    reader: Any
    invite: Any
    given: Any
    change: dict[str, Any]
    apply: Any
    out: dict[str, Any]
    exclude: Any
    reinstate: Any
    excluded: Any


@dataclass(frozen=True, eq=False)
class Close:
    """The tab that closes and unblinds the study."""

    state: Any
    confirm: Any
    close: Any
    ask: Any
    second: Any
    take_back: Any
    methods: Any


@dataclass(frozen=True, eq=False)
class Results:
    """The tab of report and tables."""

    state: Any
    tables: Any
    report: Any
    progress: Any
    files: Any


@dataclass(frozen=True, eq=False)
class Audit:
    """The tab of audit events, integrity checks and backups."""

    verify: Any
    with_images: Any
    target: Any
    copy_images: Any
    backup: Any
    found: Any
    filter: Any
    events: Any


@dataclass(frozen=True, eq=False)
class Accounts:
    """The tab of coordinators' accounts."""

    table: Any
    name: Any
    role: Any
    add: Any
    account: Any
    renew: Any
    switch: Any
    given: Any


@dataclass(frozen=True, eq=False)
class Layout:
    """The components of the page."""

    header: Any
    notice: Any
    tabs: Any
    tab: dict[str, Any]
    life: Any
    step: Any
    advice: Any
    go: Any
    board: Any
    timer: Any
    presence: Any
    design: DesignFields
    amendment: AmendmentFields
    images: ImageFields
    qualification: QualificationFields
    freeze: Freeze
    readers: Readers
    close: Close
    results: Results
    audit: Audit
    accounts: Accounts

    def components(self) -> list[Any]:
        """All components, which any handler may update."""
        return list(_components(self))


def draw() -> Layout:
    """Draw the page inside an open `gr.Blocks`."""
    parts: dict[str, Any] = {"header": gr.HTML("", elem_id="header"), "tab": {}}
    pages = {
        "design": draw_design, "images": draw_images, "freeze": _freeze, "readers": _readers,
        "close": _close, "results": _results, "audit": _audit, "accounts": _accounts,
    }  # fmt: skip
    with gr.Column(elem_id="desk"):
        parts["notice"] = gr.HTML("", elem_id="notice")
        with gr.Tabs(elem_id="views") as parts["tabs"]:
            with gr.Tab(TABS["overview"], id="overview") as parts["tab"]["overview"]:
                parts["life"] = gr.HTML("", elem_id="life")
                with gr.Row(elem_classes="co-step", visible=False) as parts["step"]:
                    parts["advice"] = gr.HTML("", elem_id="advice")
                    parts["go"] = gr.Button("Go to this step", elem_id="go")
                parts["board"] = gr.HTML("", elem_id="board")
            for name, drawn in pages.items():
                with gr.Tab(TABS[name], id=name, visible=False) as parts["tab"][name]:
                    if name == "freeze":
                        parts["qualification"] = draw_qualification()
                    parts[name] = drawn()
                    if name == "design":
                        parts["amendment"] = draw_amendment()
    parts["timer"] = gr.Timer(1.0, active=False)
    parts["presence"] = gr.Timer(PRESENCE_SECONDS)
    return Layout(**parts)


def _components(part: Any) -> Iterator[Any]:
    for item in fields(part):
        value = getattr(part, item.name)
        if isinstance(value, dict):
            yield from value.values()
        elif hasattr(value, "__dataclass_fields__"):
            yield from _components(value)
        else:
            yield value


def _freeze() -> Freeze:
    parts: dict[str, Any] = {}
    heading(
        "Before the first rating",
        "The freeze fixes protocol, plan, and the hashes of seed and names for good.",
    )
    parts["codes"] = gr.Textbox(
        label="Codes of the readers", max_lines=1, visible=False, elem_id="reader-codes",
        info="Separated by commas, one for each reader; empty: R01, R02, ...",
    )  # fmt: skip
    parts["check"] = gr.Button("Check what is ready", elem_id="check")
    parts["found"] = gr.HTML("", elem_id="found")
    parts["words"] = gr.Checkbox(
        label="I have read the doubtful words: they name nothing", visible=False,
        elem_id="confirm-words",
    )  # fmt: skip
    with gr.Row(elem_classes="co-act"):
        parts["confirm"] = gr.Textbox(
            label="To freeze, type the code of the study", max_lines=1, visible=False,
            elem_id="confirm-freeze",
        )  # fmt: skip
        parts["freeze"] = gr.Button("Freeze", variant="primary", visible=False, elem_id="freeze")
        parts["open"] = gr.Button(
            "Open for reading", variant="primary", visible=False, elem_id="open"
        )
    parts["hashes"] = gr.HTML("", elem_id="hashes")
    return Freeze(**parts)


def _readers() -> Readers:
    parts: dict[str, Any] = {}
    heading("Progress", "Counts and times, nothing by method.")
    parts["table"] = gr.HTML("", elem_id="readers")
    heading("Invitations", "A new invitation ends the earlier link, secret and sessions.")
    with gr.Row(elem_classes="co-act"):
        parts["reader"] = gr.Dropdown([], label="Reader", filterable=False, elem_id="reader")
        parts["invite"] = gr.Button("New invitation", variant="primary", elem_id="invite")
    parts["given"] = gr.HTML("", elem_id="invitation")
    heading(
        "Changes of readers",
        "Each is logged. Reasons are printed in the report; notes are for coordinators only.",
    )
    with gr.Row(elem_classes="co-act co-wide"):
        parts["change"] = {
            "change": gr.Dropdown(
                [(label, name) for name, label in CHANGES.items()], value="replace",
                label="Change", filterable=False, elem_id="change",
            ),
            "reader": gr.Dropdown([], label="Reader", filterable=False, elem_id="change-reader"),
            "code": gr.Textbox(
                label="New code", placeholder="the next number", max_lines=1,
                elem_id="change-code",
            ),
            "reason": gr.Textbox(
                label="Reason or note", max_lines=1, elem_id="change-reason", scale=2
            ),
        }  # fmt: skip
        parts["apply"] = gr.Button("Apply", elem_id="apply-change")
    heading(
        "Exclusions from the analysis",
        "Of a reader or a case; each is logged and printed in the report, and the ratings stay. "
        "An exclusion is undone by a second decision with its reason.",
    )
    with gr.Row(elem_classes="co-act co-wide"):
        parts["out"] = {
            "code": gr.Textbox(label="Reader or case", max_lines=1, elem_id="out-code"),
            "rule": gr.Textbox(label="Rule, in one word", max_lines=1, elem_id="out-rule"),
            "reason": gr.Textbox(label="Reason", max_lines=1, elem_id="out-reason", scale=2),
            "prespecified": gr.Checkbox(label="Rule set before the first rating"),
        }
        parts["exclude"] = gr.Button("Exclude", elem_id="exclude")
        parts["reinstate"] = gr.Button("Undo the exclusion", elem_id="reinstate")
    parts["excluded"] = gr.HTML("", elem_id="excluded")
    return Readers(**parts)


def _close() -> Close:
    parts: dict[str, Any] = {}
    heading("Closing and unblinding", "Neither can be undone; both are logged.")
    parts["state"] = gr.HTML("", elem_id="unblinding")
    with gr.Row(elem_classes="co-act"):
        parts["confirm"] = gr.Textbox(
            label="To go on, type the code of the study", max_lines=1, visible=False,
            elem_id="confirm-close",
        )  # fmt: skip
        parts["close"] = gr.Button("Close", variant="primary", visible=False, elem_id="close")
        parts["ask"] = gr.Button("Ask to unblind", visible=False, elem_id="ask")
        parts["second"] = gr.Button(
            "Confirm and unblind", variant="primary", visible=False, elem_id="second"
        )
        parts["take_back"] = gr.Button("Withdraw the request", visible=False, elem_id="take-back")
    parts["methods"] = gr.HTML("", elem_id="methods")
    return Close(**parts)


def _results() -> Results:
    parts: dict[str, Any] = {}
    heading("Results", "Methods are shown by code until the study is unblinded.")
    parts["state"] = gr.HTML("", elem_id="results-state")
    with gr.Row(elem_classes="co-act"):
        parts["report"] = gr.Button("Make the report", variant="primary", elem_id="report")
        parts["tables"] = gr.Button("Make the tables", elem_id="tables")
    parts["progress"] = gr.HTML("", elem_id="report-progress")
    parts["files"] = gr.HTML("", elem_id="files")
    return Results(**parts)


def _audit() -> Audit:
    parts: dict[str, Any] = {}
    with gr.Row(elem_classes="co-halves", elem_id="audit-top"):
        with gr.Column(min_width=320):
            heading("Integrity", "Of ratings, plan, records, mirror and constraints.")
            with gr.Row(elem_classes="co-act"):
                parts["with_images"] = gr.Checkbox(label="Compare the images as well")
                parts["verify"] = gr.Button("Verify", variant="primary", elem_id="verify")
        with gr.Column(min_width=420):
            heading("Backup", "Consistent even while readers read.")
            with gr.Row(elem_classes="co-act"):
                parts["target"] = gr.Textbox(
                    label="New folder on the server", max_lines=1, elem_id="target"
                )
                parts["copy_images"] = gr.Checkbox(label="With images")
                parts["backup"] = gr.Button("Back up", elem_id="backup")
    parts["found"] = gr.HTML("", elem_id="verdict")
    heading("Events", "The newest come first; none can be changed or removed.")
    with gr.Row(elem_classes="co-act"):
        parts["filter"] = gr.Textbox(label="Events with this word", max_lines=1, elem_id="filter")
    parts["events"] = gr.HTML("", elem_id="events")
    return Audit(**parts)


def _accounts() -> Accounts:
    parts: dict[str, Any] = {}
    heading("Accounts", "An admin runs the study; a monitor sees progress only.")
    parts["table"] = gr.HTML("", elem_id="accounts")
    with gr.Row(elem_classes="co-halves"):
        with gr.Column(min_width=320):
            heading("New account")
            with gr.Row(elem_classes="co-act"):
                parts["name"] = gr.Textbox(label="Name", max_lines=1, elem_id="account-name")
                parts["role"] = gr.Dropdown(
                    ["monitor", "admin"], value="monitor", label="Role", filterable=False
                )
                parts["add"] = gr.Button("Add", variant="primary", elem_id="add-account")
        with gr.Column(min_width=320):
            heading("Existing account")
            with gr.Row(elem_classes="co-act"):
                parts["account"] = gr.Dropdown(
                    [], label="Account", filterable=False, elem_id="account"
                )
                parts["renew"] = gr.Button("New secret", elem_id="renew")
                parts["switch"] = gr.Button("Switch off or on", elem_id="switch")
    parts["given"] = gr.HTML("", elem_id="given")
    return Accounts(**parts)
