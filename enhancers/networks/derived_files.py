"""Files computed once from networks, such as digests and embeddings, and reused by later runs."""

from __future__ import annotations

import contextlib
from pathlib import Path

from enhancers.files import write_atomic
from enhancers.settings import get_settings

FOLDER = ".cache"
"""Below `Settings.models_dir`."""


def derived_path(name: str) -> Path:
    """Where the derived file ``name`` is stored."""
    return get_settings().models_dir / FOLDER / name


def write_derived(path: Path, content: bytes) -> None:
    """Store a derived file; where the folder cannot be written, it is computed again next time."""
    with contextlib.suppress(OSError):
        path.parent.mkdir(parents=True, exist_ok=True)
        write_atomic(path, content)
