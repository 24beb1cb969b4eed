"""Commands about readers after the freeze: status, add, replace, off, on, attempt, and others."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from study.cli.options import (
    URL,
    Actor,
    Database,
    Folder,
    KeyPath,
    opened,
    read_key,
    write_letters,
)

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


def reminders(
    folder: Folder,
    late_after: Annotated[
        float, typer.Option(min=0, metavar="DAYS", help="Days without an answer that are late.")
    ] = 7.0,
    letters: Annotated[
        Path | None,
        typer.Option(
            help="Folder for the letters as text, and for the dates of later sessions as .ics."
        ),
    ] = None,
    url: Annotated[str, typer.Option(help="URL of the server as readers see it.")] = URL,
    database: Database = None,
) -> None:
    """List who has not begun, who may come back, and who is late; and write letters to them."""
    from study.domain.formatting import plural
    from study.planning import letters as write
    from study.planning.progress_report import progress_report
    from study.planning.reminders import reminders as listed

    with opened(folder, database) as store:
        study = progress_report(store)
    found, page = listed(study, late_days=late_after), f"{url.rstrip('/')}/reader/"
    for one in found:
        typer.echo(one.as_text())
    if not found:
        typer.echo("Nobody is to be reminded.", err=True)
    if letters is None:
        return
    title = study.protocol.title
    texts = {f"{one.code}.txt": write.reminder(title, one, page) for one in found}
    dates = {one.code: one.waits_until or one.opened_at for one in study.readers}
    texts |= {
        f"{code}.ics": write.calendar(title, code, when, page)
        for code, when in dates.items()
        if when
    }
    write_letters(letters, texts)
    if later := sum(name.endswith(".ics") for name in texts):
        typer.echo(f"{plural(later, 'date')} of later sessions in {letters}.", err=True)


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
def attempt(
    folder: Folder,
    reader: Code,
    reason: Annotated[str, typer.Option(help="The reason, which the report prints.")],
    actor: Actor = "",
    database: Database = None,
) -> None:
    """Allow a reader who has not qualified another attempt."""
    from study.planning.qualification import allow_attempt

    with opened(folder, database) as store:
        number = allow_attempt(store, reader, reason=reason, actor=actor)
    typer.echo(f"{reader} may make attempt {number} at the qualification.")


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
