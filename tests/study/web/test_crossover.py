"""A crossover from the first session of a reader to the report."""

from __future__ import annotations

import re
from datetime import datetime, timedelta
from pathlib import Path

from sqlalchemy import select

from study.analysis import analyse
from study.analysis.collect import collect
from study.domain.protocol import Protocol
from study.domain.questions import CATALOG
from study.domain.terms import Role, Shown
from study.planning.lifecycle import close_study
from study.planning.progress_report import progress_report
from study.report.page import render
from study.stats.comparison.crossover_effects import NO_VARIANCE
from study.storage.models import ReadingSession
from tests.support.http_visitor import Visitor
from tests.support.open_study import Small, methods_of, small_study
from tests.support.tampering import run

CROSSED = Protocol(
    title="Crossed", presentation=Shown.SINGLE, crossover=True, washout_days=28.0,
    questions=CATALOG[:1], readers=4, training=0, dummies=1, repeats=4, nulls=0, repeat_distance=1,
    ask_blinding=False,
)  # fmt: skip
OPEN_NOW = (
    "UPDATE reading_session SET not_before = '2026-01-01T00:00:00.000000Z' "
    "WHERE not_before IS NOT NULL"
)


def sitting(small: Small, code: str, number: int) -> ReadingSession:
    with small.store.read() as session:
        return session.scalars(
            select(ReadingSession).where(
                ReadingSession.reader_id == small.reader(code), ReadingSession.number == number
            )
        ).one()


def read_session(small: Small, visitor: Visitor) -> set[str]:
    """Read to the end of a session; the methods that were shown."""
    shown = set()
    given = visitor.pair()
    while given["pair"] is not None and given["screen"]["kind"] == "pair":
        [method] = methods_of(small.store, given["pair"]["token"])
        shown.add(method)
        value = 5 - small.methods.index(method)
        answers = [{"question": "quality", "slot": 0, "value": value}]
        given = visitor.post("rate", visitor.rating(given, answers=answers)).json()
    return shown


def the_sessions_are_said_alike(report: str) -> None:
    """Design, methods paragraph and checklists agree, and no balance within sessions is tested."""
    assert report.count("Repeats were shown in the session of their method.") >= 3
    assert "second session" not in report
    assert report.count("4 warm-up images") >= 2
    assert "Test of independence of method and part" not in report


def test_every_session_has_a_method_and_opens_after_the_washout(tmp_path: Path) -> None:
    small = small_study(tmp_path / "s", CROSSED)
    orders = {}
    for code in small.readers:
        visitor = Visitor(small).join(code)
        methods: list[str] = []
        for number in (1, 2, 3, 4):
            visitor.sit_down()
            [method] = read_session(small, visitor)
            methods.append(method)
            if number == 4:
                break
            assert visitor.screen["kind"] == "wait"
            ended = sitting(small, code, number).finished_at
            opens = sitting(small, code, number + 1).not_before
            assert ended is not None
            assert opens is not None
            apart = datetime.fromisoformat(opens) - datetime.fromisoformat(ended)
            assert apart == timedelta(days=28)
            # Nothing of the next session can be had before it opens.
            assert "pair" not in visitor.pair()
            assert visitor.post("start").status_code != 200
            run(small.store, OPEN_NOW)
        assert sorted(methods) == sorted(small.methods)
        orders[code] = tuple(methods)
        assert visitor.screen["kind"] == "done"
    assert len(set(orders.values())) == 4
    report = progress_report(small.store)
    assert [one.missing for one in report.readers] == [0] * 4
    assert f"{report.done} of {report.planned} images read." in report.as_text()
    close_study(small.store, actor="coordinator")
    data = collect(small.store)
    mains = [one for one in data.observations if one.role is Role.MAIN]
    assert len(mains) == 4 * 4 * 4
    assert {one.session for one in mains} == {1, 2, 3, 4}
    analysis = analyse(data, resamples=20)
    crossed = analysis.conduct.crossover
    assert crossed is not None
    assert crossed.balance.balanced
    assert (crossed.balance.readers, crossed.partial) == (4, 0)
    [(_, periods)] = crossed.periods
    # Scores follow the method alone, so that balanced sessions have no effect.
    assert all(abs(one.value or 0) < 1e-9 for one in periods)
    [(_, effects)] = crossed.effects
    assert effects.period_test.reason == effects.carry_over_test.reason == NO_VARIANCE
    means = {one.method: one.scores.mean for one in analysis.criteria[0].summaries}
    assert sorted(mean or 0 for mean in means.values()) == [2, 3, 4, 5]
    html = render(data, analysis)
    text = re.sub(r"<style>.*?</style>|<svg.*?</svg>|<[^>]+>", " ", html, flags=re.S)
    assert "Each method was read in a session by itself, at least 28 days after" in text
    assert text.count("balanced for first-order carry-over") == 2
    assert "Effect of the session" in text
    assert "No analysis was chosen by these tests" in text
    the_sessions_are_said_alike(text)
    small.store.close()
