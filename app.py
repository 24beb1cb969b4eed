"""Reading Room: ``python app.py`` serves the compare page, and a study beside it.

Settings are READINGROOM_... variables (see `enhancers.settings`).
"""

from __future__ import annotations

import atexit
import functools
import os
import shutil
import sys
import tempfile
import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from enhancers.settings import Settings
    from enhancers.ui import StudyLinks
    from study.demo.site import DemoSite
    from study.server.alongside import StudyAlongside

DEMO = "/demo"

# Gradio and the hub client read these when they are imported.
os.environ["GRADIO_ANALYTICS_ENABLED"] = "False"
os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")


def serve(settings: Settings, demo: DemoSite | None) -> Any:
    """Build the page, start its server in the background and return the running Blocks."""
    # A folder of this process alone, since Gradio serves what lies in it.
    folder = tempfile.mkdtemp(prefix="reading-room-")
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    os.environ["GRADIO_TEMP_DIR"] = folder
    from enhancers.ui import build

    study = open_study(settings)
    page = build(settings, doors(study, demo), add_endpoints=endpoints(settings))
    app, _, _ = page.blocks.launch(
        server_name=settings.host,
        server_port=settings.port,
        prevent_thread_lock=True,
        quiet=True,
        show_error=False,
        run_history=False,
        enable_monitoring=False,
        ssr_mode=False,
        footer_links=["api"],
        mcp_server=settings.mcp,
        max_file_size=settings.max_file_bytes,
        app_kwargs={"middleware": list(study.middleware)} if study else {},
        **page.launch_options,
    )
    for router in page.routers:
        app.include_router(router)
    if study:
        study.attach(app)
    if demo:
        app.mount(DEMO, demo)
    return page.blocks


def endpoints(settings: Settings) -> Callable[[Mapping[str, Any]], None]:
    """What adds the endpoints for programs to the page; with their package where MCP is on."""
    from enhancers.api import add_endpoints, check_mcp

    check_mcp(settings)
    return functools.partial(add_endpoints, settings)


def open_study(settings: Settings) -> StudyAlongside | None:
    """The study of the settings, or None."""
    if settings.study_dir is None:
        return None
    from study.server.alongside import StudyAlongside
    from study.storage.store import Store

    store = Store.open(settings.study_dir, url=settings.study_database)
    return StudyAlongside(store, settings.study_key)


def open_demo(settings: Settings) -> DemoSite | None:
    """The demo study, in a folder of its own that ends with the process, or None."""
    if not settings.study_demo:
        return None
    from study.demo.site import DemoSite

    demo = DemoSite(Path(tempfile.mkdtemp(prefix="reading-room-demo-")))
    atexit.register(demo.close)
    return demo


def doors(study: StudyAlongside | None, demo: DemoSite | None) -> StudyLinks:
    """What the Study tab leads to."""
    from enhancers.ui import StudyLinks

    return StudyLinks(
        reader="reader/" if study else None,
        coordinator="coordinator/" if study else None,
        demo=f"{DEMO[1:]}/" if demo else None,
    )


def warm_up(demo: DemoSite | None) -> None:
    """Make ready what the first visitors need, so that nobody waits; errors show up there."""
    from enhancers.warm_up import import_heavy

    import_heavy()
    if demo:
        demo.prepare()


def main() -> int:
    """Serve until interrupted."""
    from enhancers.errors import ReadingRoomError
    from enhancers.settings import get_settings
    from study.domain.errors import StudyError

    try:
        settings = get_settings()
        demo = open_demo(settings)
        blocks = serve(settings, demo)
    except (ReadingRoomError, StudyError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)  # noqa: T201
        return 2
    print(f"Reading Room is at {blocks.local_url}", flush=True)  # noqa: T201
    threading.Thread(target=warm_up, args=(demo,), daemon=True).start()
    blocks.block_thread()
    return 0


if __name__ == "__main__":
    sys.exit(main())
