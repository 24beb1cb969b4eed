"""Colours and scripts of the page: neutral grays, dark unless asked otherwise."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import gradio as gr

_CSS = Path(__file__).resolve().parents[2] / "assets" / "theme.css"

# Gradio reads __theme from the address when it starts; without it, it follows the system.
HEAD = """
<meta name="robots" content="noindex">
<script>
(() => {
  const address = new URL(window.location);
  if (!address.searchParams.has('__theme')) {
    let kept = null;
    try { kept = localStorage.getItem('readingroom-theme'); } catch (error) { kept = null; }
    address.searchParams.set('__theme', kept === 'light' ? 'light' : 'dark');
    history.replaceState(null, '', address);
  }
  document.addEventListener('click', (event) => {
    if (!event.target.closest('[data-theme-toggle]')) return;
    const dark = document.body.classList.toggle('dark');
    address.searchParams.set('__theme', dark ? 'dark' : 'light');
    history.replaceState(null, '', address);
    try { localStorage.setItem('readingroom-theme', dark ? 'dark' : 'light'); } catch (error) {}
  });
  document.addEventListener('keydown', (event) => {
    if (event.key === 'Enter' && (event.ctrlKey || event.metaKey)) {
      document.querySelector('#run')?.click();
    }
  });
})();
</script>
"""


def theme() -> Any:
    """A theme of neutral grays with local fonts: nothing is fetched from elsewhere."""
    return gr.themes.Base(
        primary_hue=gr.themes.colors.neutral,
        secondary_hue=gr.themes.colors.neutral,
        neutral_hue=gr.themes.colors.neutral,
        spacing_size=gr.themes.sizes.spacing_sm,
        radius_size=gr.themes.sizes.radius_sm,
        text_size=gr.themes.sizes.text_sm,
        font=["system-ui", "sans-serif"],
        font_mono=["ui-monospace", "monospace"],
    )


def launch_options() -> dict[str, Any]:
    """What `gr.Blocks.launch` needs to look like this."""
    return {"theme": theme(), "css": _CSS.read_text(encoding="utf-8"), "head": HEAD}
