"""An open study with a qualification gets an amended protocol, and the report says all of it."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path
from typing import Any

import pytest

from study.analysis.collect import collect
from study.analysis.dataset import NOT_ASKED, Dataset
from study.analysis.results import analyse
from study.domain.answers import Answer
from study.domain.errors import ProtocolError, StudyError, WrongScreen
from study.domain.protocol import Hypothesis, Protocol
from study.domain.questions import CATALOG, Question, QuestionKind
from study.domain.screens import ScreenKind
from study.domain.terms import Shown
from study.planning.amendment import amend, changed
from study.planning.freeze import check, freeze
from study.planning.lifecycle import close_study, open_study
from study.planning.progress_report import progress_report
from study.planning.qualification import declare, described, read_answers
from study.reading import presentation
from study.reading.ratings import Submission
from study.report import render
from study.report.export import bundle
from study.stimuli.rendering import build
from study.stimuli.sources import with_training
from study.storage.integrity import verify
from tests.support import small_studies
from tests.support.open_study import methods_of
from tests.support.reader_steps import Seat
from tests.support.small_studies import Draft
from tests.support.tampering import refusal, tamper
from tests.support.tiny_study import reader_ids

SINGLE = Protocol(
    readers=2, training=0, dummies=0, repeats=0, nulls=0, feedback=False, ask_blinding=False,
    presentation=Shown.SINGLE, questions=CATALOG[:1], attempts=2,
)  # fmt: skip
ANSWERS = "case,method,question,low,high\npat1_s2,weak,quality,4,5\npat1_s2,strong,quality,2,\n"
NOTE = Question("remark", "Remark", QuestionKind.TEXT, 0, 0, cannot_judge=False)


class Chair(Seat):
    """A reader by place in the list of readers."""

    def __init__(self, store: Any, place: int) -> None:
        self.store, self.keys = store, 0
        with store.read() as session:
            self.id = reader_ids(session)[place]


def test_a_study_is_qualified_for_and_amended(tmp_path: Path) -> None:
    made = small_studies.draft(tmp_path, SINGLE)
    store = made.store
    sources = small_studies.ready_made(tmp_path / "images", ("weak", "strong"))
    build(store, made.key, with_training(sources, ["pat1_s2"]))
    declared(made, tmp_path / "answers.csv")
    open_study(store, actor="anna")
    one = half_read(made)
    amended(made, one)
    assert verify(store).ok, verify(store).as_text()
    close_study(store, actor="anna")
    with pytest.raises(StudyError, match="closed"):
        amend(store, made.key, SINGLE, reason="late", actor="anna")
    reported(collect(store))
    tamper(store, "UPDATE protocol_version SET reason = 'other'")
    assert "protocol_version" in verify(store).as_text()
    store.close()


def declared(made: Draft, table: Path) -> None:
    """Known answers are refused where they are wrong, and are fixed by the freeze."""
    store = made.store
    for text, why in (
        (ANSWERS.replace("pat1_s2", "pat0_s0"), "no case for training"),
        (ANSWERS.replace("strong", "strange"), "line 3: No method 'strange'"),
        (ANSWERS.replace(",2,", ",truth,"), "line 3: the case has no truth"),
        (ANSWERS.replace(",2,", ",6,"), "within 1 to 5"),
    ):
        table.write_text(text)
        with pytest.raises(ProtocolError, match=why):
            declare(store, made.key, read_answers(table), actor="anna")
    table.write_text(ANSWERS)
    chosen = declare(store, made.key, read_answers(table), pass_mark=0.75, actor="anna")
    assert described(chosen).startswith("Before the study each reader answers 2 images of 1 case")
    assert check(store, made.key).problems == ()
    assert freeze(store, made.key, actor="anna").pairs == 4
    with pytest.raises(StudyError, match="fixed at the freeze"):
        declare(store, made.key, (), actor="anna")


def half_read(made: Draft) -> Chair:
    """The first reader knows the answers and reads an image; the second one does not."""
    store = made.store
    one, two = Chair(store, 0), Chair(store, 1)
    one.sit_down()
    weak = made.key.method_id("weak")
    for _ in range(2):
        shown = presentation.show(store, one.id)
        one.answer(4 if methods_of(store, shown.token) == (weak,) else 2, shown=shown)
    for _ in range(4):
        two.sit_down().answer(3)
    assert two.kind is ScreenKind.UNQUALIFIED
    one.sit_down().answer()
    return one


def amended(made: Draft, one: Chair) -> None:
    """A reworded protocol with another reader and question, which the first pair was not asked."""
    store, key, chosen = made.store, made.key, made.store.protocol()
    wanted = chosen.with_(
        instructions="Rate every image.", readers=3, questions=(*chosen.questions, NOTE)
    )
    told = wanted.with_(instructions="Is strong better?")
    for protocol, reason, why in (
        (chosen, "none", "present one"), (wanted, " ", "Say why"), (told, "x", r"tell .*'strong'"),
    ):  # fmt: skip
        with pytest.raises(ProtocolError, match=why):
            amend(store, key, protocol, reason=reason, actor="anna")
    assert "part of the plan" in refusal(
        store, "INSERT INTO question SELECT 'x', study_id, 'x', text, kind, minimum, maximum, "
        "anchors_json, cannot_judge, is_primary, 9 FROM question",
    )  # fmt: skip
    assert one.screen.can_correct
    before = presentation.show(store, one.id)
    done = amend(store, key, wanted, reason="readers asked", actor="anna")
    assert (done.number, [late.code for late in done.readers]) == (2, ["R03"])
    assert not one.screen.can_correct
    with pytest.raises(WrongScreen):
        presentation.submit(store, one.id, Submission(before.token, (), "before it", version=1))
    assert one.screen.body.version == 2
    for _ in range(3):
        token = presentation.show(store, one.id).token
        answers = (Answer("quality", 0, 4), Answer("remark", 0, "fine"))
        presentation.submit(store, one.id, Submission(token, answers, token, version=2))
    assert progress_report(store).readers[0].state == "finished"
    assert "numbered without a gap" in refusal(
        store, "INSERT INTO protocol_version SELECT 'x', study_id, 7, protocol_json, "
        "protocol_sha256, 1, 'x', 'x', 'x', 'x' FROM protocol_version",
    )  # fmt: skip


def reported(data: Dataset) -> None:
    """Data, report and export say who qualified, and which version an answer is of."""
    assert {obs.session for obs in data.observations} == {1}
    assert [r.state for r in data.readers] == ["included", "not qualified", "never joined"]
    own = [obs for obs in data.observations if obs.reader == "R01"]
    assert sorted((obs.question, obs.version, obs.missing) for obs in own) == [
        ("quality", 1, ""), *[("quality", 2, "")] * 3,
        ("remark", 1, NOT_ASKED), *[("remark", 2, "")] * 3,
    ]  # fmt: skip
    page = " ".join(render(data, analyse(data)).split())
    for words in (
        "1 of 2 readers qualified.", "version 2 on 20", "(readers asked)", "readers: 2 to 3",
        "passed at attempt 1, 2 of 2 right",
    ):  # fmt: skip
        assert words in page, words
    with zipfile.ZipFile(io.BytesIO(bundle(data))) as archive:
        versions = archive.read("protocol_versions.csv").decode("utf-8-sig")
        attempts = archive.read("qualification.csv").decode("utf-8-sig").splitlines()
        assert "protocol_version (integer)" in archive.read("codebook.txt").decode()
    assert "readers asked,anna" in versions
    assert [line.rsplit(",", 1)[0] for line in attempts[1:]] == [
        "R01,1,2,2,1", "R02,1,0,2,0", "R02,2,0,2,0",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"pairs": (("a", "b"),)}, "which methods are compared"),
        ({"hypothesis": Hypothesis.EQUIVALENCE, "margin": 0.5}, "primary comparison"),
        ({"repeats": 2}, "plans of the readers"),
        ({"pass_mark": 0.5}, "the qualification"),
        ({"show_original": True}, "which images are shown"),
        ({"windows": ("lung",)}, "in which windows"),
        ({"blinding_groups": ("x", "y")}, "how images were made"),
        ({"readers": 1}, "can only grow"),
        ({"attempts": 9}, "5 are planned"),
        ({"washout_days": 7.0}, "none was planned"),
        ({"questions": CATALOG[1:2]}, "quality was asked since the freeze"),
        ({"questions": (Question("quality", "Q", maximum=7),)}, "maximum, primary of"),
        ({"questions": (*CATALOG[:1], Question("x", "X", cannot_judge=False))}, "optional"),
    ],
)  # fmt: skip
def test_what_the_freeze_has_fixed_stays(changes: dict[str, Any], why: str) -> None:
    with pytest.raises(ProtocolError, match=why):
        changed(SINGLE, SINGLE.with_(**changes), SINGLE)


def test_a_changed_washout_and_wording_are_named() -> None:
    crossed = SINGLE.with_(crossover=True, washout_days=28.0)
    words = (Question("quality", "How good is it?", anchors=CATALOG[0].anchors, primary=True),)
    wanted = crossed.with_(washout_days=14.0, questions=words, attempts=4)
    assert changed(crossed, wanted, crossed) == (
        "attempts: 2 to 4", "washout_days: 28 to 14", "question quality: new wording",
    )  # fmt: skip
