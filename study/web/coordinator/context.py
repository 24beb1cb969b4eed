"""What all handlers of one server share: the study, its key, its files and its work."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from sqlalchemy import select

from study.analysis.records import ExclusionRecord
from study.domain.errors import KeyFileError
from study.domain.plan import MethodRow
from study.domain.protocol import MethodKind, Status
from study.planning.progress_report import ProgressReport
from study.storage import key_file
from study.storage.key_file import Key
from study.storage.models import AuditEvent, Exclusion, Item, Method, Reader, Study
from study.storage.store import Store
from study.web.coordinator.background_jobs import BackgroundJobs
from study.web.coordinator.design_form import NamedMethod
from study.web.coordinator.downloads import Downloads

ASKED, TAKEN_BACK = "ask to unblind", "take back"
NO_KEY = (
    "The key file was not given to this server, so nothing can be built, frozen or unblinded "
    "here. Start it with --key PATH, or use the command line."
)


@dataclass(frozen=True, eq=False)
class CoordinatorContext:
    """What all handlers of one server share.

    Parameters
    ----------
    store : Store
    key_path : Path, optional
        The key file, where it was given to the server.
    files : Downloads
        What may be downloaded.
    jobs : BackgroundJobs
    """

    store: Store
    key_path: Path | None = None
    files: Downloads = field(default_factory=Downloads)
    jobs: BackgroundJobs = field(default_factory=BackgroundJobs)

    def key(self) -> Key:
        """The key of the study, read now.

        Raises
        ------
        KeyFileError
            It was not given, or is not that of the study.
        """
        if self.key_path is None:
            raise KeyFileError(NO_KEY)
        with self.store.read() as session:
            study = session.get_one(Study, self.store.study_id)
        return key_file.load(
            self.key_path, self.store.folder, study_id=study.id, seed_sha256=study.seed_sha256
        )

    def methods(self) -> tuple[MethodRow, ...]:
        """Identifiers and kinds of the methods that are built."""
        with self.store.read() as session:
            rows = session.execute(select(Method.id, Method.kind).order_by(Method.id))
            return tuple((name, MethodKind(kind)) for name, kind in rows)

    def names(self) -> tuple[NamedMethod, ...]:
        """The methods of a draft by name; nothing without the key, or after the freeze."""
        if self.key_path is None or self.store.status() is not Status.DRAFT:
            return ()
        try:
            known = self.key().methods
        except KeyFileError:
            return ()
        found = (NamedMethod(name, known[name].name) for name, _ in self.methods() if name in known)
        return tuple(sorted(found, key=lambda one: one.name.casefold()))

    def left_out(self) -> tuple[ExclusionRecord, ...]:
        """Decisions to leave readers or cases out, in the order they were made."""
        with self.store.read() as session:
            names = {row.id: row.code for row in session.execute(select(Reader.id, Reader.code))}
            cases = session.execute(select(Item.id, Item.case_key))
            names |= {row.id: row.case_key for row in cases}
            rows = session.scalars(select(Exclusion).order_by(Exclusion.decided_at))
            return tuple(
                ExclusionRecord(
                    one.target_kind, names[one.target_id], one.rule_code, one.prespecified,
                    one.reason, one.decided_by, one.decided_at,
                )
                for one in rows
            )  # fmt: skip

    def asked_by(self) -> str:
        """Who asks to unblind; empty when nobody does."""
        with self.store.read() as session:
            last = session.execute(
                select(AuditEvent.actor, AuditEvent.action)
                .where(AuditEvent.action.in_((ASKED, TAKEN_BACK)))
                .order_by(AuditEvent.seq.desc())
                .limit(1)
            ).first()
        return last.actor if last is not None and last.action == ASKED else ""


def next_step(seen: ProgressReport, asked_by: str) -> tuple[str, str]:
    """What a coordinator does next, and on which page."""
    if seen.status is Status.DRAFT:
        if not seen.images.stimuli:
            return "settle the design, then build the images.", "images"
        if not seen.images.complete:
            return "finish the build: not every image is there and checked.", "images"
        return "check the design once more, then freeze the study.", "freeze"
    if seen.status is Status.FROZEN:
        return "note the hashes in your registration, then open the study.", "freeze"
    if seen.status is Status.OPEN:
        idle = sum(reader.state == "not invited" for reader in seen.readers)
        if idle:
            verb = "has" if idle == 1 else "have"
            return f"invite the readers: {idle} {verb} no invitation.", "readers"
        if seen.done < seen.planned:
            return (
                "wait for the readers; there is nothing to see by method until the end.",
                "readers",
            )
        return "every pair is read: close the study.", "close"
    if seen.status is Status.CLOSED:
        who = f"{asked_by} asks to unblind: somebody else confirms." if asked_by else (
            "look at the results by code, then have two persons unblind the study."
        )  # fmt: skip
        return who, "close"
    return "make the report with the names of the methods.", "results"
