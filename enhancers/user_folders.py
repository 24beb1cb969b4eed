"""Folders of the user: of the cache, and of the networks that were fetched or added."""

from __future__ import annotations

import os
from pathlib import Path


def default_cache_dir() -> Path:
    """``reading-room`` in the user's cache folder ($XDG_CACHE_HOME, else ~/.cache)."""
    return _xdg("XDG_CACHE_HOME", Path(".cache")) / "reading-room"


def default_models_dir() -> Path:
    """``reading-room/networks`` in the user's data folder ($XDG_DATA_HOME, else ~/.local/share)."""
    return _xdg("XDG_DATA_HOME", Path(".local") / "share") / "reading-room" / "networks"


def models_dir() -> Path:
    """`Settings.models_dir`, without the half second that reading all settings takes."""
    named = os.environ.get("READINGROOM_MODELS_DIR")
    return Path(named).expanduser().absolute() if named else default_models_dir()


def _xdg(variable: str, otherwise: Path) -> Path:
    """A base folder of the XDG specification, which says to ignore relative paths."""
    named = os.environ.get(variable, "")
    return Path(named) if named and Path(named).is_absolute() else Path.home() / otherwise
