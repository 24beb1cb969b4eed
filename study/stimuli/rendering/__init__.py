"""Rendering of all stimuli before the study opens; the only package that runs methods.

>>> from study.stimuli.rendering import Options, build
>>> report = build(store, key, sources, options=Options())  # doctest: +SKIP
>>> print(report.as_text())  # doctest: +SKIP
"""

from __future__ import annotations

from study.stimuli.rendering.build import build
from study.stimuli.rendering.build_run import Options, Progress

__all__ = ["Options", "Progress", "build"]
