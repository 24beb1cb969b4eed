"""The coordinator's pages: plan, build, freeze, invite, watch, close, unblind and export.

>>> from study.web.coordinator import attach
>>> attach(app, store, key_path=path)  # doctest: +SKIP
"""

from __future__ import annotations

from study.web.coordinator.page import attach, build_page
from study.web.coordinator.routes import router

__all__ = ["attach", "build_page", "router"]
