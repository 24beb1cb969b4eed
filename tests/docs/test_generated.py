"""The pages that follow from the code are as the code is now."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from types import ModuleType

import pytest

from enhancers.settings import Settings

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def generate() -> ModuleType:
    spec = importlib.util.spec_from_file_location("docs_generate", ROOT / "docs" / "generate.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_generated_pages_are_up_to_date(generate: ModuleType) -> None:
    for path, text in generate.pages().items():
        assert path.read_text(encoding="utf-8") == text, "run: python docs/generate.py"


def test_every_command_and_setting_is_in_the_reference(generate: ModuleType) -> None:
    commands = generate.command_line()
    settings = generate.settings()
    for program, path in (
        ("enhancers", "networks fetch"),
        ("study", "plan"),
        ("benchmarks", "speed"),
    ):
        assert path in dict(generate.commands(program))
        assert f"### `python -m {program} {path}" in commands
    for name in Settings.model_fields:
        assert f"`READINGROOM_{name.upper()}`" in settings
