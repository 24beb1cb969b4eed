"""What files of this program say about their values."""

from __future__ import annotations

import importlib

import pytest

from enhancers.image import Window
from enhancers.method import Modality
from enhancers.stated_facts import UNITS, StatedFacts, known_text, read_facts


@pytest.mark.parametrize("units", [*sorted(UNITS), "gray level, not HU"])
@pytest.mark.parametrize("window", [Window(-160.0, 240.0), Window(1.25e-5, -1234567.0)])
def test_every_unit_is_read_as_it_was_written(units: str, window: Window) -> None:
    facts = StatedFacts(units, Modality.MICROSCOPY, window, (0.5, 0.123456789))
    # A header is read as one byte a character.
    for text in (facts.text, facts.text.encode().decode("latin-1"), f"{facts.text}. More."):
        assert read_facts(text) == facts
        assert known_text(text) == facts.text
    assert len(facts.short_text.encode()) < 80
    short = read_facts(facts.short_text)
    assert short is not None
    assert (short.units, short.modality) == (units, Modality.MICROSCOPY)
    assert short.window.inverted == window.inverted


def test_units_that_are_too_long_for_nifti_become_gray_levels() -> None:
    facts = StatedFacts("gray level, not 10⁻⁶ mm²/s", Modality.MICROSCOPY, Window(-0.125, 1e-5))
    assert read_facts(facts.text) == facts
    short = read_facts(facts.short_text)
    assert short is not None
    assert short.units == "gray level"


def test_every_unit_of_a_dicom_file_is_known() -> None:
    quantity = importlib.import_module("enhancers.load.dicom.quantity")
    tables = (quantity._UCUM, quantity._PET, quantity._SUV_TYPES, quantity._RESCALE_TYPES)
    assert {unit for table in tables for unit in table.values()} <= UNITS


def test_no_text_of_a_file_is_taken() -> None:
    named = read_facts("units: Zyxwvut Qwertina; modality: CT; window: 0 to 1")
    assert named is not None
    assert named.units == "gray level"
    for text in (
        "", "units: HU", "units: HU; modality: ZYXWVUT; window: 0 to 1",
        "units: HU; modality: CT; window: 1 to 1", "units: HU; modality: CT; window: .. to 1",
        "units: HU; modality: CT; window: 1e999 to 1",
    ):  # fmt: skip
        assert read_facts(text) is None
        assert known_text(text) == ""
