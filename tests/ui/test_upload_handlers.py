"""Several files, folders and archives on the page: listed, picked, and gone when closed."""

import gc
import io
import queue
import zipfile
from types import SimpleNamespace

import numpy as np
import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient
from PIL import Image

from enhancers.errors import ReadingRoomError
from enhancers.image import Window
from enhancers.private_folders import process_folder
from enhancers.ui import series_list, upload_handlers
from tests.support import dicom_series, image_files, volume_files
from tests.support.compare_page import field_values

LOCALIZER = {
    "SeriesInstanceUID": "1.2.3.7", "SeriesNumber": 1,
    "ImageType": ["ORIGINAL", "PRIMARY", "LOCALIZER"],
}  # fmt: skip


def ct(folder, count=5, number=0, **elements):
    """Uploads of a series, each in a folder of its own as Gradio puts them."""
    found = []
    for index in range(count):
        uid = f"1.2.3.8.{number}.{index}"
        data = dicom_series.slice_file((0, 0, 2 * index), index + 1, SOPInstanceUID=uid, **elements)
        path = folder / f"{1000 * number + count - index:064x}" / f"Doe{index}"
        path.parent.mkdir(parents=True)
        path.write_bytes(data)
        found.append(path)
    return found


def two(folder):
    return ct(folder, 5) + ct(folder, 2, 1, **LOCALIZER)


def pick(handlers, key):
    event = SimpleNamespace(key=key)
    return handlers.uploads.pick(event, handlers.request, **field_values())


def session_of(handlers):
    return handlers.sessions.get("tab")


def held():
    return [path.name for path in process_folder().rglob("uploaded-*")]


def test_several_series_are_listed_and_one_is_picked(handlers, tmp_path):
    layout, session = handlers.layout, session_of(handlers)
    notes = tmp_path / "notes.txt"
    notes.write_text("no image")
    updates = handlers.upload(*two(tmp_path), notes)
    listed = updates[layout.series]
    assert updates[layout.upload] is None
    assert listed["title"] == "2 series: choose one"
    assert [item["label"] for item in listed["items"]] == ["1. CT axial, localizer", "2. CT axial"]
    assert listed["items"][1]["facts"] == "24 × 20 · 5 slices"
    assert listed["items"][1]["spacing"] == "0.7 × 0.7 × 2 mm"
    assert "no DICOM (1)" in listed["left_out"]
    # Nothing is open yet.
    assert session.image is None
    updates = pick(handlers, "2")
    assert updates[layout.slice]["maximum"] == 5
    assert updates[layout.slice]["value"] == 3
    pressed = [item["pressed"] for item in updates[layout.series]["items"]]
    assert pressed == ["false", "true"]
    assert session.name == "Series 2, CT axial"
    # The order of positions: the first pixel of a slice is its number.
    seen = []
    for position in (1, 5, 2):
        handlers.image_handlers.slice(position, handlers.request)
        seen.append(session.image.source[0, 0])
    assert seen == [1, 5, 2]
    assert pick(handlers, "1")[layout.slice]["maximum"] == 2
    # The one that is open stays as it is.
    assert set(pick(handlers, "1")) == {layout.series}


def test_the_only_series_opens_at_once(handlers, tmp_path):
    updates = handlers.upload(*ct(tmp_path))
    assert updates[handlers.layout.series]["title"] == "1 series"
    assert updates[handlers.layout.slice]["maximum"] == 5
    assert session_of(handlers).image.slice_index == 2


def test_progress_comes_first_and_the_field_is_free_again(handlers, tmp_path):
    paths = [str(path) for path in ct(tmp_path)]
    first, *_ = handlers.uploads.upload(paths, handlers.request, **field_values())
    assert first[handlers.layout.upload] is None
    assert first[handlers.layout.series]["busy"]["words"] == "Reading headers: 0 of 5"


def test_what_is_no_series_leaves_image_and_list(handlers, tmp_path):
    handlers.upload(*ct(tmp_path))
    session = session_of(handlers)
    image, uploaded = session.image, session.series
    pictures = []
    for index in range(2):
        path = tmp_path / f"{index}.gif"
        path.write_bytes(b"GIF89a")
        pictures.append(path)
    paths = [str(path) for path in pictures]
    updates = handlers.uploads.upload(paths, handlers.request, **field_values())
    assert "busy" in next(updates)[handlers.layout.series]
    assert next(updates)[handlers.layout.series] == series_list.listed(session)
    with pytest.raises(ReadingRoomError, match="a single file of another format"):
        next(updates)
    assert session.image is image
    assert session.series is uploaded
    assert not any(path.exists() for path in pictures)


def archive(path, files, **options):
    with zipfile.ZipFile(path, "w", **options) as packed:
        for name, data in files.items():
            packed.writestr(name, data)
    return path


def test_an_archive_is_a_series(handlers, tmp_path):
    files = {path.name: path.read_bytes() for path in ct(tmp_path)}
    path = archive(tmp_path / "exam.zip", files)
    assert handlers.upload(path)[handlers.layout.slice]["maximum"] == 5
    assert not path.exists()


def test_a_damaged_archive_says_so(handlers, tmp_path):
    path = tmp_path / "exam.zip"
    path.write_bytes(b"PK\x03\x04" + bytes(100))
    with pytest.raises(ReadingRoomError, match="damaged or truncated"):
        handlers.upload(path)
    assert session_of(handlers).image is None


def test_what_is_closed_leaves_the_disk(handlers, tmp_path):
    gc.collect()
    before = held()
    handlers.upload(*two(tmp_path))
    pick(handlers, "2")
    assert len(held()) == len(before) + 1
    event = SimpleNamespace(key="ultrasound")
    updates = handlers.image_handlers.sample(event, handlers.request, **field_values())
    assert updates[handlers.layout.series] == series_list.empty()
    gc.collect()
    assert held() == before


def test_a_page_that_is_loaded_anew_has_its_series(handlers, tmp_path):
    handlers.upload(*two(tmp_path))
    pick(handlers, "1")
    former = session_of(handlers)
    assert handlers.sessions.resume("new tab", former.token)
    session = handlers.sessions.get("new tab")
    updates = handlers.updates.resumed(session)
    items = updates[handlers.layout.series]["items"]
    assert [item["pressed"] for item in items] == ["true", "false"]
    assert session.token in items[0]["thumbnail"]
    assert session.opened.image(1).slice_index == 1


def test_thumbnails_are_those_of_the_session_and_upload(handlers, tmp_path):
    app = FastAPI()
    app.include_router(series_list.router(handlers.sessions))
    client = TestClient(app)
    address = handlers.upload(*two(tmp_path))[handlers.layout.series]["items"][1]["thumbnail"]
    found = client.get(f"/{address}")
    assert found.headers["cache-control"] == "no-store"
    assert Image.open(io.BytesIO(found.content)).size == (24, 20)
    token, number, _ = address.removeprefix(series_list.ROUTE).split("/")
    wrong = (f"{token}/{number}/9.png", f"{token}/{int(number) + 1}/2.png", f"x/{number}/2.png")
    for end in wrong:
        assert client.get(f"/{series_list.ROUTE}{end}").status_code == 404


def test_slices_of_different_windows_offer_each_ones_own(handlers, tmp_path):
    centres = {"VOILUTFunction": "LINEAR_EXACT", "WindowWidth": "100", "Modality": "MR"}
    paths = [tmp_path / name for name in "abc"]
    for index, path in enumerate(paths):
        stated = {**centres, "WindowCenter": str(300 + 100 * index)}
        path.write_bytes(dicom_series.slice_file((0, 0, index), index + 1, **stated))
    updates = handlers.upload(*paths)
    session, layout = session_of(handlers), handlers.layout
    assert session.image.window == Window(350.0, 450.0)
    assert "different windows" in updates[layout.notice]
    key = dict(updates[layout.window]["choices"])["Each slice's own (file): 350 to 450 a.u."]
    for position in (1, 3):
        handlers.image_handlers.slice(position, handlers.request)
        assert session.image.window == Window(350.0, 450.0)
    handlers.image_handlers.window(key, handlers.request)
    for position, low in ((3, 450.0), (1, 250.0), (2, 350.0)):
        handlers.image_handlers.slice(position, handlers.request)
        assert session.image.window == Window(low, low + 100)


def test_too_many_files_are_refused_before_they_are_sent(handlers):
    updates = handlers.uploads.refuse(SimpleNamespace(count=0))
    assert "folder is empty" in updates[handlers.layout.notice]
    with pytest.raises(ReadingRoomError, match="5000 files are too many"):
        handlers.uploads.refuse(SimpleNamespace(count=5000))


@pytest.mark.parametrize("order", [(0, 1), (1, 0)])
def test_a_header_and_its_values_open_as_one_volume(handlers, tmp_path, order):
    volume = np.random.default_rng(0).integers(0, 900, (28, 24, 20)).astype(np.int16)
    files = {
        "Doe.mhd": volume_files.metaimage(volume, data_file="C:\\scans\\Doe.raw"),
        "Doe.raw": volume_files.values(volume, "raw"),
    }
    paths = []
    for number, (name, data) in enumerate(files.items()):
        path = tmp_path / f"{number:064x}" / name
        path.parent.mkdir()
        path.write_bytes(data)
        paths.append(path)
    updates = handlers.upload(*(paths[place] for place in order))
    assert updates[handlers.layout.slice]["maximum"] == 20
    image = session_of(handlers).image
    assert image.format == "MetaImage"
    assert np.array_equal(image.source, volume[..., 10].transpose())
    assert not any(path.exists() for path in paths)


def test_a_header_alone_says_what_is_missing(handlers, tmp_path):
    path = tmp_path / "Doe.mhd"
    path.write_bytes(volume_files.metaimage(np.zeros((28, 24, 20), np.int16), data_file="Doe.raw"))
    said = str(handlers.upload(path)[handlers.layout.notice])
    assert "second file (.raw" in said
    assert "Doe" not in said


def test_frames_of_one_file_are_sorted_and_named_by_the_file(handlers, tmp_path):
    path = tmp_path / "enhanced.dcm"
    path.write_bytes(dicom_series.enhanced([{"z": z} for z in (30, 10, 40, 20)]))
    updates = handlers.upload(path)
    session = session_of(handlers)
    assert session.name == "enhanced.dcm"
    assert "items" not in updates[handlers.layout.series]
    handlers.image_handlers.slice(1, handlers.request)
    assert session.image.source[0, 0] == 1
    assert not path.exists()


def test_a_cine_has_a_slider_of_time(handlers, tmp_path):
    path = tmp_path / "cine.dcm"
    frames = np.stack([dicom_series.pixels(index) for index in range(4)])
    path.write_bytes(image_files.dicom(frames, Modality="US", NumberOfFrames=4))
    updates = handlers.upload(path)
    assert "time 3 of 4" in updates[handlers.layout.facts]
    slider = updates[handlers.layout.slice]
    assert (slider["label"], slider["maximum"], slider["visible"]) == ("Time (of 4)", 4, True)


def test_a_volume_at_several_times_is_listed_once(handlers, tmp_path):
    frames = [{"z": z, "time": t, "echo": e} for e in (2, 4) for t in (1, 2, 3) for z in (0, 5)]
    path = tmp_path / "enhanced.dcm"
    path.write_bytes(dicom_series.enhanced(frames))
    layout, session = handlers.layout, session_of(handlers)
    listed = handlers.upload(path)[layout.series]
    assert listed["title"] == "2 series: choose one"
    assert [item["facts"] for item in listed["items"]] == ["24 × 20 · 2 slices · 3 times"] * 2
    assert ["time 1" in item["label"] for item in listed["items"]] == [False, False]
    pick(handlers, listed["items"][1]["key"])
    assert session.image.time_count == 3
    # Another time of it is still the open one.
    session.series_key = session.series_key[:-1] + "6"
    assert set(pick(handlers, listed["items"][1]["key"])) == {layout.series}
    assert listed["items"][1]["key"] in ("1.4",)


def test_the_only_series_is_listed_and_shown_in_one_answer(handlers, tmp_path):
    layout = handlers.layout
    paths = [str(path) for path in ct(tmp_path)]
    *before, last = handlers.uploads.upload(paths, handlers.request, **field_values())
    assert all("busy" in updates[layout.series] for updates in before)
    assert last[layout.series]["title"] == "1 series"
    assert layout.viewer in last


def test_a_page_that_lags_gets_the_latest_progress_only():
    finding = upload_handlers._Finding.__new__(upload_handlers._Finding)
    finding._done = queue.SimpleQueue()
    for done in (1, 2, 3):
        finding._done.put(done)
    progress = finding.progress()
    assert next(progress) == 3
    for done in (4, None):
        finding._done.put(done)
    assert list(progress) == []


def pair_files(folder, names):
    found = []
    for name in names:
        values = image_files.ramp(24, 20).astype("<i2")[None].repeat(3, 0)
        header = (
            "ObjectType = Image\nNDims = 3\nDimSize = 20 24 3\nElementSpacing = 1 1 2\n"
            f"ElementType = MET_SHORT\nElementDataFile = {name}.raw\n"
        ).encode()
        for ending, data in ((".raw", values.tobytes()), (".mhd", header)):
            path = folder / f"{len(found):064x}" / f"{name}{ending}"
            path.parent.mkdir(parents=True)
            path.write_bytes(data)
            found.append(path)
    return found


def test_a_pair_among_other_files_is_opened(handlers, tmp_path):
    notes = tmp_path / "notes.txt"
    notes.write_text("no image")
    paths = [notes, *pair_files(tmp_path, ["volume"])]
    updates = handlers.upload(*paths)
    session = session_of(handlers)
    assert (session.name, session.image.slice_count) == ("volume.mhd", 3)
    assert "Left out: 1 file beside the volume." in updates[handlers.layout.notice]
    assert not any(path.exists() for path in paths)
    # With DICOM files, these are looked for.
    updates = handlers.upload(*pair_files(tmp_path / "more", ["volume"]), *ct(tmp_path))
    assert updates[handlers.layout.series]["title"] == "1 series"


def test_several_pairs_are_refused(handlers, tmp_path):
    paths = [str(path) for path in pair_files(tmp_path, ["one", "two"])]
    with pytest.raises(ReadingRoomError, match="hold 2 volumes"):
        list(handlers.uploads.upload(paths, handlers.request, **field_values()))
    assert not list(tmp_path.rglob("*.raw"))


def test_pixels_that_are_not_square_are_shown_in_proportion(handlers, tmp_path):
    path = tmp_path / "still.dcm"
    path.write_bytes(image_files.dicom(image_files.ramp(), Modality="US", PixelAspectRatio=[4, 3]))
    updates = handlers.upload(path)
    shown = updates[handlers.layout.viewer]
    assert (shown["spacing"], shown["aspect"]) == (None, [4.0, 3.0])
    assert "pixels 1.33 times as high as wide" in updates[handlers.layout.facts]


def test_pictures_of_one_size_are_one_stack_in_the_order_of_their_names(handlers, tmp_path):
    session, paths = session_of(handlers), []
    for number in (10, 9, 2):
        path = tmp_path / f"{number:064x}" / f"depth {number}.png"
        path.parent.mkdir()
        Image.fromarray(np.full((20, 24), number, np.uint8) + np.eye(20, 24, dtype=np.uint8)).save(
            path
        )
        paths.append(path)
    handlers.upload(*paths)
    assert session.name == "3 pictures"
    assert [int(one[0, 1]) for one in session.image.depths] == [2, 9, 10]
    assert not any(path.exists() for path in paths)


def test_pictures_of_different_sizes_say_so_and_leave_the_image(handlers, tmp_path):
    session, paths = session_of(handlers), []
    for side in (20, 30):
        path = tmp_path / f"{side:064x}" / "one.png"
        path.parent.mkdir()
        Image.fromarray(np.eye(side, dtype=np.uint8)).save(path)
        paths.append(path)
    updates = handlers.upload(*paths)
    assert session.image is None
    assert "20 × 20, 30 × 30" in updates[handlers.layout.notice]
