"""The coordinator's pages, put together: layout, handlers, and which event calls which."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import gradio as gr
from fastapi import FastAPI, HTTPException
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request

from enhancers.asset_files import asset_text
from enhancers.page_theme import page_head, page_theme
from study.accounts.staff import StaffRole, StaffSignIn
from study.storage.store import Store
from study.web.coordinator.actions import Actions
from study.web.coordinator.authorization import (
    ADMINS,
    EVERYBODY,
    Action,
    guarded,
    guarded_with_request,
)
from study.web.coordinator.context import CoordinatorContext
from study.web.coordinator.layout import Layout, draw
from study.web.coordinator.page_updates import PageUpdates
from study.web.coordinator.routes import PREFIX, router
from study.web.coordinator.tasks import Tasks

LARGEST_UPLOAD = "4gb"
_HEAD = '<meta name="referrer" content="no-referrer">\n<link rel="icon" href="data:,">'
_QUIET: dict[str, Any] = {
    "api_visibility": "private", "show_progress": "hidden", "concurrency_limit": None,
}  # fmt: skip


def build_admin(
    store: Store,
    *,
    key_path: Path | None = None,
    office: CoordinatorContext | None = None,
    door: StaffSignIn | None = None,
) -> Any:
    """The Blocks of the coordinator's pages; its configuration knows nothing of the study.

    Parameters
    ----------
    store : Store
    key_path : Path, optional
        The key file; without it nothing can be built, frozen or unblinded here.
    office, door : optional
        Shared with `router`.
    """
    office, door = office or CoordinatorContext(store, key_path), door or StaffSignIn(store)
    with gr.Blocks(title="Coordinator", analytics_enabled=False, fill_width=True) as blocks:
        page = draw()
        _Wiring(blocks, page, PageUpdates(page, office), office, door).connect()
    return blocks


class _Wiring:
    """Which event calls which handler, and who may cause it."""

    def __init__(
        self,
        blocks: Any,
        page: Layout,
        screen: PageUpdates,
        office: CoordinatorContext,
        door: StaffSignIn,
    ) -> None:
        self.blocks, self.page, self.screen, self.door = blocks, page, screen, door
        self.actions, self.work = Actions(screen, office), Tasks(screen, office)
        self.outputs = page.components()

    def connect(self) -> None:
        """Connect everything."""
        page, do = self.page, self.actions
        self._on(self.blocks.load, do.enter, roles=EVERYBODY)
        self._on(page.go.click, do.go)
        self._on(page.timer.tick, self.work.tick)
        turned = _any([tab.select for tab in page.tab.values()])
        self._on(turned, do.look, {"word": page.audit.filter}, roles=EVERYBODY)
        self._design()
        self._images()
        self._life()
        self._results()
        self._accounts()

    def _on(
        self,
        event: Any,
        action: Action,
        fields: dict[str, Any] | None = None,
        *,
        roles: Sequence[StaffRole] = ADMINS,
        guard: Callable[..., Any] = guarded,
        **options: Any,
    ) -> None:
        handler = guard(self.door, self.screen, roles, action)
        event(handler, inputs_kwargs=fields or {}, outputs=self.outputs, **(_QUIET | options))

    def _design(self) -> None:
        page = self.page.design
        # Not `input`, which a text that is pasted does not cause.
        changed = _any([field.change for field in page.fields.values()])
        self._on(changed, self.actions.reckon, page.fields, trigger_mode="always_last")
        self._on(page.save.click, self.actions.save, page.fields)

    def _images(self) -> None:
        page, work = self.page.images, self.work
        self._on(page.fields["kind"].input, work.kind, {"kind": page.fields["kind"]})
        self._on(page.upload.upload, work.upload, {"archive": page.upload}, show_progress="minimal")
        self._on(page.build.click, work.build, page.fields)
        self._on(page.stop.click, work.stop)

    def _life(self) -> None:
        do, freeze, close, readers = (
            self.actions, self.page.freeze, self.page.close, self.page.readers
        )  # fmt: skip
        self._on(freeze.check.click, do.check, show_progress="minimal")
        self._on(freeze.freeze.click, do.freeze, {"confirm": freeze.confirm})
        self._on(freeze.open.click, do.open)
        self._on(
            readers.invite.click, do.invite, {"reader": readers.reader}, guard=guarded_with_request
        )
        self._on(readers.exclude.click, do.exclude, readers.out)
        self._on(close.close.click, do.close, {"confirm": close.confirm})
        self._on(close.ask.click, do.ask, {"confirm": close.confirm})
        self._on(close.second.click, do.second, {"confirm": close.confirm})
        self._on(close.take_back.click, do.take_back)

    def _results(self) -> None:
        results, audit, work = self.page.results, self.page.audit, self.work
        self._on(results.report.click, work.report)
        self._on(results.tables.click, work.tables)
        self._on(audit.verify.click, work.verify, {"images": audit.with_images})
        copied = {"target": audit.target, "images": audit.copy_images}
        self._on(audit.backup.click, work.backup, copied)
        self._on(audit.filter.change, work.events, {"word": audit.filter},
                 trigger_mode="always_last")  # fmt: skip

    def _accounts(self) -> None:
        page, do = self.page.accounts, self.actions
        self._on(page.add.click, do.add_account, {"name": page.name, "role": page.role})
        self._on(page.renew.click, do.renew, {"account": page.account})
        self._on(page.switch.click, do.switch, {"account": page.account})


def _any(events: Sequence[Any]) -> Callable[..., Any]:
    """Several events with one handler."""
    return partial(gr.on, list(events))


def attach(app: FastAPI, store: Store, *, key_path: Path | None = None) -> FastAPI:
    """Serve a study's coordinator pages below ``/coordinator`` of an app.

    Parameters
    ----------
    app : fastapi.FastAPI
    store : Store
    key_path : Path, optional
        The key file, where coordinators may build, freeze and unblind here.

    Returns
    -------
    fastapi.FastAPI
        The same app.
    """
    door, office = StaffSignIn(store), CoordinatorContext(store, key_path)
    blocks = build_admin(store, office=office, door=door)

    async def signed_in(request: Request) -> str | None:
        """Let the staff in; send those who open the page without a cookie to the sign-in page."""
        member = await run_in_threadpool(door.account_of, request)
        if member is None:
            if request.url.path.rstrip("/").endswith(PREFIX):
                raise HTTPException(303, headers={"Location": "login"})
            return None
        if member.role is not StaffRole.ADMIN and request.url.path.endswith("/upload"):
            return None
        await _wake(blocks)
        return "staff"

    app.include_router(router(store, office.files, door))
    gr.mount_gradio_app(
        app,
        blocks,
        path=PREFIX,
        auth_dependency=signed_in,
        show_error=False,
        run_history=False,
        enable_monitoring=False,
        mcp_server=False,
        pwa=False,
        ssr_mode=False,
        footer_links=[],
        max_file_size=LARGEST_UPLOAD,
        theme=page_theme(),
        css=asset_text("theme.css", "coordinator.css"),
        head=page_head("copy_button.js", markup=_HEAD),
    )
    return app


async def _wake(blocks: Any) -> None:
    """Start the queue of events: an app that runs already does not start what is mounted later."""
    if not blocks.is_running:
        blocks.run_startup_events()
        await blocks.run_extra_startup_events()
