"""Theme of every page: neutral grays, dark unless the visitor chose the light one."""

from __future__ import annotations

from typing import Any

from enhancers.asset_files import asset_text


def page_theme(background: str = "#161616") -> Any:
    """A Gradio theme of neutral grays with local fonts; nothing is fetched from elsewhere.

    Parameters
    ----------
    background : str
        Colour before the style sheet arrives, as CSS; style sheets have the light colours too.
    """
    import gradio as gr

    return gr.themes.Base(
        primary_hue=gr.themes.colors.neutral,
        secondary_hue=gr.themes.colors.neutral,
        neutral_hue=gr.themes.colors.neutral,
        spacing_size=gr.themes.sizes.spacing_sm,
        radius_size=gr.themes.sizes.radius_sm,
        text_size=gr.themes.sizes.text_sm,
        font=["system-ui", "sans-serif"],
        font_mono=["ui-monospace", "monospace"],
    ).set(body_background_fill=background, body_background_fill_dark=background)


def page_head(*scripts: str, markup: str = "") -> str:
    """What goes into a page's ``<head>``: kept out of search engines, light and dark, scripts.

    Parameters
    ----------
    *scripts : str
        Names of further scripts among the assets.
    markup : str
        Further elements, as HTML.
    """
    code = asset_text("theme.js", *scripts)
    return f'<meta name="robots" content="noindex">\n{markup}\n<script>\n{code}\n</script>\n'
