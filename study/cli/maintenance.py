"""Copies and checks: backup and verify."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from study.cli.options import Database, Folder, Mirror, opened


def backup(
    folder: Folder,
    target: Annotated[Path, typer.Argument(metavar="TARGET", help="A new folder.")],
    images: Annotated[bool, typer.Option(help="Copy the images too.")] = False,
    database: Database = None,
) -> None:
    """Copy a study, also while readers read, and verify the copy."""
    from study.storage.backup import backup as copy

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
    from study.storage.integrity import verify as check

    with opened(folder, database, mirror) as store:
        verdict = check(store, images=images)
    typer.echo(verdict.as_text())
    if not verdict.ok:
        raise typer.Exit(1)
