"""Results of the command line in every format, of one slice and of all slices."""

from __future__ import annotations

import io
import json
import sys
from pathlib import Path

import numpy as np
import pydicom
import pytest
import SimpleITK

from enhancers.__main__ import main
from enhancers.compare import enhance
from enhancers.load import load
from enhancers.save import in_source_units
from enhancers.save.dicom import targets
from enhancers.series import find_series, load_slice
from tests.batch.test_series import clip
from tests.support import dicom_series, image_files

AFFINE = np.array([[-0.8, 0, 0, 30], [0, 0.8, 0, 20], [0, 0, 2.5, -7.0]])


@pytest.fixture
def volume(tmp_path: Path) -> Path:
    slices = [image_files.chest(64, 80, seed) for seed in range(4)]
    values = np.stack(slices, -1).transpose(1, 0, 2).astype(np.int16)
    path = tmp_path / "volume.nii.gz"
    path.write_bytes(image_files.nifti(values, affine=AFFINE, packed=True))
    return path


def run(monkeypatch: pytest.MonkeyPatch, *arguments: object) -> int:
    monkeypatch.setattr(sys, "argv", ["enhancers", "run", *map(str, arguments)])
    return main()


def error_of(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], *arguments: object
) -> str:
    assert run(monkeypatch, *arguments) == 2
    return capsys.readouterr().err.splitlines()[-1]


@pytest.mark.parametrize("ending", [".nii.gz", ".nii", ".nrrd", ".mha"])
def test_all_slices_of_a_volume(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, volume: Path, ending: str
) -> None:
    out, record = tmp_path / f"out{ending}", tmp_path / "out.json"
    assert not run(
        monkeypatch, volume, "--method", "tv", "--all-slices", "--out", out, "--json", record
    )
    window = load(volume).window.ends
    read = SimpleITK.ReadImage(str(out))
    source = SimpleITK.ReadImage(str(volume))
    for index in range(4):
        image = load(volume, slice_index=index, window=window)
        expected = in_source_units(image, enhance(image, "tv").pixels)
        again = load(out, slice_index=index, window=window)
        assert np.array_equal(again.source, expected)
        place = source.TransformIndexToPhysicalPoint((3, 5, index))
        assert read.TransformIndexToPhysicalPoint(
            read.TransformPhysicalPointToIndex(place)
        ) == pytest.approx(place, abs=1e-4)
    facts = [one["input"] for one in json.loads(record.read_text())["slices"]]
    assert [one["slice_index"] for one in facts] == [0, 1, 2, 3]
    assert {tuple(one["window"]) for one in facts} == {window}
    assert facts[2]["geometry"]["voxel_axes"] == [1, -2, 3]


def test_all_slices_of_a_series_as_a_series(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    folder = dicom_series.stack(tmp_path / "series", [0, 2, 4, 6])
    out = tmp_path / "results"
    assert not run(monkeypatch, folder, "--method", "tv", "--all-slices", "--out", out)
    found, source = (find_series(one).pick(None) for one in (out, folder))
    assert found.description.startswith(source.description)
    assert [one.position for one in found.slices] == [0, 2, 4, 6]
    headers = [pydicom.dcmread(path) for path in sorted(out.iterdir())]
    assert len({one.SeriesInstanceUID for one in headers}) == 1
    assert len({one.StudyInstanceUID for one in headers}) == 1
    assert len({one.SOPInstanceUID for one in headers}) == 4
    assert {one.FrameOfReferenceUID for one in headers} == {"1.2.3.9"}
    for text in image_files.PATIENT[:4]:
        assert all(text.encode() not in path.read_bytes() for path in out.iterdir())
    window = load_slice(source).window.ends
    for index in range(4):
        image = load_slice(source, index, window=window)
        expected = in_source_units(image, enhance(image, "tv").pixels)
        # Its window begins below the samples of the source, of all 16 bits: theirs are coarser.
        assert np.abs(load_slice(found, index).source - expected).max() <= 0.51


def test_all_frames_of_an_object_as_one_object(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    path, out = tmp_path / "frames.dcm", tmp_path / "out.dcm"
    path.write_bytes(dicom_series.enhanced([{"z": 3.0 * index} for index in range(4)]))
    assert not run(
        monkeypatch, path, "--method", "tv", "--all-slices", "--out", out, "--keep-patient"
    )
    assert pydicom.dcmread(out).PatientName == image_files.PATIENT[0]
    window = load(path).window.ends
    for index in range(4):
        image = load(path, slice_index=index, window=window)
        again = load(out, slice_index=index)
        expected = in_source_units(image, enhance(image, "tv").pixels)
        assert np.abs(again.source - expected).max() <= 0.5
        assert again.geometry == image.geometry


def test_one_slice_of_a_series_as_dicom(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    folder, out = dicom_series.stack(tmp_path / "series", [0, 2, 4]), tmp_path / "out.dcm"
    assert not run(monkeypatch, folder, "--method", "clahe", "--slice", 1, "--out", out)
    found = pydicom.dcmread(out)
    assert found.ImagePositionPatient == [0, 0, 2]
    assert found.SourceImageSequence[0].ReferencedSOPInstanceUID == "1.2.3.1.2"
    assert "CLAHE" in found.DerivationDescription.upper()
    # Tone mapping makes other values of Hounsfield units.
    assert load(out).units == "gray level"


def test_what_cannot_be_written_is_refused_before_the_run(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path,
    volume: Path,
) -> None:  # fmt: skip
    monkeypatch.setattr("enhancers.compare.compare", None)
    given = volume, "--method", "tv", "--out"
    for arguments, words in (
        ([tmp_path / "x.dcm"], "needs the header of a DICOM source, and this is a NIfTI file"),
        ([tmp_path / "x.dcm", "--all-slices"], "needs the header of a DICOM source"),
        ([tmp_path / "x.png", "--all-slices"], "holds one slice"),
        ([tmp_path / "x.nii", "--all-slices", "--slice", 3], "--slice is for one slice"),
        ([tmp_path / "x.nii", "--keep-patient"], "--keep-patient is for DICOM"),
        ([tmp_path / "x.bmp"], "has no known ending"),
    ):
        assert words in error_of(monkeypatch, capsys, *given, *arguments)
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "file").touch()
    folder = dicom_series.stack(tmp_path / "series", [0, 2])
    into = folder, "--method", "tv", "--all-slices", "--out", tmp_path / "full"
    assert "is there already" in error_of(monkeypatch, capsys, *into)


def test_the_input_is_never_replaced_and_a_folder_never_written_to(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path,
    volume: Path,
) -> None:  # fmt: skip
    monkeypatch.setattr("enhancers.compare.compare", None)
    folder = dicom_series.stack(tmp_path / "series", [0, 2])
    one = min(folder.iterdir()).rename(folder / "one.dcm")
    (tmp_path / "folder.nii").mkdir()
    before = volume.read_bytes(), one.read_bytes()
    for arguments, words in (
        ([volume, "--out", volume], "is the input"),
        ([volume, "--all-slices", "--out", volume], "is the input"),
        ([volume, "--out", tmp_path / "x.nii", "--json", volume], "is the input"),
        ([one, "--out", one], "is the input"),
        ([folder, "--slice", 0, "--out", one], "is the input"),
        ([volume, "--out", tmp_path / "none" / "x.nii"], "there is no folder"),
        ([volume, "--out", volume / "x.nii"], "there is no folder"),
        ([folder, "--all-slices", "--out", one / "out"], "there is no folder"),
        ([volume, "--out", tmp_path / "folder.nii"], "is a folder"),
    ):
        assert words in error_of(monkeypatch, capsys, "--method", "tv", *arguments)
    assert before == (volume.read_bytes(), one.read_bytes())


@pytest.mark.parametrize("option", ["--out", "--mask"])
def test_degrade_never_replaces_its_input(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, volume: Path, option: str
) -> None:
    picture = tmp_path / "picture.png"
    picture.write_bytes(image_files.png(image_files.chest(64, 80).astype(np.uint16)))
    before = picture.read_bytes()
    given = ["--out", tmp_path / "x.png"] if option == "--mask" else []
    arguments = [picture, "--kind", "missing", *given, option, picture]
    monkeypatch.setattr(sys, "argv", ["enhancers", "degrade", *map(str, arguments)])
    assert main() == 2
    assert picture.read_bytes() == before


def test_other_planes_are_refused_as_dicom(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    folder = dicom_series.stack(tmp_path / "series", [0, 2])
    arguments = folder, "--method", "tv", "--all-slices", "--plane", "coronal", "--out"
    for name in ("out", "out.dcm"):
        found = error_of(monkeypatch, capsys, *arguments, tmp_path / name)
        assert "coronal slices are of no DICOM object" in found


def test_a_degraded_image_says_so_as_dicom(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    folder, out = dicom_series.stack(tmp_path / "series", [0, 2]), tmp_path / "out.dcm"
    arguments = folder, "--method", "tv", "--slice", 0, "--degrade", "gaussian:0.1", "--out", out
    assert not run(monkeypatch, *arguments)
    found = pydicom.dcmread(out)
    assert "degraded by simulation: gaussian" in found.DerivationDescription
    assert found.SeriesDescription.startswith("Reading Room: degraded, ")


def test_a_run_that_fails_leaves_nothing(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    folder = dicom_series.stack(tmp_path / "series", [0, 2, 4, 6])
    last = max(folder.iterdir())
    for path in folder.iterdir():
        if pydicom.dcmread(path).ImagePositionPatient[2] == 6:
            last = path
    dataset = pydicom.dcmread(last)
    dataset.PixelData = dataset.PixelData[:100]
    buffer = io.BytesIO()
    dataset.save_as(buffer)
    last.write_bytes(buffer.getvalue())
    for name in ("out", "out.nii.gz", "out.tif"):
        arguments = folder, "--method", "tv", "--all-slices", "--out", tmp_path / name
        assert "Slice 4 of 4: The DICOM file is truncated" in error_of(
            monkeypatch, capsys, *arguments
        )
    assert [path.name for path in tmp_path.iterdir()] == ["series"]


def test_a_note_says_of_which_slices_it_is(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    values = np.random.default_rng(0).integers(0, 900, (24, 20, 4)).astype(np.int16)
    values[..., (0, 2)] = 0
    (tmp_path / "volume.nii").write_bytes(image_files.nifti(values, affine=AFFINE))
    arguments = "--method", "tv", "--all-slices", "--out", tmp_path / "out.nii"
    assert not run(monkeypatch, tmp_path / "volume.nii", *arguments)
    assert "Note: Slices 1, 3: The image is constant" in capsys.readouterr().out


def test_all_frames_of_a_clip_cropped_to_their_region(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    source = clip(tmp_path / "clip.dcm")
    asked = (source, "--method", "tv", "--all-slices", "--crop-to-region")
    assert not run(monkeypatch, *asked, "--out", tmp_path / "out.nrrd")
    assert SimpleITK.ReadImage(str(tmp_path / "out.nrrd")).GetSize() == (42, 30, 3)
    error = error_of(monkeypatch, capsys, *asked, "--out", tmp_path / "out.dcm")
    assert "as it is stored" in error


def test_metrics_of_what_is_in_the_region(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    source, truth = clip(tmp_path / "clip.dcm"), tmp_path / "truth.png"
    pixels = np.rint(255 * load(source, slice_index=1).pixels).astype(np.uint8)
    # The truth differs outside the region only, and does not state it.
    pixels[:5] = 0
    truth.write_bytes(image_files.png(pixels))
    values = []
    for more in ((), ("--crop-to-region",)):
        given = ("enhancers", "metrics", source, "--slice", 1, "--reference", truth, "--json")
        monkeypatch.setattr(sys, "argv", [*map(str, given), *more])
        assert main() == 0
        values.append(json.loads(capsys.readouterr().out)["metrics"]["ssim"]["value"])
    assert values[0] < 0.99
    assert values[1] == 1.0


def test_a_folder_of_results_is_written_where_nobody_else_can_guess(tmp_path: Path) -> None:
    planted = tmp_path / ".results.part"
    planted.mkdir()
    (planted / "kept").write_text("of somebody else")
    seen = []
    with targets._folder(tmp_path / "results") as write:
        write("IM1", b"one")
        (private,) = [one for one in tmp_path.iterdir() if one != planted]
        seen.append(private.stat().st_mode & 0o777)
    assert seen == [0o700]
    assert private.name.startswith(".")
    assert (tmp_path / "results" / "IM1").read_bytes() == b"one"
    assert sorted(one.name for one in tmp_path.iterdir()) == [".results.part", "results"]
    assert (planted / "kept").exists()
