"""Handlers that put an image on the table: upload, sample, slice, window, modality, truth."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import gradio as gr

from enhancers.errors import ImageReadError, ParameterError, ReadingRoomError
from enhancers.image import MedicalImage, Pixels
from enhancers.load import Caps, load
from enhancers.method import Modality
from enhancers.ui import gallery
from enhancers.ui import layout as names
from enhancers.ui.parameters import follow_preset
from enhancers.ui.render import Notice
from enhancers.ui.screen import Screen, Updates
from enhancers.ui.session import Session, Sessions


class Opening:
    """The handlers of the sidebar's upper half.

    Parameters
    ----------
    screen : Screen
    sessions : Sessions
    caps : Caps
        What may be read.
    """

    def __init__(self, screen: Screen, sessions: Sessions, caps: Caps) -> None:
        self.screen = screen
        self.sessions = sessions
        self.caps = caps

    def upload(self, path: str | None, request: gr.Request, **values: Any) -> Updates:
        """Open an uploaded file; a file that cannot be read leaves everything as it was."""
        if path is None:
            return {}
        session = self.sessions.of(request.session_hash)
        before = _modality(session)
        try:
            image = load(Path(path), caps=self.caps)
        except ReadingRoomError as error:
            return self.screen.error(error)
        session.open(image, Path(path).name, Path(path))
        return {**self.screen.image(session), **self._presets(before, image.modality, values)}

    def sample(self, event: gr.EventData, request: gr.Request, **values: Any) -> Updates:
        """Open a sample of the gallery, with its truth where it has one."""
        session = self.sessions.of(request.session_hash)
        before = _modality(session)
        try:
            opened = gallery.open_sample(str(event.key), self.caps)
        except ReadingRoomError as error:
            return self.screen.error(error)
        session.open(opened.image, opened.label, opened.path)
        session.set_truth(opened.truth, opened.truth_origin)
        return {
            **self.screen.image(session),
            **self._presets(before, opened.image.modality, values),
            self.screen.layout.upload: None,
        }

    def modality(self, value: str, request: gr.Request, **values: Any) -> Updates:
        """Take the user's word for the modality; the results stay, the presets follow."""
        session = self.sessions.of(request.session_hash)
        before, after = _modality(session), Modality(value)
        if session.image is not None:
            session.image = session.image.with_modality(after)
        return {**self.screen.image(session), **self._presets(before, after, values)}

    def slice(self, position: float, request: gr.Request) -> Updates:
        """Show another slice (counted from 1) of the same file."""
        session = self.sessions.of(request.session_hash)
        wanted = int(position) - 1
        if session.image is None or wanted == session.image.slice_index:
            return {}
        return self._again(session, slice_index=wanted)

    def window(self, choice: str, request: gr.Request) -> Updates:
        """Process the image through another window."""
        session = self.sessions.of(request.session_hash)
        if session.image is None or choice == session.window_choice:
            return {}
        if choice == names.MANUAL:
            session.window_choice = choice
            return self.screen.image(session)
        return self._again(session, choice=choice)

    def manual_window(self, low: float | None, high: float | None, request: gr.Request) -> Updates:
        """Process the image through the window that was typed."""
        session = self.sessions.of(request.session_hash)
        image = session.image
        if image is None or session.window_choice != names.MANUAL:
            return {}
        if low is None or high is None or (low, high) == (image.window.low, image.window.high):
            return {}
        return self._again(session, choice=names.MANUAL, by_hand=(low, high))

    def truth(self, path: str | None, request: gr.Request) -> Updates:
        """Use an uploaded image as the truth; it is read through the image's own window."""
        session = self.sessions.of(request.session_hash)
        try:
            session.set_truth(self._read_truth(session.image, path), "uploaded")
        except ReadingRoomError as error:
            return self.screen.error(error)
        return self.screen.image(session)

    def _read_truth(self, image: MedicalImage | None, path: str | None) -> Pixels | None:
        if path is None:
            return None
        if image is None:
            raise ImageReadError("Open an image first; the truth is compared with it.")
        window = (image.window.low, image.window.high)
        pixels = load(Path(path), window=window, caps=self.caps).pixels
        ratio = pixels.shape[0] / image.shape[0]
        same_field = ratio in (1, 2, 4, 8) and pixels.shape[1] == image.shape[1] * ratio
        if not same_field or pixels.ndim != image.pixels.ndim:
            raise ImageReadError(
                f"The truth has {pixels.shape[1]} x {pixels.shape[0]} pixels and the image "
                f"{image.shape[1]} x {image.shape[0]}: give one of the same field and colours, as "
                "large or 2, 4 or 8 times."
            )
        return pixels

    def _again(
        self,
        session: Session,
        *,
        slice_index: int | None = None,
        choice: str | None = None,
        by_hand: tuple[float, float] | None = None,
    ) -> Updates:
        """Read the session's file once more; on an error the former image stays."""
        former = session.image
        if former is None or session.path is None:
            return {}
        choice = session.window_choice if choice is None else choice
        index = former.slice_index if slice_index is None else slice_index
        try:
            window = by_hand or _window_of(session, choice)
            image = load(session.path, slice_index=index, window=window, caps=self.caps)
        except ReadingRoomError as error:
            return {**self.screen.image(session), **self.screen.error(error)}
        if former.modality_origin == "user":
            image = image.with_modality(former.modality)
        cleared = session.run is not None
        session.window_choice = choice
        session.replace_image(image)
        told = ("The image changed, so the former results were cleared.",) if cleared else ()
        sentences = image.warnings + told
        return self.screen.image(session, Notice("info", sentences) if sentences else None)

    def _presets(self, before: Modality, after: Modality, values: dict[str, Any]) -> Updates:
        changes = follow_preset(before, after, values)
        fields = self.screen.layout.method_inputs()
        return {fields[keyword]: gr.update(value=value) for keyword, value in changes.items()}


def _modality(session: Session) -> Modality:
    return session.image.modality if session.image else Modality.OTHER


def _window_of(session: Session, choice: str) -> tuple[float, float] | None:
    """The limits a choice of the window's dropdown stands for."""
    if choice == names.FILE_WINDOW:
        return None
    if choice == names.MANUAL and session.image is not None:
        return session.image.window.low, session.image.window.high
    for preset in session.windows:
        if preset.key == choice:
            return preset.low, preset.high
    raise ParameterError(f"There is no window {choice} for this image; choose one of the list.")
