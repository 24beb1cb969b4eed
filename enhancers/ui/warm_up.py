"""Imports that take seconds, done while the user looks at the first page."""

from __future__ import annotations

import functools
import importlib
import threading
import time

LIGHT = ("cv2", "pydicom", "skimage.restoration", "SimpleITK", "enhancers.compare")
"""What the first image and the classical methods need."""

HEAD_START = 1.0
"""Seconds the first page has for itself before the imports compete with it."""

_lock = threading.Lock()


def import_networks() -> None:
    """Import torch and diffusers, in one thread: diffusers' lazy modules are not safe in two.

    Whatever is about to use a network, or ask for the devices, calls this first. An import that
    fails is tried again, and its error told, where the module is used.
    """
    with _lock:
        _networks()


@functools.cache
def _networks() -> None:
    try:
        import torch  # noqa: F401
        from diffusers import AutoencoderKL, DDIMScheduler, UNet2DModel  # noqa: F401
    except ImportError:
        return


def import_heavy(head_start: float = HEAD_START) -> None:
    """Import everything a first run needs."""
    time.sleep(head_start)
    for name in LIGHT:
        try:
            importlib.import_module(name)
        except ImportError:
            continue
    import_networks()
