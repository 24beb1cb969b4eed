"""The navigator: where its lines cross, what the viewer shows, and the time of a volume."""

from __future__ import annotations

import base64
import io
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image

from enhancers.load import load
from enhancers.ui.navigator_handlers import NavigatorHandlers
from tests.support import dicom_series, image_files
from tests.support.compare_page import field_values

SHAPE, TIMES = (24, 30, 18), 3
VOLUME = np.random.default_rng(4).integers(0, 900, (*SHAPE, TIMES)).astype(np.int16)
# Stored to the right, anterior and superior, coarse along the body.
AFFINE = np.hstack([np.diag([1.0, 1.5, 3.0]), np.zeros((3, 1))])


@pytest.fixture
def opened(handlers, tmp_path):
    """A way to open a volume, and the handlers of the navigator."""
    planes = NavigatorHandlers(handlers.image_handlers)

    def open_bytes(data: bytes, name: str = "volume.nii"):
        path = tmp_path / name
        path.write_bytes(data)
        found = handlers.upload(path)
        return found, handlers.sessions.get("tab")

    def move(**data):
        return planes.move(SimpleNamespace(**data), handlers.request)

    return SimpleNamespace(
        open=open_bytes, move=move, show=lambda: planes.show(handlers.request),
        page=handlers.layout, handlers=handlers,
    )  # fmt: skip


def picture(view) -> np.ndarray:
    data = base64.b64decode(view["picture"].partition(",")[2])
    return np.asarray(Image.open(io.BytesIO(data)))


def test_three_views_with_lines_at_one_voxel(opened, tmp_path) -> None:
    found, session = opened.open(image_files.nifti(VOLUME[..., 0], affine=AFFINE))
    page = opened.page
    assert found[page.navigator]["visible"]
    assert not found[page.slice]["visible"]
    value = opened.show()[page.navigator]
    assert (value["active"], value["time"]) == ("axial", None)
    axial, coronal, sagittal = value["views"]
    assert [one["count"] for one in value["views"]] == [18, 30, 24]
    assert axial["edges"] == ["R", "L", "A", "P"]
    assert sagittal["edges"] == ["A", "P", "S", "I"]
    assert axial["size"] == pytest.approx([24, 45])
    assert coronal["size"] == pytest.approx([24, 54])
    assert session.image.slice_index == axial["index"] == 9
    # The lines of a view are at the slices of the two others.
    assert axial["cross"][0] == pytest.approx((sagittal["index"] + 0.5) / 24)
    assert axial["cross"][1] == pytest.approx((coronal["index"] + 0.5) / 30)
    assert coronal["cross"][1] == pytest.approx(1 - (axial["index"] + 0.5) / 18)
    path = tmp_path / "volume.nii"
    path.write_bytes(image_files.nifti(VOLUME[..., 0], affine=AFFINE))
    for view in value["views"]:
        image = load(path, plane=view["plane"], slice_index=view["index"])
        assert np.array_equal(picture(view), np.rint(255 * image.pixels).astype(np.uint8))


def test_the_plane_that_was_used_last_is_in_the_viewer(opened) -> None:
    _, session = opened.open(image_files.nifti(VOLUME[..., 0], affine=AFFINE))
    updates = opened.move(plane="coronal", index=4)
    image = session.image
    assert (image.plane, image.slice_index, image.shape) == ("coronal", 4, (18, 24))
    value = updates[opened.page.navigator]
    assert value["active"] == "coronal"
    assert [one["index"] for one in value["views"]] == [9, 4, 12]
    assert updates[opened.page.viewer]["edges"] == ["R", "L", "S", "I"]
    assert "coronal slice 5 of 30" in updates[opened.page.facts]
    value = opened.move(plane="sagittal")[opened.page.navigator]
    assert (session.image.plane, session.image.slice_index) == ("sagittal", 12)
    assert [one["index"] for one in value["views"]] == [9, 4, 12]


def test_a_point_moves_the_lines_of_all_views(opened) -> None:
    _, session = opened.open(image_files.nifti(VOLUME[..., 0], affine=AFFINE))
    value = opened.move(plane="sagittal", u=0.99, v=0.01)[opened.page.navigator]
    # From anterior, and from the feet: the point is at the back, at the head.
    assert [one["index"] for one in value["views"]] == [17, 29, 12]
    assert session.image.plane == "sagittal"
    value = opened.move(plane="axial", u=-5, v=7)[opened.page.navigator]
    assert [one["index"] for one in value["views"]] == [17, 29, 0]
    assert session.image.plane == ""
    assert (session.image.slice_index, session.image.slice_count) == (17, 18)


def test_time_and_results_stay_with_their_slice(opened) -> None:
    _, session = opened.open(image_files.nifti(VOLUME, affine=AFFINE))
    value = opened.show()[opened.page.navigator]
    assert value["time"] == {"label": "Time", "index": 0, "count": TIMES}
    window = session.image.window
    session.set_truth(session.image.pixels, None, "by hand")
    opened.move(time=2)
    assert session.image.place == ("", 2, 9)
    assert np.array_equal(session.image.source, VOLUME[::-1, ::-1, 9, 2].T)
    assert session.image.window == window
    assert session.truth is None
    opened.move(time=0)
    assert session.truth_origin == "by hand"
    assert opened.move(time=99)[opened.page.navigator]["time"]["index"] == TIMES - 1


def test_the_truth_of_a_volume_follows_time_and_plane(opened, tmp_path) -> None:
    _, session = opened.open(image_files.nifti(VOLUME, affine=AFFINE))
    truth = tmp_path / "truth.nii"
    truth.write_bytes(image_files.nifti(VOLUME, affine=AFFINE))
    opened.handlers.image_handlers.truth(str(truth), opened.handlers.request)
    for move in ({}, {"time": 2}, {"plane": "coronal", "index": 4}, {"time": 0}):
        opened.move(**move)
        assert np.array_equal(session.truth, session.image.pixels)
    assert session.image.place == ("coronal", 0, 4)
    other = tmp_path / "other.nii"
    other.write_bytes(image_files.nifti(VOLUME[:, :4, :, 0], affine=AFFINE))
    found = opened.handlers.image_handlers.truth(str(other), opened.handlers.request)
    said = "The ground truth has 4 slices and the image 30; give one slice, or as many"
    assert said in found[opened.page.notice]


def test_the_truth_of_a_spine_is_that_of_all_its_depths(handlers) -> None:
    session, images = handlers.sessions.get("tab"), handlers.image_handlers
    images.sample(SimpleNamespace(key="spine_easy"), handlers.request, **field_values())
    truth = session.truth
    images.slice(5, handlers.request)
    assert session.image.slice_index == 4
    assert np.array_equal(session.truth, truth)


def test_a_truth_in_an_enhanced_object_is_in_the_order_of_its_positions(opened, tmp_path) -> None:
    frames = [{"z": z} for z in (30, 10, 40, 20)]
    _, session = opened.open(dicom_series.enhanced(frames), "image.dcm")
    truth = tmp_path / "truth.dcm"
    # Stored in another order, so that the first pixel of the frame at 30 mm is 1.
    truth.write_bytes(dicom_series.enhanced([frames[n] for n in (1, 0, 3, 2)]))
    opened.handlers.image_handlers.truth(str(truth), opened.handlers.request)
    assert session.image.slice_index == 2
    assert (session.image.source[0, 0], session.image.window.to_source(session.truth)[0, 0]) == (
        0,
        pytest.approx(1),
    )


def test_pictures_have_no_navigator(opened) -> None:
    found, _ = opened.open(image_files.png(image_files.ramp().astype(np.uint16)), "a.png")
    assert not found[opened.page.navigator]["visible"]
    assert opened.page.navigator not in opened.show()


def test_an_unknown_plane_changes_nothing(opened) -> None:
    _, session = opened.open(image_files.nifti(VOLUME[..., 0], affine=AFFINE))
    before = session.image
    opened.move(plane="upright", index=3)
    assert session.image is before


def test_planes_of_a_series_and_a_slice_that_cannot_be_read(opened, tmp_path) -> None:
    folder = tmp_path / "files"
    files = [dicom_series.slice_file((0.0, 0.0, 2.0 * n), n + 1, Modality="MR") for n in range(18)]
    paths = []
    for number, data in enumerate(files):
        path = folder / str(number) / "image.dcm"
        path.parent.mkdir(parents=True)
        path.write_bytes(data)
        paths.append(path)
    opened.handlers.upload(*paths)
    session = opened.handlers.sessions.get("tab")
    value = opened.move(plane="coronal", index=0)[opened.page.navigator]
    assert [one["count"] for one in value["views"]] == [18, 20, 24]
    # The first pixel of a slice is its number; the head is at the top.
    assert list(session.image.source[:, 0]) == list(range(18, 0, -1))


def test_the_crop_to_the_region_is_offered_and_kept(opened) -> None:
    gray = np.stack([image_files.ramp(40, 56, 250 - n).astype(np.uint8) for n in range(3)])
    from tests.load.test_spacing import region

    data = image_files.dicom(
        gray, Modality="US", SequenceOfUltrasoundRegions=[region(5, 8, 34, 49)]
    )
    found, session = opened.open(data, "clip.dcm")
    page, images = opened.page, opened.handlers.image_handlers
    assert found[page.crop]["visible"]
    images.crop(True, opened.handlers.request)
    assert session.image.shape == (30, 42)
    images.slice(3, opened.handlers.request)
    assert np.array_equal(session.image.source, gray[2, 5:35, 8:50])
    images.crop(False, opened.handlers.request)
    assert session.image.shape == (40, 56)
