"""A whole small study: built, frozen, read by simulated readers, one of whom has stopped early."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import select

from study.demo.reader_model import ReaderModel
from study.demo.simulated_readers import read
from study.domain.answers import Answer
from study.domain.protocol import Protocol
from study.domain.questions import PAIR
from study.domain.terms import Role
from study.planning.freeze import freeze
from study.planning.lifecycle import close_study, open_study
from study.reading import consent, ratings
from study.reading.consent import consent_digest
from study.stimuli import sources
from study.stimuli.rendering import build
from study.storage.key import Key
from study.storage.models import Presentation, Reader, ReadingSession
from study.storage.store import Store
from tests.support import small_studies

PROTOCOL = Protocol(
    title="Three denoisers", readers=4, training=1, dummies=1, repeats=2, nulls=2,
    repeat_distance=2, feedback=False,
)  # fmt: skip
WORTH = {"restormer": 3.4, "dncnn": 2.4, "clean": 4.3}


@dataclass(frozen=True)
class Played:
    """A study and its key.

    Parameters
    ----------
    store : Store
        Open: R01 and R02 have read everything, R03 four pairs, R04 nothing.
    key_path : Path
    """

    store: Store
    key_path: Path

    @property
    def key(self) -> Key:
        """The key as it is in its file."""
        return small_studies.Draft(self.store, self.key_path).key

    @property
    def strengths(self) -> dict[str, float]:
        """How much each method is worth, by its identifier."""
        return {name: WORTH[one.name] for name, one in self.key.methods.items()}

    def reader(self, code: str) -> str:
        """The identifier of a reader."""
        with self.store.read() as session:
            found = session.scalar(select(Reader.id).where(Reader.code == code))
        assert found is not None
        return found


def play(folder: Path, protocol: Protocol = PROTOCOL, *, close: bool = True) -> Played:
    """Make the study in a folder."""
    draft = small_studies.draft(folder, protocol)
    found = sources.with_roles(small_studies.ready_made(folder / "in"), reference="clean")
    build(draft.store, draft.key, found)
    freeze(draft.store, draft.key, actor="coordinator")
    open_study(draft.store, actor="coordinator")
    played = Played(draft.store, draft.key_path)
    for code, most in (("R01", None), ("R02", None), ("R03", 4)):
        read(
            draft.store,
            code,
            ReaderModel(code, played.strengths, seed=5, cannot_judge=0.05),
            most=most,
        )
    correct_last(played, "R01")
    if close:
        close_study(draft.store, actor="coordinator")
    return played


def copy(played: Played, folder: Path) -> Played:
    """The same study once more, to be changed by one test; its store must be closed."""
    shutil.copytree(played.store.folder, folder / "study")
    key_path = shutil.copy2(played.key_path, folder / "key.json")
    return Played(Store.open(folder / "study"), Path(key_path))


def correct_last(played: Played, code: str) -> None:
    """Answer the last pair again: 1 for every image, no preference."""
    store, protocol = played.store, played.store.protocol()
    with store.read() as session:
        last = session.scalars(
            select(Presentation)
            .join(ReadingSession)
            .where(ReadingSession.reader_id == played.reader(code))
            .order_by(ReadingSession.number.desc(), Presentation.position.desc())
        ).first()
    assert last is not None
    assert last.role != Role.TRAINING
    ratings.record(
        store,
        reader_id=played.reader(code),
        token=last.token,
        answers=[
            Answer(question.code, slot, 0 if slot == PAIR else 1)
            for question in protocol.questions
            for slot in question.slots
        ],
        idempotency_key="correction-of-the-last",
        reason="slipped",
        comment="=1+1",
    )


def withdraw(played: Played, code: str) -> None:
    """Take a reader's consent back."""
    with played.store.write() as session:
        consent.withdraw(session, played.reader(code), consent_digest(played.store.protocol()))
