"""Studies with the coordinator's handlers."""

from __future__ import annotations

import pytest

from tests.support.coordinator_desk import Desk


@pytest.fixture
def desk(tmp_path):
    made = Desk(tmp_path)
    yield made
    made.store.close()


@pytest.fixture
def keyless(tmp_path):
    made = Desk(tmp_path, key=False)
    yield made
    made.store.close()


@pytest.fixture(scope="module")
def read(tmp_path_factory):
    """A study that was read and closed; tests leave it closed."""
    made = Desk(tmp_path_factory.mktemp("closed")).closed()
    yield made
    made.store.close()
