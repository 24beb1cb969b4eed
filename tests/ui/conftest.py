"""The compare page and its handlers."""

from types import SimpleNamespace

import gradio as gr
import pytest

from enhancers.settings import get_settings, read_settings
from enhancers.ui import StudyLinks, build, gallery, run_handlers
from enhancers.ui.estimate_handlers import EstimateHandlers
from enhancers.ui.image_handlers import ImageHandlers
from enhancers.ui.page_updates import PageUpdates
from enhancers.ui.sessions import Sessions
from enhancers.ui.upload_handlers import UploadHandlers
from enhancers.ui.viewer import PixelStore
from tests.support.compare_page import field_values


@pytest.fixture(scope="module")
def settings(tmp_path_factory):
    """Results are kept nowhere but in a cache of the module."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("READINGROOM_CACHE_DIR", str(tmp_path_factory.mktemp("cache")))
        patch.setenv("READINGROOM_MEMORY_CACHE_MB", "0")
        get_settings.cache_clear()
        yield read_settings()
    get_settings.cache_clear()


@pytest.fixture(scope="module")
def page(settings):
    return build(settings)


@pytest.fixture(scope="session")
def drawn():
    """The components of a page; what handlers return names them, and changes none."""
    from enhancers.ui import layout

    with gr.Blocks():
        return layout.build_layout({}, gallery.tiles(), [], StudyLinks())


@pytest.fixture
def handlers(drawn, settings):
    """Handlers without a page, and the request of a browser tab."""
    from enhancers.load import DEFAULT_CAPS

    sessions = Sessions()
    updates = PageUpdates(drawn, PixelStore())
    image_handlers = ImageHandlers(updates, sessions, DEFAULT_CAPS)
    uploads = UploadHandlers(image_handlers)
    request = SimpleNamespace(session_hash="tab")

    def upload(*paths):
        """Upload files; the last updates of every component."""
        found = {}
        for some in uploads.upload([str(path) for path in paths], request, **field_values()):
            found |= some
        return found

    return SimpleNamespace(
        layout=drawn,
        sessions=sessions,
        run_handlers=run_handlers.RunHandlers(updates, sessions),
        estimate=EstimateHandlers(updates, sessions).estimate,
        updates=updates,
        image_handlers=image_handlers,
        uploads=uploads,
        upload=upload,
        request=request,
    )
