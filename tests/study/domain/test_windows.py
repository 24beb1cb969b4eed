"""The display windows of a protocol: which a case has, and what cannot be declared."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest

from enhancers.display import U16_MAX, window_levels
from enhancers.image import Window
from enhancers.method import Modality
from enhancers.windows import PRESETS, presets_for
from study.domain import windows
from study.domain.errors import ProtocolError
from study.domain.protocol import Protocol
from study.domain.protocol_json import from_json
from study.domain.windows import DisplayWindow, described, fits, presets_of

VESSEL = DisplayWindow("Vessel", 150, 600)


def case(low: float = -1024.0, high: float = 3071.0, units: str = "HU") -> dict[str, Any]:
    """What a build stores with a case."""
    whole = Window(low, high)
    pixels = np.linspace(0, 1, 64, dtype=np.float32).reshape(8, 8)
    found = presets_for(Modality.CT, whole, units, pixels)
    presets = [
        {"label": one.label, "levels": list(window_levels(one.low, one.high, whole))}
        for one in found
    ]
    return {"window": [low, high], "units": units, "presets": presets}


def test_windows_by_name_have_the_numbers_of_the_compare_page() -> None:
    known = {one.key: one for presets in PRESETS.values() for one in presets}
    assert {
        name: (one.label, one.level - one.width / 2, one.level + one.width / 2)
        for name, one in windows.NAMED.items()
    } == {name: (one.label, one.low, one.high) for name, one in known.items()}
    assert windows._FINEST == U16_MAX


@pytest.mark.parametrize("ends", [(-1024.0, 3071.0), (3071.0, -1024.0)])
def test_windows_by_name_are_those_of_the_modality(ends: tuple[float, float]) -> None:
    one = case(*ends)
    assert presets_of(one, ()) == one["presets"]
    by_label = {preset["label"]: preset for preset in one["presets"]}
    names = ("lung", "bone", "soft-tissue", "full", "auto")
    labels = ("Lung", "Bone", "Soft tissue", "Full range", "Auto (1-99 %)")
    assert presets_of(one, names) == [by_label[label] for label in labels]


def test_a_window_of_the_study_has_its_level_and_width_in_units_of_the_source() -> None:
    one = case(0.0, 1000.0)
    (found,) = presets_of(one, (VESSEL,))
    middle = sum(found["levels"]) / 2 / 65535 * 1000
    assert found["label"] == "Vessel"
    assert middle == pytest.approx(150, abs=0.02)
    assert (found["levels"][1] - found["levels"][0]) / 65535 * 1000 == pytest.approx(600, abs=0.02)


def test_where_no_window_fits_the_full_range_is_shown() -> None:
    for one in (case(units="a.u."), case(2000.0, 3000.0)):
        assert [preset["label"] for preset in presets_of(one, ("lung", VESSEL))] == ["Full range"]
        assert not fits(one, ("lung",))
    assert [preset["label"] for preset in presets_of(case(-100.0, 400.0), ("lung", VESSEL))] == [
        "Vessel"
    ]
    assert fits(case(), ("lung", "full", VESSEL))
    assert fits(case(units=""), ())


def test_windows_are_kept_with_the_protocol_and_told_in_words() -> None:
    protocol = Protocol(windows=("lung", VESSEL, "full"))
    assert from_json(protocol.to_json()) == protocol
    assert "windows" not in Protocol().to_json()
    assert described(protocol.windows) == (
        "Lung (level -600, width 1500 HU), Vessel (level 150, width 600 HU), Full range"
    )


@pytest.mark.parametrize(
    ("listed", "why"),
    [
        (["kidney"], "choose from full, auto, soft-tissue, lung"),
        ([7], "window 7 must be an object"),
        ([{"label": "A"}], "lacks"),
        ([{"label": "A", "level": 1, "width": 0}], "width above 0"),
        ([{"label": "A", "level": 1, "width": 9, "units": ""}], "units such as HU"),
        ([{"label": " ", "level": 1, "width": 9}], "needs a label"),
        ([{"label": "A", "level": True, "width": 9}], "needs a label"),
        ([{"label": "A", "level": float("nan"), "width": 9}], "needs a label"),
        (["lung", {"label": "Lung", "level": 1, "width": 9}], "the same label"),
        (["lung"] * 13, "at most 12"),
    ],
)
def test_windows_that_are_not_possible_are_refused(listed: list[Any], why: str) -> None:
    with pytest.raises(ProtocolError, match=why):
        from_json(json.dumps({"windows": listed}))
