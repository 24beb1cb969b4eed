"""The coordinator's pages: plan, build, freeze, invite, watch, close, unblind and export.

>>> from study.admin import attach
>>> attach(app, store, key_path=path)  # doctest: +SKIP
"""

from __future__ import annotations

from study.admin.page import attach, build_admin
from study.admin.web import router

__all__ = ["attach", "build_admin", "router"]
