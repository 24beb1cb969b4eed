"""Backup and verification of a study."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from study.cli.options import Database, Folder, MirrorPath, opened


def backup(
    folder: Folder,
    target: Annotated[
        Path,
        typer.Argument(metavar="TARGET", help="The folder of the copy; it must not exist yet."),
    ],
    images: Annotated[bool, typer.Option(help="Copy the images too.")] = False,
    database: Database = None,
) -> None:
    """Copy a study, even while readers read, and verify the copy."""
    from study.storage.backup import backup as copy

    with opened(folder, database) as store:
        made = copy(store, target, stimuli=images)
    typer.echo(f"{made.path}: {made.ratings} answers, {made.images} images, verified.")


def verify(
    folder: Folder,
    images: Annotated[bool, typer.Option(help="Compare every image with its SHA-256 too.")] = False,
    database: Database = None,
    mirror: MirrorPath = None,
) -> None:
    """Check that no rating was changed; print the first broken row and exit with 1 if one was."""
    from study.storage.integrity import verify as check

    with opened(folder, database, mirror) as store:
        verdict = check(store, images=images)
    typer.echo(verdict.as_text())
    if not verdict.ok:
        raise typer.Exit(1)
