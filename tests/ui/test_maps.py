"""The tab Maps and the similarity map: which panels, in which colours, with which words."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import tifffile

from enhancers.compare import Outcome, Request, compare
from enhancers.compare.seeds import SeedsResult
from enhancers.errors import ParameterError
from enhancers.image import MedicalImage, Window
from enhancers.method import Modality
from enhancers.provenance import PriorFacts
from enhancers.registry import get, resolve
from enhancers.ui import layout, tab_handlers
from enhancers.ui.download_routes import bundle_bytes
from enhancers.ui.panels import all_panels
from enhancers.ui.requests import requested_seeds
from enhancers.ui.run import MethodRun, Run
from enhancers.ui.session import Session

WINDOW = Window(-160.0, 240.0)
SOURCE = np.linspace(-160, 240, 32 * 24, dtype=np.float32).reshape(32, 24)
CT = MedicalImage(WINDOW.to_unit(SOURCE), WINDOW, SOURCE, "HU", Modality.CT)
SPREAD = np.random.default_rng(0).uniform(0, 0.01, CT.shape).astype(np.float32)


def outcome_of_seeds() -> Outcome:
    """DDNM as if it had run with four seeds of a network that has no calibration."""
    *_, event = compare(CT, [Request("tv")])
    assert event.outcome is not None
    classical = event.outcome
    pixels = np.clip(CT.pixels + 0.02, 0, 1)
    params = resolve("null_space", CT.modality)
    record = replace(
        classical.record, method="null_space", seeds=4, prior=PriorFacts("pixel", "0" * 64)
    )
    result = SeedsResult(pixels, deviation=SPREAD, seeds=4)
    return Outcome("null_space", params, result, record, 1.0)


@pytest.fixture(scope="module")
def finished() -> Outcome:
    return outcome_of_seeds()


@pytest.fixture
def session(handlers: SimpleNamespace, finished: Outcome) -> Session:
    session: Session = handlers.sessions.get("tab")
    session.open(CT, "x", Path("x"))  # type: ignore[arg-type]
    method = MethodRun(Request("null_space", seeds=4), get("null_space").label)
    session.start(Run(CT, [replace(method, state="done", outcome=finished)], 0))
    return session


def shown(handlers: SimpleNamespace, tab: str) -> dict[object, object]:
    tabs = tab_handlers.TabHandlers(handlers.updates, handlers.sessions)
    found: Iterator[dict[object, object]] = tabs.refresh(tab, handlers.request)
    return list(found)[-1]


def test_the_grid_shows_where_seeds_differ_next_to_their_mean(session: Session) -> None:
    panels = all_panels(session)
    assert [panel.label for panel in panels[1:]] == [
        "DDNM (null-space diffusion)", "DDNM: where seeds differ",
    ]  # fmt: skip
    scale = panels[2].scale
    assert scale is not None
    assert (scale.colours, scale.least, scale.most) == ("rising", "0", "4 HU")
    assert "not the error" in scale.words


def test_the_tab_maps_shows_parts_and_spread_and_says_that_it_is_not_calibrated(
    session: Session, handlers: SimpleNamespace
) -> None:
    updates = shown(handlers, layout.MAPS)
    value = updates[handlers.layout.maps]
    assert isinstance(value, dict)
    labels = [panel["label"] for panel in value["panels"]]
    assert labels == ["Input", "DDNM (null-space diffusion)", "Where seeds differ", "Measured",
                      "Changed in what was measured"]  # fmt: skip
    changed = value["panels"][-1]
    # 0.02 of a window of 400 HU.
    assert changed["scale"]["least"] == "\u22128"
    assert changed["scale"]["most"] == "+8 HU"
    assert changed["window"] == [-8.0, 8.0]
    assert "Not calibrated for this network" in str(updates[handlers.layout.maps_note])


def test_without_a_result_the_tab_says_how_to_get_maps(handlers: SimpleNamespace) -> None:
    handlers.sessions.get("tab").open(CT, "x", Path("x"))
    updates = shown(handlers, layout.MAPS)
    assert "seeds to compare" in str(updates[handlers.layout.maps_note])
    assert updates[handlers.layout.maps] is None


def test_the_difference_tab_shows_similarity_too(
    session: Session, handlers: SimpleNamespace
) -> None:
    tabs = tab_handlers.TabHandlers(handlers.updates, handlers.sessions)
    session.pair = ("input", "null_space")
    tabs.kind(layout.SIMILARITY, handlers.request)
    updates = shown(handlers, layout.DIFFERENCE)
    value = updates[handlers.layout.difference]
    assert isinstance(value, dict)
    [panel] = value["panels"]
    assert panel["scale"]["least"] == "0, unlike"
    assert panel["scale"]["most"] == "1, equal"
    # The read-out gives the similarity itself.
    assert panel["window"] == [0.0, 1.0]
    assert "1 is equal" in str(updates[handlers.layout.difference_note])
    tabs.kind(layout.SIGNED, handlers.request)
    again = shown(handlers, layout.DIFFERENCE)[handlers.layout.difference]
    assert isinstance(again, dict)
    assert again["layout"] == "difference"


def test_the_zip_has_the_maps_as_values_with_their_units(session: Session) -> None:
    data = bundle_bytes(session)
    assert data is not None
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        names = {name for name in archive.namelist() if name.startswith("maps/")}
        assert names == {f"maps/null_space_{key}.tif" for key in
                         ("spread", "measured", "corrected")}  # fmt: skip
        spread = tifffile.imread(io.BytesIO(archive.read("maps/null_space_spread.tif")))
        measured = tifffile.imread(io.BytesIO(archive.read("maps/null_space_measured.tif")))
        readme = archive.read("README.txt").decode()
    assert np.allclose(spread, SPREAD * 400, rtol=1e-5)
    assert np.allclose(measured, SOURCE, atol=1e-2)
    assert "maps/null_space_spread.tif (HU): Where seeds differ" in readme


def test_the_number_of_seeds_is_for_methods_that_sample() -> None:
    assert requested_seeds(get("null_space"), {"seeds": 4.0}) == 4
    assert requested_seeds(get("nlm"), {"seeds": 4.0}) == 1
    for wrong in (0, 17, 2.5, None, float("nan"), True):
        with pytest.raises(ParameterError, match="1 to 16"):
            requested_seeds(get("null_space"), {"seeds": wrong})


def test_the_card_has_the_calibrations() -> None:
    text = tab_handlers.card_text("null_space")
    assert tab_handlers.SEED_TABLE not in text
    assert "| settings | spread / error |" in text
