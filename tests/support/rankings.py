"""A study of rankings, and readers who rank by known worths."""

from __future__ import annotations

from typing import Any

import numpy as np
from sqlalchemy import select

from study.domain.protocol import RANKING_INSTRUCTIONS, Protocol
from study.domain.question_kinds import IMAGE_SLOTS
from study.domain.questions import Question, QuestionKind
from study.domain.terms import Shown
from study.storage.models import Item, Presentation
from tests.support.http_visitor import Visitor
from tests.support.open_study import Small, methods_of

OVERALL = Question(
    "overall", "Rank the images: 1 is the best", QuestionKind.RANKING, 1, 4, cannot_judge=False,
    primary=True,
)  # fmt: skip
NOISE = Question(
    "noise", "Rank by noise: 1 has the least", QuestionKind.RANKING, 1, 4, cannot_judge=False,
    ties=True,
)  # fmt: skip
RANKED = Protocol(
    title="Ranked", instructions=RANKING_INSTRUCTIONS, presentation=Shown.RANKING,
    questions=(OVERALL, NOISE), readers=2, training=1, dummies=1, repeats=2, nulls=0,
    repeat_distance=2,
)  # fmt: skip


def ranks(seed: list[int], places: list[int], *, tie: bool) -> list[int]:
    """Ranks of the images whose methods have these places, with some noise; two tied if asked."""
    worth = np.array(places) + np.random.default_rng(seed).normal(0, 0.7, len(places))
    found = [int(rank) + 1 for rank in np.argsort(np.argsort(worth))]
    return [max(1, rank - 1) if tie else rank for rank in found]


def answers_to(small: Small, token: str, seed: int) -> list[dict[str, Any]]:
    """Ranks by all questions for the images that a token shows."""
    methods = methods_of(small.store, token)
    places = [small.methods.index(method) for method in methods]
    return [
        {"question": question.code, "slot": slot, "value": rank}
        for number, question in enumerate(small.store.protocol().questions)
        for slot, rank in zip(
            IMAGE_SLOTS, ranks([seed, number], places, tie=question.ties), strict=False
        )
    ]


def read(small: Small, code: str) -> list[dict[str, Any]]:
    """Let a simulated reader rank everything and guess; what was sent, with case and methods."""
    visitor = Visitor(small).join(code)
    visitor.sit_down()
    given, sent = visitor.pair(), []
    while given["pair"] is not None and given["screen"]["kind"] == "pair":
        token = given["pair"]["token"]
        with small.store.read() as session:
            case = session.scalars(
                select(Item.case_key).join(Presentation).where(Presentation.token == token)
            ).one()
        answers = answers_to(small, token, 100 * int(code[1:]) + visitor.keys)
        sent.append({"case": case, "answers": answers, "methods": methods_of(small.store, token)})
        answered = visitor.post("rate", visitor.rating(given, answers=answers))
        assert answered.status_code == 200, answered.text
        given = answered.json()
        if given["screen"]["kind"] == "ready":
            visitor.sit_down()
            given = visitor.pair()
    while given["screen"]["kind"] == "guess":
        images = given["pair"]["plate"]["images"]
        message = {"token": given["pair"]["token"], "guesses": [0] * images}
        given = visitor.post("guess", message).json()
    assert given["screen"]["kind"] == "done"
    return sent
