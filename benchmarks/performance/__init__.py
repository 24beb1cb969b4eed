"""Quality floors of the embedded networks, speed, and memory over many runs."""

from __future__ import annotations

from benchmarks.performance.floors import STAGES, as_markdown, floors
from benchmarks.performance.scores import validation_cases

__all__ = ["STAGES", "as_markdown", "floors", "validation_cases"]
