from __future__ import annotations

import importlib.machinery
import sys
from types import ModuleType

import pytest

from enhancers.devices.spaces import (
    LOADING,
    MAX_SECONDS,
    MIN_SECONDS,
    gpu,
    gpu_seconds,
    on_spaces,
    request_seconds,
)


def enhance(patches: float) -> float:
    return patches


@pytest.fixture
def spaces(monkeypatch):
    """The package that Spaces installs, as far as it is used."""
    package = ModuleType("spaces")
    package.__spec__ = importlib.machinery.ModuleSpec("spaces", None)
    package.asked = []

    def borrow(duration):
        def decorate(function):
            def inside(*args):
                package.asked.append(duration(*args))
                return function(*args)

            return inside

        return decorate

    package.GPU = borrow
    monkeypatch.setitem(sys.modules, "spaces", package)
    monkeypatch.setenv("SPACES_ZERO_GPU", "true")
    return package


def test_outside_a_space_a_function_is_left_as_it_is(monkeypatch):
    monkeypatch.delenv("SPACES_ZERO_GPU", raising=False)
    assert not on_spaces()
    assert gpu(lambda patches: 1)(enhance) is enhance


def test_without_the_package_too(monkeypatch):
    monkeypatch.setenv("SPACES_ZERO_GPU", "true")
    monkeypatch.delitem(sys.modules, "spaces", raising=False)
    assert gpu(lambda patches: 1)(enhance) is enhance


def test_on_a_space_the_seconds_come_from_the_arguments(spaces):
    lent = gpu(lambda patches: gpu_seconds(patches, 500_000_000))(enhance)
    assert lent(900.0) == 900.0
    assert spaces.asked == [60]


def test_what_is_asked_for_is_whole_and_within_what_is_granted():
    assert request_seconds(0.1) == MIN_SECONDS
    assert request_seconds(20.2) == 21
    assert request_seconds(1e9) == MAX_SECONDS
    assert gpu_seconds(0, 10) == LOADING
