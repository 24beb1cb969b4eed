"""The coordinator's pages of one study without a browser: handlers are called by their names."""

from __future__ import annotations

from pathlib import Path

import gradio as gr
from sqlalchemy import select

from study.accounts import staff
from study.accounts.staff import StaffRole
from study.demo.reader_model import ReaderModel
from study.domain.protocol import Protocol
from study.stimuli.rendering import build
from study.storage.models import AuditEvent, Method
from study.web.coordinator.actions import Actions
from study.web.coordinator.context import CoordinatorContext
from study.web.coordinator.draft import FOLDERS
from study.web.coordinator.layout import draw
from study.web.coordinator.page_updates import PageUpdates
from study.web.coordinator.tasks import Tasks
from tests.support import small_studies

NAMES = ("restormer", "dncnn", "swinir")
PROTOCOL = Protocol(title="Noise <b>in</b> phantoms", readers=2, training=1, dummies=1, repeats=1,
                    nulls=1, repeat_distance=2, feedback=False)  # fmt: skip


class Desk:
    """The pages of one study, as the administrator anna, her colleague and a monitor see them."""

    def __init__(self, folder: Path, *, key: bool = True) -> None:
        made = small_studies.draft(folder, PROTOCOL)
        self.folder, self.store, self.key_path = folder, made.store, made.key_path
        roles = {"anna": StaffRole.ADMIN, "bert": StaffRole.ADMIN, "mona": StaffRole.MONITOR}
        made_accounts = [staff.add(self.store, *one, actor="setup") for one in roles.items()]
        self.secrets = {one.code: one.secret for one in made_accounts}
        self.anna, self.bert, self.mona = staff.accounts_of(self.store)
        self.context = CoordinatorContext(self.store, self.key_path if key else None)
        with gr.Blocks():
            self.page = draw()
        updates = PageUpdates(self.page, self.context)
        self.do, self.tasks = Actions(updates, self.context), Tasks(updates, self.context)

    def built(self) -> Desk:
        build(
            self.store, self.context.key(), small_studies.ready_made(self.folder / "images", NAMES)
        )
        return self

    def opened(self) -> Desk:
        self.built().do.freeze(self.anna, "S1")
        self.do.open(self.anna)
        return self

    def closed(self) -> Desk:
        from study.demo.simulated_readers import read

        self.opened()
        with self.store.read() as session:
            methods = session.scalars(select(Method.id)).all()
        for code in ("R01", "R02"):
            model = ReaderModel(code, {name: 2.0 + n for n, name in enumerate(methods)}, seed=3)
            read(self.store, code, model)
        self.do.close(self.anna, "S1")
        return self

    def sign_in(self, code: str) -> None:
        """Sign in as somebody would on the page."""
        staff.StaffSignIn(self.store).sign_in(code, self.secrets[code], address="here")

    def text(self, shown, component) -> str:
        """What a component will show."""
        update = shown[component]
        return str(update.get("value", "") if isinstance(update, dict) else update)

    def everything(self, shown) -> str:
        return " ".join(str(update) for update in shown.values())

    def audited(self) -> list[tuple[str, str, str]]:
        with self.store.read() as session:
            rows = select(AuditEvent.actor, AuditEvent.action, AuditEvent.detail)
            return [tuple(row) for row in session.execute(rows.order_by(AuditEvent.seq))]

    def method_names(self) -> list[str]:
        return list(self.context.key().method_strings())


def source(**changed):
    empty = dict.fromkeys(
        ("path", "methods", "truth", "degraded", "reference", "anchors", "answers", "separator",
         "training_cases", "modality"), ""
    )  # fmt: skip
    return empty | {"kind": FOLDERS, "attest": False, "accept": False} | changed


def finish(desk: Desk):
    """Wait for the work, and look at the page as its timer does."""
    ended = desk.context.jobs.wait(300)
    assert not ended.running
    return ended, desk.tasks.tick(desk.anna)
