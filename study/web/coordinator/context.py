"""What all handlers of one server share, and what they read of the study for a click."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from sqlalchemy import select

from study.accounts.staff import StaffAccount, StaffRole, accounts_of
from study.accounts.two_persons import open_request
from study.analysis.records import ExclusionRecord
from study.domain.errors import KeyFileError
from study.domain.plan import MethodRow
from study.domain.terms import MethodKind, Status
from study.planning.progress_report import ProgressReport, progress_report
from study.storage import key_file
from study.storage.exclusion_log import decisions, prespecified, unblinded_at
from study.storage.key import Key
from study.storage.models import Item, Method, Reader, Study
from study.storage.store import Store
from study.web.coordinator.background_jobs import BackgroundJobs
from study.web.coordinator.design_form import NamedMethod
from study.web.coordinator.downloads import Downloads

NO_KEY = (
    "The key file was not given to this server, so nothing can be built, frozen or unblinded "
    "here. Start it with --key PATH, or use the command line."
)


@dataclass(frozen=True)
class StudySnapshot:
    """What the page shows of a study; only the first is read for a monitor.

    Parameters
    ----------
    progress : ProgressReport
    asked_by : str
        Who asks to unblind; empty when nobody does.
    exclusions : tuple of ExclusionRecord
    accounts : tuple of StaffAccount
    methods : tuple of MethodRow
        Identifiers and kinds of the methods that are compared.
    """

    progress: ProgressReport
    asked_by: str = ""
    exclusions: tuple[ExclusionRecord, ...] = ()
    accounts: tuple[StaffAccount, ...] = ()
    methods: tuple[MethodRow, ...] = ()


@dataclass(frozen=True, eq=False)
class CoordinatorContext:
    """What all handlers of one server share: the study, its key, its files and its job.

    Parameters
    ----------
    store : Store
    key_path : Path, optional
        The key file, where it was given to the server.
    files : Downloads
        What may be downloaded.
    jobs : BackgroundJobs
    listed : bool
        Whether the server has other studies, and a page that lists them.
    """

    store: Store
    key_path: Path | None = None
    files: Downloads = field(default_factory=Downloads)
    jobs: BackgroundJobs = field(default_factory=BackgroundJobs)
    listed: bool = False

    def read(self, user: StaffAccount) -> StudySnapshot:
        """What the page shows, read once; a monitor gets the progress only."""
        progress = progress_report(self.store)
        if user.role is not StaffRole.ADMIN:
            return StudySnapshot(progress)
        return StudySnapshot(
            progress, self.asked_by(), self.exclusions(), accounts_of(self.store), self._methods()
        )

    def study_code(self) -> str:
        """The short name of the study, which coordinators type to confirm."""
        with self.store.read() as session:
            return session.scalars(select(Study.code)).one()

    def key(self, seed_sha256: str = "") -> Key:
        """The key of the study, from its file.

        Parameters
        ----------
        seed_sha256 : str
            As the study has it; read by default.

        Raises
        ------
        KeyFileError
            It was not given, or is that of another study.
        """
        if self.key_path is None:
            raise KeyFileError(NO_KEY)
        if not seed_sha256:
            with self.store.read() as session:
                seed_sha256 = session.scalars(select(Study.seed_sha256)).one()
        return key_file.load(
            self.key_path, self.store.folder, study_id=self.store.study_id, seed_sha256=seed_sha256
        )

    def named_methods(self, study: StudySnapshot) -> tuple[NamedMethod, ...]:
        """The methods of a draft by name; nothing without the key, or after the freeze."""
        if self.key_path is None or study.progress.status is not Status.DRAFT:
            return ()
        try:
            known = self.key(study.progress.seed_sha256).methods
        except KeyFileError:
            return ()
        found = (NamedMethod(one, known[one].name) for one, _ in study.methods if one in known)
        return tuple(sorted(found, key=lambda one: one.name.casefold()))

    def exclusions(self) -> tuple[ExclusionRecord, ...]:
        """The decisions to leave out readers and cases, or to count them again, in their order."""
        with self.store.read() as session:
            names = {row.id: row.code for row in session.execute(select(Reader.id, Reader.code))}
            cases = session.execute(select(Item.id, Item.case_key))
            names |= {row.id: row.case_key for row in cases}
            rows = decisions(session, self.store.study_id)
            unblinded = unblinded_at(session, self.store.study_id)
            return tuple(
                ExclusionRecord(
                    one.target_kind, names[one.target_id], one.rule_code,
                    prespecified(one, unblinded), one.reason, one.decided_by, one.decided_at,
                )
                for one in rows
            )  # fmt: skip

    def asked_by(self) -> str:
        """Who asks to unblind; empty when nobody does."""
        request = open_request(self.store)
        return request.actor if request is not None else ""

    def _methods(self) -> tuple[MethodRow, ...]:
        with self.store.read() as session:
            compared = select(Method.id, Method.kind).where(Method.kind != MethodKind.ORIGINAL)
            rows = session.execute(compared.order_by(Method.id))
            return tuple((name, MethodKind(kind)) for name, kind in rows)


def next_step(study: StudySnapshot) -> tuple[str, str]:
    """What a coordinator does next, and the tab where it is done."""
    progress = study.progress
    match progress.status:
        case Status.DRAFT if not progress.images.stimuli:
            return "settle the design, then build the images.", "images"
        case Status.DRAFT if not progress.images.complete:
            return "finish the build: not every image is there and checked.", "images"
        case Status.DRAFT:
            return "check the design once more, then freeze the study.", "freeze"
        case Status.FROZEN:
            return "note the hashes in your registration, then open the study.", "freeze"
        case Status.OPEN:
            idle = sum(reader.state == "not invited" for reader in progress.readers)
            if idle:
                verb = "has" if idle == 1 else "have"
                return f"invite the readers: {idle} {verb} no invitation.", "readers"
            if progress.done < progress.planned:
                return "wait for the readers; nothing is shown by method until the end.", "readers"
            return "every pair is read: close the study.", "close"
        case Status.CLOSED if study.asked_by:
            return f"{study.asked_by} asks to unblind: somebody else confirms.", "close"
        case Status.CLOSED:
            step = "look at the results by code, then have two persons unblind the study."
            return step, "close"
    return "make the report with the names of the methods.", "results"
