"""Response times of a study server: simulated readers sign in, and submit at a steady rate.

The server runs in a separate process, as ``python -m study serve`` starts it, and the readers send
the requests of browsers. A submission is timed from the moment it was due, so that a slow server is
not loaded less. The reference is a bare commit to the disk and a bare request.
"""

from __future__ import annotations

import math
import os
import sqlite3
import tempfile
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import numpy as np
from sqlalchemy import func, select

from benchmarks.study_load import served_study
from benchmarks.study_load.http_reader import Exchange, HttpReader
from benchmarks.study_load.served_study import PAIRS, open_study_of, server_of
from study.accounts.readers import Invitation, invite
from study.domain.errors import StudyError
from study.domain.terms import Role
from study.storage.models import Presentation, RatingEvent, Reader, ReadingSession
from study.storage.store import Store
from study.web.reader_api import PREFIX

_LEAST_READERS = 50
SIGN_IN_SECONDS = 1.0
"""In which all readers sign in with their secrets."""
WANTED_SUBMIT_MS, WANTED_SIGN_IN_MS = 100.0, 1000.0
"""On two idle cores: p95 of a submission with the next pair, and the slowest sign-in."""
_PROBES = 200


@dataclass(frozen=True)
class Latency:
    """A distribution of times in milliseconds."""

    count: int
    p50: float
    p95: float
    worst: float

    def as_text(self) -> str:
        """The times as text."""
        return f"p50 {self.p50:.1f} ms, p95 {self.p95:.1f} ms, worst {self.worst:.0f} ms"


@dataclass(frozen=True)
class Load:
    """The result of a load test.

    Parameters
    ----------
    rate, seconds : float
        As requested.
    readers, cores : int
        The number of readers, and of processor cores for them and the server.
    submit : Latency
        From the moment a submission was due until the response with the next pair.
    pixels : Latency
        Fetching both images of a pair.
    sign_in : Latency
        From the moment a reader was due to sign in with the secret, all within a second.
    reference : Latency
        A bare commit and a bare request, before the load.
    stored : int
        Complete submissions in the database.
    failed : tuple of str
        An error for each reader who had to stop.
    stolen : float
        Share of the processors' time that other virtual machines took meanwhile; 0 where the system
        does not tell.
    """

    rate: float
    seconds: float
    readers: int
    cores: int
    submit: Latency
    pixels: Latency
    sign_in: Latency
    reference: Latency
    stored: int
    failed: tuple[str, ...]
    stolen: float = 0.0

    @property
    def ok(self) -> bool:
        """Whether every submission was accepted and stored."""
        wanted = math.floor(self.rate * self.seconds)
        return not self.failed and self.submit.count == wanted <= self.stored

    def as_text(self) -> str:
        """The result as a few lines of text."""
        times = self.submit.p50 / self.reference.p50, self.submit.p95 / self.reference.p95
        lines = [
            f"{self.rate:g} submissions a second for {self.seconds:g} s by {self.readers} readers, "
            f"images of {served_study.SIDE} x {served_study.SIDE}, "
            f"{self.cores} cores for server and readers",
            f"{self.sign_in.count} sign-ins in {SIGN_IN_SECONDS:g} s: {self.sign_in.as_text()}, "
            f"{_met(self.sign_in.worst, WANTED_SIGN_IN_MS)}",
            f"submit and next pair: {self.submit.as_text()} ({self.submit.count}), p95 "
            f"{_met(self.submit.p95, WANTED_SUBMIT_MS)}",
            f"pixels of a pair: {self.pixels.as_text()} ({self.pixels.count})",
            f"a bare commit and request: {self.reference.as_text()}; a submission takes "
            f"{times[0]:.1f} times as long at p50 and {times[1]:.1f} times at p95",
            f"{100 * self.stolen:.1f} % of the processors' time went to other virtual machines",
            f"{self.stored} submissions stored, {len(self.failed)} readers failed",
            *self.failed[:3],
        ]
        return "\n".join(lines)


def _met(found: float, wanted: float) -> str:
    return f"wanted at most {wanted:g} ms: {'met' if found <= wanted else 'missed'}"


@dataclass
class _Clock:
    """Recorded times; several threads append to the lists."""

    submit: list[float] = field(default_factory=list)
    pixels: list[float] = field(default_factory=list)

    def heard(self, exchange: Exchange) -> None:
        if exchange.name == "pixels":
            self.pixels.append(exchange.seconds)


def load(
    rate: float = 25.0,
    seconds: float = 60.0,
    *,
    folder: Path | None = None,
    url: str | None = None,
    progress: Callable[[float, str], None] | None = None,
) -> Load:
    """Let simulated readers submit at a steady rate, and time the answers.

    Parameters
    ----------
    rate : float
        Submissions a second, all readers together.
    seconds : float
    folder : Path, optional
        Of the study; by default a temporary one. Its disk is measured.
    url : str, optional
        SQLAlchemy URL of an empty database; the default is SQLite in the folder.
    progress : callable, optional
        Called with the finished share and the current step.

    Raises
    ------
    StudyError
        The study would need too many readers, or the server does not start.
    """
    tell = progress or (lambda share, what: None)
    total = math.floor(rate * seconds)
    # One pair in ten is left, and a reader who is first pauses at least a second between pairs.
    readers = max(_LEAST_READERS, math.ceil(rate), math.ceil(total / (0.9 * PAIRS)))
    if readers > 200 or not total:
        raise StudyError(f"{rate:g} a second for {seconds:g} s cannot be read by 1 to 200 readers.")
    with tempfile.TemporaryDirectory(dir=folder) as temporary:
        place = Path(temporary)
        tell(0.0, "making a study")
        store = open_study_of(place, readers, url)
        with store.read() as session:
            codes = list(session.scalars(select(Reader.code).order_by(Reader.code)))
        invitations = [invite(store, code, actor="bench") for code in codes]
        tell(0.2, "starting the server")
        clock = _Clock()
        with server_of(store.folder, url) as root:
            tell(0.3, "readers come in")
            with ThreadPoolExecutor(8) as pool:
                robots = list(pool.map(lambda one: _ready(root, one.path, clock), invitations))
            tell(0.35, "signing in")
            sign_in = _latency(_sign_ins(root, invitations))
            reference = _reference(place, root)
            clock.pixels.clear()
            tell(0.4, "reading")
            before = _processor_ticks()
            failed = _run(robots, rate, total, clock)
            stolen = _stolen(before, _processor_ticks())
        stored = _stored(store)
        store.close()
    return Load(
        rate, seconds, readers, _cores(), _latency(clock.submit),
        _latency(clock.pixels), sign_in, reference, stored, tuple(failed), stolen,
    )  # fmt: skip


def _sign_ins(root: str, invitations: Sequence[Invitation]) -> list[float]:
    """Seconds that each reader waits, one after the other due within `SIGN_IN_SECONDS`."""
    # Made before: a client costs more than a sign-in.
    clients = [httpx.Client(base_url=root, timeout=60) for _ in invitations]
    begin = time.perf_counter() + 0.5

    def sign_in(place: int) -> float:
        due = begin + place * SIGN_IN_SECONDS / len(invitations)
        form = {"code": invitations[place].code, "secret": invitations[place].secret}
        with clients[place] as client:
            time.sleep(max(0.0, due - time.perf_counter()))
            answer = client.post(f"{PREFIX}/login", data=form)
            waited = time.perf_counter() - due
        if answer.status_code != 303:
            raise StudyError(f"A sign-in was answered with {answer.status_code}.")
        return waited

    with ThreadPoolExecutor(len(invitations)) as pool:
        return list(pool.map(sign_in, range(len(invitations))))


def _ready(root: str, link: str, clock: _Clock) -> HttpReader:
    """A reader who has the first pair on the screen."""
    robot = HttpReader(httpx.Client(base_url=root, timeout=30), heard=clock.heard)
    robot.join(link)
    robot.read(0)
    robot.look()
    return robot


def _run(robots: Sequence[HttpReader], rate: float, total: int, clock: _Clock) -> list[str]:
    """Submit at a steady rate; the readers take turns."""
    begin = time.perf_counter() + 1.0
    failed: list[str] = []

    def read(place: int) -> None:
        robot = robots[place]
        try:
            for number in range(place, total, len(robots)):
                due = begin + number / rate
                time.sleep(max(0.0, due - time.perf_counter()))
                page = robot.answer()
                clock.submit.append(time.perf_counter() - due)
                if page.pair is not None:
                    robot.look()
        except (StudyError, httpx.HTTPError) as error:
            failed.append(f"{type(error).__name__}: {error}")

    threads = [threading.Thread(target=read, args=(place,)) for place in range(len(robots))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return failed


def _reference(folder: Path, root: str) -> Latency:
    """The time of one row synced to the disk and one empty response."""
    connection = sqlite3.connect(folder / "reference.sqlite", isolation_level=None)
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute("PRAGMA synchronous=FULL")
    connection.execute("CREATE TABLE row (value TEXT)")
    found = []
    with httpx.Client(base_url=root) as client:
        client.get("/")
        for number in range(_PROBES):
            begun = time.perf_counter()
            connection.execute("INSERT INTO row VALUES (?)", (str(number),))
            client.get("/")
            found.append(time.perf_counter() - begun)
    connection.close()
    return _latency(found)


def _stored(store: Store) -> int:
    each = sum(len(question.slots) for question in store.protocol().questions)
    with store.read() as session:
        answers = session.scalar(
            select(func.count(RatingEvent.seq))
            .join(Presentation, Presentation.id == RatingEvent.presentation_id)
            .join(ReadingSession, ReadingSession.id == Presentation.session_id)
            .where(Presentation.role == Role.MAIN)
        )
    return (answers or 0) // each


def _processor_ticks() -> tuple[int, ...]:
    """What the processors did since the start: user, nice, system, idle, and so on; see proc(5)."""
    counts = Path("/proc/stat")
    first = counts.read_text().partition("\n")[0] if counts.exists() else ""
    return tuple(int(one) for one in first.split()[1:9])


def _stolen(before: Sequence[int], after: Sequence[int]) -> float:
    passed = [late - early for early, late in zip(before, after, strict=True)]
    return passed[-1] / sum(passed) if sum(passed) else 0.0


def _cores() -> int:
    """The number of cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _latency(seconds: Sequence[float]) -> Latency:
    times = 1000 * np.array(seconds or [math.nan])
    p50, p95 = np.percentile(times, (50, 95))
    return Latency(len(seconds), float(p50), float(p95), float(times.max()))
