"""A served study for the browser tests of the reader's pages, with a new reader for every test."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from tests.support.keyboard_reader import KeyboardReader
from tests.support.open_study import QUICK, small_study
from tests.support.served_study import served

if os.environ.get("READINGROOM_NO_BROWSER") == "1":
    collect_ignore_glob = ["test_*.py"]

PLACES = 12


@pytest.fixture(scope="module")
def small(tmp_path_factory):
    study = small_study(
        tmp_path_factory.mktemp("reader") / "s", QUICK.with_(readers=PLACES), cases=1
    )
    yield study
    study.store.close()


@pytest.fixture(scope="module")
def root(small):
    with served(small.store) as address:
        yield address


@pytest.fixture
def reader(page, small, root):
    return KeyboardReader(page, small, root)


@pytest.fixture(scope="module")
def places() -> Iterator[str]:
    """Codes of readers who have not come yet."""
    return iter([f"R{place:02d}" for place in range(1, PLACES + 1)])


@pytest.fixture
def code(places) -> str:
    """A reader who has not come yet."""
    return next(places)
