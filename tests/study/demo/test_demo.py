"""The demonstration: six pairs, simulated co-readers, the report; one visitor knows no other."""

from __future__ import annotations

import io
import json
import re
import threading
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from unittest import mock

import pytest
from fastapi import APIRouter, FastAPI
from sqlalchemy import select
from starlette.testclient import TestClient

from benchmarks.study_load.http_reader import HttpReader
from study.demo import demo_study, images
from study.demo.demo_study import PROTOCOL, VISITOR, DemoStudy
from study.demo.reader_model import ReaderModel
from study.demo.simulated_readers import SimulatedReader
from study.demo.site import DemoSite
from study.domain.errors import WrongScreen
from study.domain.screens import ScreenKind
from study.domain.terms import Status
from study.storage.models import Item, Presentation, Reader, ReadingSession
from study.web.error_route import HEADER

PAIRS = 6


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return demo_study.prepare(tmp_path_factory.mktemp("demo") / "template")


@pytest.fixture
def visit(template: Path, tmp_path: Path) -> Iterator[DemoStudy]:
    made = demo_study.start(template, tmp_path / "visit")
    yield made
    made.close()


@pytest.fixture(scope="module")
def house(template: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestClient]:
    """The demonstration mounted below ``/demo`` of an app."""
    folder = tmp_path_factory.mktemp("house") / "demo"
    demonstration = DemoSite(folder)
    app = FastAPI()
    app.mount("/demo", demonstration)
    with TestClient(app, base_url="http://test") as client:
        yield client
    demonstration.close()
    assert not folder.exists()


def read_all(visit: DemoStudy) -> None:
    """Read as a visitor, straight into the store."""
    from study.reading import next_pair, ratings

    simulated = SimulatedReader(visit.store, ReaderModel("visitor", seed=1))
    while True:
        with visit.store.read() as session:
            pair = next_pair.current(session, visit.visitor.id)
        if pair is None:
            return
        ratings.record(
            visit.store,
            reader_id=visit.visitor.id,
            token=pair.token,
            answers=simulated.answers(pair.token, PROTOCOL.questions),
            idempotency_key=f"visitor-{pair.position:04d}",
            visible_ms=4000,
        )


def test_a_visitor_has_six_pairs_and_the_others_have_read_them(visit: DemoStudy) -> None:
    assert visit.reading() == demo_study.Reading(0, PAIRS)
    assert not visit.reading().finished
    with visit.store.read() as session:
        readers = session.scalars(select(Reader).order_by(Reader.code)).all()
    assert [one.simulated for one in readers] == [False, True, True, True, True]
    assert visit.store.protocol().demo
    assert visit.store.status() is Status.OPEN


def test_every_sample_is_read_as_the_kind_of_image_it_is(visit: DemoStudy) -> None:
    with visit.store.read() as session:
        found = session.scalars(select(Item.modality)).all()
    assert sorted(found) == sorted(one.modality for one in images.samples())


def test_results_come_after_the_last_pair_only(visit: DemoStudy) -> None:
    with pytest.raises(WrongScreen, match="6 of 6 pairs are left"):
        visit.results()
    read_all(visit)
    results = visit.results()
    assert visit.results() is results
    assert visit.store.status() is Status.UNBLINDED
    text = " ".join(re.sub(r"<[^>]+>", " ", results.report).split())
    for words in (
        "Demonstration, not a study", "4 of 5 readers simulated", "Unprocessed",
        "Classical pipeline", "Fleiss’ κ", "30 of 30 pairs read", "150 answers",
    ):  # fmt: skip
        assert words in text
    with zipfile.ZipFile(io.BytesIO(results.export)) as archive:
        found = json.loads(archive.read("study.json"))
    assert len(found["observations"]) == 5 * PAIRS * 5
    assert found["readers"][0]["display_check"] == "not done"


def test_the_report_of_a_visit_is_the_same_twice(visit: DemoStudy, tmp_path: Path) -> None:
    read_all(visit)
    first = visit.results().report
    visit.store.close()
    again = DemoStudy(visit.folder)
    assert again.results().report == first
    again.store.close()


def test_the_landing_page_says_what_it_is(house: TestClient) -> None:
    page = house.get("/demo/")
    assert page.status_code == 200
    assert "This is a demonstration, not a study." in page.text
    assert PROTOCOL.consent in page.text
    assert "Not a medical device" in page.text
    assert page.headers["cache-control"] == "no-store"


def begin(house: TestClient) -> str:
    """Start and return the address of the visit."""
    answer = house.post("/demo/start", follow_redirects=False)
    assert answer.status_code == 303
    assert "set-cookie" not in answer.headers
    return answer.headers["location"]


def test_a_visitor_reads_over_http_and_gets_the_report(house: TestClient) -> None:
    address = begin(house)
    assert re.fullmatch(r"/demo/[\w-]{22}/", address)
    assert "reader/" in house.get(address).text
    assert house.get(address + "status").json() == {"done": 0, "total": PAIRS}
    assert house.get(address + "report", follow_redirects=False).status_code == 303
    robot = HttpReader(house_at(house, address))
    assert robot.page().kind is ScreenKind.READY
    assert robot.read() is ScreenKind.DONE
    assert house.get(address + "status").json() == {"done": PAIRS, "total": PAIRS}
    report = house.get(address + "report")
    assert "Demonstration, not a study" in report.text
    archive = zipfile.ZipFile(io.BytesIO(house.get(address + "ratings.zip").content))
    assert "ratings.csv" in archive.namelist()


def test_the_readers_page_is_served_without_a_cookie(house: TestClient) -> None:
    address = begin(house)
    page = house.get(address + "reader/")
    assert page.status_code == 200
    assert "gradio" in page.text.lower()
    config = house.get(address + "reader/config")
    assert config.status_code == 200
    assert not any(name in config.text for name in demo_study.METHODS.values())


def test_no_visitor_reaches_another_ones_study(house: TestClient) -> None:
    first, second = begin(house), begin(house)
    assert HttpReader(house_at(house, first)).step().kind is ScreenKind.PAIR
    shown = house.post(
        first + "reader/api/pair", json={"which": "current"}, headers={HEADER: "1"}
    ).json()
    ticket = shown["pair"]["ticket"]
    assert house.get(f"{second}reader/pixels/{ticket}").status_code == 404
    assert house.get(f"{first}reader/pixels/{ticket}").status_code == 200


def test_a_cookie_of_a_real_study_is_not_looked_at(house: TestClient) -> None:
    address = begin(house)
    answer = house.get(
        address + "reader/api/state", headers={"cookie": "readingroom_reader=forged"}
    )
    assert answer.json()["screen"]["kind"] == ScreenKind.READY


@pytest.mark.parametrize(
    "path", ["nobody/", "nobody/report", "nobody/reader/api/state", "start", "../secret", "a/b/c"]
)
def test_other_addresses_are_over(house: TestClient, path: str) -> None:
    answer = house.get(f"/demo/{path}")
    assert answer.status_code == 404


def test_visitors_of_one_address_push_out_none_of_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("study.demo.site.MAX_VISITS", 2)
    monkeypatch.setattr(DemoSite, "prepare", lambda self: None)
    monkeypatch.setattr("study.demo.demo_study.start", lambda *given: mock.MagicMock())
    monkeypatch.setattr("study.demo.site.router", lambda *given: APIRouter())
    demonstration = DemoSite(tmp_path / "demo")
    mine = demonstration.start("10.0.0.1")
    theirs = [demonstration.start("10.0.0.2") for _ in range(4)]
    assert set(demonstration._visits) == {mine, theirs[-1]}


def test_old_visits_make_room(
    template: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("study.demo.site.MAX_VISITS", 2)
    monkeypatch.setattr("study.demo.demo_study.prepare", copying(template))
    demonstration = DemoSite(tmp_path / "demo")
    tokens = [demonstration.start() for _ in range(3)]
    left = {path.name for path in (tmp_path / "demo").iterdir()}
    assert left == {"template", "page", *tokens[1:]}
    monkeypatch.setattr("study.demo.site.IDLE_HOURS", -1.0)
    last = demonstration.start()
    assert {path.name for path in (tmp_path / "demo").iterdir()} == {"template", "page", last}
    demonstration.close()
    assert not (tmp_path / "demo").exists()


def test_visitors_who_come_at_once_share_one_template(
    template: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[Path] = []

    def prepare(folder: Path) -> Path:
        made.append(folder)
        return copying(template)(folder)

    monkeypatch.setattr("study.demo.demo_study.prepare", prepare)
    demonstration = DemoSite(tmp_path / "demo")
    tokens: list[str] = []
    threads = [
        threading.Thread(target=lambda: tokens.append(demonstration.start())) for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(made) == 1
    assert len(set(tokens)) == 4
    demonstration.close()


def test_the_place_of_the_visitor_is_a_persons(visit: DemoStudy) -> None:
    with visit.store.read() as session:
        reader = session.scalars(select(Reader).where(Reader.code == VISITOR)).one()
        pairs = session.scalars(
            select(Presentation.role)
            .join(ReadingSession)
            .where(ReadingSession.reader_id == reader.id)
        ).all()
    assert not reader.simulated
    assert pairs == ["main"] * PAIRS


def copying(template: Path) -> Callable[[Path], Path]:
    """Stands in for `demo.prepare`: a copy of what it has made before."""
    import shutil

    return lambda folder: Path(shutil.copytree(template, folder))


def house_at(house: TestClient, address: str) -> TestClient:
    """A client whose requests are below a visitor's address."""
    return TestClient(house.app, base_url=f"http://test{address.rstrip('/')}")
