"""Tickets and the two buffers they are good for."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import select

from study.domain.errors import ImageLost, StoreError, TicketGone
from study.reading import pixel_tickets
from study.reading.pixel_tickets import holds, issue, plate, redeem
from study.storage.models import (
    Presentation,
    PresentationSlot,
    ReadingSession,
    Stimulus,
    Ticket,
    stamp,
)
from tests.support.open_study import SIZE, WINDOW, small_study, texture


@pytest.fixture(scope="module")
def small(tmp_path_factory):
    study = small_study(tmp_path_factory.mktemp("blinding") / "s", cases=2)
    yield study
    study.store.close()


def pairs(store, reader):
    with store.read() as session:
        return session.scalars(
            select(Presentation)
            .join(ReadingSession, ReadingSession.id == Presentation.session_id)
            .where(ReadingSession.reader_id == reader)
            .order_by(ReadingSession.number, Presentation.position)
        ).all()


def ticket_for(store, pair, reader):
    with store.write() as session:
        return issue(session, reader, [pair.id])[pair.id]


def stimuli_of(store, pair):
    with store.read() as session:
        rows = select(PresentationSlot).where(PresentationSlot.presentation_id == pair.id)
        slots = session.scalars(rows.order_by(PresentationSlot.slot)).all()
        return [session.get_one(Stimulus, slot.stimulus_id) for slot in slots]


def test_a_ticket_gives_left_then_right_once(small):
    pair = pairs(small.store, small.reader())[0]
    token = ticket_for(small.store, pair, small.reader())
    data = redeem(small.store, token, small.reader())
    left, right = (small.pixels[one.id] for one in stimuli_of(small.store, pair))
    assert data == left + right
    assert len(data) == 2 * SIZE * SIZE * 2
    with pytest.raises(TicketGone):
        redeem(small.store, token, small.reader())


def test_all_pairs_of_all_methods_have_the_same_length(small):
    lengths = set()
    for pair in pairs(small.store, small.reader()):
        token = ticket_for(small.store, pair, small.reader())
        lengths.add(len(redeem(small.store, token, small.reader())))
    assert lengths == {2 * SIZE * SIZE * 2}


def test_a_ticket_is_its_readers_and_stays_good_when_another_tries(small):
    pair = pairs(small.store, small.reader("R01"))[0]
    token = ticket_for(small.store, pair, small.reader("R01"))
    for other in (small.reader("R02"), "nobody"):
        with pytest.raises(TicketGone):
            redeem(small.store, token, other)
    assert redeem(small.store, token, small.reader("R01"))


@pytest.mark.parametrize("token", ["", "x", "' OR 1=1 --", "../../study.sqlite"])
def test_what_is_no_ticket_opens_nothing(small, token):
    with pytest.raises(TicketGone):
        redeem(small.store, token, small.reader())


def test_a_ticket_does_not_last(small):
    pair = pairs(small.store, small.reader())[0]
    old = datetime.now(UTC) - timedelta(hours=pixel_tickets.TICKET_HOURS, minutes=1)
    with small.store.write() as session:
        late = Ticket(presentation_id=pair.id, reader_id=small.reader(), issued_at=stamp(old))
        session.add(late)
        session.flush()
        token = late.token
    with pytest.raises(TicketGone):
        redeem(small.store, token, small.reader())


def test_every_showing_has_a_ticket_of_its_own(small):
    pair = pairs(small.store, small.reader())[0]
    tokens = {ticket_for(small.store, pair, small.reader()) for _ in range(20)}
    assert len(tokens) == 20
    assert all(len(token) == 22 for token in tokens)
    with small.store.read() as session:
        known = tokens.pop()
        assert holds(session, known, pair.id, small.reader("R01"))
        assert not holds(session, known, pair.id, small.reader("R02"))
        assert not holds(session, "x" * 22, pair.id, small.reader("R01"))
        other = pairs(small.store, small.reader())[1]
        assert not holds(session, known, other.id, small.reader("R01"))


@pytest.mark.parametrize("harm", ["changed", "cut", "missing"])
def test_an_image_that_is_not_the_frozen_one_is_not_shown(tmp_path, harm):
    small = small_study(tmp_path / "s", cases=2)
    pair = pairs(small.store, small.reader())[0]
    path = small.store.stimuli / stimuli_of(small.store, pair)[1].file
    data = path.read_bytes()
    if harm == "missing":
        path.unlink()
    else:
        path.write_bytes(data[:-2] if harm == "cut" else bytes([data[0] ^ 1]) + data[1:])
    with pytest.raises(ImageLost):
        redeem(small.store, ticket_for(small.store, pair, small.reader()), small.reader())


def test_the_plate_is_the_same_for_every_method_of_a_case(small):
    by_item = {}
    with small.store.read() as session:
        for pair in pairs(small.store, small.reader()):
            by_item.setdefault(pair.item_id, set()).add(plate(session, pair.id))
    assert all(len(plates) == 1 for plates in by_item.values())
    only = by_item.popitem()[1].pop()
    assert (only.width, only.height, only.channels) == (SIZE, SIZE, 1)
    assert "HU" in only.display
    assert WINDOW["units"] == "HU"


def test_two_images_of_different_size_are_refused(tmp_path):
    def odd(case, method):
        return texture(case, method, SIZE if method else SIZE // 2)

    small = small_study(tmp_path / "s", cases=2, pixels=odd)
    uneven = [
        pair
        for pair in pairs(small.store, small.reader())
        if len({one.width for one in stimuli_of(small.store, pair)}) == 2
    ]
    assert uneven
    with small.store.read() as session, pytest.raises(StoreError, match="2 sizes"):
        plate(session, uneven[0].id)
