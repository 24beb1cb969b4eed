"""The parts of the coordinator's pages as HTML: each function fills one template."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import cache
from pathlib import Path
from typing import Any

from jinja2 import Environment
from markupsafe import Markup
from sqlalchemy import Row

from enhancers.html_templates import html_templates
from study.accounts.staff import Credential, StaffAccount
from study.analysis.records import ExclusionRecord
from study.domain.formatting import DASH, duration, minute, percent, plural
from study.domain.questions import QuestionKind
from study.domain.terms import Status
from study.domain.windows import described as windows_in_words
from study.planning.freeze import FreezeCheck
from study.planning.lifecycle import MethodName
from study.planning.progress_report import ImageCounts, ProgressReport
from study.planning.qualification import described
from study.planning.reminders import reminders
from study.planning.workload import WorkloadEstimate
from study.report.overview import answer_words
from study.stimuli.checks import BuildReport
from study.web.coordinator.background_jobs import JobState
from study.web.coordinator.downloads import Download

NOTHING = Markup("")
_KINDS = {
    "test": "under test", "reference": "reference", "anchor": "degraded on purpose",
    "original": "unenhanced",
}  # fmt: skip


def heading(title: str, note: str = "") -> Markup:
    """A heading, with a note in small print."""
    return _render("heading", title=title, note=note)


def header(user: StaffAccount, study: ProgressReport, *, listed: bool = False) -> Markup:
    """The line at the top: the study, its status, who is signed in, and a link to other studies."""
    return _render("header", user=user, study=study, listed=listed)


def notice(message: str = "", kind: str = "") -> Markup:
    """The one place for messages; ``kind`` is "", "error" or "warning"."""
    return _render("notice", message=message, kind=kind) if message else NOTHING


def status(current: Status) -> Markup:
    """The five steps of a study, and the current one."""
    return _render("status", current=tuple(Status).index(current))


def advice(step: str) -> Markup:
    """What to do next."""
    return _render("advice", step=step)


def overview(study: ProgressReport) -> Markup:
    """Counts, and the progress of the readers; nothing by method."""
    states = [reader.state for reader in study.readers]
    return _render(
        "overview",
        study=study,
        kinds=", ".join(f"{number} {_KINDS[kind]}" for kind, number in study.images.kinds),
        finished=states.count("finished"),
        reading=states.count("reading") + states.count("waiting"),
    )


def readers(study: ProgressReport) -> Markup:
    """Progress of each reader: counts, times and missing answers, nothing by method."""
    return _render("readers", study=study, reminders=[one.as_text() for one in reminders(study)])


def job(state: JobState) -> Markup:
    """What the server is doing, or the outcome of what it did last."""
    return _render("job", job=state) if state.name else NOTHING


def remark(text: str) -> Markup:
    """A sentence in small print."""
    return _message(text, "co-remark")


def problem(text: str) -> Markup:
    """Why something is not possible, one paragraph for each line."""
    return _message(text, "co-problem")


def empty(text: str) -> Markup:
    """A place where there is nothing yet, and why."""
    return _message(text, "co-empty")


def cost(estimate: WorkloadEstimate, *, saved: bool) -> Markup:
    """What a design costs its readers, and whether it is the one that is stored."""
    kappas = tuple(("Kappa of a method", one.as_text()) for one in estimate.kappas)
    return _render("cost", estimate=estimate, saved=saved, kappas=kappas)


def protocol(study: ProgressReport) -> Markup:
    """The protocol of a frozen study, with its versions."""
    questions = []
    for question in study.protocol.questions:
        likert = question.kind is QuestionKind.LIKERT
        scale = f"{question.minimum} to {question.maximum}" if likert else answer_words(question)
        missing = "yes" if question.cannot_judge else "no"
        primary = "primary" if question.primary else ""
        questions.append((question.code, question.text, scale, missing, primary))
    versions = [
        (one.number, minute(one.at), one.changes.replace("\n", "; ") or "as frozen",
         one.reason or DASH, one.decided_by or DASH)
        for one in study.versions
    ]  # fmt: skip
    shown_in = windows_in_words(study.protocol.windows) or "all that are known for the modality"
    qualification = described(study.protocol) if study.protocol.qualification else "none"
    return _render(
        "protocol", study=study, questions=questions, versions=versions,
        qualification=qualification, windows=shown_in,
    )  # fmt: skip


def hashes(study: ProgressReport) -> Markup:
    """The SHA-256 values to note in a registration."""
    return _render("hashes", study=study)


def images(built: ImageCounts) -> Markup:
    """What is built, by counts."""
    kinds = {kind.value: number for kind, number in built.kinds}
    return _render("images", images=built, kinds=kinds)


def image_checks(report: BuildReport) -> Markup:
    """What the checks measured; names methods, so only whoever built it sees it, once."""
    methods = []
    for method in report.methods:
        found = [one for one in report.measured if one.method == method]
        methods.append(
            {
                "name": method,
                "cases": len(found),
                "shift": max((one.shift for one in found), default=0.0),
                "brightness": sum(one.brightness for one in found) / max(1, len(found)),
                "contrast": sum(one.contrast for one in found) / max(1, len(found)),
                "frame": max((one.frame for one in found), key=abs, default=0),
                "beyond": sum(bool(one.findings) for one in found),
            }
        )
    cases = [
        f"Case {one.case}, {one.method}: {', '.join(one.findings)}."
        for one in report.measured
        if one.findings
    ]
    accepted = [f"Accepted. {text}" for text in report.accepted]
    return _render("image_checks", methods=methods, cases=[*cases, *accepted], notes=report.notes)


def freeze_check(found: FreezeCheck) -> Markup:
    """What forbids the freeze, or that nothing does."""
    return _render("freeze_check", check=found)


def exclusions(found: Sequence[ExclusionRecord]) -> Markup:
    """Readers and cases that are left out of the analysis."""
    rows = [
        (one.target, one.rule, _set_before(one), one.reason, one.decided_by,
         minute(one.decided_at))
        for one in found
    ]  # fmt: skip
    return _render("exclusions", rows=rows) if rows else NOTHING


def _set_before(one: ExclusionRecord) -> str:
    if one.undoes:
        return DASH
    return "yes" if one.prespecified else "no"


def unblinding(study: ProgressReport, asked_by: str, user: str) -> Markup:
    """How far closing and unblinding are."""
    return _render("unblinding", study=study, asked_by=asked_by, user=user)


def methods(names: Iterable[MethodName]) -> Markup:
    """Which code was which method."""
    rows = [
        (one.mask, one.name, one.kind.value, one.group or "–",
         ", ".join(f"{name} {value}" for name, value in one.parameters) or "–")
        for one in names
    ]  # fmt: skip
    return _render("methods", rows=rows)


def downloads(files: Sequence[tuple[str, Download]]) -> Markup:
    """Links to the files that were made."""
    return _render("downloads", files=files)


def events(rows: Sequence[Row[*tuple[Any, ...]]]) -> Markup:
    """Audit events, the newest first: number, time, actor, action, target and detail."""
    shown = [(number, f"{at[:10]} {at[11:19]}", *rest) for number, at, *rest in rows]
    return _render("events", rows=shown)


def accounts(found: Sequence[StaffAccount]) -> Markup:
    """Who may sign in as a coordinator."""
    rows = [
        (one.code, one.role.value, "on" if one.active else "off", minute(one.created_at))
        for one in found
    ]
    return _render("accounts", rows=rows)


def secret(given: Credential) -> Markup:
    """A secret that is shown once."""
    message = f"Give this to {given.code}. It is shown once; the database keeps a hash only."
    return _shown_once(message, ("Name", given.code), ("Secret", given.secret))


def invitation(reader: str, address: str, secret_: str) -> Markup:
    """An invitation that is shown once."""
    return _shown_once(
        f"Hand this to the reader {reader}. It is shown once; an earlier link, secret or session "
        f"of {reader} has ended. Open the link in another browser than yours: it signs in there.",
        ("Link (works once)", address),
        ("Reader code", reader),
        ("Secret", secret_),
    )


def _shown_once(message: str, *entries: tuple[str, str]) -> Markup:
    return _render("shown_once", message=message, entries=entries)


def _message(text: str, kind: str) -> Markup:
    return _render("message", lines=text.splitlines(), kind=kind)


def _render(name: str, **values: Any) -> Markup:
    # Every value in a template is escaped: the outcome is HTML.
    return Markup(_templates().get_template(f"{name}.html").render(values))


@cache
def _templates() -> Environment:
    templates = html_templates(Path(__file__).parent / "templates")
    for written in (duration, minute, percent, plural):
        templates.filters[written.__name__] = written
    return templates
