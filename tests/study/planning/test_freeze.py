"""Freezing and what comes after: what is refused, what is fixed, who may lift the blinding."""

from __future__ import annotations

import sqlite3
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from study.domain.errors import BlindingError, BuildError, FreezeError, KeyFileError, StoreError
from study.domain.inference import Hypothesis, Random
from study.domain.protocol import Protocol
from study.domain.questions import PREFERENCE
from study.domain.questions import Question as Asked
from study.domain.terms import MethodKind, Phase, Role, Status
from study.planning import assignment
from study.planning.assignment import Trial, plan_digest
from study.planning.freeze import check, compare_only, freeze
from study.planning.lifecycle import close_study, method_names, open_study, unblind
from study.stimuli import sources
from study.stimuli.rendering import Options, build
from study.storage import key_file
from study.storage.models import (
    AuditEvent,
    Item,
    Method,
    Presentation,
    PresentationSlot,
    Question,
    Reader,
    ReadingSession,
    Stimulus,
    Study,
)
from tests.support import small_studies
from tests.support.small_studies import QUICK, Draft


@pytest.fixture
def built(tmp_path: Path) -> Draft:
    """A draft with three cases and the methods restormer, dncnn and clean."""
    return built_with(tmp_path, QUICK)


def built_with(tmp_path: Path, protocol: Protocol, **roles: Any) -> Draft:
    draft = small_studies.draft(tmp_path, protocol)
    found = sources.with_roles(
        small_studies.ready_made(tmp_path / "in"), reference="clean", **roles
    )
    build(draft.store, draft.key, found)
    return draft


def change(draft: Draft, **fields: Any) -> None:
    with draft.store.write() as session:
        protocol = draft.store.protocol().with_(**fields)
        draft.store.set_protocol(session, protocol, "anna")


def count(draft: Draft) -> int:
    with draft.store.read() as session:
        return len(session.scalars(select(Presentation)).all())


def test_freezing_writes_the_plan_and_the_hashes(built: Draft) -> None:
    report = freeze(built.store, built.key, actor="anna")
    assert built.store.status() is Status.FROZEN
    with built.store.read() as session:
        study = session.get_one(Study, built.store.study_id)
        readers = session.scalars(select(Reader).order_by(Reader.code)).all()
        sessions = session.scalars(select(ReadingSession)).all()
        questions = session.scalars(select(Question).order_by(Question.display_order)).all()
        masks = session.scalars(select(Method.mask)).all()
        event = session.scalars(select(AuditEvent).where(AuditEvent.action == "frozen")).one()
    assert study.frozen_at is not None
    assert study.key_sha256 == built.key.digest == report.key_sha256
    assert study.seed_sha256 == built.key.seed_sha256 == report.seed_sha256
    assert study.protocol_sha256 == QUICK.digest == report.protocol_sha256
    assert [reader.code for reader in readers] == ["R01", "R02"]
    assert Counter((s.number, s.phase) for s in sessions) == {(0, "training"): 2, (1, "main"): 2}
    assert [q.code for q in questions] == ["quality", "fidelity", "preference"]
    assert (questions[2].minimum, questions[2].maximum) == (-1, 1)
    assert '"unacceptable"' in questions[0].anchors_json
    assert sorted(mask or "" for mask in masks) == ["M1", "M2", "M3"]
    assert event.actor == "anna"
    # 3 cases x 3 pairs, and one each of training, dummy, repeat and null.
    assert (report.pairs, report.cases, report.methods) == (13, 3, 3)
    assert count(built) == 2 * 13


def stored_plan(draft: Draft, place: int) -> list[Trial]:
    """A reader's plan as the tables have it."""
    with draft.store.read() as session:
        slots = {
            (one.presentation_id, one.slot): session.get_one(Stimulus, one.stimulus_id)
            for one in session.scalars(select(PresentationSlot))
        }
        shown = session.execute(
            select(Presentation, ReadingSession)
            .join(ReadingSession, ReadingSession.id == Presentation.session_id)
            .join(Reader, Reader.id == ReadingSession.reader_id)
            .where(Reader.code == f"R{place + 1:02d}")
            .order_by(ReadingSession.number, Presentation.position)
        ).all()
        position = {one.id: one.position for one, _ in shown}
        assert all(slots[p.id, side].item_id == p.item_id for p, _ in shown for side in (0, 1))
        return [
            Trial(
                p.position, s.number, Phase(s.phase), p.item_id, slots[p.id, 0].method_id,
                slots[p.id, 1].method_id, Role(p.role),
                None if p.repeat_of is None else position[p.repeat_of],
            )
            for p, s in shown
        ]  # fmt: skip


@pytest.mark.parametrize("washout", [0.0, 7.0])
def test_the_stored_plan_is_the_one_that_was_drawn(tmp_path: Path, washout: float) -> None:
    draft = built_with(tmp_path, QUICK.with_(washout_days=washout, repeat_distance=0, repeats=3))
    freeze(draft.store, draft.key, actor="anna")
    key, protocol = draft.key, draft.store.protocol()
    with draft.store.read() as session:
        cases = [
            assignment.PlannedCase(i.id, i.patient_key, i.training)
            for i in session.scalars(select(Item))
        ]
        kinds = [(m.id, MethodKind(m.kind)) for m in session.scalars(select(Method))]
        study = session.get_one(Study, draft.store.study_id)
    plans = [
        assignment.assign(protocol, cases, kinds, seed=key.seed, study_id=study.id, reader=place)
        for place in range(2)
    ]
    for place, plan in enumerate(plans):
        assert tuple(stored_plan(draft, place)) == plan
    assert study.plan_sha256 == plan_digest(trial for plan in plans for trial in plan)
    assert len({trial.session for trial in plans[0]}) == (3 if washout else 2)


def test_masks_come_in_any_order(tmp_path: Path) -> None:
    seen = set()
    for number in range(8):
        (tmp_path / str(number)).mkdir()
        draft = small_studies.draft(tmp_path / str(number), QUICK.with_(repeats=0, nulls=0))
        build(draft.store, draft.key, small_studies.ready_made(tmp_path / "in", cases=1))
        freeze(draft.store, draft.key, actor="anna")
        key = draft.key
        with draft.store.read() as session:
            masks = {m.mask: key.methods[m.id].name for m in session.scalars(select(Method))}
        seen.add(masks["M1"])
    # Eight times the same: once in 2187.
    assert len(seen) > 1


def test_doubtful_words_are_confirmed_and_logged(tmp_path: Path) -> None:
    draft = small_studies.draft(tmp_path, QUICK.with_(notes="of the pat0ward"))
    build(draft.store, draft.key, small_studies.ready_made(tmp_path / "in", ("gan", "dncnn")))
    change(draft, title="Noise in organs")
    assert len(check(draft.store, draft.key).doubts) == 2
    with pytest.raises(FreezeError, match=r"'organs'.*\n.*'pat0ward'.*\n.*--confirm-words"):
        freeze(draft.store, draft.key, actor="anna")
    freeze(draft.store, draft.key, actor="anna", words_confirmed=True)
    with draft.store.read() as session:
        event = session.scalars(
            select(AuditEvent).where(AuditEvent.action == "confirm words")
        ).one()
    assert (event.actor, event.detail) == ("anna", "2 words in texts for readers: no names")


@pytest.mark.parametrize(
    ("fields", "where"),
    [
        ({"title": "Does Restormer help?"}, "title"),
        ({"title": "RESTORMER study"}, "title"),
        ({"instructions": "Compare rest-ormer with the rest."}, "instructions"),
        ({"consent": "You rate images of the R e s t o r m e r network."}, "consent"),
        ({"notes": "restormer_v2 against filters"}, "notes"),
        ({"notes": "DnCNNs"}, "notes"),
        ({"notes": "Dn-CNN"}, "notes"),
        ({"notes": "case pat0 s1"}, "notes"),
        ({"blinding_groups": ("not processed", "Restormer")}, "answers to the blinding question"),
        ({"questions": (Asked("dncnn", "How good?"), PREFERENCE)}, "question dncnn"),
        ({"questions": (Asked("quality", "Is DnCNN good?"),)}, "question quality"),
        (
            {"questions": (Asked("quality", "Good?", anchors=("1", "2", "3", "4", "as dncnn")),)},
            "question quality",
        ),
    ],
)
def test_texts_that_name_a_method_forbid_freezing(
    built: Draft, fields: dict[str, Any], where: str
) -> None:
    change(built, **fields)
    with pytest.raises(FreezeError, match=f"The {where} would tell readers of"):
        freeze(built.store, built.key, actor="anna")
    assert built.store.status() is Status.DRAFT
    assert count(built) == 0


@pytest.mark.parametrize(
    "title", ["Total Variation or not?", "About TV", "t-v wins", "With TotalVariation", "tv1"]
)
def test_labels_of_the_registry_are_names_too(tmp_path: Path, title: str) -> None:
    draft = small_studies.draft(tmp_path, QUICK.with_(title=title))
    inputs = small_studies.write_inputs(tmp_path / "in")
    build(draft.store, draft.key, sources.from_images([inputs], ["input", "tv:weight=0.1"]))
    with pytest.raises(FreezeError, match="The title would tell readers of"):
        freeze(draft.store, draft.key, actor="anna")
    change(draft, title="TVfiltered images of hearts")
    found = check(draft.store, draft.key)
    assert (found.problems, len(found.doubts)) == ((), 1)
    with pytest.raises(FreezeError, match="'tvfiltered' of the title may tell readers of 'tv'"):
        freeze(draft.store, draft.key, actor="anna")
    change(draft, title="A study of activity")
    freeze(draft.store, draft.key, actor="anna")


@pytest.mark.parametrize(
    ("fields", "says"),
    [
        ({"randomise_sides": False}, "Sides are not randomised"),
        ({"randomise_order": False}, "The order is not randomised"),
        ({"repeats": 50}, "only 9 main pairs"),
        ({"repeat_distance": 30}, "leaves no room"),
        ({"pairs": (("a", "b"),)}, "not a method"),
        ({"control": "nobody"}, "not a method"),
    ],
)
def test_a_plan_that_is_not_sound_forbids_freezing(
    built: Draft, fields: dict[str, Any], says: str
) -> None:
    change(built, **fields)
    with pytest.raises(FreezeError, match=says):
        freeze(built.store, built.key, actor="anna")
    assert built.store.status() is Status.DRAFT
    assert count(built) == 0


def test_a_flaw_in_the_assignment_is_noticed(built: Draft, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever switches the randomisation off, freezing looks at the plan itself."""
    drawn = assignment.assign

    def sorted_sides(*args: Any, **options: Any) -> tuple[Trial, ...]:
        plan = drawn(*args, **options)
        return tuple(
            replace(t, left=min(t.left, t.right), right=max(t.left, t.right)) for t in plan
        )

    monkeypatch.setattr("study.planning.freeze.assign", sorted_sides)
    with pytest.raises(FreezeError, match="Reader 1: "):
        freeze(built.store, built.key, actor="anna")
    assert count(built) == 0


def unfinished(draft: Draft, harm: str) -> None:
    with draft.store.read() as session:
        row = session.scalars(select(Stimulus)).first()
    assert row is not None
    path = draft.store.stimuli / row.file
    if harm == "changed":
        path.write_bytes(b"\0" * path.stat().st_size)
    elif harm == "removed":
        path.unlink()
    elif harm == "no row":
        with draft.store.write() as session:
            session.delete(session.get_one(Stimulus, row.id))
    elif harm == "pending":
        with draft.store.write() as session:
            session.get_one(Stimulus, row.id).deid_check = "pending"
    else:
        key = draft.key
        cases = {**key.cases, "more": key_file.KeyCase("later", "later")}
        key_file.save(replace(key, cases=cases))


@pytest.mark.parametrize(
    ("harm", "says"),
    [
        ("changed", "1 stimuli are missing or were changed on the disk"),
        ("removed", "1 stimuli are missing or were changed on the disk"),
        ("no row", "1 stimuli are missing and 0 have not passed"),
        ("pending", "0 stimuli are missing and 1 have not passed"),
        ("case", "The build was not finished"),
    ],
)
def test_an_unfinished_build_forbids_freezing(built: Draft, harm: str, says: str) -> None:
    unfinished(built, harm)
    with pytest.raises(FreezeError, match=says):
        freeze(built.store, built.key, actor="anna")


def test_nothing_built_forbids_freezing(tmp_path: Path) -> None:
    draft = small_studies.draft(tmp_path)
    with pytest.raises(FreezeError, match="run build first"):
        freeze(draft.store, draft.key, actor="anna")


def test_all_problems_are_told_at_once(built: Draft) -> None:
    unfinished(built, "removed")
    change(built, title="Restormer", notes="dncnn")
    with pytest.raises(FreezeError) as caught:
        freeze(built.store, built.key, actor="anna")
    assert len(str(caught.value).splitlines()) == 3


def test_feedback_about_rated_cases_forbids_freezing(tmp_path: Path) -> None:
    """By default the training pairs would say what the images of later pairs are."""
    told = QUICK.with_(feedback=True)
    draft = built_with(tmp_path, told)
    assert "no case is kept for training" in check(draft.store, draft.key).problems[0]
    with pytest.raises(FreezeError, match="no case is kept for training"):
        freeze(draft.store, draft.key, actor="anna")
    change(draft, training=0)
    assert check(draft.store, draft.key).problems == ()
    change(draft, training=1)
    found = sources.with_training(small_studies.ready_made(tmp_path / "in"), ["pat1_s2"])
    build(draft.store, draft.key, found)
    freeze(draft.store, draft.key, actor="anna")


def test_a_training_case_that_is_also_rated_forbids_feedback(tmp_path: Path) -> None:
    draft = small_studies.draft(tmp_path, QUICK.with_(feedback=True))
    folder = small_studies.write_methods(tmp_path / "in", ("restormer", "dncnn"))
    copy = (folder / "dncnn" / "pat0_s0.png").read_bytes()
    (folder / "dncnn" / "pat1_s2.png").write_bytes(copy)
    found = sources.with_training(sources.from_folders(folder), ["pat1_s2"])
    build(draft.store, draft.key, found, options=Options(accept_differences=True))
    with pytest.raises(FreezeError, match=r"C00\d and the case C00\d show the same image"):
        freeze(draft.store, draft.key, actor="anna")
    change(draft, feedback=False)
    freeze(draft.store, draft.key, actor="anna")


def test_images_without_common_gray_levels_are_built_again(built: Draft) -> None:
    """As in a draft of an earlier version."""
    folder = built.store.folder.parent / "in"
    again = sources.with_roles(small_studies.ready_made(folder), reference="clean")
    with built.store.write() as session:
        for item in session.scalars(select(Item)):
            item.window_json = item.window_json.replace('"grid":', '"old":')
    with pytest.raises(FreezeError, match=r"3 cases of an earlier version: .* run build again"):
        freeze(built.store, built.key, actor="anna")
    assert build(built.store, built.key, again).kept == 9
    freeze(built.store, built.key, actor="anna")


def test_a_lost_answer_to_the_blinding_question_forbids_freezing(tmp_path: Path) -> None:
    draft = built_with(tmp_path, QUICK, groups={"dncnn": "neural network"})
    change(draft, blinding_groups=("not processed", "computed"))
    with pytest.raises(FreezeError, match="dncnn is in the group 'neural network'"):
        freeze(draft.store, draft.key, actor="anna")
    change(draft, ask_blinding=False)
    freeze(draft.store, draft.key, actor="anna")


def test_a_key_made_before_the_build_is_read_again(tmp_path: Path) -> None:
    draft = small_studies.draft(tmp_path)
    before = draft.key
    build(draft.store, before, small_studies.ready_made(tmp_path / "in"))
    assert freeze(draft.store, before, actor="anna").key_sha256 == draft.key.digest


def test_a_foreign_key_does_not_freeze(tmp_path: Path, built: Draft) -> None:
    (tmp_path / "other").mkdir()
    other = small_studies.draft(tmp_path / "other")
    with pytest.raises(KeyFileError, match="another study"):
        freeze(built.store, other.key, actor="anna")


def test_methods_to_compare_are_given_by_name(built: Draft) -> None:
    compare_only(built.store, built.key, pairs=[("dncnn", "clean")], actor="anna")
    report = freeze(built.store, built.key, actor="anna")
    assert report.pairs == 3 + 4
    key = built.key
    names = {frozenset((key.methods[t.left].name, key.methods[t.right].name))
             for t in stored_plan(built, 0) if t.role is Role.MAIN}  # fmt: skip
    assert names == {frozenset(("dncnn", "clean"))}
    assert "dncnn" not in built.store.protocol().to_json()
    with pytest.raises(StoreError):
        compare_only(built.store, built.key, control="clean", actor="anna")


def test_a_control_is_given_by_name(built: Draft) -> None:
    compare_only(built.store, built.key, control="clean", actor="anna")
    assert freeze(built.store, built.key, actor="anna").pairs == 6 + 4
    with pytest.raises(KeyFileError, match="No method 'nlm' in this study; it has clean"):
        built.key.method_id("nlm")


def test_the_primary_comparison_is_given_by_name(built: Draft) -> None:
    compare_only(
        built.store, built.key, primary=("dncnn", "clean"), actor="anna",
        random=Random.CASES, hypothesis=Hypothesis.EQUIVALENCE, margin=0.5,
    )  # fmt: skip
    stored = built.store.protocol()
    assert stored.primary_pair == (built.key.method_id("dncnn"), built.key.method_id("clean"))
    assert (stored.random, stored.margin, stored.pairs) == (Random.CASES, 0.5, ())
    report = freeze(built.store, built.key, actor="anna")
    assert not any("No primary comparison" in note for note in report.notes)
    assert any("patients are few" in note for note in report.notes)
    assert not any("readers are few" in note for note in report.notes)


def test_a_freeze_without_a_primary_comparison_says_so(built: Draft) -> None:
    report = freeze(built.store, built.key, actor="anna")
    assert any("No primary comparison is declared" in note for note in report.notes)
    assert any("readers are few to speak for others" in note for note in report.notes)


def test_one_question_is_primary(built: Draft) -> None:
    questions = built.store.protocol().questions
    change(built, questions=tuple(replace(one, primary=True) for one in questions[:2]))
    with pytest.raises(FreezeError, match="2 questions are marked as primary: quality, "):
        freeze(built.store, built.key, actor="anna")


def test_the_primary_comparison_is_one_that_is_read(built: Draft) -> None:
    compare_only(
        built.store, built.key, control="clean", primary=("dncnn", "restormer"), actor="anna"
    )
    with pytest.raises(FreezeError, match="is not among the pairs that are compared"):
        freeze(built.store, built.key, actor="anna")


def test_a_frozen_study_stays_as_it_is(tmp_path: Path, built: Draft) -> None:
    freeze(built.store, built.key, actor="anna")
    with pytest.raises(FreezeError, match="The study is frozen: it was frozen at 20"):
        freeze(built.store, built.key, actor="anna")
    with pytest.raises(BuildError, match="only a draft"):
        build(built.store, built.key, small_studies.ready_made(tmp_path / "in"))
    refusals: list[Callable[[sqlite3.Connection], object]] = [
        lambda db: db.execute("UPDATE presentation SET position = position + 100"),
        lambda db: db.execute("DELETE FROM presentation_slot"),
        lambda db: db.execute("UPDATE method SET mask = 'M9' WHERE mask = 'M1'"),
        lambda db: db.execute("UPDATE stimulus SET file = id"),
        lambda db: db.execute("UPDATE question SET text = 'other'"),
        lambda db: db.execute("UPDATE study SET plan_sha256 = 'x'"),
        lambda db: db.execute("DELETE FROM reader"),
    ]
    database = sqlite3.connect(built.store.folder / "study.sqlite")
    for refused in refusals:
        with pytest.raises(sqlite3.IntegrityError):
            refused(database)
    database.close()


def closed(draft: Draft) -> Draft:
    freeze(draft.store, draft.key, actor="anna")
    open_study(draft.store, actor="anna")
    close_study(draft.store, actor="anna")
    return draft


def test_a_study_is_opened_closed_and_unblinded_in_this_order(built: Draft) -> None:
    for too_early in (open_study, close_study):
        with pytest.raises(StoreError):
            too_early(built.store, actor="anna")
    freeze(built.store, built.key, actor="anna")
    for status in ("frozen", "open"):
        with pytest.raises(BlindingError, match=f"The study is {status}: close it before"):
            unblind(built.store, built.key, actor="anna", second="ben")
        with pytest.raises(BlindingError, match=f"The study is {status}: names are shown after"):
            method_names(built.store, built.key)
        (open_study if status == "frozen" else close_study)(built.store, actor="anna")
    with pytest.raises(BlindingError, match="closed: names are shown after"):
        method_names(built.store, built.key)
    found = unblind(built.store, built.key, actor="anna", second="ben")
    assert built.store.status() is Status.UNBLINDED
    assert [one.mask for one in found] == ["M1", "M2", "M3"]
    assert {one.name: one.kind for one in found} == {
        "restormer": MethodKind.TEST, "dncnn": MethodKind.TEST, "clean": MethodKind.REFERENCE,
    }  # fmt: skip
    assert found == method_names(built.store, built.key)
    with pytest.raises(BlindingError, match="unblinded already"):
        unblind(built.store, built.key, actor="anna", second="ben")
    with built.store.read() as session:
        event = session.scalars(select(AuditEvent).where(AuditEvent.action == "unblind")).one()
    assert (event.actor, event.detail) == ("anna", "confirmed by ben")


@pytest.mark.parametrize(
    ("actor", "second", "says"),
    [
        ("anna", "anna", "anna cannot confirm alone"),
        ("anna", " Anna ", "two different persons"),
        ("anna", "A.N.N.A.", "two different persons"),
        ("anna", "", "give both names"),
        (" ", "ben", "give both names"),
    ],
)
def test_one_person_cannot_unblind(built: Draft, actor: str, second: str, says: str) -> None:
    closed(built)
    with pytest.raises(BlindingError, match=says):
        unblind(built.store, built.key, actor=actor, second=second)
    assert built.store.status() is Status.CLOSED


def test_names_that_were_changed_after_the_freeze_do_not_unblind(built: Draft) -> None:
    closed(built)
    key = built.key
    first, second = (key.method_id(name) for name in ("restormer", "dncnn"))
    swapped = {**key.methods, first: key.methods[second], second: key.methods[first]}
    key_file.save(replace(key, methods=swapped))
    with pytest.raises(KeyFileError, match="not those the study was frozen with"):
        unblind(built.store, built.key, actor="anna", second="ben")
    assert built.store.status() is Status.CLOSED
    key_file.save(key)
    unblind(built.store, built.key, actor="anna", second="ben")
