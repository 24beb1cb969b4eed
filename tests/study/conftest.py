"""Stores for the tests: on SQLite, and on PostgreSQL where READINGROOM_TEST_POSTGRES_URL is set."""

from __future__ import annotations

import os
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import create_engine, make_url

from study.storage.store import Store
from tests.support.constrained_study import ruled_study
from tests.support.submissions import PROTOCOL, Desk
from tests.support.tiny_study import tiny_study

POSTGRES = os.environ.get("READINGROOM_TEST_POSTGRES_URL", "")


@pytest.fixture(params=["sqlite", "postgresql"] if POSTGRES else ["sqlite"], scope="module")
def backend(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def fresh_url(backend: str) -> Iterator[str | None]:
    """The address of an empty database: None for SQLite in the study's folder."""
    if backend == "sqlite":
        yield None
        return
    schema = f"test_{uuid.uuid4().hex}"
    engine = create_engine(POSTGRES)
    with engine.begin() as connection:
        connection.exec_driver_sql(f"CREATE SCHEMA {schema}")
    url = make_url(POSTGRES).update_query_dict({"options": f"-csearch_path={schema}"})
    yield url.render_as_string(hide_password=False)
    with engine.begin() as connection:
        connection.exec_driver_sql(f"DROP SCHEMA {schema} CASCADE")
    engine.dispose()


@pytest.fixture
def url(backend: str) -> Iterator[str | None]:
    yield from fresh_url(backend)


@pytest.fixture
def desk(tmp_path: Path, url: str | None) -> Iterator[Desk]:
    store = tiny_study(tmp_path / "s", readers=2, pairs=3, protocol=PROTOCOL, url=url)
    yield Desk(store)
    store.close()


@pytest.fixture(scope="module")
def ruled(tmp_path_factory: pytest.TempPathFactory, backend: str) -> Iterator[Store]:
    """One study for all the statements that are refused: none of them changes it."""
    for url in fresh_url(backend):
        store = ruled_study(tmp_path_factory.mktemp("study") / "s", url)
        yield store
        store.close()
