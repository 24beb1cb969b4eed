"""Handlers of the mask of missing pixels: from a file, or painted on the image."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import gradio as gr
import numpy as np
from numpy.typing import NDArray

from enhancers.decoding import open_upload
from enhancers.errors import ImageReadError
from enhancers.image import MedicalImage
from enhancers.load import Caps
from enhancers.load.mask import read_mask
from enhancers.measured import Known
from enhancers.ui.handlers import Handlers
from enhancers.ui.page_updates import PageUpdates, Updates
from enhancers.ui.render import Notice
from enhancers.ui.session import Session
from enhancers.ui.sessions import Sessions
from enhancers.ui.sidebar import PAINT

OPEN_FIRST = "Open an image first; the mask marks its missing pixels."


class MaskHandlers(Handlers):
    """Handlers that take, paint and remove the mask of the image.

    Parameters
    ----------
    updates : PageUpdates
    sessions : Sessions
    caps : Caps
        Largest file that is read.
    """

    def __init__(self, updates: PageUpdates, sessions: Sessions, caps: Caps) -> None:
        super().__init__(updates, sessions)
        self.caps = caps

    def upload(self, path: str | None, request: gr.Request) -> Updates:
        """Take the mask of a file; without a path, remove the mask."""
        session = self.session(request)
        if path is None:
            session.set_known(None)
            return self.updates.image(session)
        file = open_upload(Path(path), self.caps)
        image = session.image
        if image is None:
            raise ImageReadError(OPEN_FIRST)
        return self._take(session, read_mask(file.image, image))

    def paint(self, request: gr.Request) -> Updates:
        """Show the image to paint on, with the mask that it has."""
        session = self.session(request)
        if session.image is None:
            raise ImageReadError(OPEN_FIRST)
        page = self.updates.layout
        session.painted = session.file, session.image.place
        return {
            page.painting: gr.update(
                value=editor_value(session.image, session.known), visible=True
            ),
            page.use_painting: gr.update(visible=True),
        }

    def use(self, painting: Mapping[str, Any] | None, request: gr.Request) -> Updates:
        """Take what is painted as the mask, instead of a file's."""
        session = self.session(request)
        image = session.image
        if image is None:
            raise ImageReadError(OPEN_FIRST)
        if session.painted != (session.file, image.place):
            raise ImageReadError(
                "The painting shows another image; press 'Paint on the image' and paint again."
            )
        painted = painted_pixels((painting or {}).get("layers", []), image.shape)
        if not painted.any():
            raise ImageReadError("Nothing is painted; paint over the pixels that are missing.")
        if painted.all():
            raise ImageReadError("Everything is painted; leave the pixels that are known.")
        return {**self._take(session, ~painted), self.updates.layout.mask: None}

    def _take(self, session: Session, known: Known) -> Updates:
        session.set_known(known)
        share = 100 * (1 - float(known.mean()))
        said = f"The mask marks {share:.3g} % of the pixels. Run DDNM with task inpaint."
        return self.updates.image(session, Notice("info", (said,)))


def editor_value(image: MedicalImage, known: Known | None = None) -> dict[str, Any]:
    """The value of the painting: the image in its window, painted where it is not known."""
    gray = np.rint(image.pixels * 255).astype(np.uint8)
    background = gray if image.is_colour else np.stack([gray] * 3, -1)
    layers = []
    if known is not None:
        layer = np.zeros((*known.shape, 4), np.uint8)
        layer[~known] = (*PAINT, 255)
        layers.append(layer)
    return {"background": background, "layers": layers, "composite": None}


def painted_pixels(layers: list[NDArray[np.uint8]], shape: tuple[int, int]) -> NDArray[np.bool_]:
    """Where a layer (H, W, 4) is at least half opaque.

    Raises
    ------
    ImageReadError
        A layer has another size than the image.
    """
    painted = np.zeros(shape, np.bool_)
    for layer in layers:
        if layer.shape != (*shape, 4):
            raise ImageReadError(
                f"The painting has {layer.shape[1]} x {layer.shape[0]} pixels and the image "
                f"{shape[1]} x {shape[0]}; press 'Paint on the image' and paint again."
            )
        painted |= layer[..., 3] >= 128
    return painted
