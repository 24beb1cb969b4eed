"""Import this before gradio: it spares half of gradio's import time.

At import gradio rewrites a stub file (.pyi) beside the source of each of its components, for
editors. It skips components whose file cannot be found, so that is what it is told.
"""

from __future__ import annotations

import inspect
from typing import Any

_getfile = inspect.getfile


def _without_components(object: Any) -> str:
    if type(object).__name__ == "ComponentMeta":
        raise OSError("no stub file is wanted")
    return _getfile(object)


def import_gradio() -> None:
    """Import gradio without its stub files; does nothing more when it is already there."""
    inspect.getfile = _without_components
    try:
        import gradio  # noqa: F401
    finally:
        inspect.getfile = _getfile


import_gradio()
