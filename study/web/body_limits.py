"""Paths of the study that take bodies of another size than most."""

from __future__ import annotations

from collections.abc import Mapping

MAX_UPLOAD = 4 * 1024**3
"""Bytes of a zip file of images that a coordinator uploads."""
BODY_BYTES: Mapping[str, int] = {
    "/coordinator/gradio_api/upload": MAX_UPLOAD + 10**6,
    # The reader's page has no upload and no event.
    "/reader/gradio_api/upload": 64 * 1024,
    "/reader/login": 16 * 1024,
    "/reader/join": 16 * 1024,
    "/coordinator/login": 16 * 1024,
}
"""Ends of paths and the bytes that they take; see `enhancers.http_limits.bodies`."""
