"""Copies and checks: backup, verify, and the bench commands."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from study.commands.common import Database, Folder, Mirror, opened, progress_bar

bench_app = typer.Typer(
    help="What a server and its disk can bear.", no_args_is_help=True, rich_markup_mode=None
)


def backup(
    folder: Folder,
    target: Annotated[Path, typer.Argument(metavar="TARGET", help="A new folder.")],
    images: Annotated[bool, typer.Option(help="Copy the images too.")] = False,
    database: Database = None,
) -> None:
    """Copy a study, also while readers read, and verify the copy."""
    from study.backup import backup as copy

    with opened(folder, database) as store:
        made = copy(store, target, stimuli=images)
    typer.echo(f"{made.path}: {made.ratings} answers, {made.images} images, verified.")


def verify(
    folder: Folder,
    images: Annotated[bool, typer.Option(help="Compare every image with its digest.")] = False,
    database: Database = None,
    mirror: Mirror = None,
) -> None:
    """Check that nothing was changed; exit status 1 and the first broken row if it was."""
    from study.verify import verify as check

    with opened(folder, database, mirror) as store:
        verdict = check(store, images=images)
    typer.echo(verdict.as_text())
    if not verdict.ok:
        raise typer.Exit(1)


@bench_app.command()
def durability(
    kills: Annotated[int, typer.Option(min=1, help="Processes that are killed.")] = 200,
    seed: Annotated[int, typer.Option(min=0)] = 0,
) -> None:
    """Kill submitting processes: no acknowledged rating may be lost, and none doubled."""
    from study.bench import durability as kill

    with progress_bar() as tell:
        found = kill(
            kills, seed=seed, progress=lambda done, all_: tell(done / all_, f"{done} kills")
        )
    typer.echo(found.as_text())
    if not found.ok:
        raise typer.Exit(1)


@bench_app.command()
def load(
    rate: Annotated[float, typer.Option(min=0.1, help="Submissions a second, all readers.")] = 25.0,
    seconds: Annotated[float, typer.Option(min=1.0)] = 60.0,
    disk: Annotated[
        Path | None, typer.Option(exists=True, file_okay=False, help="Folder on the disk to use.")
    ] = None,
) -> None:
    """Let simulated readers submit at a steady rate, and print how long they wait."""
    from study.bench_load import load as press

    with progress_bar() as tell:
        found = press(rate, seconds, folder=disk, progress=tell)
    typer.echo(found.as_text())
    if not found.ok:
        raise typer.Exit(1)
