"""The canvas of all figures: one size and font, theme colours, reproducible SVG and PNG.

In the page theme colours are CSS variables (`--ink`, `--quiet`, `--line`), which it sets for light,
dark and print; in files they are dark on white. Colours that carry meaning are fixed and readable
on both backgrounds.
"""

from __future__ import annotations

import io
import re
import textwrap
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

INK, QUIET, LINE = "#010203", "#4c4c4b", "#bdbdba"
"""Colours of text, of what is less important, and of axes; in the page they are variables."""
_VARIABLES = {INK: "--ink", QUIET: "--quiet", LINE: "--line"}
DPI = 300
"""Resolution of PNG files."""
LOW, MIDDLE, HIGH = (0.72, 0.36, 0.16), (0.86, 0.85, 0.83), (0.12, 0.42, 0.62)
"""Ends and middle of a rating scale, distinguishable with any colour vision."""
READERS = ("#2f7fb8", "#d0722c", "#3c9a6b", "#b65f9c", "#8a7a1f", "#7c6fd0", "#c8494f", "#5f8f98")
DASHES: tuple[Any, ...] = ("-", (0, (4, 1.6)), (0, (1.2, 1.4)))
WIDTH = 8.6
"""Inches; the page scales figures down, never up."""
_SETTINGS = {
    "font.family": "DejaVu Sans", "font.size": 8.5, "svg.fonttype": "none",
    "text.parse_math": False, "axes.edgecolor": LINE, "axes.labelcolor": INK, "text.color": INK,
    "xtick.color": QUIET, "ytick.color": QUIET, "xtick.labelcolor": INK, "ytick.labelcolor": INK,
    "axes.spines.top": False, "axes.spines.right": False, "axes.linewidth": 0.8,
    "axes.titlesize": 8.5, "axes.titlelocation": "left", "axes.unicode_minus": True,
    "path.simplify": False,
}  # fmt: skip
_MATPLOTLIB_LOCK = threading.Lock()


def scale_colours(points: int) -> tuple[tuple[float, float, float], ...]:
    """RGB colours of the points of a rating scale, from low to high."""
    ends = np.array([LOW, MIDDLE, HIGH])
    at = np.linspace(0, 2, points)
    return tuple(
        (float(r), float(g), float(b))
        for r, g, b in np.stack([np.interp(at, [0, 1, 2], ends[:, i]) for i in range(3)], axis=1)
    )


def shorten(text: str, longest: int = 24) -> str:
    """A label of at most `longest` printable characters."""
    flat = "".join(c for c in " ".join(text.split()) if c.isprintable())
    return flat if len(flat) <= longest else flat[: longest - 1] + "…"


@dataclass(frozen=True)
class Plot:
    """A plot that is drawn when it is asked for.

    Parameters
    ----------
    name : str
        Of its file; prefix of all ids in the SVG of the page.
    height : float
        Inches; all plots are `WIDTH` wide.
    paint : callable
        Draws on an empty matplotlib figure of that size.
    """

    name: str
    height: float
    paint: Callable[[Figure], None]

    def inline(self) -> str:
        """An svg element for the page: prefixed ids, theme colours, no fixed size."""
        svg = self.svg()
        svg = svg[svg.index("<svg") :]
        svg = re.sub(r'\b(id="|href="#|url\(#)', rf"\g<1>{self.name}-", svg)
        for colour, variable in _VARIABLES.items():
            svg = svg.replace(colour, f"var({variable})")
        svg = re.sub(r"'DejaVu Sans'(?:, [^;\"]*)?", "var(--sans)", svg)
        svg = re.sub(r'<svg ([^>]*?)width="[\d.]+pt" height="[\d.]+pt"', r"<svg \1", svg, count=1)
        return svg.strip()

    def svg(self) -> str:
        """A file of its own; the same numbers give the same text."""
        target = io.StringIO()
        metadata = dict.fromkeys(("Date", "Creator", "Format", "Type"))
        self._save(target, format="svg", transparent=True, metadata=metadata)
        return re.sub(r"[ \t]+\n", "\n", target.getvalue())

    def png(self) -> bytes:
        """A file of `DPI` dots per inch on white."""
        target = io.BytesIO()
        self._save(target, format="png", dpi=DPI, facecolor="white", metadata={"Software": None})
        return target.getvalue()

    def _save(self, target: io.StringIO | io.BytesIO, **options: Any) -> None:
        import matplotlib
        from matplotlib.figure import Figure

        # Settings belong to the process, and two reports may be drawn at once.
        settings: Any = {**_SETTINGS, "svg.hashsalt": self.name}
        with _MATPLOTLIB_LOCK, matplotlib.rc_context(settings):
            figure = Figure(figsize=(WIDTH, self.height))
            self.paint(figure)
            figure.savefig(target, **options)


def wrapped(text: str, width: int, lines: int = 2) -> str:
    """A label in at most so many lines of `width` printable characters."""
    flat = shorten(text, 10_000)
    return "\n".join(textwrap.wrap(flat, width, max_lines=lines, placeholder="…"))


def reader_style(number: int) -> dict[str, Any]:
    """Colour, dashes and marker of a reader's line."""
    return {
        "color": READERS[number % len(READERS)],
        "ls": DASHES[number // len(READERS) % len(DASHES)],
        "marker": "o",
        "ms": 3,
    }


def fit_axes(
    figure: Figure, axes: Axes, *, top: float = 0.1, right: float = 1.25, bottom: float = 0.3
) -> None:
    """Place the axes so that their labels fit; margins in inches."""
    width, height = figure.get_size_inches()
    labels = (label.get_text() for label in axes.get_yticklabels())
    left = max(0.55, text_width(*labels))
    axes.set_position(
        (
            left / width,
            bottom / height,
            (width - left - right) / width,
            (height - bottom - top) / height,
        )
    )


def text_width(*texts: str) -> float:
    """Inches that labels take, which may have several lines."""
    return 0.083 * max((len(line) for one in texts for line in one.split("\n")), default=0) + 0.15


def text_on(colour: Any) -> str:
    """Black or white, whichever contrasts more with a colour."""
    red, green, blue = colour
    return "#ffffff" if 0.30 * red + 0.59 * green + 0.11 * blue < 0.55 else "#161616"
