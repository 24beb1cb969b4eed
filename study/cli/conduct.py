"""Commands while readers read: open, invite, serve, close, and the demonstration."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from enhancers.request_guard import allowed_hosts
from study.cli.options import (
    HOST,
    PORT,
    URL,
    Actor,
    Database,
    DiskMayVanish,
    Folder,
    KeyPath,
    MirrorPath,
    SigningKeyPath,
    StudyKeys,
    opened,
    read_key,
    read_protocol,
    read_signing_key,
    write_letters,
)
from study.domain.errors import StudyError

if TYPE_CHECKING:
    from study.storage.store import Store

Host = Annotated[str, typer.Option(help="Address to listen on; 0.0.0.0 serves other machines too.")]
AllowedHost = Annotated[
    list[str] | None,
    typer.Option(
        envvar="READINGROOM_ALLOWED_HOSTS",
        help="A name that browsers use for this server, such as study.example.org. Without one, a "
        "server for this machine answers to localhost and addresses, any other to every name.",
    ),
]
TrustedProxy = Annotated[
    list[str] | None,
    typer.Option(
        envvar="READINGROOM_TRUSTED_PROXIES",
        help="Address or network of a proxy whose X-Forwarded-For, -Proto and -Host are believed, "
        "such as 172.17.0.0/16, Docker's bridge. Without one, those on this machine are.",
    ),
]
Port = Annotated[int, typer.Option(min=0, max=65535, help="Port to listen on; 0 takes a free one.")]


def open_(
    folder: Folder,
    disk_may_vanish: DiskMayVanish = False,
    actor: Actor = "",
    database: Database = None,
) -> None:
    """Open a frozen study to its readers."""
    from study.planning.lifecycle import open_study
    from study.storage.lasting_disk import require_lasting_disk

    with opened(folder, database) as store:
        require_lasting_disk(store, may_vanish=disk_may_vanish)
        open_study(store, actor=actor)
    typer.echo("The study is open.")


def amend(
    folder: Folder,
    key: KeyPath,
    protocol: Annotated[
        Path, typer.Option(help="The amended protocol as JSON: plan DIR --write, then edit.")
    ],
    reason: Annotated[str, typer.Option(help="The reason, which the report prints.")],
    confirm_words: Annotated[
        bool,
        typer.Option(help="Confirm that the words listed by amend name no method or case."),
    ] = False,
    actor: Actor = "",
    database: Database = None,
) -> None:
    """Amend the protocol of a frozen or open study: wording, washout, more readers or questions."""
    from study.planning.amendment import amend as change

    wanted = read_protocol(protocol)
    with opened(folder, database) as store:
        made = change(
            store, read_key(key, store), wanted, reason=reason, actor=actor,
            words_confirmed=confirm_words,
        )  # fmt: skip
    typer.echo(made.as_text())


def invite(
    folder: Folder,
    reader: Annotated[list[str] | None, typer.Argument(metavar="[READER]...")] = None,
    everyone: Annotated[
        bool, typer.Option("--all", help="Invite all readers without an invitation.")
    ] = False,
    staff: Annotated[
        str,
        typer.Option(metavar="NAME", help="Make an account for the coordinator's pages instead."),
    ] = "",
    monitor: Annotated[
        bool, typer.Option(help="With --staff: this account may only watch progress.")
    ] = False,
    letters: Annotated[
        Path | None,
        typer.Option(help="Write each reader's invitation into this folder, as text for a mail."),
    ] = None,
    url: Annotated[str, typer.Option(help="URL of the server as readers see it.")] = URL,
    actor: Actor = "",
    database: Database = None,
) -> None:
    """Make a one-time link and a secret for a reader; both are shown only now."""
    if bool(staff) == bool(reader or everyone):
        raise StudyError("Say who is invited: readers such as R01, or --all, or --staff NAME.")
    with opened(folder, database) as store:
        if staff:
            from study.accounts.staff import StaffRole, add

            made = add(store, staff, StaffRole.MONITOR if monitor else StaffRole.ADMIN, actor=actor)
            typer.echo(f"{made.code}\tsecret {made.secret}\t{url.rstrip('/')}/coordinator/")
            return
        from study.accounts.readers import invite as let_in
        from study.planning.letters import invitation
        from study.planning.progress_report import progress_report

        known = progress_report(store).readers
        waiting = [one.code for one in known if one.state == "not invited"]
        invited = list(dict.fromkeys([*(reader or []), *(waiting if everyone else [])]))
        if not known:
            raise StudyError("There are no readers yet: freeze the study first.")
        if not invited:
            typer.echo("Every reader has an invitation: name those who need a new one.", err=True)
        if letters is not None:
            write_letters(letters, {})  # Before secrets are made that could not be handed on.
        title, root = store.protocol().title, url.rstrip("/")
        for code in invited:
            one = let_in(store, code, actor=actor)
            if letters is None:
                typer.echo(f"{one.code}\tsecret {one.secret}\t{root}{one.path}")
                continue
            text = invitation(title, one.code, one.secret, f"{root}{one.path}", f"{root}/reader/")
            write_letters(letters, {f"{one.code}.txt": text})
            typer.echo(f"{one.code}\t{letters / one.code}.txt")


def serve(
    folder: Annotated[
        list[Path],
        typer.Argument(
            metavar="DIR...",
            help="The folder of the study; several, or a folder of folders of studies, are served "
            "together, each at an address of its own, with a list of them.",
        ),
    ],
    key: StudyKeys = None,
    host: Host = HOST,
    port: Port = PORT,
    cookie_key: Annotated[
        Path | None,
        typer.Option(
            envvar="READINGROOM_COOKIE_KEY",
            help="File with the key that signs cookies, made at the first start, outside DIR; the "
            "default is among your state files.",
        ),
    ] = None,
    database: Database = None,
    mirror: MirrorPath = None,
    allowed_host: AllowedHost = None,
    trusted_proxy: TrustedProxy = None,
    upload_gb_per_hour: Annotated[
        float,
        typer.Option(
            min=0.001,
            envvar="READINGROOM_UPLOAD_GB_PER_HOUR",
            help="Most GB (10^9 bytes) of images that coordinators at one address may upload in an "
            "hour.",
        ),
    ] = 40.0,
    backup_to: Annotated[
        Path | None,
        typer.Option(help="Folder for backups, best on another disk; the first is made at once."),
    ] = None,
    backup_every: Annotated[
        float, typer.Option(min=0.01, metavar="HOURS", help="Hours from one backup to the next.")
    ] = 24.0,
    keep: Annotated[
        int, typer.Option(min=1, help="How many backups are kept; older ones are removed.")
    ] = 7,
    disk_may_vanish: DiskMayVanish = False,
) -> None:
    """Serve the pages of readers and coordinators of one or several studies until interrupted."""
    from contextlib import ExitStack

    from enhancers.http_limits.upload_quota import UploadQuota
    from study.accounts.cookie_keys import keep_in
    from study.server.several import open_studies
    from study.server.standalone import address, bind, build_app, run, trusted_proxies
    from study.storage.scheduled_backups import ScheduledBackups

    keep_in(cookie_key)
    proxies = trusted_proxies(trusted_proxy or ())
    opened = open_studies(
        folder, keys=key or (), database=database, mirror=mirror, disk_may_vanish=disk_may_vanish
    )
    with ExitStack() as running:
        for study in opened.studies:
            running.callback(_close_store, study.store)
        for problem in opened.problems:
            typer.echo(f"error: {problem}", err=True)
        hosts, quota = allowed_hosts(host, allowed_host or ()), UploadQuota(upload_gb_per_hour)
        app = build_app(
            *opened.studies, not_open=opened.not_open, hosts=hosts, proxies=proxies, quota=quota
        )
        if backup_to is not None:
            for study in opened.studies:
                name = f"{study.store.folder.name}-{study.root.rpartition('/')[2]}"
                place = backup_to / name if study.root else backup_to
                backups = ScheduledBackups(study.store, place, backup_every, keep)
                backups.start()
                running.callback(backups.stop)
        with bind(host, port) as server:
            for study in opened.studies:
                name = f"study in {study.store.folder}" if study.root else "study"
                at = f", at {address(server)}{study.root}" if study.root else ""
                typer.echo(f"The {name} is {study.store.status()}{at}.")
            typer.echo(f"Readers: {address(server)}/reader/")
            typer.echo(f"Coordinators: {address(server)}/coordinator/")
            run(app, server, proxies=proxies)


def _close_store(store: Store) -> None:
    if store.log_problem:
        typer.echo(f"Note: {store.log_problem}", err=True)
    store.close()


def close(
    folder: Folder,
    signing_key: SigningKeyPath = None,
    actor: Actor = "",
    database: Database = None,
) -> None:
    """Close the study: readers can rate no more; prints the chain head, to be kept elsewhere."""
    from study.planning.lifecycle import close_study

    signing = read_signing_key(signing_key, folder)
    with opened(folder, database) as store:
        if sys.stdin.isatty() and not _may_close(store):
            typer.echo("The study stays open.")
            raise typer.Exit(1)
        close_study(store, actor=actor, signing_key=signing)
        typer.echo("The study is closed.")
        typer.echo(f"Chain head {store.chain_head()}")


def _may_close(store: Store) -> bool:
    """Whether nothing is left to read, or whoever types wants to close nevertheless."""
    from study.domain.formatting import plural
    from study.domain.terms import Status
    from study.planning.progress_report import progress_report

    study = progress_report(store)
    left = study.planned - study.done
    return (
        study.status is not Status.OPEN
        or not left
        or typer.confirm(
            f"{left} of {plural(study.planned, study.protocol.unit)} are not read, and a closed "
            "study is never opened again. Close it?"
        )
    )


def demo(
    host: Host = HOST,
    port: Port = PORT,
    allowed_host: AllowedHost = None,
    trusted_proxy: TrustedProxy = None,
) -> None:
    """Serve a demonstration: six pairs, simulated co-readers and the report."""
    from study.demo.site import DemoSite
    from study.server.standalone import address, bind, build_demo, run, trusted_proxies

    proxies = trusted_proxies(trusted_proxy or ())
    with bind(host, port) as server:
        shown = DemoSite.temporary()
        hosts = allowed_hosts(host, allowed_host or ())
        app = build_demo(shown, hosts=hosts, proxies=proxies)
        typer.echo("Preparing the images ...")
        try:
            shown.prepare()
            typer.echo(f"Demonstration: {address(server)}/demo/")
            run(app, server, proxies=proxies)
        finally:
            shown.close()
