from __future__ import annotations

import os
from pathlib import Path

import pytest

from enhancers.errors import ReadingRoomError
from enhancers.settings import Settings, get_settings, read_settings


@pytest.fixture(autouse=True)
def clean(monkeypatch):
    for name in list(os.environ):
        if name.upper().startswith("READINGROOM_"):
            monkeypatch.delenv(name)


def test_the_defaults():
    settings = read_settings()
    assert (settings.host, settings.port, settings.device) == ("127.0.0.1", 7860, "auto")
    assert settings.threads is None
    assert settings.max_file_bytes == 200_000_000
    assert settings.max_pixels == 64_000_000
    assert settings.cache_bytes == 0
    assert settings.pixel_store_mb == 1024
    assert settings.priors_dir == Path(__file__).parents[1] / "assets" / "networks"


def test_the_environment_sets_every_kind_of_value(monkeypatch, tmp_path):
    monkeypatch.setenv("READINGROOM_PORT", "8000")
    monkeypatch.setenv("READINGROOM_MAX_FILE_MB", "0.5")
    monkeypatch.setenv("READINGROOM_CACHE_DIR", str(tmp_path))
    monkeypatch.setenv("READINGROOM_DEVICE", "cuda:1")
    monkeypatch.setenv("READINGROOM_THREADS", "3")
    settings = read_settings()
    assert (settings.port, settings.threads, settings.device) == (8000, 3, "cuda:1")
    assert settings.max_file_bytes == 500_000
    assert settings.cache_dir == tmp_path


def test_an_empty_variable_counts_as_unset(monkeypatch):
    monkeypatch.setenv("READINGROOM_THREADS", "")
    monkeypatch.setenv("READINGROOM_PORT", "")
    assert read_settings().threads is None
    assert read_settings().port == 7860


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("PORT", "abc"),
        ("PORT", "70000"),
        ("MAX_FILE_MB", "-1"),
        ("MAX_MEGAPIXELS", "nan"),
        ("CACHE_GB", "inf"),
        ("DEVICE", "toaster"),
        ("THREADS", "0"),
        ("PRECISION", "double"),
        ("MODEL_MEMORY_GB", "0"),
        ("COMPILE", "perhaps"),
        ("THREADS", "two\nlines"),
    ],
)
def test_a_bad_value_is_one_line_that_names_it(name, value, monkeypatch):
    monkeypatch.setenv("READINGROOM_" + name, value)
    with pytest.raises(ReadingRoomError) as caught:
        read_settings()
    message = str(caught.value)
    assert "\n" not in message
    assert message.startswith(f"READINGROOM_{name}={value.replace(chr(10), ' ')} is not possible: ")
    assert message.endswith(".")


def test_the_cache_is_in_the_users_cache_folder(monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert read_settings().cache_dir == tmp_path / "reading-room"
    monkeypatch.setenv("XDG_CACHE_HOME", "relative")
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    assert read_settings().cache_dir == tmp_path / "home" / ".cache" / "reading-room"


def test_folders_are_absolute_and_the_tilde_is_the_home(monkeypatch, tmp_path):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("READINGROOM_PRIORS_DIR", "~/priors")
    monkeypatch.setenv("READINGROOM_CACHE_DIR", "here")
    assert read_settings().priors_dir == tmp_path / "priors"
    assert read_settings().cache_dir == Path.cwd() / "here"


def test_on_a_space_the_page_is_for_everyone_and_the_disk_is_not(monkeypatch):
    assert read_settings().network_changes
    monkeypatch.setenv("SPACE_ID", "someone/reading-room")
    on_space = read_settings()
    assert (on_space.host, on_space.port, on_space.network_changes) == ("0.0.0.0", 7860, False)
    monkeypatch.setenv("READINGROOM_HOST", "127.0.0.2")
    monkeypatch.setenv("READINGROOM_NETWORK_CHANGES", "on")
    chosen = read_settings()
    assert (chosen.host, chosen.network_changes) == ("127.0.0.2", True)


def test_settings_are_read_once_and_cannot_be_changed(monkeypatch):
    get_settings.cache_clear()
    first = get_settings()
    monkeypatch.setenv("READINGROOM_PORT", "8001")
    assert get_settings() is first
    get_settings.cache_clear()
    assert get_settings().port == 8001
    get_settings.cache_clear()
    with pytest.raises(ValueError, match="frozen"):
        first.port = 1


def test_every_setting_is_documented():
    documented = Settings.__doc__ or ""
    assert all(f"    {name} : " in documented for name in Settings.model_fields)
