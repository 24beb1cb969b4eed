"""Location of the files that come with the code: networks, samples, cards, scripts, styles."""

from __future__ import annotations

from functools import cache
from pathlib import Path


def _assets() -> Path:
    """``enhancers/assets`` in an installed package, ``assets`` in a checkout."""
    package = Path(__file__).resolve().parent
    installed = package / "assets"
    return installed if installed.is_dir() else package.parent / "assets"


ASSETS = _assets()


@cache
def asset_text(*names: str) -> str:
    """The texts of assets, joined by line breaks in the order of ``names``."""
    return "\n".join((ASSETS / name).read_text(encoding="utf-8") for name in names)
