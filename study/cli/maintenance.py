"""Backup and verification of a study."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from study.cli.options import (
    Actor,
    Database,
    Folder,
    MaybeKey,
    MirrorPath,
    opened,
    progress_bar,
    read_key,
)


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


def restore(
    folder: Folder,
    key: MaybeKey = None,
    root: Annotated[
        Path | None, typer.Option(help="Folder of the source images, if they were moved.")
    ] = None,
    actor: Actor = "",
    database: Database = None,
) -> None:
    """Make lost or damaged images of a frozen study again; each must have its recorded SHA-256."""
    from study.stimuli.rendering.restore import restore as again

    with opened(folder, database) as store, progress_bar() as update:
        names = None if key is None else read_key(key, store)
        report = again(store, names, root=root, progress=update, actor=actor)
    typer.echo(report.as_text())
    if report.failed:
        raise typer.Exit(1)


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
