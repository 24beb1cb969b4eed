"""Handlers of the image section: upload, sample, slice, window, modality, ground truth."""

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
from enhancers.ui.handlers import Handlers
from enhancers.ui.page_updates import PageUpdates, Updates
from enhancers.ui.parameters import preset_changes
from enhancers.ui.render import Notice
from enhancers.ui.session import FILE_WINDOW, MANUAL, Session, Sessions


class ImageHandlers(Handlers):
    """Handlers that change the image, its modality, slice, window or ground truth.

    Parameters
    ----------
    updates : PageUpdates
    sessions : Sessions
    caps : Caps
        Largest file and image that are read.
    """

    def __init__(self, updates: PageUpdates, sessions: Sessions, caps: Caps) -> None:
        super().__init__(updates, sessions)
        self.caps = caps

    def upload(self, path: str | None, request: gr.Request, **values: Any) -> Updates:
        """Open an uploaded file; a file that cannot be read changes only the notice."""
        if path is None:
            return self.updates.unchanged()
        session = self.session(request)
        before = _modality(session)
        try:
            image = load(Path(path), caps=self.caps)
        except ReadingRoomError as error:
            return self.updates.error(error)
        session.open(image, Path(path).name, Path(path))
        return {**self.updates.image(session), **self._presets(before, image.modality, values)}

    def sample(self, event: gr.EventData, request: gr.Request, **values: Any) -> Updates:
        """Open a sample of the gallery, with its ground truth where it has one."""
        session = self.session(request)
        before = _modality(session)
        key = str(event.key)
        try:
            opened = gallery.open_sample(key, self.caps)
            truth = self._read_truth(opened.image, opened.truth)
        except ReadingRoomError as error:
            return self.updates.error(error)
        session.open(opened.image, opened.label, opened.path, key)
        if truth is not None:
            session.set_truth(truth, opened.truth, "clean, synthetic")
        return {
            **self.updates.image(session),
            **self._presets(before, opened.image.modality, values),
            self.updates.layout.upload: None,
        }

    def modality(self, value: str, request: gr.Request, **values: Any) -> Updates:
        """Set the modality that the user chose; results stay, presets change."""
        session = self.session(request)
        before, after = _modality(session), Modality(value)
        if session.image is not None:
            session.image = session.image.with_modality(after)
        return {**self.updates.image(session), **self._presets(before, after, values)}

    def slice(self, position: float, request: gr.Request) -> Updates:
        """Open another slice (counted from 1) of the same file."""
        session = self.session(request)
        index = int(position) - 1
        if session.image is None or index == session.image.slice_index:
            return self.updates.unchanged()
        return self._reload(session, slice_index=index)

    def window(self, choice: str, request: gr.Request) -> Updates:
        """Change the processing window."""
        session = self.session(request)
        if session.image is None or choice == session.window_choice:
            return self.updates.unchanged()
        if choice == MANUAL:
            session.window_choice = choice
            return self.updates.image(session)
        return self._reload(session, choice=choice)

    def manual_window(self, low: float | None, high: float | None, request: gr.Request) -> Updates:
        """Set a custom processing window, in source units."""
        session = self.session(request)
        image = session.image
        if image is None or session.window_choice != MANUAL:
            return self.updates.unchanged()
        if low is None or high is None or (low, high) == (image.window.low, image.window.high):
            return self.updates.unchanged()
        return self._reload(session, choice=MANUAL, manual=(low, high))

    def truth(self, path: str | None, request: gr.Request) -> Updates:
        """Take an uploaded image as ground truth; it is read through the image's window."""
        session = self.session(request)
        file = Path(path) if path else None
        try:
            pixels = self._read_truth(session.image, file)
        except ReadingRoomError as error:
            return self.updates.error(error)
        session.set_truth(pixels, file, "uploaded" if file else "")
        return self.updates.image(session)

    def _read_truth(self, image: MedicalImage | None, path: Path | None) -> Pixels | None:
        if path is None:
            return None
        if image is None:
            raise ImageReadError("Open an image first; the ground truth is compared with it.")
        window = (image.window.low, image.window.high)
        pixels = load(path, window=window, caps=self.caps).pixels
        ratio = pixels.shape[0] / image.shape[0]
        same_field = ratio in (1, 2, 4, 8) and pixels.shape[1] == image.shape[1] * ratio
        if not same_field or pixels.ndim != image.pixels.ndim:
            raise ImageReadError(
                f"The ground truth has {pixels.shape[1]} x {pixels.shape[0]} pixels and the image "
                f"{image.shape[1]} x {image.shape[0]}; open one with the same field of view and "
                "colour channels, and 1, 2, 4 or 8 times as many rows and columns."
            )
        return pixels

    def _reload(
        self,
        session: Session,
        *,
        slice_index: int | None = None,
        choice: str | None = None,
        manual: tuple[float, float] | None = None,
    ) -> Updates:
        """Read the session's file again; on an error the current image stays."""
        former = session.image
        if former is None or session.path is None:
            return self.updates.unchanged()
        choice = session.window_choice if choice is None else choice
        index = former.slice_index if slice_index is None else slice_index
        same_slice = index == former.slice_index
        try:
            window = manual or _window_limits(session, choice)
            image = load(session.path, slice_index=index, window=window, caps=self.caps)
            # A ground truth belongs to one slice and is read through the image's window.
            truth = self._read_truth(image, session.truth_path) if same_slice else None
        except ReadingRoomError as error:
            return {**self.updates.image(session), **self.updates.error(error)}
        image = replace(image, modality=former.modality, modality_origin=former.modality_origin)
        cleared = session.run is not None
        origin, path = session.truth_origin, session.truth_path
        session.window_choice = choice
        session.replace_image(image)
        if truth is not None:
            session.set_truth(truth, path, origin)
        sentences = image.warnings
        if cleared:
            sentences += ("The image changed, so the previous results were removed.",)
        return self.updates.image(session, Notice("info", sentences) if sentences else None)

    def _presets(self, before: Modality, after: Modality, values: dict[str, Any]) -> Updates:
        changes = preset_changes(before, after, values)
        fields = self.updates.layout.method_inputs()
        return {fields[keyword]: gr.update(value=value) for keyword, value in changes.items()}


def _modality(session: Session) -> Modality:
    return session.image.modality if session.image else Modality.OTHER


def _window_limits(session: Session, choice: str) -> tuple[float, float] | None:
    """The limits of a processing window by its key; None is the file's own window."""
    if choice == FILE_WINDOW:
        return None
    if choice == MANUAL and session.image is not None:
        return session.image.window.low, session.image.window.high
    for preset in session.windows:
        if preset.key == choice:
            return preset.low, preset.high
    raise ParameterError(f"There is no window {choice} for this image; choose one from the list.")
