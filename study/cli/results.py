"""Commands after the reading: unblind, export, report; and statistics of any table."""

from __future__ import annotations

import getpass
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from enhancers.files import write_atomic
from study.cli.options import (
    Actor,
    AsJson,
    Database,
    Folder,
    KeyPath,
    RandomEffects,
    SigningKeyPath,
    opened,
    read_key,
    read_signing_key,
)
from study.domain.errors import StudyError
from study.domain.terms import Status

if TYPE_CHECKING:
    from study.storage.key import Key
    from study.storage.store import Store

NamesKey = Annotated[
    Path | None,
    typer.Option(
        "--key",
        envvar="READINGROOM_STUDY_KEY",
        help="The key file: methods are named once the study is unblinded.",
    ),
]
Masked = Annotated[
    bool,
    typer.Option("--masked", help="Mask the methods as M1, M2, ... even after the unblinding."),
]


def unblind(
    folder: Folder,
    key: KeyPath,
    second: Annotated[
        str,
        typer.Option(
            metavar="NAME",
            help="The administrator's account of the second person, who types its secret.",
        ),
    ],
    actor: Actor = "",
    database: Database = None,
) -> None:
    """Reveal the names of the methods of a closed study; this cannot be undone."""
    from study.accounts.two_persons import require_two_persons
    from study.planning.lifecycle import check_unblinding
    from study.planning.lifecycle import unblind as lift

    with opened(folder, database) as store:
        check_unblinding(store.status(), actor, second)
        names_of_methods = read_key(key, store)
        agreed = _signed_in(store, second)
        require_two_persons(store, actor, agreed, signed_in=False)
        names = lift(store, names_of_methods, actor=actor, second=agreed)
    for one in names:
        values = ", ".join(f"{name}={value}" for name, value in one.parameters)
        typer.echo("\t".join(part for part in (one.mask, one.name, one.kind, values) if part))


def _signed_in(store: Store, name: str) -> str:
    """The administrator's account of a person who types its secret."""
    from study.accounts.staff import StaffRole, StaffSignIn, accounts_of

    code = StaffSignIn.normalised(name)
    if not any(one.code == code and one.active and one.role is StaffRole.ADMIN
               for one in accounts_of(store)):  # fmt: skip
        raise StudyError(
            f"{name!r} is no administrator's account: the second person needs one, which who asks "
            f"has not made (python -m study invite {store.folder} --staff NAME)."
        )
    typed = sys.stdin.isatty()
    secret = getpass.getpass(f"Secret of {code}: ") if typed else sys.stdin.readline()
    return StaffSignIn(store).sign_in(code, secret.strip(), address="command line").code


def _names(context: typer.Context, store: Store, key: Path | None, masked: bool) -> Key | None:
    """The key file, where methods may be named.

    Before the unblinding, a key from the environment is ignored and one from the command line is an
    error.
    """
    if key is None or masked:
        return None
    source = context.get_parameter_source("key")
    by_hand = source is not None and source.name == "COMMANDLINE"
    if not by_hand and store.status() is not Status.UNBLINDED:
        return None
    return read_key(key, store)


def export(
    context: typer.Context,
    folder: Folder,
    out: Annotated[Path, typer.Option(help="The folder of the tables; it must not exist yet.")],
    form: Annotated[
        str,
        typer.Option(
            "--format",
            metavar="csv|plain|xlsx|parquet",
            help="csv opens in Excel, plain has no byte order mark, xlsx is one workbook, parquet "
            "has typed columns.",
        ),
    ] = "csv",
    key: NamesKey = None,
    masked: Masked = False,
    signing_key: SigningKeyPath = None,
    actor: Actor = "",
    database: Database = None,
) -> None:
    """Write all ratings as tables and JSON; methods are masked until unblinding.

    With them come a codebook, scripts in R and Python that compute the primary result from
    ratings.csv, and iMRMC input where cases have a truth.
    """
    from study.report.export import ExportFormat, make

    if form not in set(ExportFormat):
        raise StudyError(f"There is no format {form!r}: choose from {', '.join(ExportFormat)}.")
    signing = read_signing_key(signing_key, folder)
    with opened(folder, database) as store:
        names = _names(context, store, key, masked)
        for path in make(
            store, out, actor=actor, key=names, form=ExportFormat(form), signing_key=signing
        ):
            typer.echo(path)


def report(
    context: typer.Context,
    folder: Folder,
    out: Annotated[Path | None, typer.Option(help="The HTML file to write.")] = None,
    tables: Annotated[
        Path | None,
        typer.Option(
            help="A new folder for the tables of the report as CSV, as HTML to paste into a text "
            "processor, and as LaTeX."
        ),
    ] = None,
    figures: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR", help="A new folder for every figure as SVG and as PNG of 300 dpi."
        ),
    ] = None,
    again: Annotated[
        str, typer.Option(metavar="RUN", help="Repeat a logged analysis and compare the results.")
    ] = "",
    key: NamesKey = None,
    masked: Masked = False,
    seed: Annotated[
        int | None, typer.Option(min=0, max=2**32 - 1, help="Seed of the bootstrap.")
    ] = None,
    actor: Actor = "",
    database: Database = None,
) -> None:
    """Analyse a closed study and write its report; the analysis is logged."""
    if (out is None) == (not again):
        raise StudyError("Give --out FILE.html to write a report, or --again RUN to check one.")
    if again and figures is not None:
        raise StudyError("--figures DIR goes with --out FILE.html: --again RUN writes nothing.")
    with opened(folder, database) as store:
        names = _names(context, store, key, masked)
        if out is None:
            from study.analysis.log import repeat

            verdict = repeat(store, again, names)
            typer.echo(
                "The same, byte for byte." if verdict.same else f"Not the same: {verdict.reason}."
            )
            if not verdict.same:
                raise typer.Exit(1)
            return
        from study.analysis.log import run
        from study.report import document
        from study.report.export import require_empty, write_files
        from study.report.figure_files import figure_files
        from study.report.table_files import table_files

        if out.exists():
            raise StudyError(f"There is a file at {out} already: give another path.")
        for wanted in (tables, figures):
            if wanted is not None:
                require_empty(wanted)
        made = run(store, actor=actor, key=names, seed=seed)
        written = document(made.data, made.analysis)
        write_atomic(out, written.html.encode(), mode=0o600)
        if tables is not None:
            write_files(tables, table_files(made.data.protocol.title, written.tables))
        if figures is not None:
            write_files(figures, figure_files(written.figures))
    logged = f"analysis {made.run_id}" if made.run_id else "not logged: the disk is read-only"
    typer.echo(f"{out} ({logged})")


def stats(
    kind: Annotated[
        str,
        typer.Argument(
            help="The statistic: fleiss, gwet, alpha, icc, cohen, reliability or within-subject of "
            "ratings; paired, friedman, sign, mrmc, vgc, roc, accuracy, ordinal, difference, "
            "bland-altman, anova or regression to compare methods; preference or blinding."
        ),
    ],
    ratings: Annotated[
        Path,
        typer.Option(
            help="Table of text: item,rater,value in long form, an item and a column for each "
            "rater in wide form, or a table of an export. Preferences: item,rater,left,right,value."
        ),
    ],
    scale: Annotated[
        str | None, typer.Option(help="The points of the scale: 1:5, or poor,fair,good.")
    ] = None,
    item: Annotated[str, typer.Option(metavar="COLUMN", help="Column of the items.")] = "",
    rater: Annotated[str, typer.Option(metavar="COLUMN", help="Column of the raters.")] = "",
    value: Annotated[str, typer.Option(metavar="COLUMN", help="Column of the ratings.")] = "",
    method: Annotated[str, typer.Option(metavar="COLUMN", help="Column of the methods.")] = "",
    cluster: Annotated[
        str, typer.Option(metavar="COLUMN", help="Column of the patients, or other clusters.")
    ] = "",
    truth: Annotated[
        str,
        typer.Option(
            metavar="COLUMN", help="Column of the truth, 1 for positive, for roc and accuracy."
        ),
    ] = "",
    metric: Annotated[
        str, typer.Option(metavar="COLUMN", help="Column of the metric, for regression.")
    ] = "",
    cutoff: Annotated[
        float | None, typer.Option(help="For accuracy: scores from here up are positive.")
    ] = None,
    question: Annotated[
        str, typer.Option(metavar="CODE", help="The question to take, where there are several.")
    ] = "",
    random: RandomEffects = None,
    seed: Annotated[int, typer.Option(min=0, help="Seed of the bootstrap.")] = 0,
    as_json: AsJson = False,
) -> None:
    """Compute statistics of any table of ratings, without a study."""
    from study.domain.inference import Random
    from study.stats.kinds.catalog import run_kind
    from study.stats.kinds.results import KindOptions
    from study.stats.ratings_file.csv_input import ColumnChoice

    if random is not None and random not in set(Random):
        raise StudyError(f"--random {random!r} is unknown: choose from {', '.join(Random)}.")
    columns = ColumnChoice(item, rater, value, method, cluster, question, truth, metric)
    options = KindOptions(random=Random(random or "both"), cutoff=cutoff)
    found = run_kind(kind, ratings, scale, seed, columns, options)
    if as_json:
        typer.echo(json.dumps(found.to_dict(), indent=2, ensure_ascii=False, allow_nan=False))
    else:
        typer.echo(found.as_text())
