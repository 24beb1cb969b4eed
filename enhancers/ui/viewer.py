"""The image viewer: n canvas panels in one `gr.HTML`, fed raw 16-bit buffers by their own route.

Python sends a small payload (labels, sizes, tokens, windows); the browser fetches each buffer by
its token and windows it in integers as `enhancers.display.window_u8` does. No pixel passes through
an image codec.
"""

from __future__ import annotations

import hashlib
import secrets
import threading
import weakref
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

import gradio as gr
from fastapi import APIRouter
from fastapi.responses import Response

from enhancers.asset_files import asset_text
from enhancers.display import raw_buffer
from enhancers.geometry import shown_aspect
from enhancers.image import MedicalImage, Pixels, Window, pixels_digest
from enhancers.ui.html import piece
from enhancers.windows import Preset

ROUTE = "readingroom/pixels/"
"""Address of the buffers, relative to the root of the app."""

MAX_PANELS = 12

Arrangement = Literal["grid", "slider", "difference"]

_SCRIPTS = (
    "viewer_core.js", "viewer_panel.js", "viewer_toolbar.js", "viewer.js", "viewer_drawing.js",
    "viewer_input.js",
)  # fmt: skip


@dataclass(frozen=True)
class ColourScale:
    """The colours of a map, over the panel's `window`.

    Parameters
    ----------
    colours : {"signed", "rising", "falling"}
        Blue, black, orange for values on both sides of 0; black to light yellow for sizes, or light
        yellow to black where little is what counts.
    least, most : str
        The values at the ends, in words and numbers.
    words : str
        What the colours mean.
    """

    colours: Literal["signed", "rising", "falling"]
    least: str
    most: str
    words: str


@dataclass(frozen=True, eq=False)
class Panel:
    """One image of the grid, or its placeholder.

    Parameters
    ----------
    key : str
        Unique within the grid and stable from one payload to the next.
    label : str
        Shown above the image, as text.
    pixels : ndarray, float32, shape (H, W) or (H, W, 3), in [0, 1], or None
        None while there is nothing to show. All panels are taken to cover the same field of view,
        so that an enlarged image is aligned with its input.
    caption : str
        Shown next to the label: a duration or the current step ("step 12 of 50").
    pending : bool
        Whether the method is still running; its pixels are then a preview.
    progress : float in [0, 1], optional
        Progress of a pending method.
    error : str
        Error message, shown instead of the image.
    window : Window, optional
        Source values of the pixel values 0 and 1, where these are not the payload's: the pixels of
        a result end where the processing window does, and nothing is shown beyond.
    units : str
        Units of the panel's values where they are not the payload's ("gray level, not HU"); the
        read-out is then from 0 to 1, or that of `window` for a map.
    scale : ColourScale, optional
        Of a map, which is shown in colours that the display window does not change.
    """

    key: str
    label: str
    pixels: Pixels | None = None
    caption: str = ""
    pending: bool = False
    progress: float | None = None
    error: str = ""
    window: Window | None = None
    units: str = ""
    scale: ColourScale | None = None


class PixelStore:
    """Raw buffers in memory by unguessable token; the least recently used are dropped.

    Parameters
    ----------
    budget : int
        Most bytes to keep. A single larger buffer is kept until the next one.
    """

    def __init__(self, budget: int = 512 * 2**20) -> None:
        self.budget = budget
        self._lock = threading.Lock()
        self._buffers: OrderedDict[str, bytes] = OrderedDict()
        self._tokens: dict[bytes, str] = {}
        self._digests: dict[str, bytes] = {}
        self._arrays: dict[int, tuple[weakref.ref[Pixels], str]] = {}
        self._size = 0

    def put(self, pixels: Pixels, *, reuse: bool = False) -> str:
        """Store an image and return its token of 128 random bits.

        Parameters
        ----------
        pixels : ndarray, float32, shape (H, W) or (H, W, 3), in [0, 1]
        reuse : bool
            Return the existing token of the same pixels, so that the browser need not fetch them
            again; an array that was stored must not be changed. Otherwise every call gives a new
            token.
        """
        if reuse:
            stored = self._stored(pixels)
            if stored is not None:
                return stored
        token = self._put(pixels, reuse)
        if reuse:
            with self._lock:
                self._arrays = {
                    key: entry for key, entry in self._arrays.items() if entry[0]() is not None
                }
                self._arrays[id(pixels)] = (weakref.ref(pixels), token)
        return token

    def _stored(self, pixels: Pixels) -> str | None:
        """The token of this very array: a large one is not converted for every update."""
        with self._lock:
            array, token = self._arrays.get(id(pixels), (None, ""))
            if array is None or array() is not pixels or token not in self._buffers:
                return None
            self._buffers.move_to_end(token)
            return token

    def _put(self, pixels: Pixels, reuse: bool) -> str:
        buffer = raw_buffer(pixels)
        digest = hashlib.blake2b(repr(pixels.shape).encode() + buffer, digest_size=16).digest()
        with self._lock:
            known = self._tokens.get(digest) if reuse else None
            if known is not None:
                self._buffers.move_to_end(known)
                return known
            token = secrets.token_hex(16)
            self._buffers[token] = buffer
            self._size += len(buffer)
            if reuse:
                self._tokens[digest] = token
                self._digests[token] = digest
            self._make_room()
        return token

    def get(self, token: str) -> bytes | None:
        """The buffer of this token; None where it never existed or was dropped."""
        with self._lock:
            buffer = self._buffers.get(token)
            if buffer is not None:
                self._buffers.move_to_end(token)
            return buffer

    @property
    def size(self) -> int:
        """Bytes stored now."""
        return self._size

    def _make_room(self) -> None:
        while self._size > self.budget and len(self._buffers) > 1:
            token, buffer = self._buffers.popitem(last=False)
            self._size -= len(buffer)
            digest = self._digests.pop(token, None)
            if digest is not None:
                del self._tokens[digest]


def router(store: PixelStore) -> APIRouter:
    """The route that serves the buffers of a store; include it in the app that shows the viewer."""
    routes = APIRouter()

    @routes.get("/" + ROUTE + "{token}", include_in_schema=False)
    def pixels(token: str) -> Response:
        buffer = store.get(token)
        headers = {"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"}
        if buffer is None:
            return Response(status_code=404, headers=headers)
        return Response(buffer, media_type="application/octet-stream", headers=headers)

    return routes


def payload(
    panels: Sequence[Panel],
    store: PixelStore,
    *,
    window: Window,
    units: str = "",
    spacing: tuple[float, float] | None = None,
    aspect: tuple[float, float] | None = None,
    edges: tuple[str, str, str, str] | None = None,
    presets: Sequence[Preset] = (),
    input_key: str | None = None,
    image_id: str | None = None,
    layout: Arrangement = "grid",
    first: int = 0,
    group: str = "",
    base: str = ROUTE,
) -> dict[str, Any]:
    """The value of a `Viewer`: what to show, with a token in place of every image.

    Parameters
    ----------
    panels : sequence of Panel
        At most `MAX_PANELS`, in reading order, with unique keys.
    store : PixelStore
        Stores the pixels; unchanged ones keep their token, so that only changed panels are fetched.
    window : Window
        Source values of the pixel values 0 and 1, for the read-out and the display window.
    units : str
        Units of the source values, such as "HU".
    spacing : (row, column) in mm, optional
    aspect : (row, column), optional
        Height and width of a pixel, where no spacing is known.
        Of the pixels of the input panel (or of the first that has pixels): for the scale bar, and
        so that pixels that are not square are shown in proportion.
    edges : tuple of str, optional
        Letters of the directions at the left, right, top and bottom edge.
    presets : sequence of Preset
        The display windows to offer, in source units (see `enhancers.display.presets_for`).
    input_key : str, optional
        The panel that holding the I key shows everywhere; it also gives the geometry.
    image_id : str, optional
        Zoom, position and window are kept as long as it stays the same. By default it is derived
        from the pixels of the input panel.
    layout : {"grid", "slider", "difference"}
        "slider" shows the first of two panels to the left of a divider and the second to the
        right; "difference" shows `enhancers.display.signed_difference` in colours, with a bar.
    first : int
        The preset that a new image begins with.
    group : str
        Viewers of the same group share their display window; a grid sets the first one.
    base : str
        Address of the store's route, relative to the root of the app, or to the root of the host
        with a leading slash.

    Returns
    -------
    dict
        Plain JSON values.
    """
    _check(panels)
    drawn = [panel for panel in panels if panel.pixels is not None]
    source = next((panel for panel in drawn if panel.key == input_key), drawn[0] if drawn else None)
    pixels = source.pixels if source else None
    if image_id is None:
        image_id = pixels_digest(pixels) if pixels is not None else ""
    offered = presets or (Preset("full", "Full range", window.low, window.high),)
    return {
        "image_id": image_id,
        "panels": [_panel_payload(panel, store) for panel in panels],
        "input": input_key,
        "size": [pixels.shape[1], pixels.shape[0]] if pixels is not None else None,
        "window": [window.low, window.high],
        "units": units,
        "spacing": [float(mm) for mm in spacing] if spacing else None,
        "aspect": list(shown_aspect(spacing or aspect)),
        "edges": list(edges) if edges else None,
        "presets": [
            {"label": preset.label, "ends": [preset.low, preset.high]} for preset in offered
        ],
        "layout": layout,
        "first": first,
        "group": group,
        "base": base,
    }


def edges_of(image: MedicalImage) -> tuple[str, str, str, str] | None:
    """The letters at the edges of an image; None where its file does not say where it lies."""
    return None if image.geometry is None else image.geometry.edges


def _check(panels: Sequence[Panel]) -> None:
    keys = [panel.key for panel in panels]
    if len(set(keys)) != len(keys):
        raise ValueError(f"panels need different keys, got {keys}")
    if len(panels) > MAX_PANELS:
        raise ValueError(f"the viewer shows at most {MAX_PANELS} panels, got {len(panels)}")


def _panel_payload(panel: Panel, store: PixelStore) -> dict[str, Any]:
    described: dict[str, Any] = {
        "key": panel.key,
        "label": panel.label,
        "caption": panel.caption,
        "pending": panel.pending,
        "progress": panel.progress,
        "error": panel.error,
        "window": [panel.window.low, panel.window.high] if panel.window else None,
        "units": panel.units,
        "scale": asdict(panel.scale) if panel.scale else None,
        "token": None,
    }
    if panel.pixels is not None:
        height, width = panel.pixels.shape[:2]
        channels = 1 if panel.pixels.ndim == 2 else 3
        described |= {"width": width, "height": height, "channels": channels}
        described["token"] = store.put(panel.pixels, reuse=True)
    return described


def Viewer(  # noqa: N802
    value: dict[str, Any] | None = None,
    *,
    height: str = "max(420px, calc(100vh - 220px))",
    **options: Any,
) -> gr.HTML:
    """The component that shows a `payload`.

    A function, because Gradio writes a stub file next to the source of every subclass.

    Parameters
    ----------
    value : dict, optional
        A `payload`.
    height : str
        CSS height of the viewer including its toolbar.
    **options
        Options of `gradio.HTML`, such as ``elem_id``. A listener is attached with
        ``viewer.window_change(fn)``; its `gradio.EventData` has ``low``, ``high`` (source units).

    Notes
    -----
    Give the events that stream into it ``show_progress="hidden"`` (or ``show_progress_on``
    another component): Gradio's overlay would hide the images.
    """
    return gr.HTML(
        value,
        html_template=piece("viewer", height),
        css_template=asset_text("viewer.css"),
        js_on_load=asset_text(*_SCRIPTS),
        apply_default_css=False,
        **options,
    )
