"""Derived DICOM: read again by pydicom and SimpleITK, with nothing about the patient."""

from __future__ import annotations

import io
import shutil
import subprocess
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
import pytest
import SimpleITK
from pydicom.uid import CTImageStorage, JPEG2000Lossless, JPEGBaseline8Bit

from enhancers.errors import ReadingRoomError
from enhancers.image import MedicalImage, Window
from enhancers.load import load
from enhancers.save import in_source_units
from enhancers.save.dicom import DerivedFacts, derived_dicom, derived_head
from tests.support import dicom_series, image_files

PLACED = {
    "ImagePositionPatient": [-12.5, 30.25, 7.125],
    "ImageOrientationPatient": [0.8, 0.6, 0, 0, 0, -1],
    "PixelSpacing": [0.5, 0.7],
    "FrameOfReferenceUID": "1.2.840.77.5",
    "ImageType": ["ORIGINAL", "PRIMARY", "AXIAL"],
    "SliceThickness": 2.5,
}


def facts_of(image: MedicalImage, **changes: Any) -> DerivedFacts:
    frames = (image.slice_index,) if image.slice_count > 1 else None
    known = DerivedFacts(
        image.window, "non-local means. Not for diagnosis.", "nlm",
        colour=image.is_colour, lowest=float(image.source.min()), frames=frames,
        geometry=image.geometry,
    )  # fmt: skip
    return replace(known, **changes)


def derived(data: bytes, pixels: Any = None, **changes: Any) -> bytes:
    image = load(data)
    values = in_source_units(image, image.pixels if pixels is None else pixels)
    return derived_dicom(data, values, facts_of(image, **changes))


def same_as(data: bytes, result: bytes, tolerance: float = 0.0) -> pydicom.Dataset:
    """The result, after a check that it is opened as what the source is."""
    image, again = load(data), load(result)
    assert np.abs(again.source - image.source).max() <= tolerance
    assert (again.window, again.units, again.modality) == (
        image.window, image.units, image.modality,
    )  # fmt: skip
    assert (again.spacing, again.geometry) == (image.spacing, image.geometry)
    return pydicom.dcmread(io.BytesIO(result))


CT = {"Modality": "CT", "RescaleType": "HU", "WindowCenter": 40, "WindowWidth": 400, **PLACED}


@pytest.mark.parametrize(
    ("pixels", "elements"),
    [
        (np.int16, {**CT, "RescaleSlope": 1, "RescaleIntercept": 0, "PixelPaddingValue": -2000}),
        (np.uint16, {**CT, "RescaleSlope": 1, "RescaleIntercept": -1024, "BitsStored": 12,
                     "HighBit": 11}),
        (np.uint16, {**CT, "PhotometricInterpretation": "MONOCHROME1", "RescaleSlope": 1,
                     "RescaleIntercept": -1024}),
        (np.uint16, {"Modality": "MR", "WindowCenter": 900, "WindowWidth": 1800, **PLACED}),
        (np.int16, {"Modality": "PT", "Units": "BQML", "RescaleSlope": "0.312457",
                    "RescaleIntercept": 0, "WindowCenter": 400, "WindowWidth": 800, **PLACED}),
        (np.uint8, {"Modality": "US"}),
        (np.uint16, {"Modality": "CR", "PhotometricInterpretation": "MONOCHROME1",
                     "ImagerPixelSpacing": [0.2, 0.2], "WindowCenter": 900, "WindowWidth": 1500}),
        (np.uint16, {"Modality": "MR", "RescaleSlope": "0.0005", "RescaleIntercept": 0,
                     "WindowCenter": 0.5, "WindowWidth": 0.8}),
    ],
    ids=["signed", "unsigned", "inverted CT", "MR", "PET", "8 bit", "CR", "small slope"],
)  # fmt: skip
def test_a_result_is_opened_as_what_its_source_is(
    pixels: type[np.integer], elements: dict[str, Any]
) -> None:
    top = 255 if pixels is np.uint8 else 2900
    data = image_files.dicom(image_files.ramp(top=top).astype(pixels), **elements)
    slope = float(elements.get("RescaleSlope", 1))
    found = same_as(data, derived(data), slope / 1000)
    source = pydicom.dcmread(io.BytesIO(data))
    assert found.SOPClassUID == source.SOPClassUID
    assert found.PhotometricInterpretation == source.PhotometricInterpretation
    for name in ("ImagePositionPatient", "ImageOrientationPatient", "FrameOfReferenceUID"):
        assert found.get(name) == source.get(name)
    assert found.get("PixelPaddingValue") == source.get("PixelPaddingValue")


def test_simpleitk_reads_the_values_and_the_place(tmp_path: Path) -> None:
    data = image_files.dicom(
        image_files.chest().astype(np.int16), **CT, RescaleSlope=1, RescaleIntercept=-4
    )
    path = tmp_path / "result.dcm"
    path.write_bytes(derived(data))
    read = SimpleITK.ReadImage(str(path))
    assert np.array_equal(SimpleITK.GetArrayFromImage(read)[0], load(data).source)
    assert read.GetOrigin() == pytest.approx((-12.5, 30.25, 7.125), abs=1e-9)
    assert read.GetSpacing()[:2] == (0.7, 0.5)
    assert np.reshape(read.GetDirection(), (3, 3))[:, 0] == pytest.approx((0.8, 0.6, 0))


def test_the_change_of_a_method_is_kept_to_half_a_sample() -> None:
    data = image_files.dicom(
        image_files.chest().astype(np.int16), **CT, RescaleSlope=1, RescaleIntercept=0
    )
    image = load(data)
    pixels = np.clip(image.pixels * 0.9 + 0.03, 0, 1).astype(np.float32)
    again = load(derived(data, pixels))
    assert np.abs(again.source - in_source_units(image, pixels)).max() <= 0.5


def test_other_samples_are_chosen_where_the_window_is_wider_than_those_of_the_source() -> None:
    pixels = np.linspace(0, 65535, 40 * 56).reshape(40, 56).astype(np.uint16)
    data = image_files.dicom(pixels, Modality="MR", WindowCenter=40000, WindowWidth=90000)
    image = load(data)
    again = load(derived(data, np.sqrt(image.pixels)))
    assert image.window.high > 65535
    expected = in_source_units(image, np.sqrt(image.pixels))
    assert np.abs(again.source - expected).max() <= 1.0
    assert again.window.ends == pytest.approx(image.window.ends)


def test_colours_are_rgb() -> None:
    data = image_files.dicom(
        image_files.colour_ramp().astype(np.uint8), JPEGBaseline8Bit, SamplesPerPixel=3,
        PhotometricInterpretation="YBR_FULL_422",
    )  # fmt: skip
    found = same_as(data, derived(data))
    assert (found.PhotometricInterpretation, found.PlanarConfiguration) == ("RGB", 0)
    assert found.file_meta.TransferSyntaxUID.name == "Explicit VR Little Endian"


def test_an_enlarged_result_covers_the_same_part_of_the_patient() -> None:
    data = image_files.dicom(
        image_files.ramp(top=900).astype(np.int16), **CT, RescaleSlope=1, RescaleIntercept=0
    )
    image = load(data)
    pixels = np.kron(image.pixels, np.ones((2, 2), np.float32))
    result = derived(data, pixels, scale=2)
    again = load(result)
    assert image.geometry is not None
    assert again.geometry is not None
    assert again.spacing == (0.25, 0.35)
    for row, column in ((0, 0), (39, 55)):
        place = 2 * row + 0.5, 2 * column + 0.5
        assert again.geometry.point(*place) == pytest.approx(image.geometry.point(row, column))
    assert pydicom.dcmread(io.BytesIO(result)).DerivationCodeSequence[0].CodeValue == "113085"


def test_mapped_values_are_not_hounsfield_units() -> None:
    data = image_files.dicom(
        image_files.chest().astype(np.int16), **CT, RescaleSlope=1, RescaleIntercept=0
    )
    image = load(data)
    facts = facts_of(image, in_source_units=False, window=Window(0.0, 1.0))
    again = load(derived_dicom(data, 1 - image.pixels, facts))
    assert again.units == "gray level"
    assert again.window == Window(0.0, 1.0)
    assert np.abs(again.source - (1 - image.pixels)).max() <= 0.5 / 65535 + 1e-6


def test_it_says_what_it_was_derived_from() -> None:
    data = image_files.dicom(image_files.ramp().astype(np.uint16), SeriesNumber=3, **PLACED)
    source = pydicom.dcmread(io.BytesIO(data))
    facts = facts_of(load(data))
    one, two = (pydicom.dcmread(io.BytesIO(derived_dicom(data, load(data).source, facts)))
                for _ in range(2))  # fmt: skip
    assert list(one.ImageType) == ["DERIVED", "SECONDARY", "AXIAL"]
    (reference,) = one.SourceImageSequence
    assert reference.ReferencedSOPInstanceUID == source.SOPInstanceUID
    assert reference.PurposeOfReferenceCodeSequence[0].CodeValue == "121322"
    assert one.DerivationDescription == "non-local means. Not for diagnosis."
    assert one.DerivationCodeSequence
    assert one.SeriesDescription == "nlm"
    # New objects of one new series in one new study.
    assert one.SOPInstanceUID != two.SOPInstanceUID
    assert one.SeriesInstanceUID == two.SeriesInstanceUID != source.SeriesInstanceUID
    assert one.StudyInstanceUID == two.StudyInstanceUID != source.StudyInstanceUID
    assert one.SOPInstanceUID.startswith("2.25.")


def planted() -> bytes:
    """A file that has the patient in every text element that may be kept, and in private ones."""
    dataset = image_files.dicom_dataset(
        image_files.ramp().astype(np.uint16), {"Modality": "MR", "SOPInstanceUID": "1.2.3"}
    )
    name = image_files.PATIENT[0].upper().replace("^", "_")[:16]
    for element in ("ImageType", "PatientPosition", "Laterality", "ScanningSequence", "Units"):
        setattr(
            dataset, element, [name] if element != "ImageType" else ["ORIGINAL", "PRIMARY", name]
        )
    dataset.StackID = dataset.ProtocolName = dataset.SeriesDescription = image_files.PATIENT[0]
    dataset.FrameOfReferenceUID = "1.2.840.5"
    dataset.add_new(0x00090010, "LO", image_files.PATIENT[0])
    region = pydicom.Dataset()
    region.RegionFlags, region.RegionDataType = 0, 1
    region.add_new(0x00081090, "LO", image_files.PATIENT[0])
    dataset.SequenceOfUltrasoundRegions = [region]
    return image_files.to_bytes(dataset)


@pytest.mark.parametrize(
    ("kind", "elements", "empty", "absent"),
    [
        ("1.2.840.10008.5.1.4.1.1.2", CT, ("PatientPosition", "AcquisitionNumber", "KVP"),
         ("PatientOrientation",)),
        ("1.2.840.10008.5.1.4.1.1.4", {"Modality": "MR", "EchoTime": 10, **PLACED},
         ("ScanOptions", "MRAcquisitionType", "EchoTrainLength"), ()),
        ("1.2.840.10008.5.1.4.1.1.6.1", {"Modality": "US", "PixelAspectRatio": [2, 1]},
         ("PatientOrientation", "Laterality"), ("PositionReferenceIndicator",)),
    ],
)  # fmt: skip
def test_what_a_class_requires_is_stated(
    kind: str, elements: dict[str, Any], empty: tuple[str, ...], absent: tuple[str, ...]
) -> None:
    """As dciodvfy asks for it: elements of type 2 are there, those of absent modules are not."""
    data = image_files.dicom(image_files.ramp(), SOPClassUID=kind, **elements)
    found = pydicom.dcmread(io.BytesIO(derived(data)))
    assert not any(found[name].value for name in empty)
    assert not any(name in found for name in absent)
    assert found.get("PixelAspectRatio") == elements.get("PixelAspectRatio")
    assert found.get("EchoTime") == elements.get("EchoTime")


def test_words_of_vendors_stay_in_the_image_type() -> None:
    words = ["ORIGINAL", "PRIMARY", "DIXON", "W", "CSA MPR", "DOE2", "J.D."]
    data = image_files.dicom(image_files.ramp(), **{**CT, "ImageType": words}, PatientName="Doe^J")
    found = pydicom.dcmread(io.BytesIO(derived(data)))
    assert list(found.ImageType) == ["DERIVED", "SECONDARY", "DIXON", "CSA MPR"]


def test_nothing_about_the_patient_is_left() -> None:
    data = planted()
    result = derived(data)
    name = image_files.PATIENT[0].upper().replace("^", "_")[:16]
    for text in (*image_files.PATIENT, name):
        assert text.encode() not in result
    found = pydicom.dcmread(io.BytesIO(result))
    assert found.PatientIdentityRemoved == "YES"
    codes = [item.CodeValue for item in found.DeidentificationMethodCodeSequence]
    assert codes == ["113100", "113110"]
    assert (found.PatientName, found.PatientID, found.StudyDate) == ("", "", "")
    assert found.SequenceOfUltrasoundRegions[0].RegionDataType == 1


def test_the_patient_is_kept_where_the_user_asks_for_it() -> None:
    data = image_files.dicom(image_files.ramp().astype(np.uint16), Modality="MR")
    source = pydicom.dcmread(io.BytesIO(data))
    found = pydicom.dcmread(io.BytesIO(derived(data, keep_patient=True)))
    for name in ("PatientName", "PatientID", "PatientBirthDate", "StudyInstanceUID", "StudyDate",
                 "StudyDescription", "AccessionNumber"):  # fmt: skip
        assert found[name].value == source[name].value
    assert "PatientIdentityRemoved" not in found
    assert "InstitutionName" not in found
    assert found.SeriesInstanceUID != source.SeriesInstanceUID


def enhanced() -> bytes:
    slopes = [1.0, 2.0, 4.0]
    frames = [{"z": 3.0 * index} for index in range(3)]
    dataset = pydicom.dcmread(io.BytesIO(dicom_series.enhanced(frames)))
    dataset.ImageType = ["ORIGINAL", "PRIMARY", "VOLUME", "NONE"]
    for group, slope in zip(dataset.PerFrameFunctionalGroupsSequence, slopes, strict=True):
        item = pydicom.Dataset()
        item.RescaleSlope, item.RescaleIntercept, item.RescaleType = slope, 0, "US"
        group.PixelValueTransformationSequence = [item]
    return image_files.to_bytes(dataset)


@pytest.mark.parametrize("frames", [(0, 1, 2), (1,), (2, 0)])
def test_frames_of_an_enhanced_object_keep_their_place_and_scale(frames: tuple[int, ...]) -> None:
    data = enhanced()
    images = [load(data, slice_index=frame) for frame in frames]
    head = derived_head(data, facts_of(images[0], frames=frames), images[0].shape)
    parts = [head.encode(image.source, place) for place, image in enumerate(images)]
    result = head.data + b"".join(parts) + head.padding
    for place, image in enumerate(images):
        again = load(result, slice_index=place)
        assert np.array_equal(again.source, image.source)
        assert image.geometry is not None
        assert again.geometry is not None
        assert again.geometry.origin == image.geometry.origin
        assert again.spacing == image.spacing
        assert again.window.ends == pytest.approx(images[0].window.ends)
    found = pydicom.dcmread(io.BytesIO(result))
    assert found.NumberOfFrames == len(frames) == len(found.PerFrameFunctionalGroupsSequence)
    numbers = found.SourceImageSequence[0].ReferencedFrameNumber
    assert np.ravel(numbers).tolist() == [frame + 1 for frame in frames]


def coded(value: str, scheme: str, meaning: str, **nested: list[pydicom.Dataset]) -> Any:
    item = pydicom.Dataset()
    item.CodeValue, item.CodingSchemeDesignator, item.CodeMeaning = value, scheme, meaning
    item.CodingSchemeVersion = meaning
    for name, items in nested.items():
        setattr(item, name, items)
    return item


def anatomy(region: pydicom.Dataset, laterality: str = "U") -> list[pydicom.Dataset]:
    item = pydicom.Dataset()
    item.FrameLaterality, item.AnatomicRegionSequence = laterality, [region]
    return [item]


@pytest.mark.parametrize("frames", [(0, 1, 2), (1,)])
def test_the_anatomy_of_an_enhanced_object_is_kept_in_known_codes(frames: tuple[int, ...]) -> None:
    left = coded("7771000", "SCT", "Doe^Jane")
    dataset = pydicom.dcmread(io.BytesIO(enhanced()))
    groups = dataset.PerFrameFunctionalGroupsSequence
    knee = coded("T-D9200", "SRT", "Knee of Jane", AnatomicRegionModifierSequence=[left])
    groups[0].FrameAnatomySequence = anatomy(coded("Doe", "SCT", "Doe^Jane"), "Doe")
    groups[1].FrameAnatomySequence = anatomy(knee, "L")
    shared = pydicom.Dataset()
    shared.FrameAnatomySequence = anatomy(coded("12738006", "SCT", "Doe^Jane born 1970"))
    dataset.SharedFunctionalGroupsSequence = [shared]
    dataset.AnatomicRegionSequence = [coded("T-32000", "SNM3", "Doe^Jane")]
    data = image_files.to_bytes(dataset)
    image = load(data)
    made = derived_head(data, facts_of(image, frames=frames), image.shape).data
    assert not any(word in made for word in (b"Jane", b"Doe", b"born"))
    found = pydicom.dcmread(io.BytesIO(made), stop_before_pixels=True)
    assert all(
        "FrameAnatomySequence" not in group or frame == 1
        for frame, group in zip(frames, found.PerFrameFunctionalGroupsSequence, strict=True)
    )
    item = found.SharedFunctionalGroupsSequence[0].FrameAnatomySequence[0]
    assert item.FrameLaterality == "U"
    assert _code(item.AnatomicRegionSequence) == ("12738006", "SCT", "Brain")
    assert _code(found.AnatomicRegionSequence) == ("80891009", "SCT", "Heart")
    own = found.PerFrameFunctionalGroupsSequence[frames.index(1)].FrameAnatomySequence[0]
    assert own.FrameLaterality == "L"
    assert _code(own.AnatomicRegionSequence) == ("72696002", "SCT", "Knee")
    modifier = own.AnatomicRegionSequence[0].AnatomicRegionModifierSequence
    assert _code(modifier)[:2] == ("7771000", "SCT")


def _code(items: Any) -> tuple[str, str, str]:
    (item,) = items
    assert "CodingSchemeVersion" not in item
    return item.CodeValue, item.CodingSchemeDesignator, item.CodeMeaning


@pytest.mark.parametrize(
    ("stated", "kept"),
    [
        (["ORIGINAL", "PRIMARY", "M", "NONE"], ["DERIVED", "PRIMARY", "M", "NONE"]),
        (["DERIVED", "PRIMARY", "VOLUME", "MEAN", "X"], ["DERIVED", "PRIMARY", "VOLUME", "MEAN"]),
        (["ORIGINAL", "PRIMARY"], ["DERIVED", "PRIMARY", "VOLUME", "NONE"]),
    ],
)
def test_types_of_an_enhanced_object_have_four_words(stated: list[str], kept: list[str]) -> None:
    """PS3.3, C.8.16.1: four words in image and frame type, the second of which is PRIMARY."""
    dataset = pydicom.dcmread(io.BytesIO(enhanced()))
    dataset.ImageType = stated
    frame = pydicom.Dataset()
    frame.FrameType = stated
    dataset.SharedFunctionalGroupsSequence[0].MRImageFrameTypeSequence = [frame]
    data = image_files.to_bytes(dataset)
    image = load(data, slice_index=0)
    head = derived_head(data, facts_of(image, frames=(0,)), image.shape)
    found = pydicom.dcmread(io.BytesIO(head.data), stop_before_pixels=True)
    (item,) = found.SharedFunctionalGroupsSequence[0].MRImageFrameTypeSequence
    assert list(found.ImageType) == list(item.FrameType) == kept


@pytest.mark.parametrize(
    ("name", "stated", "frames", "kept"),
    [
        ("FrameTime", 33.3, (2,), 33.3), ("FrameTime", 33.3, (1, 2), 33.3),
        ("FrameTime", 33.3, (0, 2), None),
        ("FrameTimeVector", [0, 10, 20, 30], (1, 2, 3), [0, 20, 30]),
        ("FrameTimeVector", [0, 10, 20, 30], (3,), 0),
        ("FrameTimeVector", [0, 10, 20, 30], (1, 3), None),
        ("FrameTimeVector", [0, 10], (1,), None),
        ("FrameTimeVector", 10, (1,), None),
    ],
)  # fmt: skip
def test_frames_of_a_plain_object_keep_their_times(
    name: str, stated: Any, frames: tuple[int, ...], kept: Any
) -> None:
    """The multi-frame module asks for a frame increment pointer, of a single frame as well."""
    values = np.stack([image_files.ramp(top=900) + 50 * n for n in range(4)]).astype(np.uint8)
    pointer = {"FrameIncrementPointer": pydicom.tag.Tag(name)}
    data = image_files.dicom(values, Modality="US", **{name: stated}, **pointer)
    images = [load(data, slice_index=frame) for frame in frames]
    head = derived_head(data, facts_of(images[0], frames=frames), images[0].shape)
    parts = [head.encode(image.source, place) for place, image in enumerate(images)]
    found = pydicom.dcmread(io.BytesIO(head.data + b"".join(parts) + head.padding))
    assert found.NumberOfFrames == len(frames)
    assert found.get(name) == kept
    assert ("FrameIncrementPointer" in found) is (kept is not None)
    assert np.array_equal(found.pixel_array, np.squeeze(values[list(frames)]))


def test_compressed_and_deflated_sources(tmp_path: Path) -> None:
    pixels = image_files.ramp(top=900).astype(np.uint16)
    data = image_files.dicom(pixels, JPEG2000Lossless, Modality="MR", **PLACED)
    assert np.array_equal(same_as(data, derived(data)).pixel_array, pixels)


def test_a_segmentation_is_refused() -> None:
    data = image_files.dicom(image_files.ramp().astype(np.uint16), Modality="MR")
    dataset = pydicom.dcmread(io.BytesIO(data))
    dataset.BitsAllocated = dataset.BitsStored = 1
    with pytest.raises(ReadingRoomError, match="samples of one bit"):
        derived_dicom(image_files.to_bytes(dataset), load(data).source, facts_of(load(data)))


def test_other_tools_find_a_complete_object(tmp_path: Path) -> None:
    """What CT Image Storage requires (types 1 and 2); dcmtk and dicom3tools, where they are."""
    data = image_files.dicom(
        image_files.ramp(top=900).astype(np.int16), **CT, RescaleSlope=1, RescaleIntercept=0
    )
    path = tmp_path / "result.dcm"
    path.write_bytes(derived(data))
    found = pydicom.dcmread(path)
    assert found.SOPClassUID == CTImageStorage
    for name in (
        "PatientName", "PatientID", "PatientBirthDate", "PatientSex", "StudyInstanceUID",
        "StudyDate", "StudyTime", "ReferringPhysicianName", "StudyID", "AccessionNumber",
        "Modality", "SeriesInstanceUID", "SeriesNumber", "FrameOfReferenceUID",
        "PositionReferenceIndicator", "Manufacturer", "InstanceNumber", "PixelSpacing",
        "ImageOrientationPatient", "ImagePositionPatient", "SliceThickness", "SamplesPerPixel",
        "PhotometricInterpretation", "Rows", "Columns", "BitsAllocated", "BitsStored", "HighBit",
        "PixelRepresentation", "PixelData", "ImageType", "RescaleIntercept", "RescaleSlope",
        "SOPInstanceUID",
    ):  # fmt: skip
        assert name in found, name
    for element in found.iterall():
        if element.VR == "DS" and element.value is not None:
            texts = np.atleast_1d(np.asarray(element.value, dtype=str))
            assert max(map(len, texts)) <= 16
        if element.VR == "LO":
            assert len(str(element.value)) <= 64
    if tool := shutil.which("dcmdump"):
        done = subprocess.run([tool, "-q", path], capture_output=True, text=True, check=True)
        assert done.stderr == ""
    if tool := shutil.which("dciodvfy"):
        told = subprocess.run([tool, path], capture_output=True, text=True, check=False)
        said = told.stdout + told.stderr
        assert "CTImage" in said
        assert "Error" not in said
