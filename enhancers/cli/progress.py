"""What the commands that measure share: a run with a bar, and what failed in it."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from enhancers.evaluation.runs import RunPlan
    from enhancers.evaluation.store import ResultRow

SHOWN = 5
"""Failures that are told one by one; the page has them all."""


def with_bar(
    plan: RunPlan, folder: Path, *, pictures: Path | None = None, title: str = ""
) -> list[ResultRow]:
    """All rows of a plan, kept in ``folder``, with a bar on standard error."""
    from tqdm.auto import tqdm

    from enhancers.evaluation.runs import count, run

    rows = []
    with tqdm(run(plan, folder, pictures), total=count(plan), unit="row", file=sys.stderr) as bar:
        for row in bar:
            bar.set_description(f"{title}{row.candidate[:24]}", refresh=False)
            rows.append(row)
    return rows


def tell_failures(rows: Sequence[ResultRow]) -> int:
    """Tell what could not be measured; returns how many rows that are."""
    failed = [row for row in rows if row.error]
    for row in failed[:SHOWN]:
        print(f"failed: {row.condition}, {row.case}, {row.candidate}: {row.error}", file=sys.stderr)
    return len(failed)
