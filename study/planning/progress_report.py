"""Blinded progress of a study: counts of images, and the progress of every reader."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from sqlalchemy import case, func, select
from sqlalchemy.orm import Session

from study.domain.formatting import DASH, minute, plural
from study.domain.protocol import Protocol
from study.domain.terms import MethodKind, Status
from study.planning.reader_progress import ReaderProgress, readers_progress
from study.stimuli.roster import PENDING
from study.storage.image_events import unusable_stimuli
from study.storage.models import Item, Method, Stimulus, Study
from study.storage.protocol_versions import VersionRecord, history
from study.storage.store import Store


@dataclass(frozen=True)
class ImageCounts:
    """Counts of cases, methods and images, without names.

    Parameters
    ----------
    cases, training, patients : int
        Cases to be read, cases for training and dummies only, and patients of the former.
    kinds : tuple of (MethodKind, int)
        Number of methods of each kind.
    stimuli, pending : int
        Rendered images, and those of them that have not passed all checks.
    unusable : int
        Images that were found lost or damaged.
    slices : (int, int)
        Fewest and most slices of an image; 1 of a single image.
    """

    cases: int
    training: int
    patients: int
    kinds: tuple[tuple[MethodKind, int], ...]
    stimuli: int
    pending: int
    unusable: int = 0
    slices: tuple[int, int] = (1, 1)

    @property
    def methods(self) -> int:
        """Number of methods that are compared."""
        return sum(number for kind, number in self.kinds if kind is not MethodKind.ORIGINAL)

    @property
    def wanted(self) -> int:
        """Number of images of a complete build."""
        return (self.cases + self.training) * sum(number for _, number in self.kinds)

    @property
    def complete(self) -> bool:
        """Whether every case has a checked image of every method."""
        return 0 < self.wanted == self.stimuli and not self.pending


@dataclass(frozen=True)
class ProgressReport:
    """Settings and progress of a study, without names or ratings.

    Parameters
    ----------
    code : str
    status : Status
    protocol : Protocol
    created_at, frozen_at : str
    protocol_sha256, seed_sha256, plan_sha256, key_sha256 : str
        The latter two are empty before the freeze.
    images : ImageCounts
    readers : tuple of ReaderProgress
    attention : tuple of str
        Sentences about lost images and about the mirror.
    versions : tuple of VersionRecord
        Of the protocol, where it was amended.
    """

    code: str
    status: Status
    protocol: Protocol
    created_at: str
    frozen_at: str
    protocol_sha256: str
    seed_sha256: str
    plan_sha256: str
    key_sha256: str
    images: ImageCounts
    readers: tuple[ReaderProgress, ...]
    attention: tuple[str, ...] = ()
    versions: tuple[VersionRecord, ...] = ()

    def as_text(self) -> str:
        """The report as text: the study, its readers, and what needs attention."""
        images = self.images
        lines = [
            f"{self.code} is {self.status}: {plural(images.cases, 'case')}, "
            f"{plural(images.methods, 'method')}, {plural(len(self.readers), 'reader')}; "
            f"{self.done} of {plural(self.planned, self.protocol.unit)} read."
        ]
        lines += [
            f"Protocol version {one.number} since {minute(one.at)}: {one.reason}"
            for one in self.versions[1:]
        ]
        if self.readers:
            lines += ["", f"{'reader':22}{'state':14}{'read':>12}{'training':>10}  last answer"]
        for one in self.readers:
            read = f"{one.done} of {one.planned}"
            trained = f"{one.training_done} of {one.training_planned}"
            last = minute(one.last_at) if one.last_at else DASH
            lines.append(f"{one.code:22}{one.state:14}{read:>12}{trained:>10}  {last}")
            lines += [f"{'':22}{remark}" for remark in one.remarks]
        return "\n".join([*lines, *(["", *self.attention] if self.attention else [])])

    @property
    def done(self) -> int:
        """Answered pairs of all participating readers, training excluded."""
        return sum(reader.done for reader in self._counting)

    @property
    def planned(self) -> int:
        """Planned pairs of all participating readers, training excluded."""
        return sum(reader.planned for reader in self._counting)

    @property
    def _counting(self) -> tuple[ReaderProgress, ...]:
        return tuple(r for r in self.readers if r.state not in ("withdrawn", "switched off"))


def progress_report(store: Store) -> ProgressReport:
    """Read the progress of a study."""
    with store.read() as session:
        study = session.get_one(Study, store.study_id)
        images, protocol = _images(session, store.study_id), store.protocol_in(session)
        return ProgressReport(
            code=study.code,
            status=Status(study.status),
            protocol=protocol,
            versions=history(session, study),
            created_at=study.created_at,
            frozen_at=study.frozen_at or "",
            protocol_sha256=study.protocol_sha256,
            seed_sha256=study.seed_sha256,
            plan_sha256=study.plan_sha256 or "",
            key_sha256=study.key_sha256 or "",
            images=images,
            readers=readers_progress(session, store.study_id, protocol),
            attention=tuple(_attention(images, store, protocol.unit)),
        )


def _attention(images: ImageCounts, store: Store, unit: str) -> Iterator[str]:
    if lost := images.unusable:
        yield (
            f"{plural(lost, 'image')} lost or damaged: {unit}s with "
            f"{'it' if lost == 1 else 'them'} are skipped until they are restored (tab Images, or "
            "python -m study restore)."
        )
    yield from filter(None, (store.log_problem, store.backup_problem))


def _images(session: Session, study_id: str) -> ImageCounts:
    of_study = Item.study_id == study_id
    counted = select(Method.kind, func.count()).where(Method.study_id == study_id)
    kinds = {row.kind: row[1] for row in session.execute(counted.group_by(Method.kind))}
    slices = func.coalesce(Stimulus.slices, 1)
    stimuli, pending, fewest, most = session.execute(
        select(
            func.count(),
            func.sum(case((Stimulus.deid_check == PENDING, 1), else_=0)),
            func.min(slices),
            func.max(slices),
        )
        .select_from(Stimulus)
        .join(Item, Item.id == Stimulus.item_id)
        .where(of_study)
    ).one()
    main = select(func.count(), func.count(Item.patient_key.distinct())).where(
        of_study, ~Item.training
    )
    cases, patients = session.execute(main).one()
    training = session.scalar(select(func.count()).where(of_study, Item.training)) or 0
    return ImageCounts(
        cases, training, patients,
        tuple((kind, kinds[kind]) for kind in MethodKind if kind in kinds),
        stimuli, pending or 0, len(unusable_stimuli(session)), (fewest or 1, most or 1),
    )  # fmt: skip
