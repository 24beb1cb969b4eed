"""Units of DICOM values: SUV, activity, dose and real-world values, by independent formulas."""

import math
from typing import Any

import numpy as np
import pytest
from pydicom.dataset import Dataset

from enhancers.decoding import OpenedFile
from enhancers.load import Caps, load
from enhancers.method import Modality
from enhancers.save import to_tiff_source
from enhancers.save.dicom import DerivedFacts, derived_dicom
from tests.support import image_files

RAW = image_files.ramp().astype(np.uint16)
SLOPE = 3.25
F18 = 6586.2
DOSE, WEIGHT = 3.7e8, 72.5


def item(**elements: Any) -> Dataset:
    found = Dataset()
    for name, value in elements.items():
        setattr(found, name, value)
    return found


def tracer(**elements: Any) -> list[Dataset]:
    known = {"RadionuclideTotalDose": str(DOSE), "RadionuclideHalfLife": str(F18),
             "RadiopharmaceuticalStartTime": "093000.00"}  # fmt: skip
    return [item(**{name: one for name, one in {**known, **elements}.items() if one is not None})]


def pet(**elements: Any) -> bytes:
    known = {
        "Modality": "PT", "Units": "BQML", "DecayCorrection": "START",
        "CorrectedImage": ["NORM", "ATTN", "SCAT", "DECY"], "PatientWeight": str(WEIGHT),
        "RadiopharmaceuticalInformationSequence": tracer(),
        "SeriesDate": "20260102", "SeriesTime": "103000", "AcquisitionDate": "20260102",
        "AcquisitionTime": "103200", "FrameReferenceTime": "0", "ActualFrameDuration": "180000",
        "RescaleSlope": str(SLOPE), "RescaleIntercept": "0", **elements,
    }  # fmt: skip
    return image_files.dicom(RAW, **{name: v for name, v in known.items() if v is not None})


def suv(minutes: float, dose: float = DOSE) -> np.ndarray:
    """SUV of the image: activity times weight in g, over what is left of the dose."""
    left = dose * math.exp(-math.log(2.0) * 60.0 * minutes / F18)
    return RAW * SLOPE * (WEIGHT * 1000.0) / left


def check(data: bytes, expected: np.ndarray, units: str) -> Any:
    image = load(data)
    np.testing.assert_allclose(image.source, expected, rtol=2e-6)
    assert image.units == units
    assert f"units: {units}".encode() in to_tiff_source(image, image.pixels, image.units)
    return image


def test_suv_of_a_scan_corrected_to_its_start() -> None:
    image = check(pet(), suv(60), "SUV")
    assert (image.window.low, image.window.high, image.windows[0].name) == (0, 10, "SUV 0 to 10")
    assert any("SUV by body weight" in note and "0.6846" in note for note in image.warnings)


def test_suv_of_a_scan_corrected_to_the_injection() -> None:
    check(pet(DecayCorrection="ADMIN", SeriesTime=None), suv(0), "SUV")


def test_a_dose_before_midnight() -> None:
    given = tracer(RadiopharmaceuticalStartTime="233000")
    times = {"SeriesTime": "003000", "AcquisitionTime": "003000"}
    check(pet(RadiopharmaceuticalInformationSequence=given, **times), suv(60), "SUV")
    full = tracer(RadiopharmaceuticalStartDateTime="20260101233000.000000",
                  RadiopharmaceuticalStartTime=None)  # fmt: skip
    check(pet(RadiopharmaceuticalInformationSequence=full, **times), suv(60), "SUV")


def test_a_series_that_was_made_later_counts_from_its_frames() -> None:
    """The start follows from the acquisition and the mean count rate, as QIBA's pseudo-code."""
    rate = math.log(2.0) / F18
    during = rate * 180.0
    middle = math.log(during / (1.0 - math.exp(-during))) / rate
    # The frame of this bed began five minutes after the scan; its time is that of its mean rate.
    data = pet(
        SeriesTime="150000", AcquisitionTime="103500",
        FrameReferenceTime=str(1000.0 * (300.0 + middle)),
    )  # fmt: skip
    check(data, suv(60), "SUV")


def test_ge_states_the_start_in_a_private_element() -> None:
    dataset = image_files.dicom_dataset(RAW)
    for name, value in (
        ("Modality", "PT"), ("Units", "BQML"), ("DecayCorrection", "START"),
        ("PatientWeight", str(WEIGHT)), ("RescaleSlope", str(SLOPE)), ("RescaleIntercept", "0"),
        ("RadiopharmaceuticalInformationSequence", tracer()), ("SeriesDate", "20260102"),
        ("SeriesTime", "150000"), ("AcquisitionDate", "20260102"), ("AcquisitionTime", "104500"),
    ):  # fmt: skip
        setattr(dataset, name, value)
    block = dataset.private_block(0x0009, "GEMS_PETD_01", create=True)
    block.add_new(0x0D, "DT", "20260102103000.00")
    check(image_files.to_bytes(dataset), suv(60), "SUV")


def philips(**factors: str) -> bytes:
    dataset = image_files.dicom_dataset(RAW)
    for name, value in (
        ("Modality", "PT"), ("Units", "CNTS"), ("DecayCorrection", "START"),
        ("PatientWeight", str(WEIGHT)), ("RescaleSlope", str(SLOPE)), ("RescaleIntercept", "0"),
        ("RadiopharmaceuticalInformationSequence", tracer()), ("SeriesDate", "20260102"),
        ("SeriesTime", "103000"),
    ):  # fmt: skip
        setattr(dataset, name, value)
    block = dataset.private_block(0x7053, "Philips PET Private Group", create=True)
    for place, value in factors.items():
        block.add_new(int(place[1:], 16), "DS", value)
    return image_files.to_bytes(dataset)


def test_philips_counts() -> None:
    check(philips(_00="0.000551", _09="1.5"), RAW * SLOPE * 0.000551, "SUV")
    check(philips(_00="0", _09="1.5"), 1.5 * suv(60), "SUV")
    image = check(philips(), RAW * SLOPE, "counts")
    assert any("no factor of the scanner" in note for note in image.warnings)


LEFT = {
    "weight": ({"PatientWeight": None}, "no weight"),
    "weight 0": ({"PatientWeight": "0"}, "no weight"),
    "dose": ({"RadiopharmaceuticalInformationSequence": tracer(RadionuclideTotalDose=None)},
             "no dose in Bq"),
    "dose in MBq": ({"RadiopharmaceuticalInformationSequence": tracer(RadionuclideTotalDose="370")},
                    "no dose in Bq"),
    "tracer": ({"RadiopharmaceuticalInformationSequence": None}, "one radiopharmaceutical"),
    "two tracers": ({"RadiopharmaceuticalInformationSequence": tracer() * 2},
                    "one radiopharmaceutical"),
    "half-life": ({"RadiopharmaceuticalInformationSequence": tracer(RadionuclideHalfLife=None)},
                  "no half-life"),
    "start": ({"RadiopharmaceuticalInformationSequence": tracer(RadiopharmaceuticalStartTime=None)},
              "no time at which the dose"),
    "times": ({"SeriesTime": None, "AcquisitionTime": None}, "no time of the scan"),
    "later dose": ({"RadiopharmaceuticalInformationSequence": tracer(
        RadiopharmaceuticalStartDateTime="20260103093000")}, "after the scan"),
    "decay": ({"DecayCorrection": "NONE"}, "to when the decay"),
    "not corrected": ({"CorrectedImage": ["NORM", "ATTN"]}, "to when the decay"),
    "attenuation": ({"CorrectedImage": ["NORM", "DECY"]}, "attenuation"),
}  # fmt: skip


@pytest.mark.parametrize("name", LEFT)
def test_without_all_facts_the_activity_stays(name: str) -> None:
    elements, says = LEFT[name]
    image = check(pet(**elements), RAW * SLOPE, "Bq/ml")
    assert any("not SUV" in note and says in note for note in image.warnings)
    assert image.window.low == 0.0


def test_values_that_are_suv_already() -> None:
    check(pet(Units="GML"), RAW * SLOPE, "SUV")
    check(pet(Units="GML", SUVType="LBM"), RAW * SLOPE, "SUV (lean body mass)")
    check(pet(Units="UMOLML"), RAW * SLOPE, "µmol/ml")


def test_the_windows_of_a_pet_file_follow_its_values() -> None:
    image = load(pet(WindowCenter="5000", WindowWidth="10000"))
    factor = suv(60)[20, 20] / (RAW[20, 20] * SLOPE)
    assert image.windows[1].window.high == pytest.approx(9999.0 * factor)


def test_nothing_of_the_patient_stays_of_a_pet_file(tmp_path) -> None:
    path = tmp_path / "upload"
    path.write_bytes(pet())
    for image in (load(path), OpenedFile.local(path, Caps()).image()):
        seen = repr(image.tags) + repr(image.warnings)
        assert not any(word in seen for word in (str(WEIGHT), "2026", "0930", "1030"))
        assert image.units == "SUV"


def test_dose_in_gray() -> None:
    frames = np.stack([RAW.astype(np.uint32) * (k + 1) for k in range(3)])
    data = image_files.dicom(
        frames, Modality="RTDOSE", DoseUnits="GY", DoseType="PHYSICAL", DoseGridScaling="1.5e-4",
    )  # fmt: skip
    image = check(data, frames[1] * 1.5e-4, "Gy")
    assert image.window.low == 0.0
    assert {load(data, slice_index=k).window for k in range(3)} == {image.window}
    relative = image_files.dicom(
        RAW, Modality="RTDOSE", DoseUnits="RELATIVE", DoseGridScaling="0.5"
    )
    check(relative, RAW * 0.5, "relative dose")
    image = check(image_files.dicom(RAW, Modality="RTDOSE", DoseUnits="GY"), RAW, "relative dose")
    assert any("no Dose Grid Scaling" in note for note in image.warnings)


def world(unit: str, **elements: Any) -> list[Dataset]:
    code = [item(CodeValue=unit, CodingSchemeDesignator="UCUM", CodeMeaning="Zyxwvut Smith")]
    known = {"RealWorldValueFirstValueMapped": 0, "RealWorldValueLastValueMapped": 4095,
             "MeasurementUnitsCodeSequence": code, "LUTLabel": "Smith"}  # fmt: skip
    found = [item(**{**known, **elements})]
    for one in found:
        one["RealWorldValueFirstValueMapped"].VR = "US"
        one["RealWorldValueLastValueMapped"].VR = "US"
    return found


def test_real_world_values_by_slope_and_intercept() -> None:
    line = world("mm2/s", RealWorldValueSlope=1e-6, RealWorldValueIntercept=2e-5)
    data = image_files.dicom(
        RAW, Modality="MR", RescaleSlope="2", RescaleIntercept="-7", WindowCenter="1000.5",
        WindowWidth="1001", RealWorldValueMappingSequence=line,
        ImageType=["DERIVED", "PRIMARY", "ADC"],
    )  # fmt: skip
    image = check(data, RAW * 1e-6 + 2e-5, "mm²/s")
    # A window speaks of the rescaled values: 500 to 1500 is stored 253.5 to 753.5.
    assert image.window.low == pytest.approx(253.5e-6 + 2e-5)
    assert image.window.high == pytest.approx(753.5e-6 + 2e-5)
    assert "Smith" not in repr(image.warnings) + repr(image.tags)


def test_real_world_values_by_a_table() -> None:
    table = np.sqrt(np.arange(4096.0))
    lut = world("ms", RealWorldValueLUTData=list(table))
    data = image_files.dicom(RAW, Modality="MR", RealWorldValueMappingSequence=lut)
    check(data, table[RAW], "ms")


def test_real_world_values_of_one_frame() -> None:
    frames = np.stack([RAW, RAW])
    groups = [
        item(RealWorldValueMappingSequence=world(
            "s", RealWorldValueSlope=slope, RealWorldValueIntercept=0.0))
        for slope in (0.5, 0.25)
    ]  # fmt: skip
    data = image_files.dicom(frames, Modality="MR", PerFrameFunctionalGroupsSequence=groups)
    assert np.array_equal(load(data, slice_index=0).source, RAW * 0.5)
    assert np.array_equal(load(data, slice_index=1).source, RAW * 0.25)


@pytest.mark.parametrize("unit", ["1", "{no_units}", "Smith"])
def test_units_that_say_nothing_change_nothing(unit: str) -> None:
    line = world(unit, RealWorldValueSlope=5.0, RealWorldValueIntercept=0.0)
    image = check(
        image_files.dicom(RAW, Modality="MR", RealWorldValueMappingSequence=line), RAW, "a.u."
    )
    assert any("unit that is not known" in note for note in image.warnings) == (unit == "Smith")
    assert "Smith" not in repr(image.warnings)


def test_hounsfield_units_are_those_of_the_rescale() -> None:
    line = world("[hnsf'U]", RealWorldValueSlope=1.0, RealWorldValueIntercept=-1000.0)
    data = image_files.dicom(
        RAW, Modality="CT", RescaleSlope="1", RescaleIntercept="-1024",
        RealWorldValueMappingSequence=line,
    )  # fmt: skip
    image = check(data, RAW - 1024.0, "HU")
    assert image.modality is Modality.CT


def test_a_diffusion_map_without_units_is_not_guessed() -> None:
    image = check(
        image_files.dicom(RAW, Modality="MR", ImageType=["DERIVED", "PRIMARY", "ADC"]), RAW, "a.u."
    )
    assert any("states no units" in note for note in image.warnings)
    plain = load(image_files.dicom(RAW, Modality="MR", ImageType=["ORIGINAL", "PRIMARY", "M"]))
    assert not any("units" in note for note in plain.warnings)


def test_the_private_scale_of_philips_is_a_note() -> None:
    dataset = image_files.dicom_dataset(
        RAW, {"Modality": "MR", "RescaleSlope": "2.5", "RescaleIntercept": "0"}
    )
    block = dataset.private_block(0x2005, "Philips MR Imaging DD 001", create=True)
    block.add_new(0x0E, "FL", 0.004)
    image = check(image_files.to_bytes(dataset), RAW * 2.5, "a.u.")
    assert any("divided by 0.01 can be compared" in note for note in image.warnings)


@pytest.mark.parametrize("units", ["SUV", "Gy"])
def test_a_derived_object_holds_what_its_header_speaks_of(units: str) -> None:
    """Whoever reads a result finds an activity beside BQML, and doses by the scaling."""
    source = (
        pet() if units == "SUV" else image_files.dicom(
            RAW, Modality="RTDOSE", DoseUnits="GY", DoseGridScaling="1.5e-4")
    )  # fmt: skip
    image = load(source)
    facts = DerivedFacts(image.window, "for a test")
    result = load(derived_dicom(source, image.source, facts))
    expected, stays = (RAW * SLOPE, "Bq/ml") if units == "SUV" else (RAW * 1.5e-4, "Gy")
    assert image.units == units
    assert result.units == stays
    np.testing.assert_allclose(result.source, expected, rtol=1e-4, atol=1e-4 * expected.max())
