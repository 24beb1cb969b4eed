"""What coordinators do that takes long or makes files: build, results, checks and copies."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from enhancers.files import given_path
from study.accounts.staff import StaffAccount
from study.domain.errors import BuildError, StatisticsError, StudyError
from study.domain.terms import Status
from study.stimuli.checks import BuildReport
from study.stimuli.sources import (
    Sources,
    from_folders,
    from_images,
    from_manifest,
    with_roles,
    with_stack,
    with_training,
)
from study.storage.backup import backup
from study.storage.integrity import verify
from study.storage.key import Key
from study.web.coordinator import views
from study.web.coordinator.actions import listed
from study.web.coordinator.background_jobs import Report
from study.web.coordinator.context import CoordinatorContext
from study.web.coordinator.downloads import Download
from study.web.coordinator.draft import FOLDERS, IMAGES, MANIFEST
from study.web.coordinator.page_updates import PageUpdates, Updates
from study.web.coordinator.uploads import Uploads


class Tasks:
    """One method for each button; `authorized` has checked who may press it.

    Parameters
    ----------
    updates : PageUpdates
    context : CoordinatorContext
    """

    def __init__(self, updates: PageUpdates, context: CoordinatorContext) -> None:
        self.updates = updates
        self.context = context
        self.page = updates.layout
        self.uploads = Uploads(busy=lambda: context.jobs.state.running)
        self._checked: dict[str, BuildReport] = {}

    def kind(self, user: StaffAccount, kind: str) -> Updates:
        """Show the fields that go with a kind of source."""
        import gradio as gr

        page, making = self.page.images, kind == IMAGES
        return {
            page.made: gr.update(visible=making),
            page.ready: gr.update(visible=not making),
            page.upload: gr.update(visible=not making),
        }

    def upload(self, user: StaffAccount, archive: str | None) -> Updates:
        """Unpack a zip file and fill in its path."""
        page = self.page.images
        if not archive:
            raise BuildError("No file was uploaded: choose a zip file.")
        self._require_idle()
        found = self.uploads.take(Path(archive))
        kind = MANIFEST if found.table else FOLDERS
        reason = (
            "the table manifest.csv was found."
            if found.table
            else "there is no manifest.csv, so each folder is a method."
        )
        message = f"{found.files} files are unpacked: {reason}"
        return self.updates.done(user, message) | self.kind(user, kind) | {
            page.upload: None,
            page.fields["kind"]: kind,
            page.fields["path"]: str(found.table or found.folder),
        }  # fmt: skip

    def build(self, user: StaffAccount, **values: Any) -> Updates:
        """Start to render all stimuli; closing the page does not stop it."""
        store, key = self.context.store, self.context.key()
        if store.status() is not Status.DRAFT:
            raise BuildError("Stimuli are rendered while the study is a draft; it is frozen.")
        sources = _sources(values)
        self._checked.clear()

        def render(report: Report) -> str:
            return self._build(key, sources, values, user, report)

        self.context.jobs.start("build", user.code, render)
        return self.updates.done(user) | {self.page.images.gates: ""}

    def _build(
        self,
        key: Key,
        sources: Sources,
        values: dict[str, Any],
        user: StaffAccount,
        report: Report,
    ) -> str:
        from study.stimuli.rendering import Options, build

        options = Options(
            attest_deidentified=bool(values["attest"]),
            accept_differences=bool(values["accept"]),
            accept_cases=frozenset(listed(values.get("accept_cases"))),
            isolated=True,
        )
        made = build(
            self.context.store, key, sources, options=options, progress=report, actor=user.code
        )
        self._checked[user.id] = made
        return (
            f"{made.cases} cases × {len(made.methods)} methods: {made.rendered} images rendered, "
            f"{made.kept} kept from before."
        )

    def restore(self, user: StaffAccount) -> Updates:
        """Start to make lost and damaged images again."""
        from study.stimuli.rendering.restore import restore

        store = self.context.store
        key = self.context.key() if self.context.key_path is not None else None

        def render(report: Report) -> str:
            return restore(store, key, progress=report, actor=user.code, isolated=True).as_text()

        self.context.jobs.start("restoration", user.code, render)
        return self.updates.done(user)

    def stop(self, user: StaffAccount) -> Updates:
        """Stop what the server is doing."""
        self.context.jobs.stop()
        return self.updates.job()

    def tick(self, user: StaffAccount) -> Updates:
        """Follow what the server is doing; refresh the whole page when it has ended.

        The report of the image checks goes once to the user who built, because it names methods.
        """
        if self.context.jobs.state.running:
            return self.updates.job()
        study = self.context.read(user)
        shown = self.updates.show(user, study=study) | self.updates.choices(study)
        found = self._checked.pop(user.id, None)
        return shown | (
            {self.page.images.gates: views.image_checks(found)} if found is not None else {}
        )

    def stay(self, user: StaffAccount) -> Updates:
        """Keep the unpacked images while an administrator has the page open."""
        import gradio as gr

        self.uploads.stay()
        return {self.page.presence: gr.update()}

    def report(self, user: StaffAccount) -> Updates:
        """Start the analysis and its report."""
        return self._start(user, "report", self._report)

    def tables(self, user: StaffAccount) -> Updates:
        """Start the export of tables."""
        return self._start(user, "export", self._export)

    def _start(self, user: StaffAccount, name: str, make: Any) -> Updates:
        if self.context.store.status() not in (Status.CLOSED, Status.UNBLINDED):
            raise StudyError("There are results after the study is closed, not before.")
        self.context.jobs.start(name, user.code, lambda report: str(make(user, report)))
        return self.updates.done(user)

    def _report(self, user: StaffAccount, report: Report) -> str:
        from study.analysis.log import run
        from study.report import document, export
        from study.report.figure_files import figure_files
        from study.report.table_files import table_files

        report(0.0, "computing")
        made = run(self.context.store, actor=user.code, key=self._names())
        report(0.9, "drawing")
        written = document(made.data, made.analysis)
        masked, code = not made.data.unblinded, made.data.study.code
        tables = export.zipped(table_files(made.data.protocol.title, written.tables))
        report(0.95, "drawing the figures as files")
        figures = export.zipped(figure_files(written.figures))
        self.context.files.put(
            Download(f"{code}-report-figures.zip", "application/zip", figures, masked=masked),
            Download(f"{code}-report-tables.zip", "application/zip", tables, masked=masked),
            Download(
                f"{code}-report.html", "text/html", written.html.encode(), shown=True, masked=masked
            ),
        )
        return f"The report is ready; the analysis is logged as {made.run_id}."

    def _export(self, user: StaffAccount, report: Report) -> str:
        from study.analysis.collect import collect
        from study.report import export
        from study.report.export import ExportFormat

        report(0.0, "collecting")
        data = collect(self.context.store, self._names())
        masked, code = not data.unblinded, data.study.code
        head = export.log(self.context.store, data, user.code)
        ratings = export.files(data)[0].content
        self.context.files.put(
            Download(f"{code}-ratings.csv", "text/csv", ratings, masked=masked),
            Download(
                f"{code}-parquet.zip", "application/zip",
                export.bundle(data, head, ExportFormat.PARQUET), masked=masked,
            ),
            Download(
                f"{code}-all.zip", "application/zip", export.bundle(data, head), masked=masked
            ),
        )  # fmt: skip
        try:
            book = export.files(data, ExportFormat.XLSX)[0].content
            self.context.files.put(
                Download(f"{code}-tables.xlsx", export.XLSX_TYPE, book, masked=masked)
            )
            excel = "all of them as an Excel workbook"
        except StatisticsError as error:
            excel = f"no Excel workbook ({error})"
        return (
            f"The tables are ready: ratings; {excel}; as Parquet; and all as CSV and JSON with a "
            "codebook, the scripts of the primary comparison and iMRMC input where cases have a "
            f"truth, as zip. Chain head {head}."
        )

    def _names(self) -> Key | None:
        """The key of a study that is unblinded."""
        unblinded = self.context.store.status() is Status.UNBLINDED
        return self.context.key() if unblinded and self.context.key_path is not None else None

    def verify(self, user: StaffAccount, images: bool) -> Updates:
        """Check hash chains, mirror and constraints, and the images if asked."""
        verdict = verify(self.context.store, images=images)
        kind = "" if verdict.ok else "error"
        return self.updates.done(user, verdict.as_text(), kind)

    def backup(self, user: StaffAccount, target: str, images: bool) -> Updates:
        """Copy the study into a new folder of the server."""
        if not (target or "").strip():
            raise StudyError("Name a new folder for the backup.")
        path = given_path(target.strip())
        if not path.is_absolute():
            raise StudyError(f"{path} is not an absolute path: begin it with /.")
        made = backup(self.context.store, path, stimuli=images)
        message = f"{made.path}: {made.ratings} answers, {made.images} images, verified."
        return self.updates.done(user, message)

    def events(self, user: StaffAccount, word: str) -> Updates:
        """The audit events that contain a word."""
        return self.updates.events(word or "")

    def _require_idle(self) -> None:
        if self.context.jobs.state.running:
            raise StudyError("Wait for the build to end: it may still read the earlier files.")


def _sources(values: dict[str, Any]) -> Sources:
    """Cases and methods as the fields describe them."""
    texts = {name: str(value or "").strip() for name, value in values.items()}
    if not texts["path"]:
        raise BuildError("Say where the images are: a path on the server, or a zip file.")
    path, modality = given_path(texts["path"]), texts["modality"]
    if texts["kind"] == IMAGES:
        found = from_images(
            [path],
            [line.strip() for line in texts["methods"].splitlines() if line.strip()],
            truth=given_path(texts["truth"]) if texts["truth"] else None,
            anchors=listed(texts["degraded"]),
            separator=texts["separator"],
            modality=modality,
        )
        found = with_roles(found, original=texts.get("original", ""))
    else:
        found = (
            from_manifest(path, modality=modality)
            if texts["kind"] == MANIFEST
            else from_folders(path, separator=texts["separator"], modality=modality)
        )
        found = with_roles(
            found,
            reference=texts["reference"],
            original=texts.get("original", ""),
            anchors=listed(texts["anchors"]),
            groups=_answers(texts["answers"]),
        )
    return with_stack(with_training(found, listed(texts["training_cases"])), texts.get("stack", ""))


def _answers(text: str) -> dict[str, str]:
    found = {}
    for line in filter(None, (line.strip() for line in text.splitlines())):
        method, equals, answer = line.rpartition("=")
        if not equals or not method.strip() or not answer.strip():
            raise BuildError(f"{line!r} is not a method, an equals sign and an answer.")
        found[method.strip()] = answer.strip()
    return found
