"""The design form, uploads and long work of the coordinator's pages."""

from __future__ import annotations

import stat
import struct
import threading
import time
import zipfile
from dataclasses import replace

import pytest

from enhancers import zip_limits
from study.domain.errors import BuildError, ProtocolError, StudyError
from study.domain.inference import Hypothesis, Random
from study.domain.protocol import Protocol
from study.domain.questions import CATALOG, PREFERENCE, Question, QuestionKind
from study.domain.terms import MethodKind
from study.domain.windows import DisplayWindow
from study.planning.progress_report import ImageCounts
from study.web.coordinator import design_form
from study.web.coordinator.background_jobs import BackgroundJobs
from study.web.coordinator.design_form import StudySize
from study.web.coordinator.downloads import Download, Downloads
from study.web.coordinator.uploads import Uploads

NOTHING_BUILT = ImageCounts(0, 0, 0, (), 0, 0)
OWN = Question("glare", "Glare", minimum=1, maximum=4, cannot_judge=False)


@pytest.mark.parametrize(
    "protocol",
    [
        Protocol(),
        Protocol(questions=(CATALOG[2], OWN), notes="NCT0", feedback=False, alpha=0.01),
        Protocol(questions=(OWN, replace(PREFERENCE, text="Which one?")), ask_blinding=False),
        Protocol(control="b", readers=3, washout_days=28.5),
        Protocol(pairs=(("a", "b"), ("b", "c")), repeats=0, demo=True),
        Protocol(
            random=Random.CASES,
            primary_pair=("b", "a"),
            hypothesis=Hypothesis.EQUIVALENCE,
            margin=0.4,
        ),
    ],
    ids=["usual", "own criterion", "own preference", "control", "pairs", "primary"],
)
def test_fields_that_nobody_touched_mean_the_same_protocol(protocol):
    assert design_form.protocol_of(design_form.values_of(protocol), protocol) == protocol


def test_fields_change_what_they_are_for():
    values = design_form.values_of(Protocol()) | {
        "criteria": ["noise", "quality"], "primary": "noise", "preference": False,
        "cannot_judge": False, "readers": 8, "title": "  New  ", "groups": "a,, b ,c",
        "pairing": design_form.CONTROL, "control": "m2", "pairs": ["m1 m3"],
    }  # fmt: skip
    made = design_form.protocol_of(values, Protocol())
    assert [q.code for q in made.questions] == ["quality", "noise"]
    assert [q.primary for q in made.questions] == [False, True]
    assert not any(q.cannot_judge for q in made.questions)
    assert (made.readers, made.title, made.blinding_groups) == (8, "New", ("a", "b", "c"))
    assert (made.control, made.pairs) == ("m2", ())
    chosen = {"random": "readers", "primary_pair": "m2 m1", "hypothesis": "non-inferiority"}
    made = design_form.protocol_of(values | chosen | {"margin": 0.3}, Protocol())
    assert (made.random, made.primary_pair) == (Random.READERS, ("m2", "m1"))
    assert (made.hypothesis, made.margin) == (Hypothesis.NON_INFERIORITY, 0.3)


def test_a_mixture_of_cannot_judge_stays_unless_it_is_changed():
    mixed = Protocol(
        questions=(CATALOG[0], replace(CATALOG[1], cannot_judge=False)),
        windows=("lung", DisplayWindow("Vessel", 150, 600)),
    )
    values = design_form.values_of(mixed)
    assert design_form.protocol_of(values, mixed) == mixed
    made = design_form.protocol_of(values | {"cannot_judge": True}, mixed)
    assert all(question.cannot_judge for question in made.questions)


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"readers": None}, "Readers is empty"),
        ({"readers": 2.5}, "whole number"),
        ({"readers": True}, "Readers is empty"),
        ({"readers": 0}, "outside 1 to 200"),
        ({"alpha": "much"}, "Significance level is empty"),
        ({"title": " "}, "title is empty"),
        ({"criteria": [], "preference": False, "primary": None}, "at least one"),
        ({"criteria": ["quality"], "primary": "noise"}, "not among the chosen"),
        ({"pairing": design_form.CONTROL, "control": None}, "Choose the method"),
        ({"pairing": design_form.LISTED, "pairs": []}, "at least one pair"),
        ({"hypothesis": "equivalence"}, "Equivalence needs a margin"),
        ({"random": "all"}, "random='all' is unknown"),
        ({"groups": "one"}, "at least 2 blinding_groups"),
    ],
)
def test_impossible_fields_are_told(changed, words):
    with pytest.raises(ProtocolError, match=words):
        design_form.protocol_of(design_form.values_of(Protocol()) | changed, Protocol())


def test_randomisation_cannot_be_switched_off_in_the_form():
    off = Protocol(randomise_sides=False, randomise_order=False)
    made = design_form.protocol_of(design_form.values_of(off), off)
    assert made.randomise_sides
    assert made.randomise_order


def test_the_planner_takes_what_is_built_before_what_is_planned():
    kinds = ((MethodKind.TEST, 2), (MethodKind.REFERENCE, 1))
    values = design_form.PLANNED | {"planned_cases": 7}
    assert design_form.planned(NOTHING_BUILT, values) == StudySize(7, 40, 4)
    assert design_form.planned(ImageCounts(12, 2, 9, kinds, 42, 0), values) == StudySize(12, 9, 3)
    with pytest.raises(ProtocolError, match="Number of cases"):
        design_form.planned(NOTHING_BUILT, values | {"planned_cases": None})


def test_the_cost_follows_the_design():
    estimate = design_form.cost(
        Protocol(training=0, dummies=0, repeats=0, nulls=0), StudySize(10, 10, 3)
    )
    assert (estimate.main, estimate.trials) == (30, 30)
    rows = [(name, MethodKind.TEST) for name in ("a", "b", "c")]
    with pytest.raises(ProtocolError, match="not a method"):
        design_form.cost(Protocol(control="gone"), StudySize(10, 10, 3), rows)


def test_a_preference_is_recognised_by_its_kind():
    preference = Question("choice", "Better?", QuestionKind.PREFERENCE, -1, 1)
    base = Protocol(questions=(CATALOG[0], preference))
    assert design_form.values_of(base)["preference"]
    dropped = design_form.protocol_of(design_form.values_of(base) | {"preference": False}, base)
    assert [question.code for question in dropped.questions] == ["quality"]


def archive(path, entries):
    with zipfile.ZipFile(path, "w") as made:
        for name, content in entries.items():
            made.writestr(name, content)
    return path


@pytest.fixture
def inbox():
    kept = Uploads()
    yield kept
    kept.clear()


def test_a_zip_of_folders_and_one_with_a_table_are_told_apart(tmp_path, inbox):
    folders = archive(tmp_path / "a.zip", {"x/m1/c1.png": b"1", "x/m2/c1.png": b"2",
                                           "__MACOSX/x/m1/c1.png": b"-"})  # fmt: skip
    found = inbox.take(folders)
    assert (found.table, found.files) == (None, 2)
    assert sorted(path.name for path in found.folder.iterdir()) == ["m1", "m2"]
    assert not folders.exists()
    first = found.folder
    table = inbox.take(archive(tmp_path / "b.zip", {"manifest.csv": b"case", "c1.png": b"1"}))
    assert table.table == table.folder / "manifest.csv"
    assert not first.exists()
    for path in table.folder.rglob("*"):
        assert stat.S_IMODE(path.stat().st_mode) & 0o077 == 0


def test_methods_at_the_top_of_a_zip_are_its_folders(tmp_path, inbox):
    found = inbox.take(archive(tmp_path / "a.zip", {"m1/c.png": b"1", "m2/c.png": b"2"}))
    assert sorted(path.name for path in found.folder.iterdir()) == ["m1", "m2"]


@pytest.mark.parametrize("name", ["../out.png", "/etc/x", "a/../../x", "..\\x", "C:\\x"])
def test_a_zip_leads_nowhere_else(tmp_path, inbox, name):
    with pytest.raises(BuildError, match="leads elsewhere"):
        inbox.take(archive(tmp_path / "a.zip", {"ok/a.png": b"1", name: b"2"}))
    assert [path.name for path in tmp_path.iterdir()] == []


def test_a_link_in_a_zip_is_refused(tmp_path, inbox):
    link = zipfile.ZipInfo("m1/c.png")
    link.external_attr = (stat.S_IFLNK | 0o777) << 16
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as made:
        made.writestr(link, "/etc/passwd")
    with pytest.raises(BuildError, match="leads elsewhere"):
        inbox.take(tmp_path / "a.zip")


def test_a_zip_that_swells_is_stopped(tmp_path, inbox, monkeypatch):
    monkeypatch.setattr(zip_limits, "MOST_BYTES", 1000)
    with zipfile.ZipFile(tmp_path / "a.zip", "w", zipfile.ZIP_DEFLATED) as made:
        made.writestr("m1/c.png", bytes(5000))
    with pytest.raises(BuildError, match="more than"):
        inbox.take(tmp_path / "a.zip")
    monkeypatch.setattr(zip_limits, "MOST_ENTRIES", 1)
    many = archive(tmp_path / "b.zip", {"a/1": b"", "a/2": b""})
    with pytest.raises(BuildError, match="2 files"):
        inbox.take(many)


def test_a_small_zip_does_not_fill_the_disk(tmp_path, inbox):
    path = tmp_path / "a.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as made:
        made.writestr("m1/c.png", bytes(5000))
    data = bytearray(path.read_bytes())
    # The size that the directory states.
    struct.pack_into("<I", data, data.index(b"PK\x01\x02") + 24, 1_400_000_000)
    path.write_bytes(data)
    with pytest.raises(BuildError, match="too much for its size"):
        inbox.take(path)


def test_unpacked_images_go_with_the_last_page_unless_a_job_needs_them(tmp_path):
    jobs = [True]
    inbox = Uploads(busy=lambda: bool(jobs), kept_seconds=0.1)
    folder = inbox.take(archive(tmp_path / "a.zip", {"m1/c.png": b"1", "m2/c.png": b"2"})).folder
    time.sleep(0.25)
    assert folder.exists(), "a job runs"
    for _ in range(5):
        inbox.stay()
        jobs.clear()
        time.sleep(0.05)
    assert folder.exists(), "a page is open"
    until = time.monotonic() + 10
    while folder.exists() and time.monotonic() < until:
        time.sleep(0.01)
    assert not folder.exists()


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04 broken", b"no zip at all"])
def test_what_is_no_zip_is_told(tmp_path, inbox, content):
    path = tmp_path / "a.zip"
    path.write_bytes(content)
    with pytest.raises(BuildError, match="not a zip file"):
        inbox.take(path)
    assert not path.exists()


def test_an_empty_zip_is_told(tmp_path, inbox):
    with pytest.raises(BuildError, match="empty"):
        inbox.take(archive(tmp_path / "a.zip", {}))


def test_one_piece_of_work_at_a_time():
    jobs, go = BackgroundJobs(), threading.Event()

    def work(report):
        report(0.5, "half")
        assert go.wait(10)
        return "well"

    jobs.start("build", "anna", work)
    with pytest.raises(StudyError, match="build that anna started"):
        jobs.start("report", "bert", work)
    go.set()
    ended = jobs.wait(10)
    assert (ended.running, ended.failed, ended.what) == (False, False, "well")
    jobs.start("report", "bert", lambda report: "again")
    assert jobs.wait(10).what == "again"
    jobs.forget()
    assert jobs.state.name == ""


def test_work_stops_when_asked_and_says_so():
    jobs, begun = BackgroundJobs(), threading.Event()

    def work(report):
        begun.set()
        for _ in range(1000):
            report(0.1, "on and on")
            threading.Event().wait(0.01)
        return "never"

    jobs.start("build", "anna", work)
    assert begun.wait(10)
    jobs.stop()
    ended = jobs.wait(10)
    assert ended.failed
    assert "Stopped" in ended.what


def test_a_failure_is_a_number_unless_it_is_for_the_user():
    jobs = BackgroundJobs()

    def refused(report):
        raise BuildError("The file is too dark.")

    def broken(report):
        raise RuntimeError("/secret/path")

    jobs.start("build", "anna", refused)
    assert jobs.wait(10).what == "The file is too dark."
    jobs.start("build", "anna", broken)
    ended = jobs.wait(10)
    assert ended.failed
    assert "/secret" not in ended.what


def test_files_are_found_by_token_and_the_oldest_are_forgotten():
    files = Downloads()
    for number in range(20):
        files.put(Download(f"{number}.csv", "text/csv", b""))
    listed = files.listing()
    assert [one.name for _, one in listed][:2] == ["19.csv", "18.csv"]
    assert len(listed) == 12
    assert files.get(listed[0][0]) == listed[0][1]
    assert files.get("unknown") is None
