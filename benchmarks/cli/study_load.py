"""``benchmarks durability``, ``study-load`` and ``study-size``: tests of a study and its server."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from study.cli.options import progress_bar

Database = Annotated[
    str | None,
    typer.Option(help="SQLAlchemy URL of an empty database; the default is SQLite."),
]


def durability(
    kills: Annotated[int, typer.Option(min=1, help="Number of processes to kill.")] = 200,
    seed: Annotated[int, typer.Option(min=0)] = 0,
    database: Database = None,
) -> None:
    """Kill submitting processes; exit status 1 where an acknowledged rating is lost or doubled."""
    from benchmarks.study_load.durability import durability as kill

    with progress_bar() as tell:
        found = kill(
            kills,
            url=database,
            seed=seed,
            progress=lambda done, all_: tell(done / all_, f"{done} kills"),
        )
    typer.echo(found.as_text())
    if not found.ok:
        raise typer.Exit(1)


def load(
    rate: Annotated[
        float, typer.Option(min=0.1, help="Submissions per second of all readers.")
    ] = 25.0,
    seconds: Annotated[float, typer.Option(min=1.0)] = 60.0,
    disk: Annotated[
        Path | None,
        typer.Option(exists=True, file_okay=False, help="Folder on the disk to measure."),
    ] = None,
    database: Database = None,
) -> None:
    """Let simulated readers submit at a steady rate, and print their waiting times."""
    from benchmarks.study_load.load import load as press

    with progress_bar() as tell:
        found = press(rate, seconds, folder=disk, url=database, progress=tell)
    typer.echo(found.as_text())
    if not found.ok:
        raise typer.Exit(1)


def size(
    cases: Annotated[
        list[int] | None, typer.Option(min=10, help="Number of cases; may be repeated.")
    ] = None,
    methods: Annotated[int, typer.Option(min=2)] = 5,
    readers: Annotated[int, typer.Option(min=1, max=200)] = 20,
    disk: Annotated[
        Path | None,
        typer.Option(exists=True, file_okay=False, help="Folder on the disk to measure."),
    ] = None,
) -> None:
    """Print what studies of 100, 300 and 1000 cases cost, step by step, and how that grows."""
    from benchmarks.study_size.measure import sizes

    with progress_bar() as tell:
        found = sizes(
            sorted(cases or (100, 300, 1000)),
            methods=methods,
            readers=readers,
            folder=disk,
            progress=tell,
        )
    typer.echo(found.as_text())
