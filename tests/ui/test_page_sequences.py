"""Whatever is done on the page, and in whatever order: afterwards the page can run."""

from __future__ import annotations

import random
import threading

import numpy as np
import pytest

from enhancers.compare import runs
from enhancers.method_interface import Step, load_method
from enhancers.settings import get_settings
from enhancers.ui import build
from tests.support.image_files import nifti
from tests.support.page_driver import DrivenTab, served

VOLUME = nifti(np.random.default_rng(0).integers(0, 900, (24, 20, 3)).astype(np.int16))
GATE = threading.Event()
"""The slow method stays in its step until this is set."""


class Slow:
    """Total variation, with a first step that lasts as long as the test wants."""

    def __init__(self, key):
        self.key, self.method = key, load_method(key)

    def run(self, *args, **options):
        if self.key == "tv":
            yield Step(0.1, None, 1.0, "step 1 of 2")
            GATE.wait(30)
        yield from self.method.run(*args, **options)


@pytest.fixture(scope="module")
def address():
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("READINGROOM_CACHE_GB", "0")
        patch.setattr(runs, "load_method", Slow)
        get_settings.cache_clear()
        with served(build(get_settings())) as found:
            yield found
    get_settings.cache_clear()


def tick(tab, *keys):
    for key in ("srad", "clahe", "tv", "classical", "pseudo_label", "null_space", "unimie"):
        if bool(tab.prop(f"choose-{key}")) != (key in keys):
            tab.set(f"choose-{key}", key in keys)


@pytest.fixture(scope="module")
def tabs(address):
    """Two tabs; a sequence goes on where the one before ended."""
    found = [DrivenTab(address), DrivenTab(address)]
    for tab in found:
        tab.load()
        tab.wait(120)
        # No network is timed for an estimate.
        tick(tab, "clahe")
    yield found
    for tab in found:
        tab.close()


def sample(tab, key):
    tab.fire("samples", "pick", {"key": key})


def custom_window(tab):
    tab.set("window", "by-hand")
    tab.fire("window-limits", "commit", {"low": "0", "high": "500"})


STEPS = {
    "sample": lambda tab: sample(tab, "real_mr_small"),
    "other sample": lambda tab: sample(tab, "ultrasound"),
    "volume": lambda tab: tab.upload("upload", "volume.nii", VOLUME),
    "bad file": lambda tab: tab.upload("upload", "volume.nii", b"no image"),
    "slide": lambda tab: tab.set("slice", 1 + tab.prop("slice") % 3),
    "window": custom_window,
    "quick method": lambda tab: tick(tab, "clahe"),
    "slow method": lambda tab: tick(tab, "tv"),
    "bad value": lambda tab: tab.set("set-clahe-tiles", None),
    "run": lambda tab: tab.fire("run", "click"),
    "stop": lambda tab: tab.fire("stop", "click"),
    "reload": lambda tab: tab.load(),
}
FOUND = {
    "another image within a step": [
        (0, "sample"), (0, "slow method"), (0, "run"), (0, "other sample"), (0, "quick method"),
        (0, "run"),
    ],
    "stop within a step": [
        (0, "sample"), (0, "slow method"), (0, "run"), (0, "stop"), (0, "quick method"), (0, "run"),
    ],
    "another slice within a step": [
        (0, "volume"), (0, "slow method"), (0, "run"), (0, "slide"),
        (0, "quick method"), (0, "run"), (0, "stop"), (0, "run"),
    ],
    "a bad value": [
        (0, "sample"), (0, "quick method"), (1, "run"), (0, "bad value"), (0, "run"), (1, "run"),
    ],
}  # fmt: skip
"""Sequences after which the page could not run."""


def drawn(seed, length=9):
    """A random sequence of moves, each in one of two tabs; every third is a run."""
    chance = random.Random(seed)
    others = sorted(STEPS)
    names = [chance.choice(others) if chance.random() < 0.67 else "run" for _ in range(length)]
    return [(chance.randrange(2), name) for name in names]


def can_run(tab):
    """The page is usable, and a run of a quick method ends with its result."""
    tab.wait()
    tab.set("set-clahe-tiles", 8)
    tick(tab, "clahe")
    if tab.prop("facts").count("No image yet"):
        sample(tab, "real_mr_small")
    tab.wait()
    assert tab.prop("run", "interactive")
    assert not tab.prop("stop", "interactive")
    assert "1 method" in tab.prop("estimate")
    tab.fire("run", "click")
    tab.wait()
    assert 'class="done" data-method="clahe"' in tab.prop("progress")
    keys = [panel["key"] for panel in tab.prop("viewer")["panels"]]
    assert keys[:2] == ["input", "clahe"]
    assert tab.prop("run", "interactive")


@pytest.mark.parametrize(
    "moves", [*FOUND.values(), *map(drawn, range(4))], ids=[*FOUND, *map(str, range(4))]
)
def test_after_any_sequence_in_two_tabs_both_can_run(tabs, moves):
    GATE.clear()
    for number, name in moves:
        STEPS[name](tabs[number])
        if moves in FOUND.values() or len(name) % 2:
            tabs[number].answered()
    GATE.set()
    for tab in tabs:
        can_run(tab)
