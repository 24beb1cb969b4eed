"""Every command on a study in every state gives a result or one sentence, never a traceback."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import click
import pytest
import typer
from sqlalchemy import select

from study.cli import app, main
from study.demo.reader_model import ReaderModel
from study.demo.simulated_readers import read
from study.domain.protocol import Protocol
from study.domain.questions import CATALOG, PREFERENCE
from study.planning.exclusions import exclude
from study.planning.freeze import freeze
from study.planning.lifecycle import close_study, open_study, unblind
from study.reading import consent
from study.reading.consent import consent_digest
from study.stimuli import sources
from study.stimuli.rendering import build
from study.storage.models import Reader
from study.storage.store import Store
from tests.support import small_studies
from tests.support.small_studies import Draft

PROTOCOL = Protocol(
    readers=2, training=0, dummies=0, repeats=1, nulls=1, repeat_distance=1,
    questions=(CATALOG[0], PREFERENCE), ask_blinding=False,
)  # fmt: skip
METHODS = ("restormer", "dncnn")
RATINGS = "item,rater,value\na,1,3\na,2,3\nb,1,2\nb,2,3\n"
EXTRA = {
    "build": ("--folders", "images"),
    "init": ("--code", "S2"),
    "invite": ("--all",),
    "plan": ("--readers", "3"),
    "report": ("--out", "page.html"),
    "serve": ("--port", "0"),
    "demo": ("--port", "0"),
    "unblind": ("--actor", "anna"),
}
"""Options without which a command only says that it needs them, or would not end."""
VALUES = {
    "folder": "study", "key": "key.json", "out": "new", "target": "new", "second": "bert",
    "kind": "alpha", "ratings": "ratings.csv", "reader": "R01", "reason": "Ill.", "chosen": "A7",
    "text": "Reads on Mondays.", "path": "mirror.jsonl", "protocol": "protocol.json",
}  # fmt: skip
"""What is given for each required argument or option, by its name."""


def _commands(group: Any = None, before: str = "") -> Iterator[tuple[str, click.Command]]:
    """Every command by what is typed, such as "reader add"."""
    group = group or typer.main.get_command(app)
    for name, command in group.commands.items():
        if hasattr(command, "commands"):
            yield from _commands(command, f"{before}{name} ")
        else:
            yield before + name, command


def _arguments(name: str, command: click.Command) -> list[str]:
    """The command with everything that its parser requires."""
    given = name.split()
    for parameter in command.params:
        if parameter.name == "key":
            # It is in the environment.
            continue
        if parameter.required:
            value = VALUES[str(parameter.name)]
            is_option = parameter.param_type_name == "option"
            given += [parameter.opts[0], value] if is_option else [value]
        elif parameter.name == "folder":
            given.append(VALUES["folder"])
    return [*given, *EXTRA.get(name, ())]


def _build(draft: Draft) -> None:
    found = sources.from_folders(draft.key_path.parent / "images", separator="_")
    build(draft.store, draft.key, found)


def _freeze(draft: Draft) -> None:
    freeze(draft.store, draft.key, actor="coordinator")


def _open(draft: Draft) -> None:
    open_study(draft.store, actor="coordinator")


def _read(draft: Draft, most: int | None = None) -> None:
    worth = {name: 3.0 + place for place, name in enumerate(sorted(draft.key.methods))}
    read(draft.store, "R01", ReaderModel("R01", worth, seed=5), most=most)


def _exclude(draft: Draft) -> None:
    with draft.store.write() as session:
        exclude(session, "R01", rule="display", reason="Wrong display.", actor="anna")


def _withdraw(draft: Draft) -> None:
    with draft.store.write() as session:
        reader = session.scalars(select(Reader.id).where(Reader.code == "R01")).one()
        consent.withdraw(session, reader, consent_digest(draft.store.protocol()))


def _close(draft: Draft) -> None:
    close_study(draft.store, actor="coordinator")


def _unblind(draft: Draft) -> None:
    unblind(draft.store, draft.key, actor="anna", second="bert")


STATES: dict[str, tuple[str, tuple[Callable[[Draft], None], ...]]] = {
    "draft": ("", ()),
    "built": ("draft", (_build,)),
    "frozen": ("built", (_freeze,)),
    "open": ("frozen", (_open,)),
    "one reader": ("open", (_read,)),
    "closed": ("one reader", (_close,)),
    "closed with one pair": ("open", (partial(_read, most=1), _close)),
    "closed unread": ("open", (_close,)),
    "all excluded": ("one reader", (_exclude, _close)),
    "all withdrawn": ("one reader", (_withdraw, _close)),
    "unblinded": ("closed", (_unblind,)),
    "unblinded unread": ("closed unread", (_unblind,)),
}
"""Each state, as the state before it and the steps that lead from there."""


CLOSED = [name for name in STATES if name.startswith(("closed", "all", "unblinded"))]


@pytest.fixture(scope="module")
def states(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder for each state with its study, key and images, and a table of ratings."""
    root = tmp_path_factory.mktemp("states")
    for name, (before, steps) in STATES.items():
        folder = root / name
        if before:
            shutil.copytree(root / before, folder)
            draft = Draft(Store.open(folder / "study"), folder / "key.json")
        else:
            small_studies.write_methods(folder / "images", METHODS, cases=2)
            (folder / "ratings.csv").write_text(RATINGS, encoding="utf-8")
            (folder / "protocol.json").write_text(PROTOCOL.to_json(), encoding="utf-8")
            draft = small_studies.draft(folder, PROTOCOL)
        for step in steps:
            step(draft)
        draft.store.close()
    return root


RARE = ("built", "closed with one pair", "all withdrawn", "unblinded unread")


@pytest.mark.parametrize(
    "state",
    [pytest.param(name, marks=pytest.mark.exhaustive) if name in RARE else name for name in STATES],
)
def test_every_command_gives_a_result_or_a_sentence(
    states: Path,
    state: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("READINGROOM_STUDY_KEY", "key.json")
    monkeypatch.setattr("study.server.standalone.run", lambda *_, **__: None)
    monkeypatch.setattr("study.demo.site.DemoSite.prepare", lambda _: None)
    if state not in ("draft", "unblinded unread"):
        # Pages take a second to build and read the state only when they are loaded.
        monkeypatch.setattr("study.server.standalone.attach", lambda app, *_, **__: app)
    succeeded = set()
    for name, command in _commands():
        folder = tmp_path / name
        shutil.copytree(states / state, folder)
        monkeypatch.chdir(folder)
        monkeypatch.setattr(sys, "argv", ["study", *_arguments(name, command)])
        capsys.readouterr()
        status = main()
        output = capsys.readouterr()
        if status == 0:
            assert (output.out + output.err).strip() or name in ("serve", "demo"), name
            succeeded.add(name)
            continue
        assert status == 2, f"{name}: {status} {output.err}"
        assert output.err.startswith("error: "), name
        assert output.err.count("\n") == 1, f"{name}: {output.err}"
        assert "Missing" not in output.err, f"{name}: {output.err}"
    assert {"serve", "stats", "demo", "backup", "verify"} <= succeeded
    assert ("report" in succeeded) == ("export" in succeeded) == (state in CLOSED)
