"""Whether spandrel is installed, which knows the architectures of networks for restoration."""

from __future__ import annotations

import importlib.util

from enhancers.errors import NetworkMissing

INSTALL = "pip install -r requirements-restoration.txt, or pip install 'reading-room[restoration]'"


def has_spandrel() -> bool:
    """Whether the package spandrel is installed."""
    try:
        return importlib.util.find_spec("spandrel") is not None
    except ValueError:
        return False


def require_spandrel(what: str) -> None:
    """Raise NetworkMissing, with how to install it, where the package spandrel is missing."""
    if not has_spandrel():
        raise NetworkMissing(
            f"{what} needs the package spandrel, which is not installed: {INSTALL}."
        )
