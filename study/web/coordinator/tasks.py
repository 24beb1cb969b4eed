"""What coordinators do that takes long or makes files: build, results, checks and copies."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from study.accounts.staff import StaffAccount
from study.domain.errors import BuildError, StudyError
from study.domain.protocol import Status
from study.stimuli.checks import GateReport
from study.stimuli.sources import (
    Sources,
    from_folders,
    from_images,
    from_manifest,
    with_roles,
    with_training,
)
from study.storage.backup import backup
from study.storage.integrity import verify
from study.storage.key_file import Key
from study.web.coordinator import sheets
from study.web.coordinator.background_jobs import Report
from study.web.coordinator.context import CoordinatorContext
from study.web.coordinator.downloads import Download
from study.web.coordinator.draft import FOLDERS, IMAGES, MANIFEST
from study.web.coordinator.page_updates import PageUpdates, Updates
from study.web.coordinator.uploads import Uploads


class Tasks:
    """One method for each button; who may press it is checked before.

    Parameters
    ----------
    screen : PageUpdates
    office : CoordinatorContext
    """

    def __init__(self, screen: PageUpdates, office: CoordinatorContext) -> None:
        self.screen = screen
        self.office = office
        self.page = screen.layout
        self._uploads = Uploads()
        self._measured: dict[str, GateReport] = {}

    def kind(self, member: StaffAccount, kind: str) -> Updates:
        """Show the fields that go with a kind of source."""
        import gradio as gr

        page, making = self.page.images, kind == IMAGES
        return {
            page.made: gr.update(visible=making),
            page.ready: gr.update(visible=not making),
            page.upload: gr.update(visible=not making),
        }

    def upload(self, member: StaffAccount, archive: str | None) -> Updates:
        """Unpack a zip file and fill in where it lies."""
        page = self.page.images
        if not archive:
            raise BuildError("No file came: choose a zip file.")
        self._free()
        found = self._uploads.take(Path(archive))
        kind = MANIFEST if found.table else FOLDERS
        words = f"{found.files} files are unpacked: a table was found." if found.table else (
            f"{found.files} files are unpacked: no manifest.csv, so each folder is a method."
        )  # fmt: skip
        return self.screen.done(member, words) | self.kind(member, kind) | {
            page.upload: None,
            page.fields["kind"]: kind,
            page.fields["path"]: str(found.table or found.folder),
        }  # fmt: skip

    def build(self, member: StaffAccount, **values: Any) -> Updates:
        """Begin to render all stimuli; it goes on when the page is closed."""
        store, key = self.office.store, self.office.key()
        if store.status() is not Status.DRAFT:
            raise BuildError("Stimuli are rendered while the study is a draft; it is frozen.")
        sources = _sources(values)
        self._measured.clear()

        def render(report: Report) -> str:
            return self._build(key, sources, values, member, report)

        self.office.jobs.start("build", member.code, render)
        return self.screen.done(member) | {self.page.images.gates: ""}

    def _build(
        self,
        key: Key,
        sources: Sources,
        values: dict[str, Any],
        member: StaffAccount,
        report: Report,
    ) -> str:
        from study.stimuli.rendering import Options, build

        options = Options(
            attest_deidentified=bool(values["attest"]), accept_differences=bool(values["accept"])
        )
        made = build(
            self.office.store, key, sources, options=options, progress=report, actor=member.code
        )
        self._measured[member.id] = made
        return (
            f"{made.cases} cases × {len(made.methods)} methods: {made.rendered} images rendered, "
            f"{made.kept} kept from before."
        )

    def stop(self, member: StaffAccount) -> Updates:
        """Stop what the server is doing."""
        self.office.jobs.stop()
        return self.screen.progress()

    def tick(self, member: StaffAccount) -> Updates:
        """Follow what the server is doing; everything anew when it has ended.

        The report of the gates goes to whoever built, once, because it names methods.
        """
        if self.office.jobs.state.running:
            return self.screen.progress()
        shown = self.screen.show(member) | self.screen.choices()
        found = self._measured.pop(member.id, None)
        return shown | ({self.page.images.gates: sheets.gates(found)} if found is not None else {})

    def report(self, member: StaffAccount) -> Updates:
        """Begin the analysis and its report."""
        return self._begin(member, "report", self._report)

    def tables(self, member: StaffAccount) -> Updates:
        """Begin the export."""
        return self._begin(member, "export", self._export)

    def _begin(self, member: StaffAccount, name: str, make: Any) -> Updates:
        if self.office.store.status() not in (Status.CLOSED, Status.UNBLINDED):
            raise StudyError("There are results after the study is closed, not before.")
        self.office.jobs.start(name, member.code, lambda report: str(make(member, report)))
        return self.screen.done(member)

    def _report(self, member: StaffAccount, report: Report) -> str:
        from study.analysis.log import run
        from study.report import render

        report(0.0, "computing")
        made = run(self.office.store, actor=member.code, key=self._names())
        report(0.9, "drawing")
        text = render(made.data, made.analysis).encode("utf-8")
        masked = not made.data.unblinded
        name = f"{made.data.study.code}-report.html"
        self.office.files.put(Download(name, "text/html", text, shown=True, masked=masked))
        return f"The report is ready; the analysis is logged as {made.run_id}."

    def _export(self, member: StaffAccount, report: Report) -> str:
        from study.analysis.collect import collect
        from study.report import export

        report(0.0, "collecting")
        data = collect(self.office.store, self._names())
        masked, code = not data.unblinded, data.study.code
        files = {one.name: one.text.encode("utf-8") for one in export.files(data)}
        export.log(self.office.store, data, member.code)
        self.office.files.put(
            Download(f"{code}-ratings.csv", "text/csv", files["ratings.csv"], masked=masked),
            Download(f"{code}-study.json", "application/json", files["study.json"], masked=masked),
            Download(f"{code}-all.zip", "application/zip", export.bundle(data), masked=masked),
        )
        return "The tables are ready: ratings, everything as JSON, and all with a codebook as zip."

    def _names(self) -> Key | None:
        """The key of a study that is unblinded."""
        unblinded = self.office.store.status() is Status.UNBLINDED
        return self.office.key() if unblinded and self.office.key_path is not None else None

    def verify(self, member: StaffAccount, images: bool) -> Updates:
        """Check chains, mirror, rules, and images if asked."""
        verdict = verify(self.office.store, images=images)
        kind = "" if verdict.ok else "error"
        return self.screen.done(member, verdict.as_text(), kind)

    def backup(self, member: StaffAccount, target: str, images: bool) -> Updates:
        """Copy the study into a new folder of the server."""
        if not (target or "").strip():
            raise StudyError("Name a new folder for the backup.")
        path = Path(target.strip()).expanduser()
        if not path.is_absolute():
            raise StudyError(f"{path} is not a whole path: begin it with /.")
        made = backup(self.office.store, path, stimuli=images)
        words = f"{made.path}: {made.ratings} answers, {made.images} images, verified."
        return self.screen.done(member, words)

    def events(self, member: StaffAccount, word: str) -> Updates:
        """The audit events with a word."""
        return self.screen.events(word or "")

    def _free(self) -> None:
        if self.office.jobs.state.running:
            raise StudyError("Wait for the build to end: it may read the files before.")


def _sources(values: dict[str, Any]) -> Sources:
    """Cases and methods as the fields describe them."""
    words = {name: str(value or "").strip() for name, value in values.items()}
    if not words["path"]:
        raise BuildError("Say where the images are: a path on the server, or a zip file.")
    path, modality = Path(words["path"]).expanduser(), words["modality"]
    if words["kind"] == IMAGES:
        found = from_images(
            [path],
            [line.strip() for line in words["methods"].splitlines() if line.strip()],
            truth=Path(words["truth"]).expanduser() if words["truth"] else None,
            anchors=_listed(words["degraded"]),
            separator=words["separator"],
            modality=modality,
        )
    else:
        found = (
            from_manifest(path, modality=modality)
            if words["kind"] == MANIFEST
            else from_folders(path, separator=words["separator"], modality=modality)
        )
        found = with_roles(
            found,
            reference=words["reference"],
            anchors=_listed(words["anchors"]),
            groups=_answers(words["answers"]),
        )
    return with_training(found, _listed(words["training_cases"]))


def _listed(words: str) -> list[str]:
    return [one.strip() for one in words.split(",") if one.strip()]


def _answers(words: str) -> dict[str, str]:
    found = {}
    for line in filter(None, (line.strip() for line in words.splitlines())):
        method, equals, answer = line.rpartition("=")
        if not equals or not method.strip() or not answer.strip():
            raise BuildError(f"{line!r} is not a method, an equals sign and an answer.")
        found[method.strip()] = answer.strip()
    return found
