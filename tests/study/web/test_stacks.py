"""Stacks of slices over HTTP: one answer with all slices, and drawings that name theirs."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from sqlalchemy import select

from study.analysis.collect import collect
from study.analysis.results import analyse
from study.domain.errors import StoreError
from study.domain.protocol import Protocol
from study.domain.terms import Shown, Status
from study.reading.pixel_tickets import plate
from study.report import document, export
from study.storage.models import InteractionEvent, Presentation, RatingEvent
from tests.support.http_visitor import Visitor, app_of, error
from tests.support.kind_answers import PER_IMAGE
from tests.support.leak_checks import CHECKS, Recording
from tests.support.open_study import QUICK, SIZE, small_study, texture

SLICES = 4
DRAWN = Protocol(
    title="Lesions", presentation=Shown.SINGLE, readers=1, training=0, dummies=0, repeats=0,
    nulls=0, ask_blinding=False,
    questions=tuple(one for one in PER_IMAGE if one.kind == "length"),
)  # fmt: skip


def stack(case: int, method: int, slices: int = SLICES) -> NDArray[np.float32]:
    return np.stack([texture(10 * case + place, method) for place in range(slices)])


def test_nothing_betrays_a_method_and_all_slices_come_in_one_answer(tmp_path: Path) -> None:
    small = small_study(tmp_path / "s", QUICK.with_(show_original=True), cases=3, pixels=stack)
    kept = Recording(small.store, small.reader())
    visitor = Visitor(small, app_of(small), kept.hear).join()
    assert visitor.sit_down(until="ready").screen["body"]["stacks"] is True
    given = visitor.sit_down().pair()
    assert given["pair"]["plate"]["slices"] == SLICES
    events = [{"kind": "scroll", "payload": "3", "at_ms": 900}]
    visitor.post("interaction", {"token": given["pair"]["token"], "events": events})
    visitor.sit_down(until="done")
    for check in CHECKS:
        check(kept)
    sent = kept.pixels()
    assert {len(one.body) for one in sent} == {3 * SLICES * SIZE * SIZE * 2}
    third = SLICES * SIZE * SIZE * 2
    for one in sent:
        assert {one.body[:third], one.body[third : 2 * third]} <= set(small.pixels.values())
    with small.store.read() as session:
        noted = session.execute(select(InteractionEvent.kind, InteractionEvent.payload)).all()
    assert ("scroll", "3") in [tuple(one) for one in noted]
    small.store.close()


def test_stacks_of_different_numbers_of_slices_are_never_shown(tmp_path: Path) -> None:
    small = small_study(
        tmp_path / "s", cases=1, pixels=lambda case, method: stack(case, method, 2 + method)
    )
    # A null trial shows one image twice.
    pairs = select(Presentation.id).where(Presentation.role != "null")
    with small.store.read() as session, pytest.raises(StoreError, match="2 sizes"):
        plate(session, session.scalars(pairs).first() or "")
    small.store.close()


def test_a_drawing_is_stored_and_exported_with_its_slice(tmp_path: Path) -> None:
    small = small_study(tmp_path / "s", DRAWN, cases=1, training=0, pixels=stack)
    visitor = Visitor(small).join()
    given = visitor.sit_down().pair()
    (code,) = (one["code"] for one in given["screen"]["body"]["questions"])
    answer = {"question": code, "slot": 0, "value": [[3, 4], [13, 4]]}

    def send(**more: object) -> object:
        return visitor.post("rate", visitor.rating(given) | {"answers": [answer | more]})

    for wrong in ({}, {"slice_number": 0}, {"slice_number": SLICES + 1}):
        assert error(send(**wrong)) == "answers"
    assert send(slice_number=2).json()["screen"]["kind"] == "pair"
    previous = visitor.pair("previous")["pair"]
    assert previous["answers"][0]["slice_number"] == 2
    with small.store.read() as session:
        (text,) = session.scalars(select(RatingEvent.value_text))
    assert json.loads(text) == {"points": [[3.0, 4.0], [13.0, 4.0]], "slice": 2}
    with small.store.write() as session:
        small.store.set_status(session, Status.CLOSED, "anna")
    data = collect(small.store)
    files = {one.name: one.text for one in export.files(data)}
    assert '""slice"":2' in files["ratings.csv"]
    assert files["cases.csv"].splitlines()[1].endswith(f",{SLICES}")
    assert "Number of slices that readers scroll through" in files["codebook.txt"]
    html = document(data, analyse(data, resamples=20)).html
    assert f"Images were stacks of {SLICES} slices" in html
    small.store.close()
