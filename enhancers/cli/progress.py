"""Shared by the measuring commands: a run with a progress bar, and its failures."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from enhancers.evaluation.runs import RunPlan
    from enhancers.evaluation.store import ResultRow

SHOWN = 5
"""Number of failures that are printed; the page lists all."""


def with_bar(
    plan: RunPlan, folder: Path, *, pictures: Path | None = None, title: str = ""
) -> list[ResultRow]:
    """Run a plan with a progress bar on standard error; its rows are kept in ``folder``."""
    from tqdm.auto import tqdm

    from enhancers.evaluation.runs import count, run

    rows = []
    with tqdm(run(plan, folder, pictures), total=count(plan), unit="row", file=sys.stderr) as bar:
        for row in bar:
            bar.set_description(f"{title}{row.candidate[:24]}", refresh=False)
            rows.append(row)
    return rows


def tell_failures(rows: Sequence[ResultRow]) -> int:
    """Print the first failures; returns the number of all."""
    failed = [row for row in rows if row.error]
    for row in failed[:SHOWN]:
        print(f"failed: {row.condition}, {row.case}, {row.candidate}: {row.error}", file=sys.stderr)
    return len(failed)
