"""A demonstration study for visitors: six pairs of the samples, and four simulated readers.

One template is built, frozen, opened and read by the simulated readers; every visitor gets a copy
and takes the fifth reader's place. It is labelled as a demonstration everywhere.
"""

from __future__ import annotations

import json
import shutil
import threading
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from sqlalchemy import func, select

from study.accounts.readers import ReaderAccount, ReaderSignIn
from study.demo import simulated_readers
from study.demo.reader_model import ReaderModel
from study.domain.errors import WrongScreen
from study.domain.protocol import Protocol
from study.domain.questions import CATALOG, PREFERENCE
from study.domain.terms import Status
from study.planning.lifecycle import close_study, open_study, unblind
from study.reading import consent
from study.reading.consent import consent_digest
from study.storage import key_file
from study.storage.models import DisplayCheck, Presentation, RatingEvent, Reader, ReadingSession
from study.storage.store import Store

METHODS = {"input": "Unprocessed", "classical": "Classical pipeline"}
"""The compared methods, by key, with their names in the report."""
STRENGTHS = {"Unprocessed": 2.5, "Classical pipeline": 3.8}
"""Mean scores that the simulated readers give, by name of the method."""
VISITOR = "R01"
ACTOR = "demonstration"
PROTOCOL = Protocol(
    title="Six pairs of synthetic images",
    instructions=(
        "You see the same image twice, processed in two ways. Rate each one, then say which you "
        "prefer. The images are synthetic. Four simulated readers have read the same pairs."
    ),
    consent=(
        "This is a demonstration with synthetic images. Your answers are kept until the program "
        "ends or makes room for other visitors; nobody evaluates them."
    ),
    questions=(*CATALOG[:2], PREFERENCE),
    readers=5,
    training=0,
    dummies=0,
    repeats=0,
    nulls=0,
    feedback=False,
    ask_blinding=False,
    least_width=700,
    least_height=420,
    demo=True,
    notes="A demonstration: four of the five readers are simulated.",
)


@dataclass(frozen=True)
class Reading:
    """A visitor's progress in pairs."""

    done: int
    total: int

    @property
    def finished(self) -> bool:
        """Whether every pair has its answers."""
        return self.done == self.total


@dataclass(frozen=True)
class Results:
    """The report (HTML) and the tables (zip) that a visitor gets at the end."""

    report: str
    export: bytes


class DemoStudy:
    """One visitor's study.

    Parameters
    ----------
    folder : Path
        With the study and its key.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.store = Store.open(folder / "study")
        self.accounts = ReaderSignIn(self.store)
        self._results: Results | None = None
        self._lock = threading.Lock()
        with self.store.read() as session:
            reader = session.scalars(select(Reader).where(Reader.code == VISITOR)).one()
        self.visitor = ReaderAccount(reader.id, reader.code, reader.generation)

    def reading(self) -> Reading:
        """How many pairs the visitor has answered."""
        with self.store.read() as session:
            mine = (
                select(func.count(Presentation.id.distinct()))
                .join(ReadingSession, ReadingSession.id == Presentation.session_id)
                .where(ReadingSession.reader_id == self.visitor.id)
            )
            answered = select(RatingEvent.presentation_id)
            total = session.scalar(mine) or 0
            done = session.scalar(mine.where(Presentation.id.in_(answered))) or 0
        return Reading(done, total)

    def results(self) -> Results:
        """The report and the tables, after the last pair; the study is closed and unblinded.

        Raises
        ------
        WrongScreen
            Pairs are left to read.
        """
        with self._lock:
            if self._results is None:
                self._results = self._finish()
            return self._results

    def _finish(self) -> Results:
        # Statistics and plots take a second to import; the first page does not wait for them.
        from study.analysis.log import run
        from study.report import render
        from study.report.export import bundle

        reading = self.reading()
        if not reading.finished:
            raise WrongScreen(f"{reading.total - reading.done} of {reading.total} pairs are left.")
        key = key_file.load(self.folder / "key.json", self.store.folder)
        if self.store.status() is Status.OPEN:
            close_study(self.store, actor=ACTOR)
        if self.store.status() is Status.CLOSED:
            unblind(self.store, key, actor="visitor", second=ACTOR)
        done = run(self.store, actor=ACTOR, key=key)
        return Results(render(done.data, done.analysis), bundle(done.data))

    def close(self) -> None:
        """Remove everything."""
        self.store.close()
        shutil.rmtree(self.folder, ignore_errors=True)


def prepare(folder: Path, progress: Callable[[float, str], None] | None = None) -> Path:
    """Make the template in a new folder, which takes some seconds because the methods are run.

    Parameters
    ----------
    folder : Path
    progress : callable, optional
        See `study.stimuli.rendering.build`.

    Returns
    -------
    Path
        The same folder, for `start`.
    """
    from study.demo import images
    from study.planning.freeze import freeze
    from study.stimuli.rendering import Options, build
    from study.stimuli.sources import from_images

    folder.mkdir(mode=0o700, parents=True)
    key = key_file.create(folder / "key.json", folder / "study")
    store = Store.create(
        folder / "study", protocol=PROTOCOL, code="DEMO", seed_sha256=key.seed_sha256
    )
    key_file.save(key.bind(store.study_id))
    written = folder / "images"
    written.mkdir()
    # The samples are drawn by a program: there is nobody to name.
    options = Options(attest_deidentified=True)
    found = from_images(images.write(written), tuple(METHODS))
    named = tuple(replace(method, name=METHODS[method.name]) for method in found.methods)
    sources = replace(found, methods=named)
    build(store, key.bind(store.study_id), sources, options=options, progress=progress)
    shutil.rmtree(written)
    key = key_file.load(key.path, store.folder)
    freeze(store, key, actor=ACTOR)
    open_study(store, actor=ACTOR)
    strengths = {name: STRENGTHS[one.name] for name, one in key.methods.items()}
    for place in range(2, PROTOCOL.readers + 1):
        model = ReaderModel(
            f"R{place:02d}", strengths, seed=11, bias=0.2 * (place % 3 - 1), noise=0.35, spread=0.8
        )
        simulated_readers.read(store, model.reader, model)
    store.close()
    return folder


def start(template: Path, folder: Path) -> DemoStudy:
    """Copy the template for a visitor, who has agreed to the consent text of `PROTOCOL`.

    Parameters
    ----------
    template : Path
        Made by `prepare`.
    folder : Path
        New.
    """
    shutil.copytree(template, folder)
    demo = DemoStudy(folder)
    skipped = {DisplayCheck.SKIPPED: "demonstration", "carry_on": True}
    with demo.store.write() as session:
        reader = session.get_one(Reader, demo.visitor.id)
        reader.specialty, reader.experience_years = "Visitor", None
        consent.accept(session, reader.id, consent_digest(PROTOCOL))
        session.add(
            DisplayCheck(reader_id=reader.id, passed=False, detail_json=json.dumps(skipped))
        )
    return demo
