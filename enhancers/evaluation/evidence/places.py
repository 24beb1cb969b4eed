"""Where the evidence of the project itself is."""

from __future__ import annotations

from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
ASSETS = ROOT / "assets" / "evidence"
README = ROOT / "README.md"
