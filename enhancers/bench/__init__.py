"""The commands behind the figures: floors of quality, speed, and memory over many runs."""

from __future__ import annotations

from enhancers.bench.cases import validation_cases
from enhancers.bench.floors import STAGES, as_markdown, floors

__all__ = ["STAGES", "as_markdown", "floors", "validation_cases"]
