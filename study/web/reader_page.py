"""The reader's page: Blocks with one component, which knows nothing about the study.

What the page shows comes from `study.web.reader_api` after signing in; the page, its configuration
and its script are the same for every study and every reader.
"""

from __future__ import annotations

from typing import Any

import gradio as gr
from fastapi import FastAPI, HTTPException
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request

from enhancers.asset_files import asset_text
from enhancers.page_theme import page_theme
from study.accounts.readers import ReaderSignIn
from study.storage.store import Store
from study.web.reader_api import PREFIX, router

_SCRIPTS = (
    "viewer_core.js", "viewer_panel.js", "reader_net.js", "reader_sheet.js",
    "reader_widgets.js", "reader_drawing.js", "reader_light.js",
    "reader_pointer.js", "reader_screens.js", "reader_display.js", "reader_dialogs.js",
    "reader_reading.js", "reader_keys.js", "reader.js",
)  # fmt: skip
_PAGE_CSS = """
body, .gradio-container { background: #141414 !important; }
footer { display: none !important; }
"""
_HEAD = """
<meta name="robots" content="noindex">
<meta name="google" content="notranslate">
<meta name="referrer" content="same-origin">
<link rel="icon" href="data:,">
<script>
document.documentElement.style.background = '#141414';
document.documentElement.translate = false;
</script>
"""


def build_reader() -> Any:
    """The Blocks of the reader's page; no event of it reaches Python."""
    with gr.Blocks(title="Reading", analytics_enabled=False, fill_width=True) as blocks:
        gr.HTML(
            "",
            html_template='<div class="desk"></div>',
            css_template=asset_text("viewer.css", "reader.css"),
            js_on_load=asset_text(*_SCRIPTS),
            apply_default_css=False,
            elem_id="desk",
        )
    return blocks


def attach(app: FastAPI, store: Store, *, root: str = "") -> FastAPI:
    """Serve a study's reader pages below ``/reader`` of an app.

    Parameters
    ----------
    app : fastapi.FastAPI
    store : Store
    root : str
        See `SignIn`.

    Returns
    -------
    fastapi.FastAPI
        The same app.
    """
    accounts = ReaderSignIn(store, root=root)

    async def signed_in(request: Request) -> str | None:
        """Let readers in; send those who open the page without a cookie to the sign-in page."""
        if await run_in_threadpool(accounts.account_of, request) is not None:
            # The same word for everybody: Gradio writes it into the page.
            return "reader"
        if request.url.path.rstrip("/").endswith(PREFIX):
            raise HTTPException(303, headers={"Location": "login", "Cache-Control": "no-store"})
        return None

    app.include_router(router(store, accounts))
    gr.mount_gradio_app(
        app,
        build_reader(),
        path=PREFIX,
        auth_dependency=signed_in,
        show_error=False,
        run_history=False,
        enable_monitoring=False,
        mcp_server=False,
        pwa=False,
        ssr_mode=False,
        footer_links=[],
        max_file_size=1,
        theme=page_theme("#141414"),
        css=_PAGE_CSS,
        head=_HEAD,
    )
    return app
