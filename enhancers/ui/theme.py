"""Colours and scripts of the page: neutral grays, dark unless asked otherwise."""

from __future__ import annotations

from typing import Any

import gradio as gr

from enhancers.asset_files import asset_text

_SHEETS = ("theme.css", "networks.css", "evidence.css")

# Gradio may have followed the system's theme before this runs, so the class is set as well as the
# address, which Gradio reads at the next start.
HEAD = """
<meta name="robots" content="noindex">
<script>
(() => {
  const address = new URL(window.location);
  const memory = {
    get() { try { return localStorage.getItem('readingroom-theme'); } catch { return null; } },
    set(name) { try { localStorage.setItem('readingroom-theme', name); } catch { return; } },
  };
  const use = (name) => {
    address.searchParams.set('__theme', name);
    history.replaceState(null, '', address);
    document.body.classList.toggle('dark', name === 'dark');
  };
  use(address.searchParams.get('__theme') || memory.get() || 'dark');
  document.addEventListener('click', (event) => {
    if (!event.target.closest('[data-theme-toggle]')) return;
    const name = document.body.classList.contains('dark') ? 'light' : 'dark';
    use(name);
    memory.set(name);
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
    ).set(
        # What is seen before the style sheet arrives; the sheet has the light colours too.
        body_background_fill="#161616",
        body_background_fill_dark="#161616",
    )


def launch_options() -> dict[str, Any]:
    """What `gr.Blocks.launch` needs to look like this."""
    css = asset_text(*_SHEETS)
    return {"theme": theme(), "css": css, "head": HEAD}
