"""Import gradio in half the time: import this module before gradio.

At import gradio writes a stub file (.pyi) for editors next to the source of each component. It
skips components whose source file is not found, so `inspect.getfile` fails for them meanwhile.
"""

from __future__ import annotations

import importlib
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
        importlib.import_module("gradio")
    finally:
        inspect.getfile = _getfile


import_gradio()
