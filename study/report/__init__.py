"""The report of a study: one HTML file that needs nothing else, to be read, printed or attached."""

from __future__ import annotations

from study.report.page import make, render

__all__ = ["make", "render"]
