"""Scripts beside an export, in Python and R, that compute the primary result from ratings.csv.

Their first lines are the declared comparison; what follows is an asset and needs nothing of this
program.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator

from enhancers.asset_files import asset_text
from study.analysis.dataset import Dataset
from study.analysis.primary import primary_pair
from study.analysis.results import default_seed
from study.report.export_files import ExportFile, text_file
from study.stats.intervals import RESAMPLES

Constant = str | bool | int | float | tuple[str, str]


def primary_scripts(data: Dataset) -> Iterator[ExportFile]:
    """The two scripts; none where no primary comparison is declared."""
    constants = _constants(data)
    if constants is None:
        return
    for name, assign, literal in (
        ("primary_analysis.py", "=", _python),
        ("primary_analysis.R", "<-", _r),
    ):
        head = (
            "# The primary comparison of this study, computed from ratings.csv in the same folder.",
            "# These values were declared before the first rating; the codes of methods are those",
            "# of methods.csv.",
            *(f"{key} {assign} {literal(value)}" for key, value in constants.items()),
        )
        body = asset_text(f"primary_analysis/{name}")
        yield text_file(name, "\n".join(head) + f"\n{body}")


def _constants(data: Dataset) -> dict[str, Constant] | None:
    declared, protocol = primary_pair(data), data.protocol
    if declared is None:
        return None
    question, pair = declared
    return {
        "QUESTION": question.code,
        "PAIR": pair,
        "PREFERENCES": question.of_pair,
        "RANKS": question.ranks,
        "HYPOTHESIS": protocol.hypothesis.value,
        "MARGIN": protocol.margin,
        "ALPHA": protocol.alpha,
        "RANDOM": protocol.random.value,
        "SPAN": question.span,
        "RESAMPLES": RESAMPLES,
        "SEED": default_seed(data.study.protocol_sha256 or protocol.digest),
    }


def _python(value: Constant) -> str:
    if isinstance(value, tuple):
        return f"({', '.join(map(_text, value))})"
    if isinstance(value, float) and math.isinf(value):
        return 'float("inf")'
    return _text(value) if isinstance(value, str) else repr(value)


def _r(value: Constant) -> str:
    if isinstance(value, tuple):
        return f"c({', '.join(map(_text, value))})"
    if isinstance(value, float) and math.isinf(value):
        return "Inf"
    if isinstance(value, bool):
        return str(value).upper()
    return _text(value) if isinstance(value, str) else repr(value)


def _text(text: str) -> str:
    """A string that both languages read, whatever encoding they take the file for."""
    plain = json.dumps(text, ensure_ascii=False)
    return "".join(c if c.isascii() else f"\\U{ord(c):08x}" for c in plain)
