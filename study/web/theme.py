"""Look of the coordinator's pages: the neutral grays of the compare page."""

from __future__ import annotations

from typing import Any

from enhancers.asset_files import asset_text

_SHEETS = ("theme.css", "coordinator.css")

# Gradio may have followed the system's theme before this runs, so the class is set as well as the
# address, which Gradio reads at the next start.
HEAD = """
<meta name="robots" content="noindex">
<meta name="referrer" content="no-referrer">
<link rel="icon" href="data:,">
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
  document.addEventListener('click', async (event) => {
    if (event.target.closest('[data-theme-toggle]')) {
      const name = document.body.classList.contains('dark') ? 'light' : 'dark';
      use(name);
      memory.set(name);
    }
    const copied = event.target.closest('[data-copy]');
    if (copied) {
      await navigator.clipboard.writeText(copied.dataset.copy);
      copied.textContent = 'Copied';
    }
  });
})();
</script>
"""


def style() -> str:
    """The style sheets of the pages, one after the other."""
    return asset_text(*_SHEETS)


def theme() -> Any:
    """A theme of neutral grays with local fonts: nothing is fetched from elsewhere."""
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
    ).set(body_background_fill="#161616", body_background_fill_dark="#161616")
