"""The compare page without a browser: images, downloads, privacy and what it imports."""

import io
import subprocess
import sys
import zipfile
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient
from pydicom.dataset import Dataset

from enhancers.compare import Request, compare
from enhancers.decoding import DecodePool, opened_file
from enhancers.image import Window
from enhancers.method import Modality
from enhancers.save import read_png16, to_png16
from enhancers.settings import read_settings
from enhancers.ui import build, download_routes, gallery
from enhancers.ui.layout import METRICS_TAB
from enhancers.ui.page_updates import DOWNLOADS
from enhancers.ui.run import MethodRun, Run
from enhancers.ui.session import FILE_WINDOW, MANUAL
from enhancers.ui.sessions import Sessions
from enhancers.ui.study_tab import StudyLinks, study_tab_html
from tests.support.compare_page import IMAGE, field_values, run_of
from tests.support.image_files import chest, dicom, nifti, ramp

ROOT = Path(__file__).resolve().parents[2]


def test_runs_in_line_leave_threads_for_everything_else(page):
    threads = page.launch_options["max_threads"]
    (limit,) = {
        fn.concurrency_limit for fn in page.blocks.fns.values() if fn.concurrency_id == "methods"
    }
    assert threads > limit > 1
    assert threads != 40, "Gradio then takes the threads of the whole server"


def test_the_time_is_estimated_again_after_networks_changed(page):
    fns = page.blocks.fns.values()
    followed = {fn.trigger_after for fn in fns if fn.name == "estimate"}
    changes = {f"NetworkHandlers.{name}" for name in ("show", "act", "add")}
    found = {fn._id for fn in fns if getattr(fn.fn, "__qualname__", "") in changes}
    assert len(found) == len(changes)
    assert found <= followed


def test_a_bad_file_changes_only_the_notice(handlers, tmp_path):
    session = handlers.sessions.get("tab")
    session.replace_image(IMAGE)
    bad = tmp_path / "notes.dcm"
    bad.write_text("no image")
    updates = handlers.upload(bad)
    assert set(updates) == {handlers.layout.notice, handlers.layout.upload}
    assert session.image is IMAGE


def test_an_upload_leaves_the_disk_and_is_decoded_once(handlers, tmp_path, monkeypatch):
    asked = []

    class Counted(DecodePool):
        def ask(self, *given, **options):
            asked.append(options)
            return super().ask(*given, **options)

    pool = Counted(1, 10**9, 20)
    monkeypatch.setattr(opened_file, "decode_pool", lambda: pool)
    path = tmp_path / "Doe_Jane.nii"
    volume = np.random.default_rng(0).integers(0, 900, (24, 20, 6)).astype(np.int16)
    path.write_bytes(nifti(volume))
    image = handlers.image_handlers
    handlers.upload(path)
    assert not path.exists()
    session = handlers.sessions.get("tab")
    seen = []
    for position in (1, 6, 1):
        image.slice(position, handlers.request)
        seen.append(session.image)
    image.window(MANUAL, handlers.request)
    image.custom_window(SimpleNamespace(low="0", high="500"), handlers.request)
    assert session.image.window == Window(0.0, 500.0)
    pool.close()
    assert [one.slice_index for one in seen] == [0, 5, 0]
    assert not np.array_equal(seen[0].source, seen[1].source)
    assert len(asked) == 1


def test_an_assumed_ct_is_undone_with_one_click(handlers, tmp_path):
    path = tmp_path / "scan.nii"
    volume = np.stack([chest(64, 80, seed) for seed in range(6)], axis=-1)
    path.write_bytes(nifti(volume.astype(np.int16)))
    image, layout = handlers.image_handlers, handlers.layout
    updates = handlers.upload(path)
    session = handlers.sessions.get("tab")
    assert (session.image.units, session.image.window) == ("HU", Window(-160.0, 240.0))
    assert updates[layout.not_ct]["visible"]
    assert "CT was assumed" in updates[layout.notice]
    session.start(Run(session.image, [MethodRun(Request("srad"), "SRAD")], 0))
    updates = image.not_ct(handlers.request, **field_values())
    assert (session.image.modality, session.image.units) == (Modality.OTHER, "a.u.")
    assert session.image.window.low < -900
    assert session.run is None
    assert not updates[layout.not_ct]["visible"]
    assert [key for _, key in updates[layout.window]["choices"]] == [FILE_WINDOW, MANUAL]
    # The choice holds for every slice and window of the file.
    window = session.image.window
    image.slice(1, handlers.request)
    assert (session.image.slice_index, session.image.units) == (0, "a.u.")
    assert session.image.window == window
    image.modality("CT", handlers.request, **field_values())
    assert (session.image.units, session.image.window) == ("HU", Window(-160.0, 240.0))
    image.window("lung", handlers.request)
    assert (session.image.modality_origin, session.image.window.low) == ("user", -1350.0)
    image.modality("MR", handlers.request, **field_values())
    assert (session.window_choice, session.image.window.low) == (FILE_WINDOW, volume.min())


def test_another_modality_of_the_same_units_keeps_results(handlers, tmp_path):
    path = tmp_path / "scan.png"
    path.write_bytes(to_png16(IMAGE.pixels))
    image = handlers.image_handlers
    handlers.upload(path)
    session = handlers.sessions.get("tab")
    session.start(Run(session.image, [MethodRun(Request("srad"), "SRAD")], 0))
    run = session.run
    image.modality("US", handlers.request, **field_values())
    assert session.run is run
    assert (session.image.modality, session.image.modality_origin) == (Modality.US, "user")


def test_windows_of_the_file_are_offered_and_follow_the_slice(handlers, tmp_path):
    def group(centre):
        voi, item = Dataset(), Dataset()
        voi.WindowCenter, voi.WindowWidth, voi.VOILUTFunction = centre, "100", "LINEAR_EXACT"
        item.FrameVOILUTSequence = [voi]
        return item

    path = tmp_path / "object"
    frames = np.stack([ramp().astype(np.uint16)] * 3)
    groups = [group(centre) for centre in ("300", "500", "800")]
    path.write_bytes(dicom(frames, Modality="MR", PerFrameFunctionalGroupsSequence=groups))
    image, layout = handlers.image_handlers, handlers.layout
    updates = handlers.upload(path)
    session = handlers.sessions.get("tab")
    assert (session.image.slice_index, session.image.window) == (1, Window(250.0, 350.0))
    choices = dict(updates[layout.window]["choices"])
    key = choices["Each slice's own (file): 450 to 550 a.u."]
    image.window(key, handlers.request)
    assert session.image.window == Window(450.0, 550.0)
    for position, low in ((3, 750.0), (1, 250.0), (2, 450.0)):
        image.slice(position, handlers.request)
        assert session.image.window == Window(low, low + 100)


def test_every_sample_opens_with_its_modality_and_truth(handlers):
    for group in gallery.tiles()["groups"]:
        for tile in group["items"]:
            event = SimpleNamespace(key=tile["key"])
            handlers.image_handlers.sample(event, handlers.request, **field_values())
            session = handlers.sessions.get("tab")
            assert session.sample == tile["key"]
            assert session.image.modality is not Modality.OTHER
            assert (session.truth is not None) == ("Synthetic" in group["title"])
            assert gallery.thumbnail_png(tile["key"]).startswith(b"\x89PNG")


@pytest.fixture
def client():
    sessions = Sessions()
    app = FastAPI()
    app.include_router(download_routes.router(sessions))
    return TestClient(app), sessions


def test_downloads_are_exact_and_private(client):
    http, sessions = client
    session = sessions.get("tab")
    session.replace_image(IMAGE)
    session.start(Run(IMAGE, [MethodRun(Request("srad"), "SRAD")], 0))
    assert http.get(f"/{DOWNLOADS}{session.token}/bundle.zip").status_code == 404
    for event in compare(IMAGE, [Request("srad")]):
        session.run.apply(event)
    answer = http.get(f"/{DOWNLOADS}{session.token}/srad.png")
    result = session.run.methods[0].pixels
    np.testing.assert_array_equal(read_png16(answer.content), read_png16(to_png16(result)))
    assert answer.headers["cache-control"] == "no-store"
    bundle = http.get(f"/{DOWNLOADS}{session.token}/bundle.zip")
    with zipfile.ZipFile(io.BytesIO(bundle.content)) as archive:
        assert {"input.png", "srad.png", "provenance.json"} <= set(archive.namelist())
    for address in (f"{session.token}/tv.png", f"{'0' * 32}/srad.png", "x/bundle.zip"):
        assert http.get(f"/{DOWNLOADS}{address}").status_code == 404
    sessions.remove("tab")
    assert http.get(f"/{DOWNLOADS}{session.token}/srad.png").status_code == 404


def test_thumbnails_are_served_by_key_only(client):
    http, _ = client
    assert http.get(f"/{gallery.THUMBNAILS}ultrasound.png").status_code == 200
    assert http.get(f"/{gallery.THUMBNAILS}nothing.png").status_code == 404


@pytest.mark.parametrize(
    ("space", "sentence", "other"),
    [("", "stay on the machine", "Hugging Face"), ("us/room", "Hugging Face", "stay on")],
)
def test_the_page_says_where_images_go(monkeypatch, space, sentence, other):
    monkeypatch.setenv("SPACE_ID", space)
    config = str(build(read_settings()).blocks.get_config_file()["components"])
    assert sentence in config
    assert other not in config
    assert "removed from the disk of the server as soon as it is opened." in config
    assert "Results are kept in memory only." in config
    monkeypatch.setenv("READINGROOM_CACHE_GB", "1.5")
    config = str(build(read_settings()).blocks.get_config_file()["components"])
    assert "Results are kept on its disk, in " in config
    assert "up to 1.5 GB" in config


def test_the_page_offers_no_api_and_names_the_metrics_tab(page):
    assert page.blocks.get_api_info()["named_endpoints"] == {}
    assert METRICS_TAB in str(page.blocks.get_config_file()["components"])


def test_the_page_is_built_without_torch_and_leaves_no_stub_files():
    code = (
        "import sys; import enhancers.ui; from enhancers.settings import read_settings; "
        "enhancers.ui.build(read_settings()); "
        "print([m for m in ('torch', 'diffusers', 'pyiqa', 'SimpleITK') if m in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[]"
    assert not list((ROOT / "enhancers").rglob("*.pyi"))


@pytest.mark.parametrize(
    ("opened", "name"),
    [
        ("knee.nii.gz", "knee_srad+clahe.zip"),
        ("IM.0001", "IM.0001_srad+clahe.zip"),
        ("../a b.DCM", "a-b_srad+clahe.zip"),
        ("Röntgen.png", "Röntgen_srad+clahe.zip"),
        ("", "image_srad+clahe.zip"),
    ],
)
def test_downloads_are_named_after_image_and_methods(opened, name):
    session = run_of("srad", "clahe")
    for event in compare(IMAGE, [Request("srad"), Request("clahe")]):
        session.run.apply(event)
    session.name = opened
    assert download_routes.download_name(session, "zip") == name
    session.image = replace(IMAGE, slice_index=4, slice_count=9)
    assert download_routes.download_name(session, "png", "tv").endswith("_slice-5_tv.png")


def test_the_demo_opens_in_its_own_tab():
    assert 'href="demo/" target="_blank"' in study_tab_html(StudyLinks("reader/", demo="demo/"))
    assert study_tab_html(StudyLinks("reader/", demo="demo/")).count("_blank") == 1
