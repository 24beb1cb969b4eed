"""Commands about readers after the freeze: status, add, replace, off, on, revoke, rename, note."""

from __future__ import annotations

from typing import Annotated

import typer

from study.cli.options import Actor, Database, Folder, KeyPath, opened, read_key

app = typer.Typer(
    name="reader", help="Add, replace, switch off, and revoke readers of a frozen or open study.",
    no_args_is_help=True, rich_markup_mode=None,
)  # fmt: skip
Code = Annotated[str, typer.Argument(metavar="READER", help="The code of the reader, such as R02.")]
NewCode = Annotated[
    str, typer.Option("--code", help="Code of the new reader; by default the next number.")
]
Reason = Annotated[str, typer.Option(help="The reason, which the report prints.")]


def status(folder: Folder, database: Database = None) -> None:
    """Show how far a study and its readers are, and what needs attention; nothing by method."""
    from study.planning.progress_report import progress_report

    with opened(folder, database) as store:
        typer.echo(progress_report(store).as_text())


@app.command()
def add(
    folder: Folder,
    key: KeyPath,
    code: NewCode = "",
    reason: Reason = "",
    actor: Actor = "",
    database: Database = None,
) -> None:
    """Add a reader, with the next plan of the design."""
    from study.planning.late_readers import add_reader

    with opened(folder, database) as store:
        made = add_reader(store, read_key(key, store), code=code, reason=reason, actor=actor)
    typer.echo(made.as_text())


@app.command()
def replace(
    folder: Folder,
    reader: Code,
    reason: Annotated[str, typer.Option(help="The reason, which the report prints.")],
    code: NewCode = "",
    actor: Actor = "",
    database: Database = None,
) -> None:
    """Let a new reader take over what a reader has not read; invite the new one afterwards."""
    from study.planning.late_readers import replace_reader

    with opened(folder, database) as store:
        made = replace_reader(store, reader, code=code, reason=reason, actor=actor)
    typer.echo(made.as_text())


@app.command()
def off(
    folder: Folder, reader: Code, reason: Reason = "", actor: Actor = "", database: Database = None
) -> None:
    """Switch a reader off: all sessions end, and nothing can be rated; what was read counts."""
    from study.accounts.readers import set_active

    with opened(folder, database) as store:
        set_active(store, reader, False, reason=reason, actor=actor)
    typer.echo(f"{reader} is switched off.")


@app.command()
def on(
    folder: Folder, reader: Code, reason: Reason = "", actor: Actor = "", database: Database = None
) -> None:
    """Switch a reader on again, who signs in with the same code and secret."""
    from study.accounts.readers import set_active

    with opened(folder, database) as store:
        set_active(store, reader, True, reason=reason, actor=actor)
    typer.echo(f"{reader} is switched on.")


@app.command()
def revoke(
    folder: Folder, reader: Code, reason: Reason = "", actor: Actor = "", database: Database = None
) -> None:
    """End invitation, secret and all sessions of a reader, as after the loss of a laptop."""
    from study.accounts.readers import revoke as end

    with opened(folder, database) as store:
        end(store, reader, reason=reason, actor=actor)
    typer.echo(f"Every link, secret and session of {reader} has ended. Invite {reader} again.")


@app.command()
def rename(
    folder: Folder,
    reader: Code,
    chosen: Annotated[str, typer.Argument(metavar="CODE", help="The new code.")],
    actor: Actor = "",
    database: Database = None,
) -> None:
    """Give a reader who has not joined yet another code."""
    from study.accounts.readers import rename as give

    with opened(folder, database) as store:
        typer.echo(f"{reader} is {give(store, reader, chosen, actor=actor)} now.")


@app.command()
def note(
    folder: Folder,
    reader: Code,
    text: Annotated[str, typer.Argument(help="The note; an empty one takes the last one back.")],
    actor: Actor = "",
    database: Database = None,
) -> None:
    """Write a note about a reader, which coordinators see and no report or export holds."""
    from study.accounts.readers import note as write

    with opened(folder, database) as store:
        write(store, reader, text, actor=actor)
    typer.echo(f"The note about {reader} is stored.")
