"""The paths of the project's own evidence."""

from __future__ import annotations

from enhancers.asset_files import ASSETS

EVIDENCE = ASSETS / "evidence"
README = ASSETS.parent / "README.md"
