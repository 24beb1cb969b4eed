"""The endpoints as tools for language models (Model Context Protocol)."""

from __future__ import annotations

import importlib.util

from enhancers.errors import ReadingRoomError
from enhancers.settings import Settings


def check_mcp(settings: Settings) -> None:
    """Refuse to start without the package that the setting needs; Gradio would only print a line.

    Raises
    ------
    ReadingRoomError
        The setting is on and the package ``mcp`` is not installed.
    """
    if settings.mcp and importlib.util.find_spec("mcp") is None:
        raise ReadingRoomError(
            "READINGROOM_MCP is on and the package mcp is not installed; run "
            "pip install -r requirements-mcp.txt, or set READINGROOM_MCP=false."
        )
