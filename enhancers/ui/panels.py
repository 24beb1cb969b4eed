"""The panels of the viewers: which pixels stand for what, in which window and units."""

from __future__ import annotations

from dataclasses import replace

from enhancers.compare.maps import ResultMap, seed_maps
from enhancers.errors import UnknownMethod
from enhancers.image import MedicalImage, Window
from enhancers.registry import get, resolve
from enhancers.ui import render
from enhancers.ui.run import MethodRun
from enhancers.ui.session import INPUT, TRUTH, Session
from enhancers.ui.viewer import MAX_PANELS, ColourScale, Panel
from enhancers.windows import Preset, file_presets, presets_for


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
    try:
        params = resolve(method.key, image.modality, method.request.params)
        return get(method.key).result_units(image.units, params)
    except UnknownMethod:
        # An added network that was removed since; none of them maps values anew.
        return image.units


def all_panels(session: Session) -> list[Panel]:
    """The input, a panel per method, the ground truth where it fits."""
    image, run = session.image, session.run
    if image is None:
        raise ValueError("there is no image to show")
    panels = [input_panel(session)]
    if run is not None:
        for method in run.methods:
            panels += [method_panel(method, run.image), *_seed_panels(method, run.image)]
        panels = panels[:MAX_PANELS]
    if session.truth is not None and len(panels) < MAX_PANELS:
        panels.append(truth_panel(session, image))
    return panels


def _seed_panels(method: MethodRun, image: MedicalImage) -> list[Panel]:
    """Where seeds differ, by the best of what is known about it; short names the method."""
    if method.outcome is None:
        return []
    maps = seed_maps(method.outcome)
    shown = [map_panel(method, one, image) for one in maps[-1:]]
    short = render.short_label(get(method.key).label)
    return [replace(panel, label=f"{short}: {panel.label.lower()}") for panel in shown]


def map_panel(method: MethodRun, one: ResultMap, image: MedicalImage) -> Panel:
    """A map of a method's result, with colours of its own."""
    units = result_units(method, image)
    kept = units == image.units
    signed = one.colours == "signed"
    ends = image.window
    width = (ends.high - ends.low if signed else ends.width) if kept else 1.0
    key = f"{method.key}:{one.key}"
    if one.colours == "picture":
        return Panel(key, one.label, one.pixels, window=image.window, units="RGB")
    if one.colours == "gray":
        other = "" if kept else units
        return Panel(key, one.label, one.pixels, window=image.window, units=other)
    reach = one.reach * width
    most = render.number_text(abs(reach))
    # Brighter is lower where the file shows low values as white.
    first, last = ("\u2212+" if reach > 0 else "+\u2212") if signed else ("", "")
    low = f"{first}{most}" if signed else "0"
    scale = ColourScale(one.colours, low, f"{last}{most} {units}", one.words)
    window = Window(-reach if signed else 0.0, reach)
    return Panel(key, one.label, one.pixels, window=window, units=units, scale=scale)


def maps_panels(session: Session, key: str) -> list[Panel]:
    """The input, the result of a method and its maps."""
    run = session.run
    if run is None:
        raise ValueError("there is no result to show")
    [method] = [method for method in run.methods if method.key == key]
    maps = session.maps()[key][1]
    result = method_panel(method, run.image)
    return [input_panel(session), result, *(map_panel(method, one, run.image) for one in maps)]


def compared(session: Session) -> tuple[Panel, Panel]:
    """The two panels that the slider and the difference map compare."""
    known = {panel.key: panel for panel in all_panels(session) if panel.pixels is not None}
    finished = {key for key, _, _ in session.panels()}
    left, right = (known[key if key in finished else INPUT] for key in session.pair)
    return left, right


def display_windows(session: Session, image: MedicalImage) -> tuple[Preset, ...]:
    """The display windows: that of processing, all values, the usual ones, those of the file."""
    pixels, full = session.shown_input()
    own = image.window
    offered = presets_for(image.modality, full, image.units, pixels)
    offered += file_presets(image, own)
    if full == own:
        return offered
    return (Preset("processing", "As processed", own.low, own.high), *offered)


def display_group(image: MedicalImage) -> str:
    """What has to be equal for two viewers to share their display window."""
    plane, time, index = image.place
    return f"{image.digest}/{index}/{time}/{plane}/{image.window}"
