"""Nothing that a test does is kept among the files of whoever runs it."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from study.accounts.cookie_keys import VARIABLE


@pytest.fixture(scope="session", autouse=True)
def cookie_key(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """The key of cookies of this run, also for the servers that tests start."""
    before = os.environ.get(VARIABLE)
    os.environ[VARIABLE] = str(tmp_path_factory.mktemp("server") / "cookie.key")
    yield
    if before is None:
        del os.environ[VARIABLE]
    else:
        os.environ[VARIABLE] = before
