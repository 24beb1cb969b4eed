"""Serves a study: the readers' pages and the coordinator's, without the compare page.

Nothing here imports torch, and this process knows no names of methods unless it is given the key
file.
"""

from __future__ import annotations

import gc
import os
import socket
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from fastapi import FastAPI
from starlette.responses import RedirectResponse, Response

from enhancers.http_limits.addresses import LOOPBACK, Proxies, networks
from enhancers.http_limits.bodies import BodyLimits
from enhancers.http_limits.proxy_headers import ProxyHeaders
from enhancers.http_limits.upload_quota import QuotaOfUploads, UploadQuota
from enhancers.private_folders import private_folder, remove_regularly, removed_at_sigterm
from enhancers.request_guard import RequestGuard
from enhancers.security_headers import SecurityHeaders
from study.domain.errors import StudyError
from study.server.several import ServedStudy, attach
from study.web.body_limits import BODY_BYTES

if TYPE_CHECKING:
    from study.demo.site import DemoSite
    from study.storage.store import Store


def trusted_proxies(named: Sequence[str] = ()) -> Proxies:
    """The proxies whose headers are believed; those on this machine where none is named.

    Parameters
    ----------
    named : sequence of str
        Addresses and networks, such as 172.17.0.0/16, each item one or several.

    Raises
    ------
    StudyError
        One of them is neither.
    """
    try:
        return Proxies(networks(named or LOOPBACK))
    except ValueError as error:
        raise StudyError(f"These trusted proxies are not possible: {error}.") from None


def build_app(
    *studies: Store | ServedStudy,
    key: Path | None = None,
    not_open: int = 0,
    hosts: Sequence[str] | None = None,
    proxies: Proxies | None = None,
    quota: UploadQuota | None = None,
) -> FastAPI:
    """The server of one study, or of several that `open_studies` has opened.

    Parameters
    ----------
    studies : Store or ServedStudy
    key : Path, optional
        The key file of the only study, where it is a store: coordinators may build, freeze and
        unblind on their pages.
    not_open : int
        Studies that could not be opened.
    hosts : sequence of str, optional
        Names that the server answers to (see `RequestGuard`); None is any name.
    proxies : Proxies, optional
        From `trusted_proxies`.
    quota : UploadQuota, optional
        Of the uploads of coordinators.

    Returns
    -------
    fastapi.FastAPI
        Readers below ``/reader``, coordinators below ``/coordinator``; the root leads to readers.
        Of several studies these are lists, and each study has its pages below its own path.

    Raises
    ------
    StudyError
        The environment switches on a mode of Gradio that lets visitors change the program.
    """
    served = [one if isinstance(one, ServedStudy) else ServedStudy(one, key) for one in studies]
    app = _app("reader/", hosts=hosts, proxies=proxies, quota=quota)
    return attach(app, served, not_open=not_open)


def build_demo(
    demonstration: DemoSite,
    *,
    hosts: Sequence[str] | None = None,
    proxies: Proxies | None = None,
) -> FastAPI:
    """The server of the demonstration, below ``/demo``; raises as `build_app`.

    Its page shows the reader's page in a frame.
    """
    app = _app("demo/", framed="'self'", hosts=hosts, proxies=proxies)
    app.mount("/demo", demonstration)
    return app


def _app(
    first: str,
    *,
    framed: str = "'none'",
    hosts: Sequence[str] | None = None,
    proxies: Proxies | None = None,
    quota: UploadQuota | None = None,
) -> FastAPI:
    """A server without pages, whose root leads to the first of them."""
    _prepare()
    app = FastAPI(title="Reading", docs_url=None, redoc_url=None, openapi_url=None)
    app.add_middleware(QuotaOfUploads, quota=quota or UploadQuota())
    app.add_middleware(SecurityHeaders, framed=framed)
    # The last one is the outermost layer.
    app.add_middleware(RequestGuard, hosts=hosts)
    app.add_middleware(BodyLimits, larger=BODY_BYTES)
    app.add_middleware(ProxyHeaders, proxies=proxies or trusted_proxies())

    @app.get("/")
    def root() -> RedirectResponse:
        return RedirectResponse(first, 303)

    @app.get("/favicon.ico")
    def icon() -> Response:
        return Response(status_code=204)

    return app


def run(app: FastAPI, server: socket.socket, *, proxies: Proxies | None = None) -> None:
    """Serve an app on a bound socket until interrupted; from the main thread only.

    Parameters
    ----------
    app : FastAPI
    server : socket
        From `bind`.
    proxies : Proxies, optional
        Those of the app; the number of their connections is not limited.
    """
    import uvicorn

    from enhancers.http_limits.connections import limit_connections

    # SIGTERM ends the server like Ctrl+C, so that everything is closed.
    removed_at_sigterm()
    config = uvicorn.Config(app, access_log=False, server_header=False, log_level="warning")
    limit_connections(config, proxies or trusted_proxies())
    # Exclude what is loaded from garbage collection, which would make readers wait.
    gc.collect()
    gc.freeze()
    uvicorn.Server(config).run(sockets=[server])


def bind(host: str, port: int) -> socket.socket:
    """A bound socket for `run`; port 0 takes a free port.

    Raises
    ------
    StudyError
        The address cannot be bound.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family, backlog=2048)
    except (OSError, OverflowError) as error:
        reason = getattr(error, "strerror", None) or error
        raise StudyError(
            f"The server cannot listen at {host}:{port}: {reason}. Choose another --host or --port."
        ) from None


def address(server: socket.socket) -> str:
    """The URL of the server, as a browser on this machine opens it."""
    host, port = server.getsockname()[:2]
    local = {"0.0.0.0": "127.0.0.1", "::": "[::1]"}
    return f"http://{local.get(host, f'[{host}]' if ':' in host else host)}:{port}"


def _prepare() -> None:
    """Set up the environment before Gradio is imported, and import it."""
    if os.environ.get("GRADIO_VIBE_MODE"):
        raise StudyError(
            "GRADIO_VIBE_MODE is set: visitors could change the program. Unset it to serve a study."
        )
    os.environ["GRADIO_ANALYTICS_ENABLED"] = "False"
    if "GRADIO_TEMP_DIR" not in os.environ:
        # A private folder, because Gradio serves the files in it.
        folder = private_folder("gradio")
        remove_regularly(folder)
        os.environ["GRADIO_TEMP_DIR"] = str(folder)
    from enhancers import gradio_import  # noqa: F401
