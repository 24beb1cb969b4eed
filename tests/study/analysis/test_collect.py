"""From a stored study to results: what is read, who may see it, what is logged and repeated."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy import select

from study import report
from study.analysis.collect import collect
from study.analysis.dataset import NOT_READ, Dataset
from study.analysis.log import repeat, run
from study.analysis.scores import first_ratings
from study.demo.reader_model import ReaderModel
from study.demo.simulated_readers import SimulatedReader, read
from study.domain.errors import BlindingError, KeyFileError, StatisticsError, StoreError
from study.domain.questions import CANNOT_JUDGE
from study.domain.terms import Role
from study.planning.exclusions import exclude, reinstate
from study.planning.lifecycle import close_study, unblind
from study.storage.models import (
    AnalysisRun,
    AuditEvent,
    Exclusion,
    Presentation,
    RatingEvent,
    Reader,
)
from study.storage.store import Store
from tests.support.read_study import PROTOCOL, Played, copy, play, withdraw


@pytest.fixture(scope="module")
def opened(tmp_path_factory: pytest.TempPathFactory) -> Played:
    """An open study, to be copied."""
    played = play(tmp_path_factory.mktemp("opened"), close=False)
    played.store.close()
    return played


@pytest.fixture(scope="module")
def closed(opened: Played, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Played]:
    played = copy(opened, tmp_path_factory.mktemp("closed"))
    close_study(played.store, actor="coordinator")
    yield played
    played.store.close()


@pytest.fixture(scope="module")
def data(closed: Played) -> Dataset:
    return collect(closed.store)


@pytest.fixture
def reading(opened: Played, tmp_path: Path) -> Iterator[Played]:
    """An open study of one's own."""
    played = copy(opened, tmp_path)
    yield played
    played.store.close()


def events(store: Store, action: str) -> list[AuditEvent]:
    with store.read() as session:
        return list(session.scalars(select(AuditEvent).where(AuditEvent.action == action)))


def test_every_cell_of_the_plan_of_readers_who_joined_is_there(data: Dataset) -> None:
    trials = PROTOCOL.training + PROTOCOL.dummies + 3 * 3 + PROTOCOL.repeats + PROTOCOL.nulls
    assert len(data.observations) == 3 * trials * 5
    assert [one.state for one in data.readers] == ["included"] * 3 + ["never joined"]
    assert {seen.reader for seen in data.observations} == {"R01", "R02", "R03"}


def test_values_are_what_the_readers_answered(closed: Played, data: Dataset) -> None:
    simulated = SimulatedReader(
        closed.store, ReaderModel("R02", closed.strengths, seed=5, cannot_judge=0.05)
    )
    with closed.store.read() as session:
        first = session.scalars(
            select(RatingEvent).where(RatingEvent.actor_id == closed.reader("R02"))
        ).all()
    assert first
    stored = [seen for seen in data.observations if seen.reader == "R02"]
    assert all(seen.revision == 1 for seen in stored)
    assert sum(seen.value is None for seen in stored) == sum(
        event.value_text == CANNOT_JUDGE for event in first
    )
    again = simulated.answers(_token(closed.store, first[0].presentation_id), PROTOCOL.questions)
    found = {
        (seen.question, seen.side): seen.value for seen in stored if seen.pair == stored[0].pair
    }
    assert found == {(one.question, one.slot): one.value for one in again}


def test_the_unread_part_of_a_plan_is_missing_for_that_reason(data: Dataset) -> None:
    late = [seen for seen in data.observations if seen.reader == "R03" and not seen.revision]
    assert late
    assert {seen.missing for seen in late} == {NOT_READ}
    assert all(seen.seconds is None and not seen.at for seen in late)
    record = next(one for one in data.readers if one.code == "R03")
    assert 0 < record.read < record.planned == 9


def test_a_correction_takes_the_place_of_the_answer(data: Dataset) -> None:
    last = max((seen for seen in data.observations if seen.reader == "R01"), key=lambda s: s.when)
    corrected = [seen for seen in data.observations if seen.pair == last.pair]
    assert {seen.revision for seen in corrected} == {2}
    assert {seen.value for seen in corrected if seen.side != 2} == {1}
    assert next(one for one in data.readers if one.code == "R01").corrections == 1
    assert [one.text for one in data.comments] == ["=1+1"]
    assert data.comments[0].pair == last.pair


def test_repeats_point_to_the_pair_they_repeat(data: Dataset) -> None:
    mains = {seen.pair: seen for seen in data.observations if seen.role is Role.MAIN}
    again = [seen for seen in data.observations if seen.role is Role.REPEAT]
    assert again
    for seen in again:
        first = mains[seen.repeat_of]
        assert (first.case, first.reader) == (seen.case, seen.reader)
        assert {first.left, first.right} == {seen.left, seen.right}


def test_masks_stand_for_methods_everywhere(closed: Played, data: Dataset) -> None:
    assert data.masks == ("M1", "M2", "M3")
    text = repr(data)
    assert not any(name in text for name in closed.key.secret_strings())
    assert not any(identifier in text for identifier in closed.key.methods)


@pytest.mark.parametrize("ask", [collect, lambda store: run(store, actor="ana")])
def test_nothing_by_method_is_seen_before_the_study_is_closed(reading: Played, ask) -> None:
    with pytest.raises(BlindingError, match="is open: results by method can be seen only after"):
        ask(reading.store)
    close_study(reading.store, actor="coordinator")
    ask(reading.store)


def test_names_need_unblinding_and_the_right_key(reading: Played) -> None:
    store, key = reading.store, reading.key
    close_study(store, actor="coordinator")
    with pytest.raises(BlindingError, match="closed but not unblinded"):
        collect(store, key)
    unblind(store, key, actor="ana", second="bob")
    names = {one.mask: one.name for one in collect(store, key).methods}
    assert sorted(names.values()) == ["clean", "dncnn", "restormer"]
    assert collect(store).unblinded is False
    changed = replace(key, methods={**key.methods, "more": next(iter(key.methods.values()))})
    with pytest.raises(KeyFileError, match="not the one that S1 was frozen with"):
        collect(store, changed)


def test_a_reader_who_withdrew_is_in_no_analysis(reading: Played) -> None:
    withdraw(reading, "R02")
    close_study(reading.store, actor="coordinator")
    data = collect(reading.store)
    assert {seen.reader for seen in data.observations} == {"R01", "R03"}
    record = next(one for one in data.readers if one.code == "R02")
    assert (record.state, record.read, record.specialty) == ("withdrawn", 0, "")
    assert "R02" not in {guess.reader for guess in data.guesses}


def test_exclusions_are_logged_and_leave_rows_out(reading: Played) -> None:
    close_study(reading.store, actor="coordinator")
    case = first_ratings(collect(reading.store), PROTOCOL.questions[0])[0].case
    with reading.store.write() as session:
        exclude(session, "R02", rule="wrong_display", reason="Read on a phone.", actor="ana")
        exclude(session, case, rule="motion", reason="Not usable.", actor="ana", prespecified=True)
    data = collect(reading.store)
    assert all(seen.excluded for seen in data.observations if seen.reader == "R02")
    assert all(seen.excluded for seen in data.observations if seen.case == case)
    assert {one.target: one.prespecified for one in data.exclusions} == {"R02": False, case: True}
    kept = first_ratings(data, PROTOCOL.questions[0])
    assert {seen.reader for seen in kept} == {"R01", "R03"}
    assert case not in {seen.case for seen in kept}
    assert [one.target for one in events(reading.store, "exclude")] == ["R02", case]


def test_an_exclusion_needs_a_target_and_a_reason(reading: Played) -> None:
    with reading.store.write() as session:
        for code, reason, words in (
            ("R09", "Gone.", "no reader and no case 'R09'"),
            ("R01", "  ", "needs a reason"),
        ):
            with pytest.raises(StatisticsError, match=words):
                exclude(session, code, rule="rule", reason=reason, actor="ana")
        exclude(session, "R01", rule="rule", reason="Once.", actor="ana")
        with pytest.raises(StatisticsError, match="excluded already"):
            exclude(session, "R01", rule="rule", reason="Twice.", actor="ana")


def test_an_exclusion_is_undone_by_a_second_record(reading: Played) -> None:
    close_study(reading.store, actor="coordinator")
    before = collect(reading.store).observations
    with reading.store.write() as session:
        exclude(session, "R02", rule="late", reason="Read late.", actor="ana", prespecified=True)
        with pytest.raises(StatisticsError, match="needs a reason"):
            reinstate(session, "R02", reason=" ", actor="bob")
        reinstate(session, "R02", reason="It was in time.", actor="bob")
        with pytest.raises(StatisticsError, match="R02 is not excluded"):
            reinstate(session, "R02", reason="Twice.", actor="bob")
        with pytest.raises(StatisticsError, match="give the rule another name"):
            exclude(session, "R01", rule="Counts again", reason="x", actor="ana")
    data = collect(reading.store)
    assert data.observations == before
    assert "R02" in data.included_readers
    assert [(one.rule, one.undoes) for one in data.exclusions] == [
        ("late", False),
        ("counts again", True),
    ]
    shown = report.make(reading.store, actor="ana", resamples=0)
    assert "“counts again” undoes the exclusion before it." in shown
    with reading.store.write() as session:
        exclude(session, "R02", rule="phone", reason="On a phone after all.", actor="ana")
    rules = {seen.excluded for seen in collect(reading.store).observations if seen.reader == "R02"}
    assert rules == {"phone"}
    assert [one.target for one in events(reading.store, "reinstate")] == ["R02"]


def test_no_exclusion_is_prespecified_after_the_unblinding(reading: Played) -> None:
    close_study(reading.store, actor="coordinator")
    with reading.store.write() as session:
        exclude(session, "R01", rule="early", reason="Rule 3.", actor="ana", prespecified=True)
    unblind(reading.store, reading.key, actor="ana", second="bob")
    with reading.store.write() as session:
        with pytest.raises(StatisticsError, match=r"unblinded at .* cannot be called prespecified"):
            exclude(session, "R02", rule="late", reason="Rule 4.", actor="ana", prespecified=True)
        exclude(session, "R02", rule="late", reason="Found late.", actor="ana")
        # As an earlier version could have stored it.
        session.add(
            Exclusion(
                study_id=reading.store.study_id, target_kind="reader",
                target_id=reading.reader("R03"), rule_code="worse", prespecified=True,
                reason="Seen in the results.", decided_by="ana",
            )
        )  # fmt: skip
    data = collect(reading.store)
    assert [one.prespecified for one in data.exclusions] == [True, False, False]
    shown = report.make(reading.store, actor="ana", resamples=0)
    assert shown.count("no, after unblinding") == 2


def test_every_analysis_is_logged_and_repeats_byte_for_byte(closed: Played) -> None:
    logged = run(closed.store, actor="ana", resamples=40, kind="check")
    with closed.store.read() as session:
        entry = session.get_one(AnalysisRun, logged.run_id)
    assert entry.data_sha256 == logged.data.digest
    assert entry.seed % 2**32 == logged.analysis.options.seed
    assert entry.unblinded is False
    assert set(json.loads(entry.libraries_json)) >= {"numpy", "scipy", "statsmodels"}
    assert events(closed.store, "analysis")[-1].target == logged.run_id
    assert repeat(closed.store, logged.run_id).same


def test_the_report_of_a_stored_study_is_the_same_twice(closed: Played) -> None:
    first = report.make(closed.store, actor="ana", resamples=40)
    assert report.make(closed.store, actor="bob", resamples=40) == first
    assert report.make(closed.store, actor="ana", resamples=40, seed=7) != first


def test_a_repeat_says_why_it_differs(reading: Played, monkeypatch: pytest.MonkeyPatch) -> None:
    store = reading.store
    close_study(store, actor="coordinator")
    logged = run(store, actor="ana", resamples=20)
    monkeypatch.setattr("study.analysis.log.libraries", lambda: {"numpy": "99"})
    other = {"preferences": None}
    real = run.__globals__["analyse"]
    monkeypatch.setattr(
        "study.analysis.log.analyse", lambda *a, **k: replace(real(*a, **k), **other)
    )
    assert repeat(store, logged.run_id).reason == "the numbers differ, numpy changed since"
    with store.write() as session:
        exclude(session, "R01", rule="late", reason="Read late.", actor="ana")
    verdict = repeat(store, logged.run_id)
    assert not verdict.same
    assert "the data are not the same" in verdict.reason
    with pytest.raises(StatisticsError, match="no analysis 'none'"):
        repeat(store, "none")


@pytest.mark.parametrize(("seed", "stored"), [(2**32 - 1, -1), (2**31 - 1, 2**31 - 1)])
def test_a_seed_of_32_bits_fits_into_the_column_of_postgresql(
    closed: Played, seed: int, stored: int
) -> None:
    logged = run(closed.store, actor="ana", resamples=0, seed=seed)
    with closed.store.read() as session:
        assert session.get_one(AnalysisRun, logged.run_id).seed == stored
    assert repeat(closed.store, logged.run_id).same


def test_a_named_analysis_is_repeated_with_names_only(reading: Played) -> None:
    close_study(reading.store, actor="coordinator")
    unblind(reading.store, reading.key, actor="ana", second="bob")
    logged = run(reading.store, actor="ana", key=reading.key, resamples=20)
    assert logged.data.unblinded
    assert "give the key file" in repeat(reading.store, logged.run_id).reason
    assert repeat(reading.store, logged.run_id, reading.key).same


def test_a_simulated_reader_takes_no_persons_place(reading: Played) -> None:
    with reading.store.write() as session:
        session.get_one(Reader, reading.reader("R04")).specialty = "Radiology"
    with pytest.raises(StoreError, match="R04 is a person's place"):
        read(reading.store, "R04", ReaderModel("R04"))
    with pytest.raises(StoreError, match="no reader 'R77'"):
        read(reading.store, "R77", ReaderModel("R77"))


def test_a_simulated_reader_goes_on_where_it_stopped(reading: Played) -> None:
    left = read(reading.store, "R03", ReaderModel("R03", reading.strengths, seed=5))
    assert left > 0
    assert read(reading.store, "R03", ReaderModel("R03", reading.strengths, seed=5)) == 0
    close_study(reading.store, actor="coordinator")
    record = next(one for one in collect(reading.store).readers if one.code == "R03")
    assert record.read == record.planned
    assert record.simulated


def _token(store: Store, presentation_id: str) -> str:
    with store.read() as session:
        return session.get_one(Presentation, presentation_id).token
