"""Shared by commands that take long: progress bars, failures of a run, a question before it."""

from __future__ import annotations

import sys
from collections.abc import Generator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import typer

from enhancers.errors import ParameterError

if TYPE_CHECKING:
    from enhancers.evaluation.runs import RunPlan
    from enhancers.evaluation.store import ResultRow
    from enhancers.networks.progress import Progress

T = TypeVar("T")

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


def bytes_bar(steps: Generator[Progress, None, T]) -> T:
    """Run a generator with a progress bar on standard error, and return its result."""
    from tqdm.auto import tqdm

    with tqdm(unit="B", unit_scale=True, file=sys.stderr, disable=None, leave=False) as bar:
        while True:
            try:
                step = next(steps)
            except StopIteration as end:
                result: T = end.value
                return result
            bar.set_description(step.note, refresh=False)
            bar.total = step.total
            bar.n = step.done
            bar.refresh()


def confirmed(question: str, otherwise: str) -> bool:
    """Ask on the terminal.

    Raises
    ------
    ParameterError
        There is no terminal; ``otherwise`` says what to do.
    """
    if not sys.stdin.isatty():
        raise ParameterError(f"Nobody is here to ask: {otherwise}.")
    return typer.confirm(question)
