"""The served compare page; the tests of a module share one tab, since loading it is slow."""

import os
from urllib.parse import urlparse

import pytest

from enhancers import settings as settings_room
from enhancers.compare import estimate
from enhancers.ui import build
from enhancers.warm_up import import_networks
from tests.support.compare_browser import tab, visit

if os.environ.get("READINGROOM_NO_BROWSER") == "1":
    collect_ignore_glob = ["test_*.py"]


@pytest.fixture(scope="module")
def served(serve, tmp_path_factory):
    """The page at an address, with a cache of its own."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("READINGROOM_CACHE_DIR", str(tmp_path_factory.mktemp("cache")))
        settings_room.get_settings.cache_clear()
        # No network is timed for an estimate: a process that ends inside torch is aborted.
        import_networks()
        for prior in ("pixel", "latent"):
            patch.setitem(estimate.PATCH_COSTS, (prior, "cpu"), estimate.PatchCost(0.3))
        page = build(settings_room.get_settings())
        options = {**page.launch_options, "run_history": False, "footer_links": []}
        yield serve(page.blocks, *page.routers, **options), page.sessions
    settings_room.get_settings.cache_clear()


@pytest.fixture(scope="module")
def visited(shared_page, served):
    """The page; in the end nothing may have left the machine and no script have failed."""
    visit(shared_page, served[0])
    yield shared_page
    hosts = {urlparse(url).hostname for url in shared_page.asked if url.startswith("http")}
    assert hosts == {"127.0.0.1"}
    assert shared_page.problems == []


@pytest.fixture
def opened(visited):
    """The shared page with the first tab in front."""
    visited.set_viewport_size({"width": 1280, "height": 720})
    tab(visited, "Side by side")
    return visited
