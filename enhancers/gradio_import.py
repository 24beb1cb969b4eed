"""Import gradio in half the time: import this module before gradio.

At import gradio writes a stub file (.pyi) for editors next to the source of each component. It
skips components whose source file is not found, so `inspect.getfile` fails for them meanwhile.

After every event it also sums up the last 10,000 for a page of statistics that is not offered,
which takes longer than most handlers: it is told to keep one event and to sum up none.
"""

from __future__ import annotations

import importlib
import inspect
import os
import sys
from typing import Any

_getfile = inspect.getfile


def _without_components(object: Any) -> str:
    if type(object).__name__ == "ComponentMeta":
        raise OSError("no stub file is wanted")
    return _getfile(object)


def import_gradio() -> None:
    """Import gradio without its stub files; does nothing more when it is already there."""
    os.environ["GRADIO_ANALYTICS_MAX_EVENTS"] = "1"
    os.environ["GRADIO_ANALYTICS_CACHE_FREQUENCY"] = str(sys.maxsize)
    inspect.getfile = _without_components
    try:
        importlib.import_module("gradio")
    finally:
        inspect.getfile = _getfile


import_gradio()
