"""``benchmarks attack``: what the servers and files of a study are to withstand."""

from __future__ import annotations

import signal
import threading
from pathlib import Path
from typing import Annotated

import typer

from study.cli.options import Database
from study.domain.errors import StudyError


def attack(
    study: Annotated[
        Path, typer.Option(metavar="DIR", help="The folder of a study, which is copied.")
    ],
    port: Annotated[
        int | None,
        typer.Option(
            min=1,
            max=65535,
            help="A server of this machine that runs already, to be attacked in ways that leave "
            "nothing behind; by default both servers are started on copies of the study.",
        ),
    ] = None,
    host: Annotated[
        str, typer.Option(help="Its address; only 127.0.0.1 is possible.")
    ] = "127.0.0.1",
    only: Annotated[
        list[str] | None, typer.Option(metavar="FAMILY", help="A family of attacks, such as bombs.")
    ] = None,
    seconds: Annotated[
        float, typer.Option(min=1, help="Time after which no attack is begun any more.")
    ] = 150.0,
    database: Database = None,
) -> None:
    """Attack copies of a study and its servers; exit status 1 where an attack is not withstood.

    On PostgreSQL, the copies are schemas of the same database, which are dropped at the end.
    """
    from benchmarks.attack.attack import Row, Verdict
    from benchmarks.attack.run import ON_FILES, ON_SERVERS, as_table
    from benchmarks.attack.run import attack as make

    known = {*ON_FILES, *ON_SERVERS}
    for family in only or ():
        if family not in known:
            raise StudyError(
                f"There is no family {family!r}: choose from {', '.join(sorted(known))}."
            )

    def told(row: Row) -> None:
        typer.echo(f"{row.outcome.verdict}: {row.place}, {row.attack}", err=True)

    # SIGTERM ends the servers that were started, like Ctrl+C.
    if threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGTERM, signal.default_int_handler)
    rows = make(
        study, url=database, port=port, host=host, only=only or (), seconds=seconds, told=told
    )
    typer.echo(as_table(rows))
    if any(row.outcome.verdict is Verdict.FELL for row in rows):
        raise typer.Exit(1)
