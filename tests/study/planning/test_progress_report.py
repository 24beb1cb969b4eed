"""How far readers are, counted from what is stored: pairs, answers, times, states."""

from __future__ import annotations

from dataclasses import replace

import pytest
from sqlalchemy import select

from study.accounts import readers
from study.domain.protocol import Protocol
from study.domain.terms import MethodKind, Status
from study.planning.progress_report import ImageCounts, progress_report
from study.reading import consent, next_pair, ratings
from study.storage.models import ReadingSession, new_token
from study.storage.store import Store
from tests.support import small_studies
from tests.support.tampering import run
from tests.support.tiny_study import reader_ids, tiny_answers, tiny_study, tokens


def answer(store: Store, place: int, pairs: int, value: int | None = 3, ms: int | None = 4000):
    """Let the reader at this place answer so many pairs, in the order of the plan."""
    with store.read() as session:
        reader = reader_ids(session)[place]
    for _ in range(pairs):
        with store.read() as session:
            pair = next_pair.current(session, reader)
        assert pair is not None
        submit(store, reader, pair.token, value, ms)


def submit(store, reader, token, value=3, ms=4000, reason=None):
    ratings.record(
        store, reader_id=reader, token=token, answers=tiny_answers(store.protocol(), value),
        idempotency_key=new_token(), visible_ms=ms, reason=reason,
    )  # fmt: skip


def reader(store: Store, code: str):
    return next(one for one in progress_report(store).readers if one.code == code)


@pytest.fixture
def store(tmp_path, url):
    made = tiny_study(tmp_path / "s", readers=3, pairs=4, training=2, url=url)
    yield made
    made.close()


def test_before_anything_is_read(store):
    seen = progress_report(store)
    assert (seen.code, seen.status) == ("TINY", Status.OPEN)
    assert (seen.done, seen.planned) == (0, 12)
    assert [(one.code, one.state, one.planned) for one in seen.readers] == [
        ("R01", "joined", 4), ("R02", "joined", 4), ("R03", "joined", 4)
    ]  # fmt: skip
    assert reader(store, "R01").seconds is None
    assert reader(store, "R01").last_at == ""


def test_pairs_answers_and_missing_ones_are_counted_apart_from_the_training(store):
    answer(store, 0, 2, ms=90_000)
    assert reader(store, "R01").training_done == 2
    assert (reader(store, "R01").done, reader(store, "R01").answers) == (0, 0)
    assert reader(store, "R01").state == "reading"
    answer(store, 0, 2, ms=3000)
    answer(store, 0, 1, value=None, ms=8000)
    one = reader(store, "R01")
    # Two criteria for two images and a preference; the preference has a value.
    assert (one.done, one.answers, one.missing) == (3, 15, 4)
    assert one.seconds == 3.0
    assert one.last_at > progress_report(store).created_at
    assert (progress_report(store).done, progress_report(store).planned) == (3, 12)


def test_a_correction_replaces_an_answer_and_is_counted(store):
    answer(store, 0, 3, value=None)
    with store.read() as session:
        place = reader_ids(session)[0]
        last = tokens(session, place)[2]
    submit(store, place, last, 4, ms=60_000, reason="slip of the key")
    one = reader(store, "R01")
    assert (one.done, one.answers, one.missing, one.corrections) == (1, 5, 0, 1)
    assert one.seconds == 4.0


def test_times_that_were_not_measured_are_left_out(store):
    answer(store, 0, 3, ms=None)
    assert reader(store, "R01").seconds is None
    answer(store, 0, 1, ms=2000)
    assert reader(store, "R01").seconds == 2.0


def test_states_follow_the_reader(store):
    with store.write() as session:
        consent.withdraw(session, reader_ids(session)[1], "c" * 64)
    answer(store, 0, 6)
    run(store, "UPDATE reader SET active = false WHERE code = 'R03'")
    states = [one.state for one in progress_report(store).readers]
    assert states == ["finished", "withdrawn", "switched off"]
    # Places of those who left do not count as pairs to come.
    assert (progress_report(store).done, progress_report(store).planned) == (4, 4)


def test_invitations_come_before_consent(tmp_path):
    draft = small_studies.draft(tmp_path)
    from study.planning.freeze import freeze
    from study.stimuli.rendering import build

    build(draft.store, draft.key, small_studies.ready_made(tmp_path / "images"))
    freeze(draft.store, draft.key, actor="anna")
    readers.invite(draft.store, "R02", actor="anna")
    states = [one.state for one in progress_report(draft.store).readers]
    assert states == ["not invited", "invited"]
    draft.store.close()


def test_a_washout_is_waited_for(tmp_path):
    protocol = Protocol(readers=1, washout_days=7)
    store = tiny_study(tmp_path / "s", readers=1, pairs=2, repeats=1, protocol=protocol)
    answer(store, 0, 2)
    one = reader(store, "R01")
    assert one.state == "waiting"
    with store.read() as session:
        opens = session.scalars(
            select(ReadingSession.not_before).where(ReadingSession.number == 2)
        ).one()
    assert one.waits_until == opens
    # Nobody waits for a session of a closed study.
    run(store, "UPDATE study SET status = 'closed'")
    one = reader(store, "R01")
    assert (one.state, one.waits_until, one.opened_at) == ("not finished", "", "")
    store.close()


def test_what_is_built_is_counted_without_names(tmp_path):
    draft = small_studies.draft(tmp_path)
    assert progress_report(draft.store).images == ImageCounts(0, 0, 0, (), 0, 0)
    assert not progress_report(draft.store).images.complete
    from study.stimuli import sources
    from study.stimuli.rendering import build

    made = sources.with_roles(
        sources.with_training(small_studies.ready_made(tmp_path / "images"), ["pat1_s2"]),
        reference="clean",
    )
    build(draft.store, draft.key, made)
    images = progress_report(draft.store).images
    assert images.kinds == ((MethodKind.TEST, 2), (MethodKind.REFERENCE, 1))
    assert replace(images, kinds=()) == ImageCounts(2, 1, 1, (), 9, 0)
    assert images.complete
    run(draft.store, "UPDATE stimulus SET deid_check = 'pending' WHERE rowid = 1")
    assert progress_report(draft.store).images.pending == 1
    assert not progress_report(draft.store).images.complete
    draft.store.close()
