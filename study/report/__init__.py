"""The report of a study: one HTML file that needs nothing else, to be read, printed or attached."""

from __future__ import annotations

from study.report.page import document, make, render

__all__ = ["document", "make", "render"]
