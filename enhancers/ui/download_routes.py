"""Routes of the page next to Gradio's: downloads of a session and the samples' thumbnails."""

from __future__ import annotations

import io
import json
import re
from urllib.parse import quote

from fastapi import APIRouter
from fastapi.responses import FileResponse, Response

from enhancers.compare.maps import bundle_maps
from enhancers.errors import ReadingRoomError
from enhancers.metrics import to_csv
from enhancers.save import BundleItem, to_png16, write_bundle
from enhancers.save.dicom.targets import Identity, derived_facts
from enhancers.save.result_files import ENDINGS, ResultFacts, encoded
from enhancers.ui import gallery
from enhancers.ui.page_updates import DOWNLOADS
from enhancers.ui.session import Session
from enhancers.ui.sessions import Sessions
from enhancers.ui.slices_job import file_of, is_of_dicom

_PRIVATE = {"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"}

KEEP = "keep"
"""What a link asks for that keeps the patient."""

MAX_STEM, MAX_NAMED = 80, 4
"""Most characters of an image's name, and most methods, in the name of a download."""

# A DICOM file may be called IM.0001: only known endings are removed.
_ENDINGS = re.compile(r"\.(nii(\.gz)?|dcm|dicom|png|tiff?|jpe?g)$", re.IGNORECASE)


def router(sessions: Sessions) -> APIRouter:
    """The routes; a session's downloads are reached only through its random token."""
    routes = APIRouter()

    @routes.get("/" + DOWNLOADS + "{token}/bundle.zip", include_in_schema=False)
    def bundle(token: str) -> Response:
        session = sessions.by_token(token)
        data = None if session is None else bundle_bytes(session)
        return _file(data, "application/zip", download_name(session, "zip"))

    @routes.get("/" + DOWNLOADS + "{token}/{key}.png", include_in_schema=False)
    def result(token: str, key: str) -> Response:
        session = sessions.by_token(token)
        data = None if session is None else png_bytes(session, key)
        return _file(data, "image/png", download_name(session, "png", key))

    @routes.get("/" + DOWNLOADS + "{token}/all-slices", include_in_schema=False)
    def slices(token: str) -> Response:
        session = sessions.by_token(token)
        job = None if session is None else session.all_slices
        path = file_of(job)
        if path is None or job is None:
            return _file(None, "", "")
        name = download_name(session, job.ending, f"{job.request.method}_all-slices", whole=True)
        return FileResponse(path, media_type="application/octet-stream", headers=_headers(name))

    @routes.get("/" + DOWNLOADS + "{token}/{ending}/{key}", include_in_schema=False)
    def as_file(token: str, ending: str, key: str, patient: str = "") -> Response:
        session = sessions.by_token(token)
        try:
            data = None if session is None else result_bytes(session, key, ending, patient == KEEP)
        except ReadingRoomError as error:
            return Response(str(error), status_code=400, media_type="text/plain", headers=_PRIVATE)
        return _file(data, "application/octet-stream", download_name(session, ending, key))

    @routes.get("/" + gallery.THUMBNAILS + "{key}.png", include_in_schema=False)
    def thumbnail(key: str) -> Response:
        try:
            data = gallery.thumbnail_png(key)
        except ReadingRoomError:
            return Response(status_code=404)
        headers = {"Cache-Control": "max-age=3600"}
        return Response(data, media_type="image/png", headers=headers)

    return routes


def _file(data: bytes | None, media_type: str, name: str) -> Response:
    if data is None:
        return Response(
            "This result is no longer available, because the page was closed or another image "
            "was opened. Run the method again.",
            status_code=404, media_type="text/plain", headers=_PRIVATE,
        )  # fmt: skip
    return Response(data, media_type=media_type, headers=_headers(name))


def _headers(name: str) -> dict[str, str]:
    plain = re.sub(r"[^\w.+-]", "_", name, flags=re.ASCII)
    header = f"attachment; filename=\"{plain}\"; filename*=UTF-8''{quote(name, safe='')}"
    return {**_PRIVATE, "Content-Disposition": header}


def download_name(
    session: Session | None, extension: str, key: str = "", *, whole: bool = False
) -> str:
    """The name of a download: the image, its slice and the methods.

    Parameters
    ----------
    session : Session, optional
    extension : str
    key : str
        Of the panel; empty for a file with all results.
    whole : bool
        Whether the file holds all slices.

    Examples
    --------
    >>> session = Session(name="knee.nii.gz")
    >>> download_name(session, "png", "srad")
    'knee_srad.png'
    """
    if session is None:
        return f"reading-room.{extension}"
    stem = _ENDINGS.sub("", session.name).strip() or "image"
    parts = [re.sub(r"[^\w.-]+", "-", stem).strip("-.")[:MAX_STEM] or "image"]
    image = session.image
    if image is not None and image.slice_count > 1 and not whole:
        parts.append(f"{image.plane or 'slice'}-{image.slice_index + 1}")
    if image is not None and image.time_count > 1:
        parts.append(f"time-{image.time_index + 1}")
    keys = [method.key for method in session.run.done] if session.run else []
    parts.append(key or ("+".join(keys) if len(keys) <= MAX_NAMED else f"{len(keys)}-methods"))
    return f"{'_'.join(parts)}.{extension}"


def png_bytes(session: Session, key: str) -> bytes | None:
    """A panel's pixels as 16-bit PNG; None where there is no such panel."""
    for found, _, pixels in session.panels():
        if found == key:
            return to_png16(pixels, session.image.aspect if session.image else None)
    return None


def result_bytes(session: Session, key: str, ending: str, keep_patient: bool) -> bytes | None:
    """A method's result in a format; None where there is no such result or format.

    Raises
    ------
    ReadingRoomError
        The format cannot hold it, or its DICOM header cannot be read.
    """
    run, opened = session.run, session.opened
    found = next((one.outcome for one in run.done if one.key == key), None) if run else None
    if run is None or found is None or ending not in ENDINGS.values():
        return None
    facts = ResultFacts(run.image, found.record.result_units)
    pixels = found.result.pixels
    if ending != "dcm":
        return encoded(ending, facts, pixels)
    if opened is None or not is_of_dicom(run.image):
        return None
    shape = pixels.shape[0], pixels.shape[1]
    index = run.image.slice_index
    frame = opened.frames()[index]
    derived = derived_facts(
        facts, found.record, shape, Identity(keep_patient), None if frame is None else [frame]
    )
    head = opened.derived_head(index, derived, shape)
    return head.data + head.encode(facts.values(pixels), 0) + head.padding


def bundle_bytes(session: Session) -> bytes | None:
    """The zip of all finished results; None where there is none."""
    methods = session.run.done if session.run else []
    results = {method.key: method.outcome for method in methods if method.outcome is not None}
    if session.image is None or not results:
        return None
    items = [
        BundleItem(key, outcome.result.pixels, outcome.record.result_units)
        for key, outcome in results.items()
    ]
    records = [json.loads(outcome.record.to_json()) for outcome in results.values()]
    provenance = json.dumps(records, indent=2, ensure_ascii=False, sort_keys=True)
    scores = to_csv(session.compute_scores(), shrink=session.score_shrink)
    maps = [one for outcome in results.values() for one in bundle_maps(session.image, outcome)]
    target = io.BytesIO()
    write_bundle(target, session.image, items, scores, provenance, session.truth, maps)
    return target.getvalue()
