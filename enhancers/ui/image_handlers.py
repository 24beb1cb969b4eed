"""Handlers of the image section: sample, slice, window, modality, ground truth."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import gradio as gr

from enhancers.decoding import Opened, open_upload
from enhancers.errors import ImageReadError, ParameterError, ReadingRoomError
from enhancers.image import MedicalImage, Pixels
from enhancers.load import Caps
from enhancers.load.same_place import in_same_place
from enhancers.method import Modality
from enhancers.ui import gallery
from enhancers.ui.gallery import OpenedSample
from enhancers.ui.handlers import Handlers
from enhancers.ui.numbers import typed_number
from enhancers.ui.page_updates import PageUpdates, Updates
from enhancers.ui.parameters import preset_changes
from enhancers.ui.render import Notice
from enhancers.ui.session import FILE_WINDOW, MANUAL, Place, Session, as_before
from enhancers.ui.sessions import Sessions
from enhancers.voxel_grid import STORED


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

    def sample(self, event: gr.EventData, request: gr.Request, **values: Any) -> Updates:
        """Open a sample of the gallery, with its ground truth where it has one."""
        key = str(event.key)
        return self.open(
            self.session(request), lambda: gallery.open_sample(key, self.caps), key, values
        )

    def open(
        self,
        session: Session,
        read: Callable[[], OpenedSample],
        sample: str,
        values: dict[str, Any],
    ) -> Updates:
        """Read an image and show it, unless another file was chosen meanwhile.

        One that cannot be read changes only the notice. ``sample`` is the key of a sample of the
        gallery, and ``values`` are those of the method section.
        """
        with session.changes.change(file=True) as number:
            try:
                opened = read()
                truth = self._read_truth(opened.image, opened.truth)
            except ReadingRoomError as error:
                latest = session.changes.is_latest_file(number)
                return self.updates.error(error) if latest else self.updates.unchanged()
            with session.lock:
                if not session.changes.is_latest_file(number):
                    return self.updates.unchanged()
                before = _modality(session)
                session.open(opened.image, opened.label, opened.file, sample, number, opened.series)
                if truth is not None:
                    session.set_truth(truth, opened.truth, "clean, synthetic")
        return {
            **self.updates.opened(session),
            **self._presets(session, before, opened.image.modality, values),
        }

    def modality(self, value: str, request: gr.Request, **values: Any) -> Updates:
        """Set the modality that the user chose; presets change, and window and units with HU."""
        session = self.session(request)
        before, after = _modality(session), Modality(value)
        updates = self._read_as(session, after)
        return {**updates, **self._presets(session, before, after, values)}

    def not_ct(self, request: gr.Request, **values: Any) -> Updates:
        """Undo the assumption that the values are those of a CT."""
        return self.modality(Modality.OTHER.value, request, **values)

    def _read_as(self, session: Session, modality: Modality) -> Updates:
        """Take the file for another modality; results stay if window and units do."""
        with session.changes.change() as number, session.reloading:
            former, file, opened = session.image, session.file, session.opened
            truth_file, truth, image = session.truth_file, None, None
            try:
                if former is not None and opened is not None:
                    image = read_place(session, opened, former.place).with_modality(modality)
                    truth = self._read_truth(image, truth_file)
            except ReadingRoomError as error:
                return {**self.updates.image(session), **self.updates.error(error)}
            with session.lock:
                if session.file != file or session.image is not former:
                    return self.updates.unchanged()
                if image is None or former is None or not _differs(image, former, session):
                    session.set_modality(modality)
                    return self.updates.image(session)
                sentences = _cleared(session, moved=False)
                origin, known = session.truth_origin, session.known
                session.window_choice, session.first_window = FILE_WINDOW, image.window
                session.replace_image(image.with_known(known), number)
                if truth is not None:
                    session.set_truth(truth, truth_file, origin)
            units = image.units.removesuffix(".")
            sentences += (f"The values are read in {units}.", *image.warnings)
            return self.updates.image(session, Notice("info", sentences))

    def slice(self, position: float, request: gr.Request) -> Updates:
        """Open another slice (counted from 1) of the same file."""
        session = self.session(request)
        index = int(position) - 1
        if session.image is None or index == session.image.slice_index:
            return self.updates.unchanged()
        plane, time, _ = session.image.place
        return self.reload(session, place=(plane, time, index))

    def crop(self, cropped: bool, request: gr.Request) -> Updates:
        """Crop the image to its ultrasound region, or show all of it."""
        session = self.session(request)
        if session.image is None or cropped == session.cropped:
            return self.updates.unchanged()
        session.cropped = cropped
        return self.reload(session)

    def window(self, choice: str, request: gr.Request) -> Updates:
        """Change the processing window."""
        session = self.session(request)
        if session.image is None or choice == session.window_choice:
            return self.updates.unchanged()
        if choice == MANUAL:
            session.window_choice = choice
            return self.updates.image(session)
        return self.reload(session, choice=choice)

    def custom_window(self, event: gr.EventData, request: gr.Request) -> Updates:
        """Set a custom processing window, typed in source units."""
        session = self.session(request)
        image = session.image
        if image is None or session.window_choice != MANUAL:
            return self.updates.unchanged()
        try:
            limits = window_limits(str(event.low), str(event.high), image.units)
        except ParameterError as error:
            return self.updates.error(error)
        if limits == image.window.ends:
            return self.updates.notice(None)
        return self.reload(session, choice=MANUAL, manual=limits)

    def truth(self, path: str | None, request: gr.Request) -> Updates:
        """Take an uploaded image as ground truth; it is read through the image's window."""
        session = self.session(request)
        file: Opened | None = None
        while True:
            image = session.image
            try:
                if path and file is None:
                    file = open_upload(Path(path), self.caps)
                pixels = self._read_truth(image, file)
            except ReadingRoomError as error:
                return self.updates.error(error)
            with session.lock:
                if session.image is image:
                    session.set_truth(pixels, file, "uploaded" if file else "")
                    return self.updates.image(session)

    @staticmethod
    def _read_truth(image: MedicalImage | None, file: Opened | None) -> Pixels | None:
        if file is None:
            return None
        if image is None:
            raise ImageReadError("Open an image first; the ground truth is compared with it.")
        pixels = in_same_place(file.image, image, "ground truth", image.window.ends).pixels
        ratio = pixels.shape[0] / image.shape[0]
        same_field = ratio in (1, 2, 4, 8) and pixels.shape[1] == image.shape[1] * ratio
        if not same_field or pixels.ndim != image.pixels.ndim:
            raise ImageReadError(
                f"The ground truth has {pixels.shape[1]} x {pixels.shape[0]} pixels and the image "
                f"{image.shape[1]} x {image.shape[0]}; open one with the same field of view and "
                "colour channels, and 1, 2, 4 or 8 times as many rows and columns."
            )
        return pixels

    def reload(
        self,
        session: Session,
        *,
        place: Place | None = None,
        choice: str | None = None,
        manual: tuple[float, float] | None = None,
    ) -> Updates:
        """Show another slice, plane, time or window; on an error the current image stays."""
        with session.changes.change() as number, session.reloading:
            former, file, opened = session.image, session.file, session.opened
            if former is None or opened is None:
                return self.updates.unchanged()
            choice = session.window_choice if choice is None else choice
            at = former.place if place is None else place
            moved = at != former.place
            truth_file, origin = session.truth_file, session.truth_origin
            try:
                image = session.kept_image(at) if moved else None
                if image is None:
                    image = as_before(read_place(session, opened, at, manual), former)
                    limits = None if manual else _window_limits(session, choice, image)
                    if limits is not None:
                        image = as_before(read_place(session, opened, at, limits), former)
                belongs = not moved or _is_of_all(session, truth_file)
                truth = self._read_truth(image, truth_file if belongs else None)
            except ReadingRoomError as error:
                return {
                    **self.updates.image(session), **self.updates.slice(session),
                    **self.updates.error(error),
                }  # fmt: skip
            with session.lock:
                if session.file != file or session.image is None:
                    return self.updates.unchanged()
                now = session.image
                if now.modality is not image.modality:
                    image = as_before(image, now)
                known = session.known
                if not moved and known is not None and known.shape == image.shape:
                    image = image.with_known(known)
                sentences = image.warnings + _cleared(session, moved=moved)
                if moved:
                    session.move_to(image, number)
                else:
                    session.window_choice = choice
                    session.replace_image(image, number)
                if truth is not None and session.truth is None:
                    session.set_truth(truth, truth_file, origin)
            return self.updates.image(session, Notice("info", sentences) if sentences else None)

    def _presets(
        self, session: Session, before: Modality, after: Modality, values: dict[str, Any]
    ) -> Updates:
        spine = session.sample in gallery.SPINES
        changes = preset_changes(before, after, values, spine=spine)
        fields = self.updates.layout.method_inputs()
        return {
            fields[keyword]: gr.update(value=value)
            for keyword, value in changes.items()
            # A method without its network cannot be selected.
            if not (value is True and fields[keyword].interactive is False)
        }


def read_place(
    session: Session, opened: Opened, place: Place, window: tuple[float, float] | None = None
) -> MedicalImage:
    """A slice of what is open, cropped to its region where the user wants that.

    Raises
    ------
    ImageReadError, ParameterError
    """
    plane, time, index = place
    image = opened.image(index, window, plane=plane or STORED, time=time)
    return image.cropped_to_region() if session.cropped else image


def _is_of_all(session: Session, truth: Opened | None) -> bool:
    """Whether a ground truth is of all slices: a volume, or what the depths of a spine show."""
    return truth is not None and (truth.slice_count > 1 or session.sample in gallery.SPINES)


def _modality(session: Session) -> Modality:
    return session.image.modality if session.image else Modality.OTHER


def _differs(image: MedicalImage, former: MedicalImage, session: Session) -> bool:
    """Whether the units of an image are others, or its window where the user chose none."""
    chosen = session.window_choice != FILE_WINDOW
    return image.units != former.units or (image.window != former.window and not chosen)


def _window_limits(
    session: Session, choice: str, image: MedicalImage
) -> tuple[float, float] | None:
    """The limits of a slice's processing window by its key; None is the window it is read with."""
    if choice == MANUAL and session.image is not None:
        return session.image.window.ends
    for preset in session.windows_of(image):
        if preset.key == choice:
            return min(preset.low, preset.high), max(preset.low, preset.high)
    if choice in (FILE_WINDOW, session.window_choice):
        # A slice may lack a window that another one has.
        return None
    raise ParameterError(f"There is no window {choice} for this image; choose one from the list.")


def _cleared(session: Session, *, moved: bool) -> tuple[str, ...]:
    """What becomes of the run of a slice or window that is left, as sentences."""
    again = session.original is not None and not moved
    said = ("The image is as in the file again; degrade it once more.",) if again else ()
    if session.run is None:
        return said
    if not moved:
        return (
            *said,
            "The window changed, so the previous results were removed.",
        )
    if session.active:
        return ("The run was stopped, because the slice changed; finished results are kept.",)
    return ()


def window_limits(low: str, high: str, units: str) -> tuple[float, float]:
    """The limits of a typed processing window.

    Raises
    ------
    ParameterError
        A limit is not a number, or the minimum is not below the maximum.
    """
    minimum = typed_number(low, f"minimum of the window ({units})")
    maximum = typed_number(high, f"maximum of the window ({units})")
    if not minimum < maximum:
        raise ParameterError(
            f"The minimum of the window, {minimum:g} {units}, is not below the maximum, "
            f"{maximum:g} {units}; change one of them."
        )
    return minimum, maximum
