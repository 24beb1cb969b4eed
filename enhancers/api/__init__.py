"""HTTP endpoints for programs, and the same as MCP tools: a file in, files and a record out.

They are endpoints of Gradio: a program calls them with ``gradio_client`` or plain HTTP (see
``examples/use_the_api.py``), and the page documents them under "Use via API".
"""

from __future__ import annotations

from enhancers import gradio_import  # noqa: F401  (must precede the first import of gradio)
from enhancers.api.endpoints import add_endpoints
from enhancers.api.mcp import check_mcp

__all__ = ["add_endpoints", "check_mcp"]
