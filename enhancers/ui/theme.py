"""Theme, style sheets and scripts of the compare page."""

from __future__ import annotations

from typing import Any

from enhancers.asset_files import asset_text
from enhancers.page_theme import page_head, page_theme

_SHEETS = ("theme.css", "networks.css", "evidence.css")


def launch_options() -> dict[str, Any]:
    """Keyword arguments of `gr.Blocks.launch` that give the page its look."""
    return {
        "theme": page_theme(),
        "css": asset_text(*_SHEETS),
        "head": page_head("compare_page.js", "accessibility.js"),
    }
