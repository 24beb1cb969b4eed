"""The unenhanced image beside the others: built, checked, sent, lost, and never rated."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from sqlalchemy import select

from study.analysis.collect import collect
from study.domain.errors import BuildError, FreezeError, ProtocolError
from study.domain.protocol import Protocol
from study.domain.protocol_json import from_json
from study.domain.questions import CATALOG, RANKING
from study.domain.terms import MethodKind, Shown
from study.planning import freeze as freezing
from study.planning.freeze import freeze
from study.planning.lifecycle import close_study, open_study
from study.planning.progress_report import progress_report
from study.stimuli import sources
from study.stimuli.frozen_recipe import recipe_of, sources_of
from study.stimuli.rendering import Options, build
from study.stimuli.sources import Sources
from study.storage.integrity import verify
from study.storage.models import Method, PresentationSlot, Reader, Stimulus
from tests.support import image_files, leak_checks, small_studies
from tests.support.http_visitor import Visitor, app_of, error
from tests.support.leak_checks import CHECKS, Recording
from tests.support.open_study import SIZE, Small, small_study
from tests.support.small_studies import Draft

PAIRS = Protocol(
    title="Chest phantoms", readers=1, training=1, dummies=1, repeats=1, nulls=1,
    repeat_distance=2, feedback=False, show_original=True,
    windows=("soft-tissue", "full"),
)  # fmt: skip
SINGLE = PAIRS.with_(presentation=Shown.SINGLE, questions=CATALOG[:2], nulls=0, ask_blinding=False)
OPTIONS = Options(accept_differences=True)


def built(folder: Path) -> Draft:
    """Two methods, and the images before them in a folder called raw."""
    for number, (name, sigma) in enumerate((("restormer", 3.0), ("quillfilter", 6.0), ("raw", 9))):
        (folder / "in" / name).mkdir(parents=True)
        for case in range(4):
            pixels = small_studies.noisy(small_studies.picture(case), 10 * number + case, sigma)
            (folder / "in" / name / f"akte{case}.png").write_bytes(image_files.png(pixels))
    found = sources.with_roles(sources.from_folders(folder / "in"), original="raw")
    draft = small_studies.draft(folder, PAIRS)
    build(draft.store, draft.key, sources.with_training(found, ["akte3"]), options=OPTIONS)
    return draft


def with_input(folder: Path, methods: tuple[str, ...] = ("nlm", "tv"), original: str = "input"):
    inputs = small_studies.write_inputs(folder / "in")
    return sources.with_roles(sources.from_images([inputs], methods), original=original)


def test_nothing_betrays_a_method_beside_the_unenhanced_image(tmp_path: Path) -> None:
    draft = built(tmp_path)
    for wanted in (PAIRS.with_(show_original=False), PAIRS):
        with draft.store.write() as rows:
            draft.store.set_protocol(rows, wanted, "anna")
        if not wanted.show_original:
            with pytest.raises(FreezeError, match="the design does not show them"):
                freeze(draft.store, draft.key, actor="anna")
    report = freeze(draft.store, draft.key, actor="anna")
    assert report.methods == 2
    open_study(draft.store, actor="anna")
    with draft.store.read() as rows:
        reader = rows.scalars(select(Reader.id)).one()
        masks = dict(rows.execute(select(Method.kind, Method.mask)).all())
        stimuli = {one.id: one for one in rows.scalars(select(Stimulus))}
        raw = rows.scalars(select(Method.id).where(Method.kind == "original")).one()
        planned = set(rows.scalars(select(PresentationSlot.stimulus_id)))
    assert masks["original"] is None
    assert not [one for one in planned if stimuli[one].method_id == raw]
    small = Small(draft.store, (), {"R01": reader})
    kept = Recording(draft.store, reader)
    visitor = Visitor(small, app_of(small), kept.hear).join()
    given = visitor.sit_down().pair()
    assert given["pair"]["plate"]["images"] == 2
    assert given["pair"]["plate"]["original"] is True
    body = visitor.pixels(given["pair"]["ticket"])
    visitor.post("rate", visitor.rating(given))
    visitor.sit_down(until="done")
    leak_checks.names(kept, draft.key)
    for check in CHECKS:
        check(kept)
    # The unenhanced image comes last whatever is on which side, and is never one that is rated.
    files = {
        kind: {
            (draft.store.stimuli / one.file).read_bytes()
            for one in stimuli.values()
            if (one.method_id == raw) is kind
        }
        for kind in (True, False)
    }
    third = len(body) // 3
    for each in kept.pixels():
        assert each.body[2 * third :] in files[True]
        assert {each.body[:third], each.body[third : 2 * third]} <= files[False]
    assert progress_report(draft.store).images.methods == 2
    close_study(draft.store, actor="anna")
    assert [one.mask for one in collect(draft.store).methods] == ["M1", "M2"]
    assert verify(draft.store).ok
    draft.store.close()


def test_beside_a_single_image_it_is_sent_and_cannot_be_rated(tmp_path: Path) -> None:
    small = small_study(tmp_path / "s", SINGLE.with_(windows=("lung", "full")))
    visitor = Visitor(small).join()
    assert visitor.sit_down(until="ready").screen["body"]["original"] is True
    given = visitor.sit_down().pair()
    plate = given["pair"]["plate"]
    assert (plate["images"], plate["original"]) == (1, True)
    # The windows of the protocol, in its order, for all images of the case.
    assert [one["label"] for one in plate["presets"]] == ["Lung", "Full range"]
    assert plate["presets"][0]["levels"] == [-5217, 18788]
    body = visitor.pixels(given["pair"]["ticket"])
    assert len(body) == 2 * SIZE * SIZE * 2
    answers = [{"question": one.code, "slot": 1, "value": 3} for one in SINGLE.questions]
    body_of = {"token": given["pair"]["token"], "key": "0123456789abcdef", "answers": answers}
    assert error(visitor.post("rate", body_of)) == "answers"
    with small.store.read() as rows:
        wanted = select(Stimulus.file).where(Stimulus.method_id == small.methods[-1])
        files = [small.store.stimuli / name for name in rows.scalars(wanted)]
    (shown,) = (file for file in files if file.read_bytes() == body[len(body) // 2 :])
    # Where it is lost, the image beside it is not shown either, and the reader goes on.
    shown.write_bytes(b"")
    seen = error(visitor.get(f"pixels/{visitor.pair()['pair']['ticket']}"))
    assert seen == "image_lost"
    assert visitor.sit_down().pair()["pair"]["token"] != given["pair"]["token"]
    small.store.close()


def test_a_protocol_without_it_has_the_digest_it_had() -> None:
    assert "show_original" not in Protocol().to_json()
    assert from_json(PAIRS.to_json()) == PAIRS


def test_a_ranking_has_no_place_for_it() -> None:
    with pytest.raises(ProtocolError, match="show_original is for pairs and single images"):
        PAIRS.with_(presentation=Shown.RANKING, questions=(RANKING,), nulls=0)


def test_a_method_that_leaves_every_image_as_it_was_is_refused(tmp_path: Path) -> None:
    draft = small_studies.draft(tmp_path, PAIRS.with_(training=0, dummies=0, repeats=0))
    found = small_studies.ready_made(tmp_path / "in")
    for case in found.cases:
        place = [one.name for one in found.methods].index
        case.files[place("dncnn")].write_bytes(case.files[place("clean")].read_bytes())
    build(draft.store, draft.key, found, options=OPTIONS)
    with pytest.raises(FreezeError, match="none was built"):
        freeze(draft.store, draft.key, actor="anna")
    build(draft.store, draft.key, sources.with_roles(found, original="clean"), options=OPTIONS)
    with pytest.raises(FreezeError, match="would know the images of 'dncnn'"):
        freeze(draft.store, draft.key, actor="anna")
    noisy = small_studies.noisy(small_studies.picture(0), 77, 6.0)
    found.cases[0].files[place("dncnn")].write_bytes(image_files.png(noisy))
    build(draft.store, draft.key, sources.with_roles(found, original="clean"), options=OPTIONS)
    notes = " ".join(freezing.check(draft.store, draft.key).notes)
    assert "In 2 cases a method left the image as it was" in notes
    said = {"dncnn": "not processed"}
    found = sources.with_roles(found, original="clean", groups=said)
    build(draft.store, draft.key, found, options=OPTIONS)
    with pytest.raises(FreezeError, match="would know the images of 'dncnn'"):
        freeze(draft.store, draft.key, actor="anna")
    draft.store.close()


def test_where_methods_are_run_the_input_is_added_and_made_again(tmp_path: Path) -> None:
    found = with_input(tmp_path)
    assert [one.kind for one in found.methods] == [*[MethodKind.TEST] * 2, MethodKind.ORIGINAL]
    assert found.original is not None
    assert {len(case.files) for case in found.cases} == {3}
    assert sources_of(recipe_of(found, 0, "cpu")) == found
    listed = with_input(tmp_path, ("nlm", "input", "tv"))
    assert [one.name for one in listed.methods] == ["nlm", "input", "tv"]
    assert listed.original is not None


def bad(folder: Path) -> Sources:
    found = with_input(folder, ("nlm", "tv"), original="")
    return sources.with_roles(found, original="tv", anchors=["tv"])


@pytest.mark.parametrize(
    ("make", "why"),
    [
        (lambda at: with_input(at, ("nlm", "tv"), original="raw"), "No method 'raw'"),
        (lambda at: with_input(at, ("nlm", "input")), "There is 1 method"),
        (bad, "cannot be the reference or an anchor too"),
    ],
)
def test_what_cannot_be_shown_beside_is_refused(
    tmp_path: Path, make: Callable[[Path], Sources], why: str
) -> None:
    with pytest.raises(BuildError, match=why):
        make(tmp_path)
