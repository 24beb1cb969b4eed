"""What the viewers show: every source value of the input, results in their window and units."""

from pathlib import Path

import numpy as np

from enhancers.compare import Event, Request, compare
from enhancers.image import MedicalImage, Window
from enhancers.method import Modality
from enhancers.registry import get
from enhancers.ui.panels import all_panels, compared, display_windows
from enhancers.ui.run import MethodRun, Run
from enhancers.ui.session import INPUT, Session

SOURCE = np.linspace(-1024, 3071, 48 * 40, dtype=np.float32).reshape(48, 40)
WINDOW = Window(-160.0, 240.0)
CT = MedicalImage(WINDOW.to_unit(SOURCE), WINDOW, SOURCE, "HU", Modality.CT)


def session_of(*keys: str) -> Session:
    session = Session()
    session.open(CT, "x", Path("x"))
    requests = [Request(key) for key in keys]
    session.start(Run(CT, [MethodRun(one, get(one.method).label) for one in requests], 0))
    for event in compare(CT, requests):
        assert session.run is not None
        session.run.apply(event)
    return session


def test_the_input_keeps_the_values_that_the_processing_window_cuts_off():
    session = Session()
    session.open(CT, "x", Path("x"))
    [panel] = all_panels(session)
    pixels, full = session.shown_input()
    assert (full.low, full.high) == (-1024, 3071)
    assert panel.pixels is pixels
    assert panel.window is None
    assert np.abs(full.to_source(pixels) - SOURCE).max() < 1e-3
    offered = {preset.key: (preset.low, preset.high) for preset in display_windows(session, CT)}
    assert next(iter(offered)) == "processing"
    assert offered["processing"] == (-160, 240)
    assert offered["bone"] == (-450, 1050)
    assert offered["full"] == (-1024, 3071)


def test_results_are_in_the_processing_window_and_mapped_ones_are_gray_levels():
    session = session_of("nlm", "clahe")
    kept, mapped = all_panels(session)[1:]
    assert (kept.window, kept.units) == (WINDOW, "")
    assert (mapped.window, mapped.units) == (WINDOW, "gray level, not HU")
    session.pair = (INPUT, "clahe")
    assert [panel.key for panel in compared(session)] == [INPUT, "clahe"]


def test_a_result_that_is_not_there_yet_is_compared_as_the_input():
    session = session_of()
    session.start(Run(CT, [MethodRun(Request("nlm"), "NLM")], 0))
    assert session.run is not None
    session.run.apply(Event(0, "nlm", next(iter(compare(CT, [Request("nlm")]))).step))
    session.pair = ("nlm", INPUT)
    assert [panel.key for panel in compared(session)] == [INPUT, INPUT]
