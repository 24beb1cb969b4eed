"""Handlers of uploads: a file is opened; of several files or an archive the series are listed."""

from __future__ import annotations

import queue
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import gradio as gr

from enhancers.decoding import OpenedFile, UploadedSeries, holds_series, is_archive
from enhancers.decoding.content import check_count, remove_upload
from enhancers.errors import ImageReadError, ReadingRoomError
from enhancers.load import Caps
from enhancers.load.file_format import PICTURES, sniff
from enhancers.load.pairs import pair_of
from enhancers.series.headers import is_dicom
from enhancers.series.times import volumes
from enhancers.ui import series_list
from enhancers.ui.gallery import OpenedSample
from enhancers.ui.handlers import Handlers
from enhancers.ui.image_handlers import ImageHandlers
from enhancers.ui.page_updates import Updates
from enhancers.ui.render import Notice
from enhancers.ui.session import Session

_HEAD = 1024


class UploadHandlers(Handlers):
    """Handlers that open what was uploaded.

    Parameters
    ----------
    images : ImageHandlers
    """

    def __init__(self, images: ImageHandlers) -> None:
        super().__init__(images.updates, images.sessions)
        self.images = images

    def upload(
        self, paths: list[str] | None, request: gr.Request, **values: Any
    ) -> Iterator[Updates]:
        """Open an uploaded file, a pair, or the only series of several; list the series of more.

        What cannot be read changes only the notice.
        """
        files = [Path(path) for path in paths or ()]
        if not files:
            return
        session = self.session(request)
        cleared: Updates = {self.updates.layout.upload: None}
        pair = _pair(files)
        stack = pair is None and _are_pictures(files)
        if pair is None and not stack and holds_series(files, self.images.caps):
            for updates in self._series(session, files, values):
                yield {**cleared, **updates}
                cleared = {}
            return

        left_out = [one for one in files if pair and one not in pair]

        def read() -> OpenedSample:
            caps = self.images.caps
            if stack:
                opened = OpenedFile.upload_pictures(files, caps)
                return OpenedSample(f"{len(files)} pictures", opened.image(), opened)
            opened = (
                OpenedFile.upload(files[0], caps)
                if pair is None
                else OpenedFile.upload_pair(*pair, caps)
            )
            image = opened.image()
            for other in left_out:
                remove_upload(other)
            said = (f"Left out: {_files(len(left_out))} beside the volume.",) if left_out else ()
            image = replace(image, warnings=(*image.warnings, *said))
            return OpenedSample((pair or files)[0].name, image, opened)

        yield {**cleared, **self.images.open(session, read, "", values)}

    def pick(self, event: gr.EventData, request: gr.Request, **values: Any) -> Updates:
        """Open one of the series that are listed."""
        session, key = self.session(request), str(event.key)
        uploaded = session.series
        if uploaded is None or _is_open(session, uploaded, key):
            return {self.updates.layout.series: series_list.listed(session)}
        return self.images.open(session, lambda: _opened(uploaded, key), "", values)

    def refuse(self, event: gr.EventData) -> Updates:
        """Say why the page did not upload so many files, or an empty folder."""
        check_count(int(event.count))
        return self.updates.notice(Notice("error", ("The folder is empty; give one with files.",)))

    def _series(
        self, session: Session, files: list[Path], values: dict[str, Any]
    ) -> Iterator[Updates]:
        """Find the series of an upload, and open the only one or list them."""
        page = self.updates.layout
        # An upload is gone from its path once it was taken.
        archive = is_archive(files[0])
        with session.changes.change(file=True) as number:
            yield {page.series: series_list.reading(0, len(files))}
            finding = _Finding(files, self.images.caps)
            for done in finding.progress():
                if session.changes.is_latest_file(number):
                    yield {page.series: series_list.reading(done, len(files))}
            latest, uploaded = session.changes.is_latest_file(number), finding.uploaded
            several = uploaded is not None and len(volumes(uploaded.found)) > 1
            if latest and several:
                with session.lock:
                    session.series, session.series_key = uploaded, ""
            if not latest or several or uploaded is None:
                # A notice of before is not about this upload.
                said = self.updates.notice(None) if latest else {}
                yield {page.series: series_list.listed(session), **said}
        if not latest or several:
            return
        if uploaded is None:
            raise finding.error
        alone = None if len(files) > 1 or archive else files[0]
        opened = self.images.open(session, lambda: _opened(uploaded, None, alone), "", values)
        yield {page.series: series_list.listed(session), **opened}


def _is_open(session: Session, uploaded: UploadedSeries, key: str) -> bool:
    """Whether the volume of a series is on display, at any of its times."""
    return session.image is not None and any(
        {key, session.series_key} <= {one.key for one in times} for times in volumes(uploaded.found)
    )


def _opened(uploaded: UploadedSeries, key: str | None, file: Path | None = None) -> OpenedSample:
    """The middle slice of a series; the only one of a ``file`` has its name, and needs no list."""
    opened = uploaded.open(key)
    if file is None:
        name = series_list.name(opened.series)
        return OpenedSample(name, opened.image(), opened, series=uploaded)
    return OpenedSample(file.name, opened.image(), opened)


def _pair(files: list[Path]) -> tuple[Path, Path] | None:
    """A header and its values, unless there is a DICOM file among the others.

    Uploads that are gone are none, and opening them says so.

    Raises
    ------
    ImageReadError
        There are several pairs.
    """
    try:
        pair = pair_of(files)
        others = [one for one in files if pair and one not in pair]
        return None if any(is_dicom(_head(one)) for one in others) else pair
    except OSError:
        return None
    except ImageReadError:
        for one in files:
            remove_upload(one)
        raise


def _are_pictures(files: list[Path]) -> bool:
    """Whether these are several pictures, which become one stack of slices."""
    try:
        return len(files) > 1 and all(sniff(_head(one)) in PICTURES for one in files)
    except (OSError, ImageReadError):
        return False


def _files(count: int) -> str:
    return f"{count} file{'s' * (count != 1)}"


def _head(path: Path) -> bytes:
    with path.open("rb") as file:
        return file.read(_HEAD)


class _Finding:
    """The search for the series of an upload, in a thread of its own.

    Parameters
    ----------
    files : list of Path
    caps : Caps
    """

    def __init__(self, files: list[Path], caps: Caps) -> None:
        self.uploaded: UploadedSeries | None = None
        self.error: Exception = ReadingRoomError("")
        self._done: queue.SimpleQueue[int | None] = queue.SimpleQueue()
        threading.Thread(target=self._find, args=(files, caps), daemon=True).start()

    def progress(self) -> Iterator[int]:
        """How many files were read, until the search ends; only the latest for a page that lags."""
        while (done := self._done.get()) is not None:
            while not self._done.empty():
                newer = self._done.get()
                if newer is None:
                    return
                done = newer
            yield done

    def _find(self, files: list[Path], caps: Caps) -> None:
        try:
            self.uploaded = UploadedSeries(files, caps, self._done.put)
        except Exception as error:
            self.error = error
        finally:
            self._done.put(None)
