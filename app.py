"""Reading Room: ``python app.py`` serves the compare page, and a reader study next to it.

The settings are READINGROOM_... environment variables (see `enhancers.settings`).
"""

from __future__ import annotations

import functools
import os
import sys
import threading
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from enhancers.settings import Settings
    from study.demo.site import DemoSite
    from study.server.alongside import StudyAlongside

# Gradio and the hub client read these when they are imported.
os.environ["GRADIO_ANALYTICS_ENABLED"] = "False"
os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")


def open_study(settings: Settings) -> StudyAlongside | None:
    """The study of the settings, or None."""
    if settings.study_dir is None:
        return None
    from study.server.alongside import StudyAlongside

    study = StudyAlongside.open(
        settings.study_dir,
        settings.study_database,
        settings.study_key,
        cookie_key=settings.cookie_key,
        disk_may_vanish=settings.disk_may_vanish,
    )
    for problem in study.studies.problems:
        print(f"error: {problem}", file=sys.stderr, flush=True)  # noqa: T201
    return study


def open_demo(settings: Settings) -> DemoSite | None:
    """The demo study, or None where it is switched off."""
    if not settings.study_demo:
        return None
    from study.demo.site import DemoSite

    return DemoSite.temporary()


def serve(settings: Settings, study: StudyAlongside | None, demo: DemoSite | None) -> Any:
    """Start the server of all pages in the background and return the compare page's Blocks."""
    from enhancers.api import add_endpoints, check_mcp
    from enhancers.ui import StudyLinks, build, launch, use_private_temp_folder

    check_mcp(settings)
    links = StudyLinks(
        reader="reader/" if study else None,
        coordinator="coordinator/" if study else None,
        demo="demo/" if demo else None,
    )
    use_private_temp_folder()
    page = build(settings, links, add_endpoints=functools.partial(add_endpoints, settings))
    app = launch(page, settings, study.middleware if study else (), study.bodies if study else None)
    if study:
        study.attach(app)
    if demo:
        app.mount("/demo", demo)
    return page.blocks


def warm_up(demo: DemoSite | None) -> None:
    """Import and prepare in the background what the first visitors need."""
    from enhancers.decoding import decode_pool
    from enhancers.warm_up import import_heavy

    decode_pool().warm_up()
    import_heavy()
    if demo:
        demo.prepare()


def main() -> int:
    """Serve until interrupted, or ended by SIGTERM; temporary files are removed at once then."""
    from enhancers.errors import ReadingRoomError
    from enhancers.private_folders import remove_process_folder, removed_at_sigterm
    from enhancers.settings import get_settings
    from study.domain.errors import StudyError

    removed_at_sigterm()
    try:
        settings = get_settings()
        study, demo = open_study(settings), open_demo(settings)
        blocks = serve(settings, study, demo)
    except (ReadingRoomError, StudyError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)  # noqa: T201
        return 2
    print(f"Reading Room is at {blocks.local_url}", flush=True)  # noqa: T201
    threading.Thread(target=warm_up, args=(demo,), daemon=True).start()
    try:
        blocks.block_thread()
    finally:
        remove_process_folder()
    return 0


if __name__ == "__main__":
    sys.exit(main())
