"""Volumes as stacks: their slices are those of a run of all slices, in one window."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from sqlalchemy import select

from enhancers.compare import enhance
from enhancers.load import DEFAULT_CAPS, load
from enhancers.series import LocalSeries, find_series
from study.domain.errors import BuildError
from study.planning.freeze import freeze
from study.planning.progress_report import progress_report
from study.stimuli import buffers, sources
from study.stimuli.rendering import Options, build
from study.stimuli.rendering.case_files import mask_reader
from study.stimuli.rendering.restore import restore
from study.stimuli.slice_range import SliceRange
from study.storage.models import Stimulus
from tests.support import dicom_series, image_files, small_studies
from tests.support.small_studies import Draft

DEPTH = 5
OPTIONS = Options(device="cpu", accept_differences=True)


@pytest.mark.parametrize(
    ("text", "count", "wanted"),
    [
        ("all", 3, [0, 1, 2]),
        (" ALL:2 ", 5, [0, 2, 4]),
        ("1-3", 5, [1, 2, 3]),
        ("10-20:5", 40, [10, 15, 20]),
        ("all:4", 256, list(range(0, 256, 4))),
    ],
)
def test_slices_of_a_text(text: str, count: int, wanted: list[int]) -> None:
    found = SliceRange.parse(text)
    assert list(found.indices(count)) == wanted
    assert SliceRange.parse(str(found)) == found


@pytest.mark.parametrize("text", ["", "middle", "3", "4-2", "all:0", "1-3:", "-1-3", "1-3:x"])
def test_what_names_no_slices_is_refused(text: str) -> None:
    with pytest.raises(BuildError, match="give all, a range such as 10-49"):
        SliceRange.parse(text)


def test_too_many_slices_are_told_with_a_step_that_fits() -> None:
    with pytest.raises(BuildError, match=r"200 slices are too many .* \(all:4\)"):
        SliceRange().indices(200)
    assert len(SliceRange.parse("all:4").indices(200)) == 50
    with pytest.raises(BuildError, match="no slice 12: it has 12, 0 to 11"):
        SliceRange.parse("3-12").indices(12)


def volume(seed: int, depth: int = DEPTH) -> NDArray[np.int16]:
    """A volume [x, y, z] of Hounsfield units without air, so that no modality is assumed."""
    found = [small_studies.noisy(small_studies.picture(seed), 9 * seed + z) for z in range(depth)]
    return np.stack(found, axis=-1).astype(np.int16)


def write_volumes(folder: Path, cases: int = 3, **depths: int) -> Path:
    folder.mkdir(parents=True)
    for case in range(cases):
        data = image_files.nifti(volume(case, depths.get(f"case{case}", DEPTH)))
        (folder / f"case{case}.nii").write_bytes(data)
    return folder


def stacks(draft: Draft) -> dict[tuple[str, str], tuple[Stimulus, Any]]:
    key = draft.key
    with draft.store.read() as session:
        rows = session.scalars(select(Stimulus)).all()
    return {
        (key.cases[row.item_id].name, key.methods[row.method_id].name): (
            row, buffers.read(draft.store.stimuli, row),
        )
        for row in rows
    }  # fmt: skip


def test_every_slice_is_that_of_a_run_of_all_slices_and_can_be_restored(tmp_path: Path) -> None:
    inputs = write_volumes(tmp_path / "in")
    (tmp_path / "patients.csv").write_text(
        "case,patient,slice,training\ncase0,a,,no\ncase1,b,2,no\ncase2,c,0-4:2,yes\n"
    )
    found = sources.from_images(
        [inputs], ["input", "tv:weight=0.1", "nlm"], anchors=["gaussian:0.1"],
        patients=tmp_path / "patients.csv",
    )  # fmt: skip
    found = sources.with_stack(found, "1-3")
    draft = small_studies.draft(tmp_path, small_studies.QUICK.with_(ask_blinding=False))
    build(draft.store, draft.key, found, options=OPTIONS)
    built = stacks(draft)
    counts = {name: row.slices for (name, _), (row, _) in built.items()}
    assert counts == {"case0": 3, "case1": None, "case2": 3}
    assert progress_report(draft.store).images.slices == (1, 3)
    path = inputs / "case0.nii"
    window = load(path).window.ends
    slices = [load(path, slice_index=index, window=window) for index in (1, 2, 3)]
    # Levels that the file leaves out are left out of all images.
    step = 2 / (window[1] - window[0])
    given = built["case0", "input"][1]
    made = built["case0", "tv:weight=0.1"][1]
    assert given.shape == made.shape == (3, small_studies.SIDE, small_studies.SIDE)
    for place, image in enumerate(slices):
        assert np.abs(given[place] - image.pixels).max() <= step
        alone = enhance(image, "tv", params={"weight": 0.1}, device="cpu").pixels
        assert np.abs(made[place] - alone).max() <= step
    noise = built["case0", "gaussian:0.1"][1] - given
    assert abs(np.corrcoef(noise[0].ravel(), noise[1].ravel())[0, 1]) < 0.2
    # One slice as before, which the table names.
    one = load(inputs / "case1.nii", slice_index=2)
    assert np.abs(built["case1", "input"][1][0] - one.pixels).max() <= 0.01
    freeze(draft.store, draft.key, actor="anna")
    files = {path: path.read_bytes() for path in draft.store.stimuli.iterdir()}
    for path in files:
        path.unlink()
    # One image is left, so that the disk is there.
    (draft.store.stimuli / "rest.raw").write_bytes(b"")
    report = restore(draft.store, draft.key, actor="anna")
    assert (report.rendered, report.failed) == (len(files), ())
    assert {path: path.read_bytes() for path in files} == files
    assert build_again(draft, found) == "The study is frozen; only a draft can be built."


def build_again(draft: Draft, found: sources.Sources) -> str:
    with pytest.raises(BuildError) as refused:
        build(draft.store, draft.key, found, options=OPTIONS)
    return str(refused.value)


@pytest.mark.parametrize("isolated", [False, True])
def test_folders_with_a_dicom_series_are_volumes(tmp_path: Path, isolated: bool) -> None:
    for method, dose in (("full", 0), ("restormer", 40), ("dncnn", 80)):
        for case in ("p1", "p2"):
            dicom_series.stack(tmp_path / "in" / method / case, [dose + 2 * k for k in range(4)])
    found = sources.with_stack(sources.from_folders(tmp_path / "in"), "all:2")
    draft = small_studies.draft(tmp_path)
    build(draft.store, draft.key, found, options=replace(OPTIONS, isolated=isolated))
    series = LocalSeries(find_series(tmp_path / "in" / "full" / "p1").pick(None))
    row, stack = stacks(draft)["p1", "full"]
    assert (row.slices, row.width, row.height) == (2, 24, 20)
    first, second = (series.image(index, series.window()[0]).pixels for index in (0, 2))
    assert np.abs(stack[0] - first).max() < 0.01
    assert np.abs(stack[1] - second).max() < 0.01
    if not isolated:
        single = sources.from_folders(tmp_path / "in")
        build(draft.store, draft.key, single, options=OPTIONS)
        assert {row.slices for row, _ in stacks(draft).values()} == {None}


def test_volumes_that_cannot_scroll_together_are_refused(tmp_path: Path) -> None:
    write_volumes(tmp_path / "in" / "a")
    write_volumes(tmp_path / "in" / "b", case1=4)
    found = sources.with_stack(sources.from_folders(tmp_path / "in"), "all")
    draft = small_studies.draft(tmp_path)
    said = build_again(draft, found)
    assert "Case case1: its volumes have different numbers of slices (case1.nii 5" in said


def test_a_mark_on_the_slices_of_one_method_is_found(tmp_path: Path) -> None:
    side = 128
    for number, method in enumerate(("a", "b")):
        (tmp_path / "in" / method).mkdir(parents=True)
        pages = [
            small_studies.noisy(small_studies.picture(z, side, side), 7 * number + z, 3.0)
            for z in range(3)
        ]
        if number:
            for page in pages:
                page[4:14:2, 6:40:3] = 255
        data = np.stack(pages, axis=-1).astype(np.int16)
        (tmp_path / "in" / method / "c.nii").write_bytes(image_files.nifti(data))
    found = sources.with_stack(sources.from_folders(tmp_path / "in"), "all")
    draft = small_studies.draft(tmp_path)
    with pytest.raises(BuildError, match=r"Case c, image 1 of its stack: .* burned into one"):
        build(draft.store, draft.key, found, options=replace(OPTIONS, accept_differences=False))
    flat = image_files.nifti(np.linspace(5000, 5001, 3 * side**2).reshape(side, side, 3))
    (tmp_path / "in" / "b" / "c.nii").write_bytes(flat)
    assert "Case c: the image of b is constant" in build_again(draft, found)


@pytest.mark.parametrize("isolated", [False, True])
def test_masks_of_a_stack_are_in_the_order_of_positions(tmp_path: Path, isolated: bool) -> None:
    (tmp_path / "m.dcm").write_bytes(dicom_series.enhanced([{"z": z} for z in (30, 10, 40, 20)]))
    read = mask_reader(tmp_path / "m.dcm", DEFAULT_CAPS, stack=True, isolated=isolated)
    # The first pixel of a frame is its index in the file.
    assert [read(slice_index=place).source[0, 0] for place in range(4)] == [1, 3, 0, 2]
