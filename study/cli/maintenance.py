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
    SigningKeyPath,
    opened,
    progress_bar,
    read_key,
    read_signing_key,
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
    mirror: Annotated[
        Path | None,
        typer.Option(
            "--from",
            metavar="MIRROR",
            help="Bring back the ratings and records that only this mirror has, not images.",
        ),
    ] = None,
    actor: Actor = "",
    database: Database = None,
) -> None:
    """Restore lost images, each with its recorded SHA-256; or lost ratings, --from a mirror."""
    if mirror is not None:
        from study.storage.restore_rows import restore_rows

        typer.echo(restore_rows(folder, mirror, url=database, actor=actor).as_text())
        with opened(folder, database) as store:
            typer.echo(f"Chain head {store.chain_head()}")
        return
    from study.stimuli.rendering.restore import restore as again

    with opened(folder, database) as store, progress_bar() as update:
        names = None if key is None else read_key(key, store)
        report = again(store, names, root=root, progress=update, actor=actor)
    typer.echo(report.as_text())
    if report.failed:
        raise typer.Exit(1)


def mirror(
    folder: Folder,
    path: Annotated[Path, typer.Argument(metavar="MIRROR", help="The file of the mirror.")],
    database: Database = None,
) -> None:
    """Say where the mirror is from now on; where there is none, it is begun, which is logged."""
    from study.domain.errors import StoreError
    from study.storage.store import Store

    store = Store.open(folder, url=database, mirror=path)
    store.close()
    if store.log_problem:
        raise StoreError(store.log_problem)
    typer.echo(f"The mirror is {store.mirror}.")


def verify(
    folder: Folder,
    images: Annotated[bool, typer.Option(help="Compare every image with its SHA-256 too.")] = False,
    head: Annotated[
        str,
        typer.Option(help="A chain head that close or export printed, kept elsewhere since."),
    ] = "",
    signing_key: SigningKeyPath = None,
    database: Database = None,
    mirror: Annotated[
        Path | None, typer.Option("--mirror", help="Compare with this copy of the mirror.")
    ] = None,
) -> None:
    """Check that nothing was changed; write nothing, and exit with 1 if something was."""
    from study.storage.hash_chain import ChainHead
    from study.storage.integrity import verify as check
    from study.storage.store import Store

    kept = ChainHead.parse(head) if head else None
    signing = read_signing_key(signing_key, folder)
    store = Store.open(folder, url=database, mirror=mirror, read_only=True)
    try:
        verdict = check(store, images=images, head=kept, signing_key=signing)
    finally:
        store.close()
    typer.echo(verdict.as_text())
    if not verdict.ok:
        raise typer.Exit(1)
