"""Each step of a study in a process of its own: processor time, peak memory and bytes."""

from __future__ import annotations

import multiprocessing
import resource
import tempfile
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from statistics import median
from typing import TypeVar

import numpy as np
from sqlalchemy import select

from benchmarks.study_size.filled_study import LEFT, draft, fill
from study.domain.questions import PAIR
from study.domain.terms import Status
from study.storage import key_file
from study.storage.folder import DATABASE
from study.storage.store import Store

T = TypeVar("T")
ANSWERS = LEFT // 2
"""Answers that are timed, one by one."""


@dataclass(frozen=True)
class Cost:
    """What a step costs.

    Parameters
    ----------
    seconds : float
        Processor time of the step; of one answer the median, of the overview each look but the
        first.
    memory : float
        Peak of the process in MB, imports included.
    size : float
        MB of what it wrote, where that is of interest.
    """

    seconds: float
    memory: float
    size: float = 0.0


@dataclass(frozen=True)
class Wanted:
    """Limits at 1000 cases, 5 methods and 20 readers; None where there is none."""

    seconds: float | None = None
    memory: float | None = None
    size: float | None = None
    growth: float | None = None


STEPS = {
    "build": Wanted(growth=1.15),
    "freeze": Wanted(growth=1.15),
    "answer": Wanted(seconds=0.02, growth=0.3),
    "overview": Wanted(seconds=0.3),
    "verify": Wanted(seconds=20),
    "export": Wanted(seconds=30, memory=500),
    "report": Wanted(seconds=120, memory=1000, size=5),
}


@dataclass(frozen=True)
class Sizes:
    """The costs of all steps by number of cases."""

    costs: dict[int, dict[str, Cost]]
    database: dict[int, float]

    def growth(self, step: str) -> float | None:
        """The exponent by which a step grows with the cases, from first to last."""
        first, last = min(self.costs), max(self.costs)
        if first == last:
            return None
        times = [max(self.costs[n][step].seconds, 1e-4) for n in (first, last)]
        return float(np.log(times[1] / times[0]) / np.log(last / first))

    def as_text(self) -> str:
        """A table, with the wanted figures where the largest study is that they are for."""
        lines = []
        for cases, costs in self.costs.items():
            lines.append(f"{cases} cases, database {self.database[cases]:.0f} MB")
            for step, cost in costs.items():
                size = f"{cost.size:8.1f} MB written" if cost.size else ""
                lines.append(f"  {step:9}{cost.seconds:10.3f} s{cost.memory:8.0f} MB{size}")
        for step, wanted in STEPS.items():
            growth = self.growth(step)
            if growth is not None:
                limit = f", wanted at most {wanted.growth:g}" if wanted.growth else ""
                lines.append(f"{step} grows with the cases to the power {growth:.2f}{limit}")
        return "\n".join(lines)


def sizes(
    cases: Sequence[int],
    *,
    methods: int = 5,
    readers: int = 20,
    folder: Path | None = None,
    progress: Callable[[float, str], None] | None = None,
) -> Sizes:
    """Measure studies of these numbers of cases.

    Parameters
    ----------
    cases : sequence of int
    methods, readers : int
    folder : Path, optional
        Where temporary studies are made.
    progress : callable, optional
        Called with the finished share and the current step.
    """
    tell = progress or (lambda share, what: None)
    costs: dict[int, dict[str, Cost]] = {}
    database = {}
    for place, number in enumerate(cases):
        with tempfile.TemporaryDirectory(dir=folder) as temporary:
            home = Path(temporary)
            draft(home, number, methods, readers)
            costs[number] = {}
            for done, step in enumerate(STEPS):
                share = (place + done / len(STEPS)) / len(cases)
                tell(share, f"{number} cases: {step}")
                costs[number][step] = _apart(partial(_measured, step, home))
                if step == "freeze":
                    _apart(partial(fill, home))
            database[number] = (home / "study" / DATABASE).stat().st_size / 1e6
    return Sizes(costs, database)


def _apart(work: Callable[[], T]) -> T:
    """Run work in a process of its own, whose memory is measured."""
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as pool:
        return pool.submit(work).result()


def _measured(step: str, home: Path) -> Cost:
    begun = time.process_time()
    found = _WORK[step](home)
    timed = step in ("answer", "overview")
    seconds = found if timed else time.process_time() - begun
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return Cost(seconds, memory, 0.0 if timed else found)


def _build(home: Path) -> float:
    from study.stimuli.rendering import Options, build
    from study.stimuli.sources import from_folders

    store = Store.open(home / "study")
    key = key_file.load(home / "key.json", store.folder, study_id=store.study_id)
    options = Options(accept_differences=True)
    build(store, key, from_folders(home / "images"), options=options)
    return 0.0


def _freeze(home: Path) -> float:
    from study.planning.freeze import freeze

    store = Store.open(home / "study")
    key = key_file.load(home / "key.json", store.folder, study_id=store.study_id)
    freeze(store, key, actor="bench", words_confirmed=True)
    return 0.0


def _answer(home: Path) -> float:
    """Seconds of one answer with the next screen, as the page asks for them."""
    from study.domain.answers import Answer
    from study.reading.next_pair import current
    from study.reading.ratings import record
    from study.reading.reader_state import state
    from study.storage.models import Reader

    store = Store.open(home / "study")
    with store.read() as session:
        reader = session.scalars(select(Reader.id).order_by(Reader.code)).first()
    answers = tuple(
        Answer(question.code, slot, 0 if slot == PAIR else question.minimum)
        for question in store.protocol().questions
        for slot in question.slots
    )
    assert reader is not None
    times = []
    for number in range(ANSWERS):
        with store.read() as session:
            pair = current(session, reader)
        assert pair is not None
        begun = time.process_time()
        record(store, reader_id=reader, token=pair.token, answers=answers,
               idempotency_key=f"timed answer {number}")  # fmt: skip
        state(store, reader)
        times.append(time.process_time() - begun)
    return median(times)


def _overview(home: Path) -> float:
    """Seconds of a look on a server that has counted the answers before."""
    from study.planning.progress_report import progress_report

    store = Store.open(home / "study")
    progress_report(store)
    begun = time.process_time()
    progress_report(store)
    return time.process_time() - begun


def _verify(home: Path) -> float:
    from study.storage.integrity import require_intact

    require_intact(Store.open(home / "study"))
    return 0.0


def _export(home: Path) -> float:
    from study.planning.lifecycle import close_study
    from study.report.export import ExportFormat, make

    store = Store.open(home / "study")
    if store.status() is Status.OPEN:
        close_study(store, actor="bench")
    written = make(store, home / "export", actor="bench", key=None, form=ExportFormat.CSV)
    return sum(path.stat().st_size for path in written) / 1e6


def _report(home: Path) -> float:
    from study.analysis.log import run
    from study.report import render

    store = Store.open(home / "study")
    made = run(store, actor="bench", key=None, seed=0)
    return len(render(made.data, made.analysis).encode()) / 1e6


_WORK: dict[str, Callable[[Path], float]] = {
    "build": _build,
    "freeze": _freeze,
    "answer": _answer,
    "overview": _overview,
    "verify": _verify,
    "export": _export,
    "report": _report,
}
