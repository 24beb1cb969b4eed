"""Handlers of the navigator: another plane, slice, point or time of a volume."""

from __future__ import annotations

from typing import Any

import gradio as gr

from enhancers.decoding import Opened
from enhancers.errors import ReadingRoomError
from enhancers.image import MedicalImage
from enhancers.ui import navigator
from enhancers.ui.handlers import Handlers
from enhancers.ui.image_handlers import ImageHandlers
from enhancers.ui.page_updates import Updates
from enhancers.ui.session import Place, Session
from enhancers.voxel_grid import PLANES


class NavigatorHandlers(Handlers):
    """Handlers that move about in a volume.

    Parameters
    ----------
    images : ImageHandlers
    """

    def __init__(self, images: ImageHandlers) -> None:
        super().__init__(images.updates, images.sessions)
        self.images = images

    def move(self, event: gr.EventData, request: gr.Request) -> Updates:
        """Show the slice at which the user looks, and let the lines of the views cross there."""
        session = self.session(request)
        image, opened = session.image, session.opened
        if image is None or opened is None:
            return self.updates.unchanged()
        place = self._place(session, image, opened, event)
        found: Updates = {}
        if place != image.place:
            found = self.images.reload(session, place=place)
        return {**found, **self.show(request)}

    def show(self, request: gr.Request) -> Updates:
        """The views as they are now; without them where a slice cannot be read."""
        session = self.session(request)
        if session.image is None or not navigator.shown(session):
            return self.updates.unchanged()
        try:
            return self.updates.navigator(session)
        except ReadingRoomError as error:
            page = self.updates.layout
            slider = {page.slice: gr.update(visible=session.image.slice_count > 1)}
            return {**self.updates.error(error), page.navigator: gr.update(visible=False), **slider}

    @staticmethod
    def _place(session: Session, image: MedicalImage, opened: Opened, event: gr.EventData) -> Place:
        """The slice of an event, whose crossing the session takes."""
        moved: dict[str, Any] = {
            name: getattr(event, name, None) for name in ("plane", "index", "u", "v", "time")
        }
        time = image.time_index
        if moved["time"] is not None:
            time = min(max(int(moved["time"]), 0), image.time_count - 1)
        grid, plane = opened.grid, str(moved["plane"])
        if grid is None or plane not in PLANES or plane not in grid.planes:
            return image.plane, time, image.slice_index
        voxel = navigator.crossing(session, grid)
        if moved["index"] is not None:
            voxel = navigator.moved(grid, voxel, plane, int(moved["index"]))
        elif moved["u"] is not None and moved["v"] is not None:
            voxel = navigator.pointed(grid, voxel, plane, float(moved["u"]), float(moved["v"]))
        session.voxel = voxel
        return navigator.place_of(grid, voxel, plane, time)
