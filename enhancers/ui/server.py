"""Starts the server of the compare page."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path

from fastapi import FastAPI
from gradio.utils import get_upload_folder
from starlette.middleware import Middleware

from enhancers.http_limits.addresses import Proxies, networks
from enhancers.http_limits.bodies import BodyLimits
from enhancers.http_limits.connections import limit_connections
from enhancers.http_limits.proxy_headers import ProxyHeaders
from enhancers.http_limits.upload_quota import QuotaOfUploads, UploadQuota
from enhancers.load import Caps
from enhancers.private_folders import private_folder, remove_regularly
from enhancers.request_guard import RequestGuard, allowed_hosts
from enhancers.security_headers import SecurityHeaders
from enhancers.settings import Settings, on_a_space
from enhancers.ui.page import ComparePage
from enhancers.ui.visitors import VisitorCookie

_FRAMED_ON_A_SPACE = "'self' https://huggingface.co https://*.huggingface.co"
"""The site of the Space shows the page in a frame."""


def use_private_temp_folder() -> None:
    """Let Gradio keep its files in a folder of this process, removed at exit; call before `build`.

    Gradio serves every file in its folder, which processes share by default.
    """
    os.environ["GRADIO_TEMP_DIR"] = str(private_folder("gradio"))


def launch(
    page: ComparePage,
    settings: Settings,
    middleware: Sequence[Middleware] = (),
    bodies: Mapping[str, int] | None = None,
) -> FastAPI:
    """Start the server in the background and return its app, with the page's routes.

    Parameters
    ----------
    page : ComparePage
    settings : Settings
        For the address, the names it answers to, trusted proxies, the largest upload and the MCP
        server.
    middleware : sequence of Middleware
        Added to the app.
    bodies : mapping of str to int, optional
        Ends of other paths that take bodies of another size than most, and their bytes.
    """
    proxies = Proxies(networks(settings.trusted_proxies))
    app: FastAPI
    app, _, _ = page.blocks.launch(
        server_name=settings.host,
        server_port=settings.port,
        prevent_thread_lock=True,
        quiet=True,
        # Without Gradio's look at its own page, which gives a busy machine three seconds to answer.
        _frontend=False,
        show_error=False,
        run_history=False,
        enable_monitoring=False,
        ssr_mode=False,
        footer_links=["api"],
        mcp_server=settings.mcp,
        # An archive of a series may be larger than a file that is opened (`Caps`).
        max_file_size=Caps.from_settings(settings).max_unpacked,
        app_kwargs={"middleware": list(middleware)},
        **page.launch_options,
    )
    for router in page.routers:
        app.include_router(router)
    remove_regularly(Path(get_upload_folder()))
    # Around all layers: those of `app_kwargs` lie inside Gradio's own, which permits all origins.
    inner = app.middleware_stack or app.build_middleware_stack()
    quota = UploadQuota(settings.upload_gb_per_hour, settings.uploads_per_hour)
    inner = VisitorCookie(QuotaOfUploads(inner, quota))
    inner = SecurityHeaders(inner, framed=_FRAMED_ON_A_SPACE if on_a_space() else "'self'")
    guarded = RequestGuard(inner, allowed_hosts(settings.host, [settings.allowed_hosts]))
    largest = _largest_bodies(Caps.from_settings(settings)) | dict(bodies or {})
    app.middleware_stack = ProxyHeaders(BodyLimits(guarded, largest), proxies)
    limit_connections(page.blocks.server.config, proxies)
    _hide_the_server(page)
    return app


def _largest_bodies(caps: Caps) -> dict[str, int]:
    """Paths that take files as they are, or one in JSON."""
    return {
        "/gradio_api/upload": caps.max_unpacked + 10**6,
        "/gradio_api/mcp": 2 * caps.max_bytes + 10**6,
    }


def _hide_the_server(page: ComparePage) -> None:
    """Leave the name of the server program out of answers, which Gradio cannot be asked to do."""
    config = page.blocks.server.config
    config.encoded_headers = [one for one in config.encoded_headers if one[0].lower() != b"server"]
