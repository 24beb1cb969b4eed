"""The tables of a report as LaTeX.

Columns get widths where a table is wider than the line, the letters get smaller where its longest
words would not fit, and a table that is taller than a page is broken over pages.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil

from study.report.cells import Content, Table, joined

_CHARACTERS = {
    "\\": r"\textbackslash{}", "&": r"\&", "%": r"\%", "$": r"\$", "#": r"\#", "_": r"\_",
    "{": r"\{", "}": r"\}", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}",
    "<": r"\textless{}", ">": r"\textgreater{}", "|": r"\textbar{}", "`": r"\textasciigrave{}",
    '"': r"\textquotedbl{}", "\u00a0": "~",
    "−": "$-$", "×": r"$\times$", "±": r"$\pm$", "≤": r"$\leq$", "≥": r"$\geq$", "·": r"$\cdot$",
    "≠": r"$\neq$", "≈": r"$\approx$", "∞": r"$\infty$", "′": r"$'$", "″": r"$''$",
    "°": r"\textdegree{}", "²": r"$^2$", "√": r"$\surd$", "→": r"$\rightarrow$",
    "←": r"$\leftarrow$",
}  # fmt: skip
"""What LaTeX would take for a command or a ligature, or has no letter for."""
_GREEK = {
    "α": "alpha", "β": "beta", "γ": "gamma", "δ": "delta", "ε": "epsilon", "ζ": "zeta",
    "η": "eta", "θ": "theta", "ι": "iota", "κ": "kappa", "λ": "lambda", "μ": "mu", "µ": "mu",
    "ν": "nu", "ξ": "xi", "π": "pi", "ρ": "rho", "ς": "varsigma", "σ": "sigma", "τ": "tau",
    "υ": "upsilon", "φ": "varphi", "χ": "chi", "ψ": "psi", "ω": "omega", "Γ": "Gamma",
    "Δ": "Delta", "Θ": "Theta", "Λ": "Lambda", "Ξ": "Xi", "Π": "Pi", "Σ": "Sigma",
    "Υ": "Upsilon", "Φ": "Phi", "Ψ": "Psi", "Ω": "Omega",
}  # fmt: skip
_LATEX = _CHARACTERS | {letter: rf"$\{name}$" for letter, name in _GREEK.items()}
_PUNCTUATION = "–—‘’“”‚„†‡•…‰‹›€™"
_LATIN = set(range(0xA1, 0x17F)) - set(map(ord, "ĦħĸĿŀŉŦŧ"))
"""Letters that LaTeX reads as UTF-8 and has in its fonts."""
_SIZES = (("small", 66), ("footnotesize", 74), ("scriptsize", 83), ("tiny", 108))
"""Sizes of letters, and about how many of them are on the line of an article."""
_GAP = 2
"""Letters that the space between two columns takes."""
_TALL = 40
"""Lines of a table that is broken over pages."""


@dataclass(frozen=True)
class _Layout:
    """How a table is set.

    Parameters
    ----------
    size : str
    columns : str
        The argument of `tabular`.
    tall : bool
        Whether it is broken over pages.
    """

    size: str
    columns: str
    tall: bool


def latex(title: str, tables: Sequence[Table]) -> str:
    """All tables, to be taken into a document with `input`."""
    bodies = [_table(number, table) for number, table in enumerate(tables, start=1)]
    found = "\n".join(line for body in bodies for line in body)
    parts = [
        f"% Tables of: {' '.join(title.split())}",
        r"% In the preamble: \usepackage[T1]{fontenc} and \usepackage{array,booktabs,longtable}.",
    ]
    if strange := _other_letters(found):
        parts.append(
            f"% For the letters {strange} LaTeX needs a font: compile with LuaLaTeX and fontspec."
        )
    return "\n".join([*parts, found]) + "\n"


def _table(number: int, table: Table) -> list[str]:
    layout = _layout(table)
    head = " & ".join(map(_cell_text, table.heads)) + r" \\"
    rows = [" & ".join(_cell(cell, table) for cell in row) + r" \\" for row in table.rows]
    caption = rf"\caption{{{_tex(table.caption)}}}"
    label = rf"\label{{tab:report-{number}}}"
    notes = [
        *(rf"\par\footnotesize \textsuperscript{{{letter}}}~{_tex(sentence)}"
          for letter, sentence in table.notes),
        *([rf"\par\footnotesize {_tex(table.remark)}"] if table.remark else []),
    ]  # fmt: skip
    if layout.tall:
        return [
            "",
            rf"\begingroup\{layout.size}\setlength{{\tabcolsep}}{{4pt}}"
            r"\setlength{\LTcapwidth}{\linewidth}",
            rf"\begin{{longtable}}{{{layout.columns}}}",
            rf"{caption}{label}\\",
            r"\toprule", head, r"\midrule", r"\endfirsthead",
            r"\toprule", head, r"\midrule", r"\endhead",
            r"\bottomrule", r"\endfoot",
            *rows,
            r"\end{longtable}",
            *notes,
            r"\par\endgroup",
        ]  # fmt: skip
    return [
        "",
        r"\begin{table}[htbp]",
        caption,
        label,
        rf"\centering\{layout.size}\setlength{{\tabcolsep}}{{4pt}}",
        rf"\begin{{tabular}}{{{layout.columns}}}",
        r"\toprule",
        head,
        r"\midrule",
        *rows,
        r"\bottomrule",
        r"\end{tabular}",
        *notes,
        r"\end{table}",
    ]


def _layout(table: Table) -> _Layout:
    """Letters and columns with which a table fits on the line of an article."""
    texts = [[head, *column] for head, column in zip(table.heads, _columns(table), strict=True)]
    natural = [max(map(len, column)) for column in texts]
    gaps = _GAP * (len(texts) - 1)
    size, room = _SIZES[0]
    if sum(natural) + gaps <= room:
        columns = "".join(side[0] for side in table.sides)
        return _Layout(size, columns, len(table.rows) > _TALL)
    least = [max(len(word) for text in column for word in text.split(" ")) for column in texts]
    size, room = next((one for one in _SIZES if sum(least) + gaps <= one[1]), _SIZES[-1])
    widths = _widths(least, natural, room - gaps)
    lines = sum(
        max(ceil(len(text) / width) for text, width in zip(row, widths, strict=True))
        for row in zip(*texts, strict=True)
    )
    shares = [(width + _GAP) / (sum(widths) + _GAP * len(widths)) for width in widths]
    columns = "".join(
        rf">{{\ragged{'right' if side == 'left' else 'left'}\arraybackslash}}"
        rf"p{{\dimexpr{share:.4f}\linewidth-2\tabcolsep\relax}}"
        for side, share in zip(table.sides, shares, strict=True)
    )
    return _Layout(size, columns, lines > _TALL)


def _widths(least: Sequence[int], natural: Sequence[int], room: float) -> list[float]:
    """Widths of columns in letters: each takes of the room what it lacks, the small ones first."""
    widths = [float(width) for width in least]
    left = room - sum(widths)
    wanted = sorted(range(len(least)), key=lambda place: natural[place] - least[place])
    for number, place in enumerate(wanted):
        more = min(natural[place] - widths[place], max(left, 0.0) / (len(wanted) - number))
        widths[place] += more
        left -= more
    return widths


def _columns(table: Table) -> list[tuple[str, ...]]:
    """The texts of each column, as they are read."""
    rows = [[_read(cell, table) for cell in row] for row in table.rows]
    return list(zip(*rows, strict=True)) if rows else [() for _ in table.head]


def _read(content: Content, table: Table) -> str:
    if isinstance(content, str):
        return content
    return joined(content, str, table.letter(content.note) if content.note else "")


def _tex(text: str) -> str:
    """A text with everything escaped that LaTeX would take for something else."""
    composed = unicodedata.normalize("NFC", text)
    spaced = re.sub(r"[^\S\u00a0]+|[\x00-\x1f\x7f-\x9f]", " ", composed)
    seen = (letter for letter in spaced if unicodedata.category(letter) != "Cf")
    # Two hyphens would be a dash.
    return re.sub("-(?=-)", "-{}", "".join(_LATEX.get(letter, letter) for letter in seen))


def _other_letters(text: str) -> str:
    known = _LATIN | set(map(ord, _PUNCTUATION))
    return "".join(sorted({one for one in text if not one.isascii() and ord(one) not in known}))


def _cell_text(text: str) -> str:
    """A cell of text; a bracket or an asterisk that follows the end of a row would be its own."""
    written = _tex(text)
    return f"{{{written}}}" if written.startswith(("[", "*")) else written


def _cell(content: Content, table: Table) -> str:
    if isinstance(content, str):
        return _cell_text(content)
    letter = table.letter(content.note) if content.note else ""
    note = rf"\textsuperscript{{{letter}}}" if letter else ""
    written = joined(content, _tex, note)
    return f"{{{written}}}" if written.startswith(("[", "*")) else written
