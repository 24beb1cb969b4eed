"""Series: what is one volume, in which order, and what is said of its geometry."""

from __future__ import annotations

import dataclasses
import math
from pathlib import Path

import pytest
from pydicom.uid import DeflatedExplicitVRLittleEndian

from enhancers.errors import ImageReadError, ParameterError
from enhancers.load import Caps
from enhancers.series import Series, SeriesFound, find_series, load_slice
from tests.support import bombs, dicom_series, image_files


def order(series: Series) -> list[int]:
    """The numbers of the slices, which are their first pixels, in the sorted order."""
    return [int(load_slice(series, index).source[0, 0]) for index in range(len(series.slices))]


def only(found: SeriesFound) -> Series:
    assert len(found.series) == 1
    return found.series[0]


def test_slices_are_sorted_by_position_not_by_name_or_number(tmp_path: Path) -> None:
    series = only(find_series(dicom_series.stack(tmp_path, [10, 0, 4, 2, 8, 6])))
    assert order(series) == [2, 4, 3, 6, 5, 1]
    assert [one.position for one in series.slices] == [0, 2, 4, 6, 8, 10]
    assert series.notes == ()
    assert (series.modality, series.plane, series.slice_spacing) == ("CT", "axial", 2.0)
    assert (series.pixel_spacing, series.thickness) == ((0.7, 0.7), 2.0)
    assert (series.rows, series.columns) == (20, 24)


def test_the_normal_decides_not_an_axis(tmp_path: Path) -> None:
    # Sagittal slices, and oblique ones whose z falls where the position along the normal rises.
    sagittal = [0, 1, 0, 0, 0, -1]
    half = math.sqrt(0.5)
    oblique = [1, 0, 0, 0, half, half]
    normal = (0, -half, half)
    files = [
        dicom_series.slice_file((x, 5, 5), n, ImageOrientationPatient=sagittal)
        for n, x in ((1, 3), (2, 9), (3, 6))
    ]
    files += [
        dicom_series.slice_file(
            (0, depth * normal[1] - 9 * step, depth * normal[2] - 9 * step), n,
            ImageOrientationPatient=oblique, SeriesInstanceUID="1.2.3.2", SeriesNumber=4,
        )
        for n, depth, step in ((4, 3, 1), (5, 0, 0), (6, 6, 2))
    ]  # fmt: skip
    found = find_series(dicom_series.write(tmp_path, files))
    assert [one.plane for one in found.series] == ["sagittal", "oblique"]
    # The normal of a sagittal slice points to the right of the patient: x falls.
    assert order(found.series[0]) == [2, 3, 1]
    assert order(found.series[1]) == [5, 4, 6]


def test_missing_slices_are_counted_and_placed(tmp_path: Path) -> None:
    series = only(find_series(dicom_series.stack(tmp_path, [0, 5, 10, 25, 30, 40, 45])))
    assert series.notes == (
        "3 slices are missing: 2 between slices 3 and 4 (10 and 25 mm); "
        "1 between slices 5 and 6 (30 and 40 mm).",
    )
    one = only(find_series(dicom_series.stack(tmp_path / "one", [0, 5, 10, 20])))
    assert one.notes == ("1 slice is missing: between slices 3 and 4 (10 and 20 mm).",)


def test_rounded_positions_are_no_gaps(tmp_path: Path) -> None:
    depths = [round(0.625 * k, 2) for k in range(40)]
    assert only(find_series(dicom_series.stack(tmp_path, depths))).notes == ()


def test_an_uneven_distance_is_said(tmp_path: Path) -> None:
    series = only(find_series(dicom_series.stack(tmp_path, [0, 2, 4, 7, 10])))
    assert series.notes == ("The distance of the slices varies from 2 to 3 mm.",)


def test_two_slices_at_one_position_stay_and_are_said(tmp_path: Path) -> None:
    series = only(find_series(dicom_series.stack(tmp_path, [0, 2, 4, 4, 6], AcquisitionNumber=1)))
    assert order(series) == [1, 2, 3, 4, 5]
    assert series.notes == ("Several slices have one position: slices 3 to 4 are at 4 mm.",)
    assert series.slice_spacing == 2.0


def test_a_tilted_gantry_is_said_with_its_angle(tmp_path: Path) -> None:
    angle = math.radians(15)
    tilted = [1, 0, 0, 0, math.cos(angle), -math.sin(angle)]
    series = only(
        find_series(dicom_series.stack(tmp_path, [5, 0, 15, 10], ImageOrientationPatient=tilted))
    )
    assert order(series) == [2, 1, 4, 3]
    assert series.slice_spacing == pytest.approx(5 * math.cos(angle))
    (note,) = series.notes
    assert "tilted by 15 degrees" in note
    assert f"{5 * math.sin(angle):.3g} mm in its plane" in note


def test_slices_beside_one_another_are_said(tmp_path: Path) -> None:
    places = [(0, 0, 0), (0, 0, 2), (30, 0, 4), (0, 0, 6)]
    files = [dicom_series.slice_file(place, n) for n, place in enumerate(places, 1)]
    (note,) = only(find_series(dicom_series.write(tmp_path, files))).notes
    assert "do not lie on a line" in note


def test_mixed_thickness_is_said(tmp_path: Path) -> None:
    files = [
        dicom_series.slice_file((0, 0, 2 * n), n, SliceThickness=3 if n > 2 else 2)
        for n in range(1, 5)
    ]
    (note,) = only(find_series(dicom_series.write(tmp_path, files))).notes
    assert note == "The thickness of the slices varies from 2 to 3 mm."


def test_other_sizes_and_orientations_are_other_volumes(tmp_path: Path) -> None:
    coronal = [1, 0, 0, 0, 0, -1]
    files = [dicom_series.slice_file((0, 0, n), n) for n in (1, 2, 3)]
    files.append(dicom_series.slice_file((0, 5, 0), 4, ImageOrientationPatient=coronal))
    found = find_series(dicom_series.write(tmp_path, files))
    assert [(one.key, one.plane, len(one.slices)) for one in found.series] == [
        ("1.1", "axial", 3),
        ("1.2", "coronal", 1),
    ]
    assert all("different orientations" in one.notes[0] for one in found.series)


@pytest.mark.parametrize(
    ("elements", "words"),
    [
        ({"PixelSpacing": [0.9, 0.9]}, "different pixel spacings;"),
        ({"FrameOfReferenceUID": "1.2.3.8"}, "different frames of reference;"),
        (
            {"PixelSpacing": [0.9, 0.9], "ImageOrientationPatient": [0, 1, 0, 0, 0, -1]},
            "different orientations and pixel spacings;",
        ),
    ],
)
def test_mixed_geometry_is_said(tmp_path: Path, elements: dict[str, object], words: str) -> None:
    files = [
        dicom_series.slice_file((0, 0, n), n, **(elements if n > 2 else {})) for n in (1, 2, 3)
    ]
    found = find_series(dicom_series.write(tmp_path, files))
    assert [len(one.slices) for one in found.series] == [2, 1]
    assert all(words in one.notes[0] for one in found.series)


@pytest.mark.parametrize(
    ("differing", "words"),
    [
        (
            [
                {"ImageType": ["ORIGINAL", "PRIMARY", "M"]},
                {"ImageType": ["ORIGINAL", "PRIMARY", "P"]},
            ],
            ["magnitude", "phase"],
        ),
        (
            [{"ImageType": ["ORIGINAL", "PRIMARY"]}, {"ImageType": ["DERIVED", "PRIMARY", "ADC"]}],
            ["", "derived, ADC map"],
        ),
        (
            [{"EchoNumbers": 1, "EchoTime": 4.6}, {"EchoNumbers": 2, "EchoTime": 9.2}],
            ["echo 1, TE 4.6 ms", "echo 2, TE 9.2 ms"],
        ),
        ([{"DiffusionBValue": 0.0}, {"DiffusionBValue": 800.0}], ["b 0 s/mm²", "b 800 s/mm²"]),
        (
            [{"TemporalPositionIdentifier": 1}, {"TemporalPositionIdentifier": 2}],
            ["time 1 of 2", "time 2 of 2"],
        ),
        ([{"AcquisitionNumber": 1}, {"AcquisitionNumber": 2}], ["time 1 of 2", "time 2 of 2"]),
        (
            [{"InversionTime": 50}, {"InversionTime": 900}],
            ["inversion time 1 of 2", "inversion time 2 of 2"],
        ),
    ],
)  # fmt: skip
def test_contrasts_and_times_are_told_apart(
    tmp_path: Path, differing: list[dict[str, object]], words: list[str]
) -> None:
    """Numbers alternate, as scanners that take both at one position give them."""
    files = [
        dicom_series.slice_file((0, 0, 3 * place), 2 * place + kind + 1, **elements)
        for place in range(3)
        for kind, elements in enumerate(differing)
    ]
    found = find_series(dicom_series.write(tmp_path, files))
    assert [", ".join(one.parts) for one in found.series] == words
    assert [order(one) for one in found.series] == [[1, 3, 5], [2, 4, 6]]
    assert all(one.notes == () for one in found.series)


def test_b_values_of_vendors(tmp_path: Path) -> None:
    files = []
    for number, value in enumerate((50, 1_000_000_800), 1):
        dataset = image_files.dicom_dataset(
            dicom_series.pixels(number), {"Modality": "MR", "SOPInstanceUID": f"1.2.3.{number}"}
        )
        block = dataset.private_block(0x0043, "GEMS_PARM_01", create=True)
        block.add_new(0x39, "IS", [value, 8, 0, 0])
        files.append(image_files.to_bytes(dataset))
    found = find_series(dicom_series.write(tmp_path, files))
    assert [one.parts for one in found.series] == [("b 50 s/mm²",), ("b 800 s/mm²",)]


def test_times_by_the_clock_where_nothing_numbers_them(tmp_path: Path) -> None:
    # Slices of one time follow one another, each with a time of its own.
    files = [
        dicom_series.slice_file(
            (0, 0, 2 * place), 10 * time + place + 1, AcquisitionTime=f"10{time:02}{place:02}.5",
            AcquisitionDate="20200101",
        )
        for time in (1, 0)
        for place in (2, 0, 1)
    ]  # fmt: skip
    found = find_series(dicom_series.write(tmp_path, files))
    assert [one.parts for one in found.series] == [("time 1 of 2",), ("time 2 of 2",)]
    assert [order(one) for one in found.series] == [[1, 2, 3], [11, 12, 13]]


def test_a_time_that_lacks_slices_says_so(tmp_path: Path) -> None:
    files = [
        dicom_series.slice_file(
            (0, 0, 2 * place), 10 * time + place, TemporalPositionIdentifier=time
        )
        for time in (1, 2, 3)
        for place in range(4)
        if (time, place) != (2, 3)
    ]
    found = find_series(dicom_series.write(tmp_path, files))
    assert [len(one.slices) for one in found.series] == [4, 3, 4]
    assert found.series[1].notes == (
        "1 of 4 slices are missing: other volumes of the series have them.",
    )


def test_frames_of_an_enhanced_object_by_their_functional_groups(tmp_path: Path) -> None:
    path = tmp_path / "enhanced.dcm"
    path.write_bytes(dicom_series.enhanced([{"z": z} for z in (30, 10, 40, 20)]))
    series = only(find_series(path))
    assert [one.frame for one in series.slices] == [1, 3, 0, 2]
    assert order(series) == [1, 3, 0, 2]
    assert (series.pixel_spacing, series.slice_spacing, series.thickness) == ((1.5, 0.75), 10, 4)


@pytest.mark.parametrize(
    ("name", "values", "words"),
    [
        ("stack", (1, 2), ["stack 1", "stack 2"]),
        ("stack", (19530412, 2), ["", "stack 2"]),
        ("time", (1, 2), ["time 1 of 2", "time 2 of 2"]),
        ("echo", (4.6, 9.2), ["TE 4.6 ms", "TE 9.2 ms"]),
        ("b", (0.0, 1000.0), ["b 0 s/mm²", "b 1000 s/mm²"]),
        ("component", ("MAGNITUDE", "PHASE"), ["magnitude", "phase"]),
    ],
)
def test_an_enhanced_object_of_several_volumes(
    tmp_path: Path, name: str, values: tuple[object, object], words: list[str]
) -> None:
    frames = [{"z": z, name: value} for z in (6, 0, 3) for value in values]
    (tmp_path / "x").write_bytes(dicom_series.enhanced(frames))
    found = find_series(tmp_path)
    assert [", ".join(one.parts) for one in found.series] == words
    assert [[each.frame for each in one.slices] for one in found.series] == [[2, 4, 0], [3, 5, 1]]


def test_a_cine_keeps_the_order_of_its_frames(tmp_path: Path) -> None:
    frames = image_files.ramp(20, 24).astype("u2")[None].repeat(5, axis=0)
    (tmp_path / "cine").write_bytes(
        image_files.dicom(frames, Modality="US", ImagePositionPatient=[0, 0, 0],
                          ImageOrientationPatient=list(dicom_series.AXIAL))
    )  # fmt: skip
    series = only(find_series(tmp_path))
    assert [one.frame for one in series.slices] == [0, 1, 2, 3, 4]
    assert series.notes == ()


def test_images_without_a_position_by_their_numbers(tmp_path: Path) -> None:
    files = [dicom_series.slice_file(None, n, SOPInstanceUID="1.2") for n in (3, 1, 2)]
    series = only(find_series(dicom_series.write(tmp_path, files)))
    assert order(series) == [1, 2, 3]
    assert "state no position" in series.notes[0]


def test_what_is_no_image_is_counted(tmp_path: Path) -> None:
    bad = image_files.bad_files()
    folder = dicom_series.stack(tmp_path, [0, 2])
    (folder / "copy").write_bytes((folder / "IM999").read_bytes())
    for name in ("text", "report", "dicomdir", "truncated_header"):
        (folder / bad[name].name).write_bytes(bad[name].data)
    (folder / "frames").write_bytes(
        image_files.dicom(dicom_series.pixels(), NumberOfFrames=2_000_000)
    )
    (folder / ".hidden").write_bytes(b"x")
    found = find_series(folder)
    assert len(only(found).slices) == 2
    assert found.ignored == {
        "files that are no DICOM": 1,
        "DICOM files without an image": 3,
        "copies of images": 1,
        "damaged files": 1,
    }
    assert "damaged files (1)" in found.left_out


def test_other_images_with_one_identifier_are_no_copies(tmp_path: Path) -> None:
    files = [dicom_series.slice_file((0, 0, n), n, SOPInstanceUID="1.2") for n in (1, 2, 3)]
    found = find_series(dicom_series.write(tmp_path, files))
    assert order(only(found)) == [1, 2, 3]
    assert found.ignored == {}


def test_deflated_files_are_inflated_to_their_header_only(tmp_path: Path) -> None:
    levels = dicom_series.pixels()
    (tmp_path / "good").write_bytes(image_files.dicom(levels, DeflatedExplicitVRLittleEndian))
    (tmp_path / "bomb").write_bytes(bombs.deflated_dicom(2**31, before=True))
    found = find_series(tmp_path)
    assert [one.file.name for one in only(found).slices] == ["good"]
    assert sum(found.ignored.values()) == 1


def test_files_above_the_limit_are_counted(tmp_path: Path) -> None:
    found = find_series(dicom_series.stack(tmp_path, [0, 2]), Caps(max_bytes=500))
    assert found.ignored == {"files above the limit of size": 2}


def test_headers_are_read_and_no_pixels(tmp_path: Path) -> None:
    folder = dicom_series.stack(tmp_path, [0, 2, 4])
    for path in folder.iterdir():
        # Without its last byte the file cannot be decoded.
        path.write_bytes(path.read_bytes()[:-1])
    series = only(find_series(folder))
    with pytest.raises(ImageReadError, match="truncated"):
        load_slice(series, 0)


def test_nothing_about_the_patient_is_kept(tmp_path: Path) -> None:
    folder = dicom_series.stack(
        tmp_path, [0, 2],
        SeriesInstanceUID=f"1.2.826.{image_files.PATIENT[4]}.2",
        ImageType=["ORIGINAL", image_files.PATIENT[0].upper()],
        StackID=image_files.PATIENT[1],
    )  # fmt: skip
    series = only(find_series(folder))
    kept = repr(dataclasses.replace(series, slices=())) + series.description
    kept += repr([(one.file.name, one.position) for one in series.slices])
    for secret in image_files.PATIENT:
        assert secret not in kept
        assert secret.upper() not in kept


def test_a_series_is_picked_by_its_key(tmp_path: Path) -> None:
    dicom_series.stack(tmp_path / "a", [0, 2])
    dicom_series.stack(tmp_path / "b", [0], SeriesInstanceUID="1.2.3.2", SeriesNumber=1,
                       SOPInstanceUID="1.2.3.2.1")  # fmt: skip
    found = find_series(tmp_path)
    assert [len(one.slices) for one in found.series] == [1, 2]
    assert found.pick("2") is found.series[1]
    with pytest.raises(ParameterError, match=r"2 series; choose one .* 1 \(CT, 24 x 20, 1 slice"):
        found.pick(None)
    with pytest.raises(ParameterError, match="no series 7"):
        found.pick("7")
    with pytest.raises(ParameterError, match="slices 0 to 1"):
        load_slice(found.series[1], 2)
    image = load_slice(found.series[1])
    assert (image.slice_index, image.slice_count) == (1, 2)


def test_no_image_and_no_path_are_errors(tmp_path: Path) -> None:
    with pytest.raises(ImageReadError, match="no DICOM image"):
        find_series(tmp_path).pick(None)
    with pytest.raises(ImageReadError, match="no such file"):
        find_series(tmp_path / "nothing")
    picture = tmp_path / "x.png"
    picture.write_bytes(image_files.png(image_files.ramp().astype("u2")))
    with pytest.raises(ImageReadError, match="PNG"):
        find_series(picture)


def test_a_list_of_files(tmp_path: Path) -> None:
    folder = dicom_series.stack(tmp_path, [4, 0, 2])
    assert order(only(find_series(sorted(folder.iterdir())))) == [2, 3, 1]
