"""After the reading: unblind, export, report, and statistics of any table."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from study.commands.common import Actor, AsJson, Database, Folder, KeyPath, opened, read_key


def unblind(
    folder: Folder,
    key: KeyPath,
    second: Annotated[str, typer.Option(help="Another person, who agrees.")],
    actor: Actor = "",
    database: Database = None,
) -> None:
    """Tell which method is which, once the study is closed; this is logged for good."""
    from study.unblind import unblind as lift

    with opened(folder, database) as store:
        names = lift(store, read_key(key, store), actor=actor, second=second)
    for one in names:
        values = ", ".join(f"{name}={value}" for name, value in one.parameters)
        typer.echo("\t".join(part for part in (one.mask, one.name, one.kind, values) if part))


def stats(
    kind: Annotated[str, typer.Argument(help="fleiss, gwet, alpha, icc, cohen, reliability, ...")],
    ratings: Annotated[Path, typer.Option(help="CSV with the columns item,rater,value.")],
    scale: Annotated[str | None, typer.Option(help="1:5, or poor,fair,good.")] = None,
    seed: Annotated[int, typer.Option(min=0, help="Of the bootstrap.")] = 0,
    as_json: AsJson = False,
) -> None:
    """Compute statistics of any table of ratings; no study is needed."""
    from study.stats.kinds import run_kind

    found = run_kind(kind, ratings, scale, seed)
    if as_json:
        typer.echo(json.dumps(found.to_dict(), indent=2, ensure_ascii=False, allow_nan=False))
    else:
        typer.echo(found.as_text())
