"""Ways in which a method could betray itself to a reader, and that none of them is open.

A reading is recorded with everything a browser is sent; `tests.support.leak_checks` looks for one
leak after the other. Some leaks are then put back on purpose: a check that misses them is worth
nothing.
"""

from __future__ import annotations

import ast
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from fastapi import FastAPI
from sqlalchemy import select

from study.domain.protocol import Protocol
from study.domain.terms import Role
from study.planning.freeze import freeze
from study.planning.lifecycle import open_study
from study.planning.qualification import AnswerRow, declare
from study.server.standalone import build_app
from study.stimuli import sources
from study.stimuli.rendering import Options, build
from study.storage.key import Key
from study.storage.models import Base, Item, Method, Presentation, Reader, Stimulus
from study.storage.store import Store
from tests.support import image_files, leak_checks, small_studies
from tests.support.http_visitor import Visitor, app_of
from tests.support.leak_checks import CHECKS, Recording
from tests.support.open_study import Small
from tests.support.planted_leaks import (
    LEAKS,
    Leak,
    put_encoded_name_into_headers,
    put_name_into_windows,
)

ROOT = Path(__file__).resolve().parents[3]
METHODS = ("restormer", "quillfilter", "pristine")
NOISE = (3.0, 9.0, 0.0)
CASES = 4
PROTOCOL = Protocol(
    title="Chest phantoms", readers=22, training=2, dummies=2, repeats=2, nulls=2,
    repeat_distance=2,
)  # fmt: skip
PAGES = (
    "", "config", "theme.css", "gradio_api/info", "gradio_api/openapi.json", "gradio_api/runs",
    "gradio_api/startup-events", "manifest.json", "monitoring", "login", "api/nothing",
    "gradio_api/app_id", "gradio_api/user", "gradio_api/token",
)  # fmt: skip
"""What else a curious reader may open."""


@dataclass(frozen=True)
class Study:
    """A real study of real files, with its key, and the server of it."""

    small: Small
    key: Key
    app: FastAPI

    @property
    def store(self) -> Store:
        return self.small.store


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Study]:
    folder = tmp_path_factory.mktemp("leaks")
    for name, sigma in zip(METHODS, NOISE, strict=True):
        (folder / "in" / name).mkdir(parents=True)
        for case in range(CASES):
            pixels = small_studies.picture(case)
            image = small_studies.noisy(pixels, case, sigma) if sigma else pixels
            data = image_files.png(image)
            (folder / "in" / name / f"krankenakte{case}.png").write_bytes(data)
    found = sources.with_roles(sources.from_folders(folder / "in"), reference="pristine")
    found = sources.with_training(found, ["krankenakte2", "krankenakte3"])
    draft = small_studies.draft(folder, PROTOCOL)
    build(draft.store, draft.key, found, options=Options(accept_differences=True))
    known = (AnswerRow(1, "krankenakte2", "quality", "1", "5"),)
    declare(draft.store, draft.key, known, pass_mark=1.0, attempts=1, actor="anna")
    freeze(draft.store, draft.key, actor="anna")
    open_study(draft.store, actor="anna")
    with draft.store.read() as rows:
        readers = dict(rows.execute(select(Reader.code, Reader.id)).all())
    yield Study(Small(draft.store, (), readers), draft.key, build_app(draft.store))
    draft.store.close()


PLACES = iter(range(1, PROTOCOL.readers + 1))


def listen(study: Study, app: FastAPI | None = None) -> tuple[Recording, Visitor]:
    """A new reader whose browser is recorded."""
    code = f"R{next(PLACES):02d}"
    kept = Recording(study.store, study.small.reader(code))
    visitor = Visitor(study.small, app or app_of(study.small), kept.hear)
    visitor.client.headers["Accept-Encoding"] = "gzip, br"
    return kept, visitor.join(code)


def read(study: Study, app: FastAPI | None = None) -> Recording:
    """What is sent in a whole reading, a correction among it."""
    kept, visitor = listen(study, app)
    visitor.sit_down()
    given = visitor.pair()
    visitor.pixels(given["pair"]["ticket"])
    visitor.post("rate", visitor.rating(given))
    previous = visitor.pair("previous")
    visitor.pixels(previous["pair"]["ticket"])
    visitor.post("correct", {**visitor.rating(previous, 2), "reason": "slip"})
    visitor.get("pixels/" + "x" * 22)
    visitor.sit_down(until="done")
    return kept


@pytest.fixture(scope="module")
def honest(study: Study) -> Recording:
    """A reading through the whole server, and all other pages there are."""
    kept, visitor = listen(study, study.app)
    for page in PAGES:
        visitor.get(page)
    visitor.sit_down()
    given = visitor.pair()
    visitor.pixels(given["pair"]["ticket"])
    visitor.post("rate", {**visitor.rating(given), "token": "x" * 22})
    visitor.post("rate", {**visitor.rating(given), "answers": []})
    visitor.get(f"pixels/{'x' * 22}")
    visitor.sit_down(until="done")
    stranger = Visitor(study.small, study.app, kept.hear)
    for page in PAGES:
        stranger.get(page)
    return kept


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
def test_nothing_leaks(honest: Recording, check: leak_checks.Check) -> None:
    check(honest)


def test_no_name_leaks(honest: Recording, study: Study) -> None:
    assert {*METHODS, "krankenakte0"} <= set(study.key.secret_strings())
    leak_checks.names(honest, study.key)


def test_the_recording_has_what_the_checks_look_at(honest: Recording) -> None:
    """Every role was read, some image came twice, and pages, pixels and errors are there."""
    with honest.store.read() as rows:
        roles = dict(rows.execute(select(Presentation.token, Presentation.role)).all())
    assert {roles[pair["token"]] for pair in honest.pairs()} == set(Role)
    shown = [leak_checks.two_images(honest.store, pair["token"]) for pair in honest.pairs()]
    assert len({frozenset(pair) for pair in shown}) < len(shown)
    assert len(honest.pixels()) >= len(honest.pairs())
    opened = {each.path.split("/reader/")[-1] for each in honest.heard if each.status == 200}
    assert {"", "config", "login", "theme.css"} <= opened
    assert {401, 404, 409, 422} <= {each.status for each in honest.heard}


def test_page_and_configuration_know_nothing_of_the_study(honest: Recording) -> None:
    """The same program for every study; strangers see not even that."""
    words = [PROTOCOL.title, PROTOCOL.instructions, PROTOCOL.questions[0].text, "R01"]
    pages = [each for each in honest.heard if "/api/" not in each.path and not each.is_pixels]
    assert len(pages) >= len(PAGES)
    for each in pages:
        assert not [word for word in words if word in each.text], each.path
    closed = [each for each in pages[-len(PAGES) :] if "login" not in each.path]
    assert all("gradio_config" not in each.text for each in closed)
    assert {each.status for each in closed} <= {200, 303, 401, 404}
    assert all(len(each.body) < 40_000 for each in closed if each.status == 200)


def test_no_event_of_the_page_reaches_the_server(study: Study) -> None:
    """There is no handler that could be called behind the page."""
    _, visitor = listen(study, study.app)
    config = visitor.get("config").json()
    assert config["dependencies"] == []
    with study.store.read() as rows:
        before = {t.name: rows.execute(select(t)).all() for t in Base.metadata.sorted_tables}
    for client in (visitor, Visitor(study.small, study.app)):
        for number in range(6):
            body = {"data": [], "fn_index": number, "session_hash": "abc", "trigger_id": None}
            for path in ("queue/join", "run/predict", "api/predict", f"call/fn_{number}"):
                answer = client.client.post(f"/reader/gradio_api/{path}", json=body)
                assert answer.status_code >= 400, (path, answer.text)
    with study.store.read() as rows:
        after = {t.name: rows.execute(select(t)).all() for t in Base.metadata.sorted_tables}
    assert after == before


def test_readers_cannot_leave_files_on_the_server(study: Study) -> None:
    _, visitor = listen(study, study.app)
    answer = visitor.client.post(
        "/reader/gradio_api/upload", files={"files": ("a.png", b"x" * 5000, "image/png")}
    )
    assert answer.status_code >= 400


def test_the_history_of_runs_is_off(honest: Recording) -> None:
    """Nothing that was shown can be opened again from the browser."""
    runs = [each for each in honest.heard if each.path.endswith("gradio_api/runs")]
    assert [each.status for each in runs] == [404, 404]
    config = next(each for each in honest.heard if each.path.endswith("/reader/config"))
    assert b'"run_history":false' in config.body.replace(b" ", b"")
    assert b"serviceWorker" not in next(
        each.body for each in honest.heard if each.path.endswith("/reader/")
    )


def test_files_and_identifiers_tell_no_time_and_no_order(study: Study) -> None:
    """One time for all images, and identifiers without a clock or a counter in them."""
    images = list(study.store.stimuli.iterdir())
    assert len({path.stat().st_mtime for path in images}) == 1
    with study.store.read() as rows:
        for table in (Method, Item, Stimulus, Presentation, Reader):
            for found in rows.scalars(select(table.id)):
                assert uuid.UUID(found).version == 4
    assert all(uuid.UUID(path.stem).version == 4 for path in images)


def test_no_program_of_a_method_is_in_the_readers_path() -> None:
    """What serves a reader imports no method and cannot open the key file."""
    seen: set[str] = set()
    todo = ["study.web.reader_page"]
    while todo:
        name = todo.pop()
        if name in seen:
            continue
        seen.add(name)
        path = ROOT / (name.replace(".", "/") + ".py")
        if not path.exists():
            path = ROOT / name.replace(".", "/") / "__init__.py"
        todo += [one for one in _imports(path) if one.split(".")[0] in ("study", "enhancers")]
    ours = {name for name in seen if name.startswith("enhancers.")}
    allowed = {
        "enhancers.image",
        "enhancers.display",
        "enhancers.method",
        "enhancers.errors",
        "enhancers.asset_files",
        "enhancers.files",
        "enhancers.http_limits.addresses",
        "enhancers.html_templates",
        "enhancers.page_theme",
        "enhancers.private_folders",
    }
    assert ours <= allowed, ours - allowed
    assert {
        "study.web.reader_api",
        "study.reading.presentation",
        "study.reading.pixel_tickets",
        "study.reading.ratings",
    } <= seen
    assert not seen & {
        "study.storage.key",
        "study.storage.key_file",
        "study.stimuli.rendering",
        "study.planning.freeze",
        "study.planning.lifecycle",
    }


def _imports(path: Path) -> set[str]:
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            names = [f"{node.module}.{alias.name}" for alias in node.names]
            inner = [n for n in names if (ROOT / (n.replace(".", "/") + ".py")).exists()]
            found.update(inner or [node.module])
    return found


def test_the_reading_that_leaks_are_put_into_has_none(study: Study) -> None:
    kept = read(study)
    leak_checks.names(kept, study.key)
    for check in CHECKS:
        check(kept)


@pytest.mark.parametrize(
    "leak", [put_name_into_windows, put_encoded_name_into_headers], ids=lambda one: one.__name__
)
def test_a_name_that_is_put_back_is_found(
    study: Study, monkeypatch: pytest.MonkeyPatch, leak: Leak
) -> None:
    app = app_of(study.small)
    leak(study.store, monkeypatch, app)
    kept = read(study, app)
    with pytest.raises(AssertionError):
        leak_checks.names(kept, study.key)


@pytest.mark.parametrize(("leak", "check"), LEAKS, ids=[leak.__name__ for leak, _ in LEAKS])
def test_a_leak_that_is_put_back_is_found(
    study: Study, monkeypatch: pytest.MonkeyPatch, leak: Leak, check: leak_checks.Check
) -> None:
    app = app_of(study.small)
    leak(study.store, monkeypatch, app)
    kept = read(study, app)
    with pytest.raises(AssertionError):
        check(kept)
