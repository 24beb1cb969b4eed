"""The examples in the docstrings of the library run as they stand."""

import doctest
import importlib

import pytest


@pytest.mark.parametrize("module", ["enhancers", "enhancers.compare", "enhancers.compare.runs"])
def test_the_examples_give_what_they_show(module: str) -> None:
    found = doctest.testmod(importlib.import_module(module))
    assert found.attempted > 0
    assert found.failed == 0
