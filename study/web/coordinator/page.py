"""The coordinator's pages: layout, handlers, and which event calls which handler."""

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
from study.web.body_limits import MAX_UPLOAD
from study.web.coordinator.actions import Actions
from study.web.coordinator.authorization import (
    ADMINS,
    EVERYBODY,
    Action,
    authorized,
    authorized_with_origin,
)
from study.web.coordinator.context import CoordinatorContext
from study.web.coordinator.layout import Layout, draw
from study.web.coordinator.page_updates import PageUpdates
from study.web.coordinator.routes import PREFIX, router
from study.web.coordinator.tasks import Tasks

_HEAD = '<meta name="referrer" content="same-origin">\n<link rel="icon" href="data:,">'
_QUIET: dict[str, Any] = {
    "api_visibility": "private", "show_progress": "hidden", "concurrency_limit": None,
}  # fmt: skip


def build_page(
    store: Store,
    *,
    key_path: Path | None = None,
    context: CoordinatorContext | None = None,
    accounts: StaffSignIn | None = None,
) -> Any:
    """The Blocks of the coordinator's pages; its configuration knows nothing of the study.

    Parameters
    ----------
    store : Store
    key_path : Path, optional
        The key file; without it nothing can be built, frozen or unblinded here.
    context, accounts : optional
        Shared with `router`.
    """
    context = context or CoordinatorContext(store, key_path)
    accounts = accounts or StaffSignIn(store)
    with gr.Blocks(title="Coordinator", analytics_enabled=False, fill_width=True) as blocks:
        layout = draw()
        _Wiring(blocks, layout, PageUpdates(layout, context), context, accounts).connect()
    return blocks


class _Wiring:
    """Which event calls which handler, and who may cause it."""

    def __init__(
        self,
        blocks: Any,
        layout: Layout,
        updates: PageUpdates,
        context: CoordinatorContext,
        accounts: StaffSignIn,
    ) -> None:
        self.blocks, self.page, self.updates, self.accounts = blocks, layout, updates, accounts
        self.actions, self.tasks = Actions(updates, context), Tasks(updates, context)
        self.outputs = layout.components()

    def connect(self) -> None:
        """Connect everything."""
        page, do = self.page, self.actions
        self._on(self.blocks.load, do.open_page, roles=EVERYBODY)
        self._on(page.go.click, do.next_step)
        self._on(page.timer.tick, self.tasks.tick)
        self._on(page.presence.tick, self.tasks.stay)
        selected = _any([tab.select for tab in page.tab.values()])
        turned = {"header": page.header, "word": page.audit.filter}
        self._on(selected, do.turn_to_tab, turned, roles=EVERYBODY)
        self._design()
        self._images()
        self._life()
        self._results()
        self._staff()

    def _on(
        self,
        event: Any,
        action: Action,
        fields: dict[str, Any] | None = None,
        *,
        roles: Sequence[StaffRole] = ADMINS,
        authorize: Callable[..., Any] = authorized,
        **options: Any,
    ) -> None:
        handler = authorize(self.accounts, self.updates, roles, action)
        event(handler, inputs_kwargs=fields or {}, outputs=self.outputs, **(_QUIET | options))

    def _design(self) -> None:
        page = self.page.design
        # Not `change`, which filling the page would cause once for every field; a text that is
        # pasted causes no `input`, so that leaving a field counts as well.
        fields = page.fields.values()
        left = [field.blur for field in fields if hasattr(field, "blur")]
        changed = _any([field.input for field in fields] + left)
        self._on(changed, self.actions.estimate, page.fields, trigger_mode="always_last")
        self._on(page.save.click, self.actions.save, page.fields)

    def _images(self) -> None:
        page, tasks = self.page.images, self.tasks
        self._on(page.fields["kind"].input, tasks.kind, {"kind": page.fields["kind"]})
        self._on(
            page.upload.upload, tasks.upload, {"archive": page.upload}, show_progress="minimal"
        )
        self._on(page.build.click, tasks.build, page.fields)
        self._on(page.stop.click, tasks.stop)
        self._on(page.restore.click, tasks.restore)

    def _life(self) -> None:
        do, freeze, close, readers = (
            self.actions, self.page.freeze, self.page.close, self.page.readers
        )  # fmt: skip
        codes = {"codes": freeze.codes}
        self._on(freeze.check.click, do.check, codes, show_progress="minimal")
        self._on(
            freeze.freeze.click,
            do.freeze,
            {"confirm": freeze.confirm, "words": freeze.words, **codes},
        )
        self._on(freeze.open.click, do.open)
        known = self.page.qualification
        given = {name: getattr(known, name) for name in ("answers", "pass_mark", "attempts")}
        self._on(known.declare.click, do.declare, given)
        self._on(known.remove.click, do.undeclare)
        self._on(self.page.amendment.amend.click, do.amend, self.page.amendment.fields)
        self._on(
            readers.invite.click,
            do.invite,
            {"reader": readers.reader},
            authorize=authorized_with_origin,
        )
        self._on(readers.apply.click, do.change_reader, readers.change)
        self._on(readers.exclude.click, do.exclude, readers.out)
        undone = {name: readers.out[name] for name in ("code", "reason")}
        self._on(readers.reinstate.click, do.reinstate, undone)
        self._on(close.close.click, do.close, {"confirm": close.confirm})
        self._on(close.ask.click, do.ask_to_unblind, {"confirm": close.confirm})
        self._on(close.second.click, do.confirm_unblinding, {"confirm": close.confirm})
        self._on(close.take_back.click, do.take_back)

    def _results(self) -> None:
        results, audit, tasks = self.page.results, self.page.audit, self.tasks
        self._on(results.report.click, tasks.report)
        self._on(results.tables.click, tasks.tables)
        self._on(audit.verify.click, tasks.verify, {"images": audit.with_images})
        copied = {"target": audit.target, "images": audit.copy_images}
        self._on(audit.backup.click, tasks.backup, copied)
        self._on(audit.filter.change, tasks.events, {"word": audit.filter},
                 trigger_mode="always_last")  # fmt: skip

    def _staff(self) -> None:
        page, do = self.page.accounts, self.actions
        self._on(page.add.click, do.add_account, {"name": page.name, "role": page.role})
        self._on(page.renew.click, do.renew, {"account": page.account})
        self._on(page.switch.click, do.switch, {"account": page.account})


def _any(events: Sequence[Any]) -> Callable[..., Any]:
    """Several events with one handler."""
    return partial(gr.on, list(events))


def attach(app: FastAPI, store: Store, *, key_path: Path | None = None, root: str = "") -> FastAPI:
    """Serve a study's coordinator pages below ``/coordinator`` of an app.

    Parameters
    ----------
    app : fastapi.FastAPI
    store : Store
    key_path : Path, optional
        The key file, where coordinators may build, freeze and unblind here.
    root : str
        See `SignIn`.

    Returns
    -------
    fastapi.FastAPI
        The same app.
    """
    accounts = StaffSignIn(store, root=root)
    context = CoordinatorContext(store, key_path, listed=bool(root))
    blocks = build_page(store, context=context, accounts=accounts)

    async def signed_in(request: Request) -> str | None:
        """Admit the staff; redirect a page that is opened without a cookie to the sign-in page."""
        user = await run_in_threadpool(accounts.account_of, request)
        if user is None:
            if request.url.path.rstrip("/").endswith(PREFIX):
                raise HTTPException(303, headers={"Location": "login"})
            return None
        if user.role is not StaffRole.ADMIN and request.url.path.endswith("/upload"):
            return None
        await _start_queue(blocks)
        return "staff"

    app.include_router(router(store, context.files, accounts))
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
        max_file_size=MAX_UPLOAD,
        theme=page_theme(),
        css=asset_text("theme.css", "coordinator.css"),
        head=page_head("copy_button.js", markup=_HEAD),
    )
    return app


async def _start_queue(blocks: Any) -> None:
    """Start the queue of events, which an app that runs already does not do for a later mount."""
    if not blocks.is_running:
        blocks.run_startup_events()
        await blocks.run_extra_startup_events()
