"""Slow imports in the background, while the user looks at the first page."""

from __future__ import annotations

import functools
import importlib
import threading
import time

LIGHT = ("cv2", "pydicom", "skimage.restoration", "SimpleITK", "enhancers.compare")
"""Modules for the first image and the classical methods."""

HEAD_START = 1.0
"""Seconds before the imports start, so that they do not compete with the first page."""

_lock = threading.Lock()


def import_torch() -> None:
    """Import torch, for whatever asks for the devices."""
    with _lock:
        _import("torch")


def import_networks() -> None:
    """Import torch and diffusers in one thread: diffusers' lazy modules are not safe in two.

    Whatever is about to use a network calls this first.
    """
    with _lock:
        _import("torch")
        _diffusers()


@functools.cache
def _diffusers() -> None:
    try:
        from diffusers import AutoencoderKL, DDIMScheduler, UNet2DModel  # noqa: F401
    except ImportError:
        return


def _import(name: str) -> None:
    """Import a module; where that fails, it fails again, and is told, where the module is used."""
    try:
        importlib.import_module(name)
    except ImportError:
        return


def import_heavy(head_start: float = HEAD_START) -> None:
    """Import everything a first run needs."""
    time.sleep(head_start)
    import_torch()
    for name in LIGHT:
        _import(name)
    import_networks()
