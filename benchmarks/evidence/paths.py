"""Where the evidence of the project itself is."""

from __future__ import annotations

from enhancers.asset_files import ASSETS

EVIDENCE = ASSETS / "evidence"
README = ASSETS.parent / "README.md"
