"""What the long jobs do: builds, results, checks, backups; and what they say."""

from __future__ import annotations

import zipfile

import pytest
from sqlalchemy import select

from study.domain.errors import BuildError, StudyError
from study.planning.progress_report import progress_report
from study.storage.models import ImageEvent, Stimulus
from study.web.coordinator import views
from study.web.coordinator.draft import FOLDERS, IMAGES, MANIFEST
from tests.support import image_files, small_studies
from tests.support.coordinator_desk import NAMES, finish, source


def test_a_folder_is_built_and_its_gates_are_shown_once_to_whoever_built(desk):
    folder = small_studies.write_methods(desk.folder / "images", NAMES)
    desk.tasks.build(desk.anna, **source(path=str(folder), reference="swinir", separator="_",
                                        answers="dncnn = neural network",
                                        training_cases="pat1_s2"))  # fmt: skip
    ended, shown = finish(desk)
    assert not ended.failed, ended.what
    images = progress_report(desk.store).images
    assert (images.cases, images.training, images.patients, images.methods) == (2, 1, 1, 3)
    assert images.complete
    gates = desk.text(shown, desk.page.images.gates)
    assert "restormer" in gates
    assert "base of comparison" in gates
    assert desk.page.images.gates not in desk.tasks.tick(desk.anna)
    groups = {one.name: one.group for one in desk.context.key().methods.values()}
    assert groups == {"dncnn": "neural network", "restormer": "", "swinir": "not processed"}
    assert ("anna", "build") in [row[:2] for row in desk.audited()]


def test_a_table_is_built(desk):
    folder = small_studies.write_methods(desk.folder / "images", NAMES, cases=2)
    lines = ["case,patient,method,file"]
    lines += [f"{p.stem},p,{p.parent.name},{p.relative_to(folder)}" for p in folder.rglob("*.png")]
    table = folder / "list.csv"
    table.write_text("\n".join(lines))
    desk.tasks.build(desk.anna, **source(kind=MANIFEST, path=str(table)))
    assert not finish(desk)[0].failed
    assert progress_report(desk.store).images.patients == 1


def test_methods_are_run_on_images(desk):
    folder = small_studies.write_inputs(desk.folder / "inputs", cases=2)
    desk.tasks.build(desk.anna, **source(kind=IMAGES, path=str(folder), methods="input\n clahe \n",
                                        degraded="blur:3"))  # fmt: skip
    ended, _ = finish(desk)
    assert not ended.failed, ended.what
    kinds = dict(progress_report(desk.store).images.kinds)
    assert (kinds["test"], kinds["anchor"]) == (2, 1)


def test_a_zip_file_is_unpacked_and_the_fields_are_filled_in(desk):
    folder = small_studies.write_methods(desk.folder / "images", NAMES)
    path = desk.folder / "upload.zip"
    with zipfile.ZipFile(path, "w") as made:
        for file in folder.rglob("*.png"):
            made.write(file, f"study/{file.relative_to(folder)}")
    shown = desk.tasks.upload(desk.anna, str(path))
    fields = desk.page.images.fields
    assert shown[fields["kind"]] == FOLDERS
    desk.tasks.build(desk.anna, **source(path=shown[fields["path"]]))
    assert not finish(desk)[0].failed
    assert progress_report(desk.store).images.methods == 3


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"path": ""}, "Say where"),
        ({"path": "/nowhere/at/all"}, "cannot be read"),
        ({"kind": IMAGES, "path": "/nowhere"}, "no file or folder"),
    ],
)
def test_what_cannot_be_built_is_told_at_once(desk, changed, words):
    with pytest.raises(BuildError, match=words):
        desk.tasks.build(desk.anna, **source(**changed))
    assert desk.context.jobs.state.name == ""


def test_a_build_that_is_refused_says_why(desk):
    folder = small_studies.write_methods(desk.folder / "images", NAMES)
    (folder / "dncnn" / "pat0_s0.png").write_bytes(
        image_files.png(small_studies.picture(1, 24, 20))
    )
    desk.tasks.build(desk.anna, **source(path=str(folder)))
    ended, shown = finish(desk)
    assert ended.failed
    assert "would betray" in desk.text(shown, desk.page.images.progress)


def test_an_answer_without_a_method_is_told(desk):
    folder = small_studies.write_methods(desk.folder / "images", NAMES)
    with pytest.raises(BuildError, match="equals sign"):
        desk.tasks.build(desk.anna, **source(path=str(folder), answers="neural network"))


def test_results_are_masked_before_unblinding(read):
    read.tasks.report(read.anna)
    ended, shown = finish(read)
    assert not ended.failed, ended.what
    read.tasks.tables(read.anna)
    finish(read)
    named = {one.name: one for _, one in read.context.files.listing()}
    assert set(named) >= {
        "S1-report.html",
        "S1-report-figures.zip",
        "S1-report-tables.zip",
        "S1-ratings.csv",
        "S1-tables.xlsx",
        "S1-parquet.zip",
        "S1-all.zip",
    }
    for one in named.values():
        assert one.masked
        assert not [name for name in NAMES if name.encode() in one.content]
    assert b"M1" in named["S1-ratings.csv"].content
    actions = [row[:2] for row in read.audited()]
    assert ("anna", "analysis") in actions
    assert ("anna", "export") in actions
    assert "S1-report.html" in read.text(shown, read.page.results.files)


def test_the_chain_is_verified_and_a_change_is_named(desk):
    desk.opened()
    shown = desk.tasks.verify(desk.anna, True)
    assert "are intact" in desk.text(shown, desk.page.notice)
    from tests.support.tampering import tamper

    tamper(desk.store, "UPDATE audit_event SET actor = 'nobody' WHERE seq = 3")
    told = desk.text(desk.tasks.verify(desk.anna, False), desk.page.notice)
    assert "audit_event row 3" in told
    assert "error" in told


def test_a_backup_is_made_where_it_is_asked_for(desk):
    target = desk.folder / "copies" / "one"
    desk.tasks.backup(desk.anna, str(target), True)
    assert (target / "study.sqlite").is_file()
    for wrong, words in ((str(target), "overwrites nothing"), ("", "Name a new folder"),
                         ("here", "not an absolute path")):  # fmt: skip
        with pytest.raises(StudyError, match=words):
            desk.tasks.backup(desk.anna, wrong, False)


def test_events_are_found_by_a_word(desk):
    found = desk.text(desk.tasks.events(desk.anna, "MONA"), desk.page.audit.events)
    assert "mona" in found
    assert "bert" not in found
    nothing = desk.text(desk.tasks.events(desk.anna, "zebra"), desk.page.audit.events)
    assert "No event" in nothing


def test_the_gates_tell_what_is_beyond_the_limits():
    from study.stimuli.checks import BuildReport
    from study.stimuli.image_similarity import Similarity

    measured = (
        Similarity("c1", "b", shift=2.0, brightness=0.2, displaced=True),
        Similarity("c2", "b"),
    )
    told = views.image_checks(BuildReport(2, 0, ("a", "b"), 4, 0, measured, ("Look at them.",)))
    for words in ("1 of 2", "2.0 px", "+10.0%", "Case c1, b: shifted by 2.0 px", "Look at them."):
        assert words in told


def test_lost_images_are_seen_and_restored(desk):
    desk.opened()
    shown = desk.do.refresh(desk.anna)
    assert not shown[desk.page.images.restore]["visible"]
    file = next(desk.store.stimuli.glob("*.raw"))
    data = file.read_bytes()
    file.unlink()
    with desk.store.write() as session:
        stimulus = session.scalars(select(Stimulus).where(Stimulus.file == file.name)).one()
        session.add(ImageEvent(stimulus_id=stimulus.id, kind="lost", noticed_by="R01"))
    shown = desk.do.refresh(desk.anna)
    assert shown[desk.page.images.restore]["visible"]
    assert "1 image lost or damaged" in desk.text(shown, desk.page.board)
    assert "1 image lost or damaged" in desk.text(shown, desk.page.images.state)
    desk.tasks.restore(desk.anna)
    ended, shown = finish(desk)
    assert "1 image restored" in ended.what
    assert file.read_bytes() == data
    assert not shown[desk.page.images.restore]["visible"]
