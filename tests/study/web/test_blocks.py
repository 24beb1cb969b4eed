"""Studies of incomplete blocks, read over HTTP and analysed with the cells that are missing."""

from __future__ import annotations

import re
from pathlib import Path

from study.analysis import analyse
from study.analysis.collect import collect
from study.domain.protocol import Protocol
from study.domain.question_kinds import QuestionKind
from study.domain.questions import CATALOG, Question
from study.domain.terms import Role, Shown
from study.planning.lifecycle import close_study
from study.report.page import render
from tests.support.http_visitor import Visitor
from tests.support.open_study import known_id, methods_of, small_study
from tests.support.rankings import read

CONTROL = known_id("method 0")
BLOCKS = Protocol(
    title="Blocks", presentation=Shown.SINGLE, questions=CATALOG[:1], readers=3, training=0,
    dummies=0, repeats=0, nulls=0, ask_blinding=False, control=CONTROL, block=1,
)  # fmt: skip


def text_of(html: str) -> str:
    return re.sub(r"<style>.*?</style>|<svg.*?</svg>|<[^>]+>", " ", html, flags=re.S)


def test_scores_of_incomplete_blocks_give_the_differences_of_the_methods(tmp_path: Path) -> None:
    small = small_study(tmp_path / "s", BLOCKS, cases=6)
    for number, code in enumerate(small.readers):
        visitor = Visitor(small).join(code)
        given = visitor.sit_down().pair()
        while given["pair"] is not None:
            [method] = methods_of(small.store, given["pair"]["token"])
            value = 5 - small.methods.index(method) - (number == 1 and visitor.keys % 3 == 0)
            answers = [{"question": "quality", "slot": 0, "value": max(1, value)}]
            given = visitor.post("rate", visitor.rating(given, answers=answers)).json()
    close_study(small.store, actor="coordinator")
    data = collect(small.store)
    mains = [one for one in data.observations if one.role is Role.MAIN]
    assert len(mains) == 3 * 6 * 2
    assert all(not one.missing for one in mains)
    analysis = analyse(data, resamples=20)
    compared = analysis.criteria[0].comparison
    assert compared.friedman is None
    assert compared.comparisons is not None
    assert compared.comparisons.family.divisor == 2
    for pair in compared.comparisons.pairs:
        # A third of the cases of each reader, and every case for one reader.
        assert pair.n == 6
        assert pair.inference.difference.value is not None
        assert pair.inference.difference.value < 0
    text = text_of(render(data, analysis))
    assert "and 1 of the other methods of a case, in incomplete blocks" in text
    assert "cells are missing by design" in text
    small.store.close()


def test_rankings_of_incomplete_blocks_have_strengths_of_all_methods(tmp_path: Path) -> None:
    question = Question(
        "overall", "Rank the images", QuestionKind.RANKING, 1, 3, cannot_judge=False, primary=True
    )
    protocol = BLOCKS.with_(
        presentation=Shown.RANKING, questions=(question,), block=2, ask_blinding=True
    )
    small = small_study(tmp_path / "s", protocol, cases=6)
    for code in small.readers:
        read(small, code)
    close_study(small.store, actor="coordinator")
    data = collect(small.store)
    [found] = analyse(data, resamples=20).rankings
    by_kind = {one.mask: one.kind.value for one in data.methods}
    counts = {one.method: one.n for one in found.summaries}
    assert sorted(counts.values()) == [12, 12, 12, 18]
    assert found.strengths is not None
    assert len(found.strengths.strengths) == 4
    means = sorted(found.summaries, key=lambda one: one.mean.value or 0)
    assert by_kind[means[0].method] == "reference"
    assert by_kind[means[-1].method] == "anchor"
    assert "cells are missing by design" in text_of(render(data, analyse(data, resamples=20)))
    small.store.close()
