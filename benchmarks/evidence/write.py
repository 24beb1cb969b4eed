"""Writes the evidence: the stored results, the page, its pictures, the README's table."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from benchmarks.evidence import claim_text, page, plots, results
from benchmarks.evidence.chapters import CHAPTERS
from benchmarks.evidence.measure import Prepared, measured
from benchmarks.evidence.results import Evidence
from enhancers.errors import ReadingRoomError
from enhancers.evaluation import report
from enhancers.evaluation.store import ResultRow
from enhancers.files import write_atomic

PAGE = "evidence.md"
BEGIN, END = "<!-- evidence:begin -->", "<!-- evidence:end -->"


def add(folder: Path, prepared: Prepared, rows: Sequence[ResultRow], work: Path) -> Evidence:
    """The evidence of ``folder`` with a chapter added; all files of its run go to ``work``."""
    summary = report.write(work, prepared.plan, rows, prepared.chapter.subject)
    folder.mkdir(parents=True, exist_ok=True)
    drawn = plots.draw(folder, prepared.chapter.key, rows, summary)
    fresh = replace(measured(prepared, rows, summary), plots=drawn)
    # Read only now, because another run may have written chapters in the meantime.
    return results.read(folder).with_chapter(fresh, tuple(CHAPTERS))


def write(folder: Path, readme: Path | None, evidence: Evidence) -> None:
    """Write `results.NAME` and `PAGE` into ``folder`` and the table into ``readme``.

    Pictures of the stored evidence that are not used any more are removed.
    """
    folder.mkdir(parents=True, exist_ok=True)
    before = results.read(folder).files
    write_atomic(folder / results.NAME, results.as_json(evidence).encode())
    write_atomic(folder / PAGE, page.as_markdown(evidence).encode())
    for name in before - evidence.files:
        (folder / Path(name).name).unlink(missing_ok=True)
    if readme is not None:
        write_atomic(readme, with_table(check(readme), evidence).encode())


def check(readme: Path) -> str:
    """The text of a README with the marks `BEGIN` and `END` of the table.

    Raises
    ------
    ReadingRoomError
        It does not have each mark once.
    """
    text = readme.read_text(encoding="utf-8")
    if text.count(BEGIN) != 1 or text.count(END) != 1 or text.index(BEGIN) > text.index(END):
        raise ReadingRoomError(
            f"{readme} has no place for the claims; put the lines {BEGIN} and {END} there, once."
        )
    return text


def with_table(text: str, evidence: Evidence) -> str:
    """The README with a new table between its marks."""
    block = f"{BEGIN}\n{claim_text.claims_block(evidence)}\n{END}"
    return re.sub(f"{BEGIN}.*?{END}", lambda _: block, text, flags=re.DOTALL)
