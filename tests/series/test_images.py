"""All slices of a series have one window, whichever of them is looked at first."""

from __future__ import annotations

from itertools import permutations
from pathlib import Path

import numpy as np
import pytest

from enhancers.errors import ImageReadError
from enhancers.image import EACH_SLICE, NamedWindow, Window
from enhancers.method import Modality
from enhancers.series import LocalSeries, find_series
from enhancers.series.images import DIFFERENT
from tests.support import dicom_series, image_files


def opened(folder: Path) -> LocalSeries:
    return LocalSeries(find_series(folder).pick(None))


def pet(folder: Path) -> Path:
    """Three slices of rising activity, each scaled to its own range, as those of PET and NM."""
    files = [
        image_files.dicom(
            image_files.ramp(20, 24, 4000).astype(np.uint16),
            Modality="NM", SeriesInstanceUID="1.2.3", SOPInstanceUID=f"1.2.3.{index}",
            ImageOrientationPatient=list(dicom_series.AXIAL),
            ImagePositionPatient=[0, 0, 4 * index], PixelSpacing=[4, 4],
            RescaleSlope=slope, RescaleIntercept=0,
        )
        for index, slope in enumerate((0.5, 2.0, 9.0))
    ]  # fmt: skip
    return dicom_series.write(folder, files)


@pytest.mark.parametrize("order", [*permutations(range(3))])
def test_without_a_stated_window_the_values_of_all_slices_decide(
    tmp_path: Path, order: tuple[int, ...]
) -> None:
    series = opened(pet(tmp_path / "pet"))
    images = [series.image(index) for index in order]
    assert len({image.window for image in images}) == 1
    low, high = images[0].window.ends
    # The brightest slice, of slope 9, reaches 36000.
    assert low < 100
    assert 30_000 < high <= 36_000
    assert all("was taken from its slices" in image.warnings[-1] for image in images)
    assert series.window() == ((low, high), images[0].warnings)
    # A window that is asked for holds, and is not explained.
    given = series.image(order[0], (0.0, 5.0))
    assert given.window == Window(0.0, 5.0)
    assert not given.warnings


def centred(folder: Path, centres: list[str | None]) -> LocalSeries:
    files = []
    for index, centre in enumerate(centres):
        stated = {} if centre is None else {"WindowCenter": centre, "WindowWidth": "100"}
        more = {"VOILUTFunction": "LINEAR_EXACT", "Modality": "MR"}
        files.append(dicom_series.slice_file((0, 0, index), index + 1, **stated, **more))
    return opened(dicom_series.write(folder, files))


def test_the_window_of_the_middle_slice_is_that_of_all(tmp_path: Path) -> None:
    series = centred(tmp_path, ["300", "400", "500", "600", "700"])
    for index in (4, 0, 2):
        image = series.image(index)
        assert image.window == Window(450.0, 550.0)
        own = NamedWindow(EACH_SLICE, Window(250.0 + 100 * index, 350.0 + 100 * index))
        assert image.windows[-1] == own
        assert DIFFERENT in image.warnings


def test_slices_of_one_window_have_no_choice(tmp_path: Path) -> None:
    image = centred(tmp_path, ["300"] * 3).image(0)
    assert image.window == Window(250.0, 350.0)
    assert [one.name for one in image.windows] == ["Window 1"]
    assert not image.warnings


@pytest.mark.parametrize(
    ("centres", "low"),
    [(["300", "400", None, None, "700"], 350.0), ([None, None, None, None, "700"], 650.0)],
)
def test_the_nearest_slice_that_states_a_window_decides(
    tmp_path: Path, centres: list[str | None], low: float
) -> None:
    series = centred(tmp_path, centres)
    assert {series.image(index).window.low for index in range(5)} == {low}


def test_a_window_that_shows_nothing_is_replaced_for_all(tmp_path: Path) -> None:
    series = centred(tmp_path, ["90000"] * 3)
    windows = {series.image(index).window for index in range(3)}
    assert len(windows) == 1
    assert windows.pop().high < 1000


def test_another_modality_has_one_window_too(tmp_path: Path) -> None:
    series = opened(pet(tmp_path / "pet"))
    windows = {series.image(index).with_modality(Modality.MR).window.ends for index in range(3)}
    assert windows == {series.window(Modality.MR)[0]}
    assert windows != {series.window()[0]}


def test_an_empty_slice_of_a_series_can_be_looked_at(tmp_path: Path) -> None:
    folder = dicom_series.stack(tmp_path / "ct", (0, 1, 2))
    blank = image_files.dicom(
        np.zeros((20, 24), np.uint16), Modality="CT", SeriesInstanceUID="1.2.3.1",
        SOPInstanceUID="1.2.3.1.9", FrameOfReferenceUID="1.2.3.9", SeriesNumber=3,
        ImageType=["ORIGINAL", "PRIMARY", "AXIAL"], InstanceNumber=9,
        ImageOrientationPatient=list(dicom_series.AXIAL), ImagePositionPatient=[0, 0, 3],
        PixelSpacing=[0.7, 0.7], SliceThickness=2, RescaleSlope=1, RescaleIntercept=0,
    )  # fmt: skip
    (folder / "last").write_bytes(blank)
    series = opened(folder)
    image = series.image(3)
    assert not image.source.any()
    assert image.window == series.image(0).window
    assert any("constant" in text for text in image.warnings)


def test_a_sample_that_cannot_be_read_is_left_out(tmp_path: Path) -> None:
    folder = pet(tmp_path / "pet")
    series = opened(folder)
    (folder / "IM997").write_bytes(b"")
    # Without the brightest one.
    assert series.window()[0][1] <= 8000


def test_a_header_that_no_decoder_takes_is_an_error_of_the_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = dicom_series.enhanced([{"z": 3.0 * index} for index in range(3)])
    series = find_series(dicom_series.write(tmp_path, [data])).pick(None)

    def broken(*_: object) -> None:
        raise TypeError("encoding without a string argument")

    monkeypatch.setattr("enhancers.load.dicom.frames.pydicom.dcmwrite", broken)
    with pytest.raises(ImageReadError, match="damaged or truncated"):
        LocalSeries(series).image(1)
