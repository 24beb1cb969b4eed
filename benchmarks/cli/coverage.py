"""``benchmarks coverage``: type-I error and coverage of a study's tests and intervals."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def coverage(
    studies: Annotated[
        int, typer.Option(min=10, help="Simulated studies of each design and clustering.")
    ] = 1000,
    seed: Annotated[int, typer.Option(min=0, help="Seed of the simulation.")] = 0,
    out: Annotated[Path | None, typer.Option(help="Markdown page to write too.")] = None,
) -> None:
    """Simulate studies without a difference: how often tests reject and intervals cover."""
    from benchmarks.coverage import measure, page
    from enhancers.files import write_atomic

    found = []
    for scenario in measure.measure(studies, seed=seed):
        found.append(scenario)
        typer.echo(page.table([scenario], measure.KINDS).splitlines()[-1])
    if out is not None:
        out.parent.mkdir(parents=True, exist_ok=True)
        write_atomic(out, page.page(found, studies).encode())
