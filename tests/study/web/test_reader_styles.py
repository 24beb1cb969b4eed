"""The styles of the reader's page as Gradio takes them: a template of JavaScript."""

from __future__ import annotations

import pytest

from enhancers.asset_files import asset_text


@pytest.mark.parametrize("name", ["viewer.css", "reader.css"])
def test_styles_have_no_escape_that_breaks_the_page(name: str) -> None:
    # Gradio evaluates css_template as a template string, in which "\21b5" is a syntax error.
    assert "\\" not in asset_text(name)
