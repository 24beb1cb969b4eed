"""The page's HTML templates; every value that is filled in is escaped."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from markupsafe import Markup

from enhancers.html_templates import html_templates

_FOLDER = Path(__file__).parent / "templates"


def fill(template: str, **values: Any) -> str:
    """The HTML of a template for these values."""
    return html_templates(_FOLDER).get_template(template).render(values)


def piece(name: str, *values: Any, template: str = "pieces.html") -> Markup:
    """The HTML of a macro for these values."""
    macro = getattr(html_templates(_FOLDER).get_template(template).module, name)
    return Markup(macro(*values).strip())
