"""Markup and formulas in the texts of readers and coordinators, in pages, reports and tables."""

from __future__ import annotations

import csv
import io
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import exists, func, select

from benchmarks.attack.attack import Attack, NotTried, Outcome, outcome
from benchmarks.attack.copies import StudyCopy, again
from benchmarks.attack.servers import Server
from benchmarks.attack.tampering import verdict
from study.analysis.collect import collect
from study.domain.terms import Status
from study.planning.lifecycle import close_study
from study.report import export
from study.storage.models import Comment, Presentation, RatingEvent, ReadingSession
from study.storage.store import Store

MARKUP = "<script>alert(1)</script><img src=x onerror=alert(2)>\"'>"
SIGNS = "=+-@＝＋－＠"
FORMULAS = tuple(
    f"{before}{sign}HYPERLINK(1)" for sign in SIGNS for before in ("", "seen;", "seen; ", "a\n")
)


def pages(server: Server) -> Outcome:
    """Markup that is typed where somebody signs in, and in addresses."""
    with server.client() as client:
        answers = [
            client.post("/reader/login", data={"code": MARKUP, "secret": MARKUP}),
            client.post("/coordinator/login", data={"name": MARKUP, "secret": MARKUP}),
            client.get("/reader/join/" + MARKUP.replace("/", "")),
            client.get("/nothing/" + MARKUP),
            client.post("/reader/api/rate", content=MARKUP),
        ]
    raw = [
        one for one in answers
        if "<img src=x" in one.text and "json" not in one.headers.get("content-type", "")
    ]  # fmt: skip
    return outcome(not raw, f"{len(raw)} of {len(answers)} pages with markup")


@contextmanager
def _closed(copy: StudyCopy, *comments: str) -> Iterator[StudyCopy]:
    """A closed copy in which a reader wrote these comments."""
    with again(copy, copy.folder.with_name("closed")) as taken:
        with taken.opened() as store:
            if store.status() is not Status.OPEN:
                raise NotTried(f"the study is {store.status()}")
            with store.write() as session:
                rated = exists().where(RatingEvent.presentation_id == Presentation.id)
                pair = session.execute(
                    select(Presentation.id, ReadingSession.reader_id)
                    .join(ReadingSession, ReadingSession.id == Presentation.session_id)
                    .order_by(rated.desc(), Presentation.id)
                ).first()
                if pair is None:
                    raise NotTried("the study has no plan")
                shown, reader = pair
                session.add_all(
                    Comment(presentation_id=shown, reader_id=reader, text=one) for one in comments
                )
            close_study(store, actor=MARKUP)
        yield taken


def _has_ratings(store: Store) -> bool:
    with store.read() as session:
        return bool(session.scalar(select(func.count()).select_from(RatingEvent)))


def report(copy: StudyCopy) -> Outcome:
    """A report of a study whose texts have markup; the file is for its owner only."""
    with _closed(copy, MARKUP) as taken:
        with taken.opened() as store:
            if not _has_ratings(store):
                raise NotTried("the study has no ratings")
        out = taken.folder.with_name("report.html")
        command = [sys.executable, "-m", "study", "report", str(taken.folder), "--out", str(out)]
        if taken.url:
            command += ["--database", taken.url]
        done = subprocess.run(command, capture_output=True, text=True, timeout=100, check=False)
        if done.returncode:
            return outcome(False, done.stderr.strip()[:100])
        text, mode = out.read_text(), out.stat().st_mode & 0o777
        out.unlink()
    held = "<img src=x" not in text and "<script>alert" not in text
    private = os.name != "posix" or mode == 0o600
    return outcome(held and private, f"{'no' if held else 'some'} markup, mode {mode:o}")


def formulas(copy: StudyCopy) -> Outcome:
    """Comments that a spreadsheet would run, opened with commas, semicolons and tabs."""
    with _closed(copy, *FORMULAS) as taken, taken.opened() as store:
        found = {one.name: one.text for one in export.files(collect(store))}
    run = 0
    for separator in ",;\t":
        for line in csv.reader(io.StringIO(found["comments.csv"]), delimiter=separator):
            run += sum(cell.strip(' "')[:1] in SIGNS and bool(cell.strip(' "')) for cell in line)
    return outcome(run == 0, f"{run} cells would be run")


def intact(copy: StudyCopy) -> Outcome:
    """Texts with markup in rows that the program wrote itself are no finding of ``verify``."""
    with _closed(copy, MARKUP) as taken:
        found = verdict(taken)
    return outcome(found.ok, "intact" if found.ok else found.problems[0][:60])


SERVERS: tuple[Attack[Server], ...] = (
    Attack("markup in forms and addresses", "escaped", pages, harmless=True),
)
FILES: tuple[Attack[StudyCopy], ...] = (
    Attack("markup in comments and names, in the report", "escaped, mode 600", report),
    Attack("formulas in comments, in the export", "none is run", formulas),
    Attack("markup in a study that is verified", "no finding", intact),
)
