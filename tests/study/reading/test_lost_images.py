"""A lost or damaged image stops nobody: its pairs are skipped, with a record, until it is back."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import select

from study.analysis.collect import collect
from study.analysis.observations import pair_label
from study.analysis.results import analyse
from study.domain.errors import BuildError, ImageLost, StoreError
from study.domain.formatting import plural
from study.domain.screens import ScreenKind
from study.planning.lifecycle import close_study
from study.planning.progress_report import progress_report
from study.reading import presentation
from study.reading.pixel_tickets import redeem
from study.report import export, render
from study.stimuli.rendering.restore import restore
from study.storage.image_events import (
    END,
    RESTORED,
    add_image_event,
    skipped_pairs,
    unusable_stimuli,
)
from study.storage.models import (
    AuditEvent,
    Presentation,
    PresentationSlot,
    Reader,
    ReadingSession,
    Stimulus,
)
from study.storage.store import Store
from tests.support.open_study import QUICK, Small, small_study
from tests.support.reader_steps import Seat


@pytest.fixture
def small(tmp_path: Path) -> Iterator[Small]:
    made = small_study(tmp_path / "s", cases=2)
    yield made
    made.store.close()


def files_of(store: Store, token: str) -> list[Path]:
    with store.read() as session:
        rows = session.scalars(
            select(Stimulus.file)
            .join(PresentationSlot, PresentationSlot.stimulus_id == Stimulus.id)
            .join(Presentation, Presentation.id == PresentationSlot.presentation_id)
            .where(Presentation.token == token)
        )
        return [store.stimuli / name for name in rows]


def actions(store: Store) -> list[str]:
    with store.read() as session:
        return list(session.scalars(select(AuditEvent.action).order_by(AuditEvent.seq)))


def read_to_the_end(seat: Seat) -> int:
    """Fetch and answer every pair as the page does; the number of pairs that were skipped."""
    skipped = 0
    while seat.kind not in (ScreenKind.GUESS, ScreenKind.DONE, ScreenKind.WAIT):
        if seat.kind is not ScreenKind.PAIR:
            seat.sit_down()
        shown = presentation.show(seat.store, seat.id)
        try:
            redeem(seat.store, shown.ticket, seat.id)
        except ImageLost:
            skipped += 1
            continue
        seat.answer(shown=shown)
    return skipped


@pytest.mark.parametrize("harm", ["lost", "damaged"])
def test_pairs_with_the_image_are_skipped_until_it_is_back(small: Small, harm: str) -> None:
    seat = Seat(small).sit_down()
    while seat.screen.progress.phase == "training":
        seat.sit_down()
        seat.answer()
    seat.sit_down()
    shown = presentation.show(small.store, seat.id)
    path = files_of(small.store, shown.token)[0]
    data = path.read_bytes()
    path.unlink() if harm == "lost" else path.write_bytes(data[:-2] + b"xx")
    with pytest.raises(ImageLost):
        redeem(small.store, shown.ticket, seat.id)
    assert actions(small.store)[-2:] == [f"image {harm}", "skip pair"]
    following = presentation.show(small.store, seat.id)
    assert following.token != shown.token
    assert path not in files_of(small.store, following.token)
    assert path not in files_of(small.store, presentation.show(small.store, seat.id).token)
    assert read_to_the_end(seat) == 0
    reader = progress_report(small.store).readers[0]
    assert reader.state == "finished"
    assert reader.done + reader.skipped == reader.planned
    assert reader.skipped >= 1
    assert (
        "1 image lost or damaged: pairs with it are skipped"
        in progress_report(small.store).as_text()
    )
    with pytest.raises(BuildError, match=r"give the key file .* or copy them from a backup"):
        restore(small.store, None, actor="anna")
    path.write_bytes(data)
    report = restore(small.store, None, actor="anna")
    assert (report.returned, report.failed) == (1, ())
    assert progress_report(small.store).attention == ()
    assert presentation.show(small.store, seat.sit_down().id).token == shown.token
    assert read_to_the_end(seat) == 0
    assert progress_report(small.store).readers[0].skipped == 0


def test_a_pair_that_is_shown_may_be_answered_although_its_image_was_lost_since(
    small: Small,
) -> None:
    one, two = (Seat(small, code).sit_down() for code in ("R01", "R02"))
    while one.screen.progress.phase == "training":
        one.sit_down().answer()
    shown = presentation.show(small.store, one.sit_down().id)
    redeem(small.store, shown.ticket, one.id)
    for path in files_of(small.store, shown.token):
        path.unlink()
    read_to_the_end(two)
    assert "image lost" in actions(small.store)
    assert one.answer(shown=shown).revision == 1
    assert presentation.show(small.store, one.sit_down().id).token != shown.token


def test_an_image_that_was_lost_first_stays_lost_when_another_is_lost(small: Small) -> None:
    seat = Seat(small).sit_down()
    files = files_of(small.store, presentation.show(small.store, seat.id).token)
    for path in files:
        path.unlink()
    assert read_to_the_end(seat) >= 1
    with small.store.write() as session:
        lost = unusable_stimuli(session)
        assert len(lost) >= 2
        pairs = select(PresentationSlot.presentation_id).where(
            PresentationSlot.stimulus_id.in_([one.id for one in lost])
        )
        assert skipped_pairs(session, END) == frozenset(session.scalars(pairs))
        add_image_event(session, lost[0].id, RESTORED, "anna")
        assert unusable_stimuli(session) == lost[1:]


def test_the_washout_begins_when_the_last_pair_is_skipped(tmp_path: Path) -> None:
    small = small_study(tmp_path / "s", QUICK.with_(washout_days=7, nulls=0), cases=2)
    seat = Seat(small)
    with small.store.read() as session:
        last = session.scalars(
            select(Presentation).join(ReadingSession)
            .where(ReadingSession.reader_id == seat.id, ReadingSession.number == 1)
            .order_by(Presentation.position.desc())
        ).first()  # fmt: skip
    assert last is not None
    while True:
        seat.sit_down()
        shown = presentation.show(small.store, seat.id)
        if shown.token == last.token:
            break
        seat.answer(shown=shown)
    files_of(small.store, last.token)[1].unlink()
    with pytest.raises(ImageLost):
        redeem(small.store, shown.ticket, seat.id)
    assert seat.kind is ScreenKind.WAIT
    with small.store.read() as session:
        main, repeat = (
            session.scalars(
                select(ReadingSession).where(
                    ReadingSession.reader_id == seat.id, ReadingSession.number == number
                )
            ).one()
            for number in (1, 2)
        )
    assert main.finished_at is not None
    assert repeat.not_before is not None
    assert repeat.not_before > main.finished_at
    small.store.close()


def test_export_and_report_say_that_pairs_could_not_be_shown(small: Small, tmp_path: Path) -> None:
    seat = Seat(small).sit_down()
    while seat.screen.progress.phase == "training":
        seat.sit_down()
        seat.answer()
    # Of the same pair, one image is lost and restored, then the other one is lost.
    for number in range(2):
        shown = presentation.show(small.store, seat.sit_down().id)
        lost = files_of(small.store, shown.token)[number]
        data = lost.read_bytes()
        lost.unlink()
        with pytest.raises(ImageLost):
            redeem(small.store, shown.ticket, seat.id)
        if number == 0:
            lost.write_bytes(data)
            restore(small.store, None, actor="anna")
    close_study(small.store, actor="anna")
    found = collect(small.store)
    reasons = {obs.pair: obs.missing for obs in found.observations if obs.missing}
    skipped = {pair for pair, reason in reasons.items() if reason == "image lost"}
    answered = {obs.pair for obs in found.observations if obs.revision}
    assert skipped == pairs_with(small.store, lost) - answered
    assert set(reasons.values()) == {"image lost", "not read"}
    table = export.write(found, tmp_path / "out")[0].read_text(encoding="utf-8-sig")
    assert table.count(",image lost,") == len(skipped) * 5
    page = render(found, analyse(found, resamples=0))
    said = f"lost or damaged until the study was closed: R01: {plural(len(skipped), 'pair')}."
    assert said in page
    assert "Missing: image lost" in page
    # What is restored after the end changes no result.
    lost.write_bytes(data)
    restore(small.store, None, actor="anna")
    assert collect(small.store).digest == found.digest


def pairs_with(store: Store, path: Path) -> set[str]:
    """Labels of the pairs of R01 that show an image."""
    with store.read() as session:
        rows = session.execute(
            select(ReadingSession.number, Presentation.position)
            .join(Presentation, Presentation.session_id == ReadingSession.id)
            .join(PresentationSlot, PresentationSlot.presentation_id == Presentation.id)
            .join(Stimulus, Stimulus.id == PresentationSlot.stimulus_id)
            .join(Reader, Reader.id == ReadingSession.reader_id)
            .where(Stimulus.file == path.name, Reader.code == "R01")
        )
        return {pair_label("R01", number, position) for number, position in rows}


def test_a_disk_that_is_away_skips_nothing(small: Small, tmp_path: Path) -> None:
    seat = Seat(small).sit_down()
    shown = presentation.show(small.store, seat.id)
    shutil.move(small.store.stimuli, tmp_path / "away")
    with pytest.raises(StoreError, match=r"images in .* cannot be read"):
        redeem(small.store, shown.ticket, seat.id)
    assert "skip pair" not in actions(small.store)
    shutil.move(tmp_path / "away", small.store.stimuli)
    assert presentation.show(small.store, seat.id).token == shown.token


def test_the_questionnaire_leaves_out_a_lost_image(small: Small) -> None:
    seat = Seat(small).sit_down(until=ScreenKind.GUESS)
    shown = presentation.show(small.store, seat.id)
    files_of(small.store, shown.token)[0].unlink()
    with pytest.raises(ImageLost):
        redeem(small.store, shown.ticket, seat.id)
    if seat.kind is ScreenKind.GUESS:
        assert presentation.show(small.store, seat.id).token != shown.token
