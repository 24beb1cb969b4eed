"""The tab that runs a method on all slices of the open volume."""

from __future__ import annotations

import gc
import io
import shutil
import zipfile
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pydicom
import pytest
import SimpleITK
from fastapi import FastAPI
from fastapi.testclient import TestClient

from enhancers.compare import enhance
from enhancers.load import load
from enhancers.save import in_source_units
from enhancers.ui import download_routes, slices_job, slices_tab
from enhancers.ui.page_handlers import PageHandlers
from enhancers.ui.slices_handlers import SlicesHandlers
from tests.support import dicom_series, image_files
from tests.support.compare_page import field_values

AFFINE = np.array([[-0.8, 0, 0, 30], [0, 0.8, 0, 20], [0, 0, 2.5, -7.0]])


@pytest.fixture
def volume(tmp_path: Path) -> Path:
    slices = [image_files.chest(64, 80, seed) for seed in range(4)]
    values = np.stack(slices, -1).transpose(1, 0, 2).astype(np.int16)
    path = tmp_path / "volume.nii.gz"
    path.write_bytes(image_files.nifti(values, affine=AFFINE, packed=True))
    return path


@pytest.fixture
def tab(handlers):
    """The handlers of the tab, with what they say of it."""
    made = SlicesHandlers(handlers.updates, handlers.sessions)
    app = FastAPI()
    app.include_router(download_routes.router(handlers.sessions))
    client, request, page = TestClient(app), handlers.request, handlers.layout.slices
    session = handlers.sessions.get("tab")

    def run(method="tv", kind="nii.gz", keep=False):
        return list(made.run(method, kind, keep, "cpu", request))

    return SimpleNamespace(
        handlers=made, run=run, client=client, request=request, page=page, session=session,
        show=lambda *given: made.show(*(given or (None, None, "cpu")), request),
    )  # fmt: skip


def copied(path: Path) -> Path:
    """A copy to upload: the server takes an upload from the disk."""
    folder = path.parent.with_name(f"{path.parent.name}-uploads")
    folder.mkdir(exist_ok=True)
    return Path(shutil.copy(path, folder))


def finished(handlers, tab, *paths: Path) -> None:
    """Open files and run total variation on their middle slice."""
    handlers.upload(*(copied(path) for path in paths))
    handlers.run_handlers.queue(handlers.request)
    list(handlers.run_handlers.run(handlers.request, **field_values("tv")))
    assert [one.key for one in tab.session.run.done] == ["tv"]


def address(tab, rest: str) -> str:
    return f"/readingroom/results/{tab.session.token}/{rest}"


def test_the_tab_says_what_to_do_first(handlers, tab, volume: Path) -> None:
    assert slices_tab.NO_VOLUME in tab.show()[tab.page.state]
    handlers.upload(copied(volume))
    shown = tab.show()
    assert slices_tab.NO_RUN in shown[tab.page.state]
    assert shown[tab.page.start]["interactive"] is False
    (refused,) = tab.run()
    assert slices_tab.NO_RUN in refused[handlers.layout.notice]


def test_all_slices_of_a_volume(handlers, tab, volume: Path) -> None:
    finished(handlers, tab, volume)
    shown = tab.show()
    assert shown[tab.page.method]["value"] == "tv"
    assert shown[tab.page.start]["value"].startswith("Run all 4 slices (")
    assert "dcm" not in [key for _, key in shown[tab.page.format]["choices"]]
    updates = tab.run()
    assert "4 slices finished" in updates[-1][tab.page.state]
    answer = tab.client.get(address(tab, "all-slices"))
    assert 'filename="volume_tv_all-slices.nii.gz"' in answer.headers["content-disposition"]
    assert answer.headers["cache-control"] == "no-store"
    path = volume.with_name("answer.nii.gz")
    path.write_bytes(answer.content)
    assert SimpleITK.ReadImage(str(path)).GetSize() == SimpleITK.ReadImage(str(volume)).GetSize()
    window = tab.session.image.window.ends
    for index in range(4):
        image = load(volume, slice_index=index, window=window)
        expected = in_source_units(image, enhance(image, "tv").pixels)
        assert np.array_equal(load(path, slice_index=index).source, expected)


@pytest.mark.parametrize("keep", [False, True])
def test_a_series_becomes_a_zip_of_dicom_objects(handlers, tab, tmp_path: Path, keep: bool) -> None:
    folder = dicom_series.stack(tmp_path / "series", [0, 2, 4])
    finished(handlers, tab, *sorted(folder.iterdir()))
    shown = tab.show("tv", "dcm", "cpu")
    assert shown[tab.page.keep]["visible"] is True
    assert "3 slices finished" in tab.run(kind="dcm", keep=keep)[-1][tab.page.state]
    answer = tab.client.get(address(tab, "all-slices"))
    with zipfile.ZipFile(io.BytesIO(answer.content)) as archive:
        found = [pydicom.dcmread(io.BytesIO(archive.read(name))) for name in archive.namelist()]
    assert [one.ImagePositionPatient[2] for one in found] == [0, 2, 4]
    assert {str(one.PatientName) for one in found} == {image_files.PATIENT[0] if keep else ""}


def test_a_single_result_in_every_format(handlers, tab, tmp_path: Path, volume: Path) -> None:
    finished(handlers, tab, volume)
    for ending in ("png", "tif", "nii", "nii.gz", "nrrd", "mha"):
        answer = tab.client.get(address(tab, f"{ending}/tv"))
        assert answer.status_code == 200
        assert f'volume_slice-3_tv.{ending}"' in answer.headers["content-disposition"]
    for path in ("dcm/tv", "bmp/tv", "tif/nlm"):
        assert tab.client.get(address(tab, path)).status_code == 404
    assert tab.client.get("/readingroom/results/nobody/tif/tv").status_code == 404
    finished(handlers, tab, *sorted(dicom_series.stack(tmp_path / "s", [0, 2, 4]).iterdir()))
    for query, name in (("", ""), ("?patient=keep", image_files.PATIENT[0])):
        answer = tab.client.get(address(tab, f"dcm/tv{query}"))
        found = pydicom.dcmread(io.BytesIO(answer.content))
        assert (found.PatientName, found.ImagePositionPatient[2]) == (name, 2)


def test_stopping_leaves_no_file(handlers, tab, volume: Path) -> None:
    finished(handlers, tab, volume)
    steps = tab.handlers.run("tv", "mha", False, "cpu", tab.request)
    next(steps)
    job = tab.session.all_slices
    (refused,) = tab.run()
    assert "being run already" in refused[handlers.layout.notice]
    tab.handlers.stop(tab.request)
    last = list(steps)[-1]
    assert "stopped. No file was written" in last[tab.page.state]
    assert list(job.path.parent.iterdir()) == []
    assert tab.client.get(address(tab, "all-slices")).status_code == 404


def test_another_image_ends_the_run_and_drops_its_file(
    handlers, tab, tmp_path: Path, volume: Path
) -> None:
    finished(handlers, tab, volume)
    tab.run()
    folder = tab.session.all_slices.path.parent
    assert folder.is_dir()
    picture = tmp_path / "picture.png"
    picture.write_bytes(image_files.png(image_files.ramp(top=255).astype(np.uint8)))
    handlers.upload(picture)
    gc.collect()
    assert not folder.exists()
    assert tab.client.get(address(tab, "all-slices")).status_code == 404


def test_the_end_of_the_tab_ends_the_run(handlers, tab, volume: Path) -> None:
    finished(handlers, tab, volume)
    steps = tab.handlers.run("tv", "mha", False, "cpu", tab.request)
    next(steps)
    job = tab.session.all_slices
    networks = SimpleNamespace(stop=lambda request: None)
    closing = PageHandlers(handlers.updates, handlers.sessions, SimpleNamespace(), networks)
    closing.closed(tab.request)
    list(steps)
    assert job.state == "stopped"
    folder = job.path.parent
    del job, steps
    gc.collect()
    assert not folder.exists()


def test_results_that_take_too_much_of_the_disk_are_refused(
    handlers, tab, volume: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    finished(handlers, tab, volume)
    monkeypatch.setattr(slices_job, "MOST_BYTES", 1000)
    (refused,) = tab.run()
    assert "more than this server has room for" in refused[handlers.layout.notice]
    assert tab.session.all_slices is None
