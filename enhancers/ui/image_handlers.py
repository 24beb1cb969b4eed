"""Handlers that put an image on the table: upload, sample, slice, window, modality, truth."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import gradio as gr

from enhancers.errors import ImageReadError, ParameterError, ReadingRoomError
from enhancers.image import MedicalImage, Pixels
from enhancers.load import Caps, load
from enhancers.method import Modality
from enhancers.ui import gallery
from enhancers.ui.page_updates import PageUpdates, Updates
from enhancers.ui.parameters import follow_preset
from enhancers.ui.render import Notice
from enhancers.ui.session import FILE_WINDOW, MANUAL, Session, Sessions


class ImageHandlers:
    """The handlers of the sidebar's upper half.

    Parameters
    ----------
    screen : PageUpdates
    sessions : Sessions
    caps : Caps
        What may be read.
    """

    def __init__(self, screen: PageUpdates, sessions: Sessions, caps: Caps) -> None:
        self.screen = screen
        self.sessions = sessions
        self.caps = caps

    def upload(self, path: str | None, request: gr.Request, **values: Any) -> Updates:
        """Open an uploaded file; a file that cannot be read leaves everything as it was."""
        if path is None:
            return self.screen.unchanged()
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
        key = str(event.key)
        try:
            opened = gallery.open_sample(key, self.caps)
            truth = self._read_truth(opened.image, opened.truth)
        except ReadingRoomError as error:
            return self.screen.error(error)
        session.open(opened.image, opened.label, opened.path, key)
        if truth is not None:
            session.set_truth(truth, opened.truth, "clean, synthetic")
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
            return self.screen.unchanged()
        return self._again(session, slice_index=wanted)

    def window(self, choice: str, request: gr.Request) -> Updates:
        """Process the image through another window."""
        session = self.sessions.of(request.session_hash)
        if session.image is None or choice == session.window_choice:
            return self.screen.unchanged()
        if choice == MANUAL:
            session.window_choice = choice
            return self.screen.image(session)
        return self._again(session, choice=choice)

    def manual_window(self, low: float | None, high: float | None, request: gr.Request) -> Updates:
        """Process the image through the window that was typed."""
        session = self.sessions.of(request.session_hash)
        image = session.image
        if image is None or session.window_choice != MANUAL:
            return self.screen.unchanged()
        if low is None or high is None or (low, high) == (image.window.low, image.window.high):
            return self.screen.unchanged()
        return self._again(session, choice=MANUAL, by_hand=(low, high))

    def truth(self, path: str | None, request: gr.Request) -> Updates:
        """Use an uploaded image as the truth; it is read through the image's own window."""
        session = self.sessions.of(request.session_hash)
        try:
            pixels = self._read_truth(session.image, Path(path) if path else None)
        except ReadingRoomError as error:
            return self.screen.error(error)
        session.set_truth(pixels, Path(path) if path else None, "uploaded" if path else "")
        return self.screen.image(session)

    def _read_truth(self, image: MedicalImage | None, path: Path | None) -> Pixels | None:
        if path is None:
            return None
        if image is None:
            raise ImageReadError("Open an image first; the truth is compared with it.")
        window = (image.window.low, image.window.high)
        pixels = load(path, window=window, caps=self.caps).pixels
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
            return self.screen.unchanged()
        choice = session.window_choice if choice is None else choice
        index = former.slice_index if slice_index is None else slice_index
        same_slice = index == former.slice_index
        try:
            window = by_hand or _window_of(session, choice)
            image = load(session.path, slice_index=index, window=window, caps=self.caps)
            # A truth belongs to one slice, and is seen through the image's window.
            truth = self._read_truth(image, session.truth_path) if same_slice else None
        except ReadingRoomError as error:
            return {**self.screen.image(session), **self.screen.error(error)}
        image = replace(image, modality=former.modality, modality_origin=former.modality_origin)
        cleared = session.run is not None
        origin, path = session.truth_origin, session.truth_path
        session.window_choice = choice
        session.replace_image(image)
        if truth is not None:
            session.set_truth(truth, path, origin)
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
    if choice == FILE_WINDOW:
        return None
    if choice == MANUAL and session.image is not None:
        return session.image.window.low, session.image.window.high
    for preset in session.windows:
        if preset.key == choice:
            return preset.low, preset.high
    raise ParameterError(f"There is no window {choice} for this image; choose one of the list.")
