"""The files of the evidence: what is stored, the page, its pictures, the README's table."""

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
    """Add a chapter to the evidence of ``folder``; ``work`` gets all that `quality` writes."""
    summary = report.write(work, prepared.plan, rows)
    folder.mkdir(parents=True, exist_ok=True)
    drawn = plots.draw(folder, prepared.chapter.key, rows, summary)
    fresh = replace(measured(prepared, rows, summary), plots=drawn)
    # Read only now: another run may have put its chapters there meanwhile.
    return results.read(folder).with_chapter(fresh, tuple(CHAPTERS))


def write(folder: Path, readme: Path | None, evidence: Evidence) -> None:
    """Write `results.NAME` and `PAGE` into ``folder`` and the table into ``readme``.

    Pictures that belonged to what was stored before and belong to nothing now are removed.
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
    """The text of a README that has the marks between which the table stands.

    Raises
    ------
    ReadingRoomError
        It has not.
    """
    text = readme.read_text(encoding="utf-8")
    if text.count(BEGIN) != 1 or text.count(END) != 1 or text.index(BEGIN) > text.index(END):
        raise ReadingRoomError(
            f"{readme} has no place for the claims; put the lines {BEGIN} and {END} there, once."
        )
    return text


def with_table(text: str, evidence: Evidence) -> str:
    """The README with what stands between its marks written anew."""
    block = f"{BEGIN}\n{claim_text.claims_block(evidence)}\n{END}"
    return re.sub(f"{BEGIN}.*?{END}", lambda _: block, text, flags=re.DOTALL)
