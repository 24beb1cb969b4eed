"""The attack command: it harms no study, asks no other machine, and says what fell."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest
from fastapi.testclient import TestClient

from benchmarks.attack import cross_site, encoding, exports, run, tampering
from benchmarks.attack.attack import Attack, NotTried, Outcome, Verdict, outcome, tried
from benchmarks.attack.copies import copied
from benchmarks.attack.run import ON_FILES, ON_SERVERS, as_table, attack
from benchmarks.attack.servers import Server, running
from benchmarks.cli.attack import attack as command
from study.domain.errors import StudyError
from study.server.standalone import build_app
from study.storage.store import Store
from tests.study.conftest import POSTGRES, fresh_url
from tests.support.tiny_study import tiny_study


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Path:
    store = tiny_study(tmp_path_factory.mktemp("attacked") / "s", pairs=2)
    store.close()
    return store.folder


def digest(folder: Path) -> str:
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return hashlib.sha256(b"".join(path.read_bytes() for path in files)).hexdigest()


def test_a_study_stays_as_it_is_while_its_copies_are_attacked(study: Path) -> None:
    before = digest(study)
    seen: list[str] = []
    rows = attack(study, only=["zip files"], told=lambda row: seen.append(row.attack))
    assert digest(study) == before
    assert [row.attack for row in rows] == seen
    assert {row.outcome.verdict for row in rows} == {Verdict.HELD}
    table = as_table(rows)
    assert table.count("\n| ") == len(rows)
    assert f"{len(rows)} held, 0 fell" in table


def test_changes_of_the_files_are_found(study: Path, tmp_path: Path) -> None:
    with copied(study, None, tmp_path / "copy") as copy:
        for name in ("item of another window", "exclusion"):
            assert tampering.changed(name, copy).verdict is Verdict.HELD
        assert tampering.alone(copy).verdict is Verdict.HELD
        with pytest.raises(NotTried, match="no ratings"):
            tampering.rewritten(copy)


@pytest.mark.exhaustive
def test_all_changes_of_the_files_are_found(study: Path) -> None:
    rows = attack(study, only=["tampering"])
    assert len(rows) == len(ON_FILES["tampering"])
    assert [row for row in rows if row.outcome.verdict is Verdict.FELL] == []


def test_an_attack_that_is_not_found_has_fallen(
    study: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = SimpleNamespace(ok=True, problems=[])
    monkeypatch.setattr(tampering, "verdict", lambda copy: found)
    with copied(study, None, tmp_path / "copy") as copy:
        assert tampering.changed("item", copy).verdict is Verdict.FELL
    assert not (tmp_path / "copy").exists()


def test_an_error_of_the_attacked_has_fallen_and_what_is_not_there_is_not_tried() -> None:
    def broken(place: object) -> Outcome:
        raise OSError("disk\nfull")

    def lacking(place: object) -> Outcome:
        raise NotTried("no ratings")

    assert tried(Attack("x", "y", broken), None) == Outcome(Verdict.FELL, "OSError: disk full")
    assert tried(Attack("x", "y", lacking), None) == Outcome(Verdict.NOT_TRIED, "no ratings")
    assert outcome(True, 3) == Outcome(Verdict.HELD, "3")


@pytest.mark.parametrize("host", ["192.168.0.7", "example.org", "0.0.0.0", "127.0.0.1.nip.io"])
def test_other_machines_are_not_attacked(study: Path, host: str) -> None:
    with pytest.raises(StudyError, match=r"made on 127\.0\.0\.1 only"):
        attack(study, port=80, host=host)


def test_a_port_without_a_server_is_told() -> None:
    with pytest.raises(StudyError, match="No server answers"):
        running(1)


def test_the_status_says_whether_an_attack_fell(
    study: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    import typer

    def fall(copy: object) -> Outcome:
        return outcome(False, "turned | results")

    monkeypatch.setitem(run.ON_FILES, "zip files", (Attack("one", "none", fall),))
    with pytest.raises(typer.Exit) as ended:
        command(study, only=["zip files"])
    assert ended.value.exit_code == 1
    assert "| one | none | turned / results | FELL |" in capsys.readouterr().out
    monkeypatch.setitem(
        run.ON_FILES, "zip files", (Attack("one", "none", lambda _: outcome(True, "")),)
    )
    command(study, only=["zip files"])
    with pytest.raises(StudyError, match="no family 'storms': choose from bombs, clock"):
        command(study, only=["storms"])


def test_no_attack_is_begun_when_the_time_is_over(study: Path) -> None:
    rows = attack(study, only=["zip files"], seconds=0)
    assert {row.outcome.observed for row in rows} == {"the time was over"}


class _InProcess(Server):
    """A study's server without a port, for the attacks that only send requests."""

    def client(self, address: str = "", **options: object) -> TestClient:
        return TestClient(self.app, base_url="http://127.0.0.1")  # type: ignore[attr-defined]


@pytest.fixture(scope="module")
def server(study: Path) -> Iterator[_InProcess]:
    store = Store.open(study)
    made = _InProcess("in process", "http://127.0.0.1")
    made.app = build_app(store, hosts=())
    yield made
    store.close()


REQUESTS = [*cross_site.SERVERS, *exports.SERVERS]


@pytest.mark.parametrize("one", [each for each in REQUESTS if each.harmless], ids=lambda a: a.name)
def test_a_server_holds_against_requests(server: _InProcess, one: Attack[Server]) -> None:
    found = one.run(server)
    assert found.verdict is Verdict.HELD, found.observed


def test_a_server_without_its_guard_falls(server: _InProcess, study: Path) -> None:
    from fastapi import FastAPI
    from fastapi.middleware.cors import CORSMiddleware

    app = FastAPI()
    app.add_middleware(CORSMiddleware, allow_origins=["*"], allow_credentials=True)

    @app.api_route("/{path:path}", methods=["GET", "POST", "PUT", "DELETE"])
    def any_path(path: str) -> str:
        return path

    open_ = _InProcess("open", "http://127.0.0.1")
    open_.app = app
    for one in cross_site.SERVERS:
        if one.harmless:
            assert one.run(open_).verdict is Verdict.FELL, one.name


def test_every_family_of_the_issue_is_there() -> None:
    assert len({*ON_FILES, *ON_SERVERS}) == 12
    assert all(attacks for attacks in (*ON_FILES.values(), *ON_SERVERS.values()))
    names = [one.name for each in ON_SERVERS.values() for one in each]
    assert len(set(names)) == len(names)


def test_feedback_about_an_image_that_is_rated_falls(tmp_path: Path) -> None:
    store = tiny_study(tmp_path / "s", pairs=2, training=1)
    store.close()
    with copied(store.folder, None, tmp_path / "copy") as copy:
        assert encoding.training(copy).verdict is Verdict.FELL


@pytest.mark.skipif(not POSTGRES, reason="READINGROOM_TEST_POSTGRES_URL is not set")
def test_a_study_in_postgresql_is_copied_into_another_schema(tmp_path: Path) -> None:
    for url in fresh_url("postgresql"):
        store = tiny_study(tmp_path / "s", pairs=2, url=url)
        store.close()
        rows = attack(store.folder, url=url, only=["tampering"])
        assert not [row for row in rows if row.outcome.verdict is Verdict.FELL]
        again = Store.open(tmp_path / "s", url=url)
        again.close()
