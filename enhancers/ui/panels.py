"""The panels of the viewers: which pixels stand for what, in which window and units."""

from __future__ import annotations

from enhancers.display import Preset, presets_for
from enhancers.image import MedicalImage
from enhancers.registry import get, resolve
from enhancers.ui import render
from enhancers.ui.run import MethodRun
from enhancers.ui.session import INPUT, TRUTH, Session
from enhancers.ui.viewer import MAX_PANELS, Panel


def input_panel(session: Session) -> Panel:
    """The input with every value of its source, also of those that the methods do not get."""
    return Panel(INPUT, "Input", session.shown_input()[0])


def truth_panel(session: Session, image: MedicalImage) -> Panel:
    """The ground truth, which is read through the image's window."""
    return Panel(TRUTH, "Ground truth", session.truth, session.truth_origin, window=image.window)


def method_panel(method: MethodRun, image: MedicalImage) -> Panel:
    """A method of a run on ``image``: its result, or how far it is."""
    stopped = "Stopped before it was finished." if method.state == "stopped" else ""
    units = result_units(method, image)
    return Panel(
        method.key,
        method.label,
        method.pixels,
        caption=render.method_caption(method),
        pending=method.active,
        progress=method.fraction if method.active else None,
        error=method.error or stopped,
        window=image.window,
        units="" if units == image.units else units,
    )


def result_units(method: MethodRun, image: MedicalImage) -> str:
    """Units of a method's values on ``image``."""
    params = resolve(method.key, image.modality, method.request.params)
    return get(method.key).result_units(image.units, params)


def all_panels(session: Session) -> list[Panel]:
    """The input, a panel per method, the ground truth where it fits."""
    image, run = session.image, session.run
    if image is None:
        raise ValueError("there is no image to show")
    panels = [input_panel(session)]
    if run is not None:
        panels += [method_panel(method, run.image) for method in run.methods]
    if session.truth is not None and len(panels) < MAX_PANELS:
        panels.append(truth_panel(session, image))
    return panels


def compared(session: Session) -> tuple[Panel, Panel]:
    """The two panels that the slider and the difference map compare."""
    known = {panel.key: panel for panel in all_panels(session) if panel.pixels is not None}
    finished = {key for key, _, _ in session.panels()}
    left, right = (known[key if key in finished else INPUT] for key in session.pair)
    return left, right


def display_windows(session: Session, image: MedicalImage) -> tuple[Preset, ...]:
    """The display windows: the processing window first, then all values, and the usual ones."""
    pixels, full = session.shown_input()
    offered = presets_for(image.modality, full, image.units, pixels)
    own = image.window
    if full == own:
        return offered
    return (Preset("processing", "As processed", own.low, own.high), *offered)


def display_group(image: MedicalImage) -> str:
    """What has to be equal for two viewers to share their display window."""
    return f"{image.digest}/{image.slice_index}/{image.window}"
