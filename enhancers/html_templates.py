"""HTML from Jinja2 templates in which every value is escaped."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from jinja2 import Environment


@cache
def html_templates(folder: Path) -> Environment:
    """The templates of a folder, with autoescape; an undefined name is an error.

    Parameters
    ----------
    folder : Path
        Such as ``Path(__file__).parent / "templates"``.
    """
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    return Environment(
        loader=FileSystemLoader(folder),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
