"""The compare page: several methods on one image, side by side, measured and exported."""

from __future__ import annotations

from enhancers import gradio_import  # noqa: F401  (must precede the first import of gradio)
from enhancers.ui.page import ComparePage, build
from enhancers.ui.server import launch, use_private_temp_folder
from enhancers.ui.study_tab import StudyLinks

__all__ = ["ComparePage", "StudyLinks", "build", "launch", "use_private_temp_folder"]
