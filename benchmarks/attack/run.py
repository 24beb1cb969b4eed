"""Makes all attacks on a study: on its files, and on the servers that it has."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import TypeVar

from benchmarks.attack import (
    archives,
    bombs,
    clock,
    cookies,
    cross_site,
    encoding,
    exports,
    flooding,
    leftovers,
    sessions,
    sign_ins,
    tampering,
)
from benchmarks.attack.attack import Attack, Outcome, Row, Verdict, tried
from benchmarks.attack.copies import StudyCopy, copied
from benchmarks.attack.servers import LOOPBACK, Server, combined_app, running, study_server
from study.domain.terms import Status
from study.planning.lifecycle import open_study

Place = TypeVar("Place")
Told = Callable[[Row], None]
SECONDS = 150.0
"""Time after which no attack is begun any more."""
ON_FILES: Mapping[str, Sequence[Attack[StudyCopy]]] = {
    "tampering": tampering.FILES,
    "encoding": encoding.FILES,
    "texts": exports.FILES,
    "zip files": archives.FILES,
}
ON_SERVERS: Mapping[str, Sequence[Attack[Server]]] = {
    "cross-site": cross_site.SERVERS,
    "cookies": cookies.SERVERS,
    "texts": exports.SERVERS,
    "encoding": encoding.SERVERS,
    "clock": clock.SERVERS,
    "sessions": sessions.SERVERS,
    "sign-ins": sign_ins.SERVERS,
    "bombs": bombs.SERVERS,
    "flooding": flooding.SERVERS,
    "leftovers": leftovers.LAST,
}
"""By family, in the order in which they are made: the last ones disturb the server most."""


def attack(
    study: Path,
    *,
    url: str | None = None,
    port: int | None = None,
    host: str = LOOPBACK,
    only: Sequence[str] = (),
    seconds: float = SECONDS,
    told: Told | None = None,
) -> list[Row]:
    """Attack copies of a study and the servers that serve them, or a server that runs already.

    Parameters
    ----------
    study : Path
        Folder of the study; nothing in it is changed.
    url : str, optional
        Address of its database.
    port : int, optional
        Of a server on this machine that others may use: it is attacked in ways that leave nothing
        behind, and no server is started.
    host : str
        Of that server; an address of this machine.
    only : sequence of str
        Families; by default all.
    seconds : float
        Time after which the remaining attacks are not tried.
    told : callable, optional
        Called with each row.

    Raises
    ------
    StudyError
        There is no study, or no server on this machine.
    """
    runner = _Runner(tuple(only), time.monotonic() + seconds, told or (lambda row: None))
    target = None if port is None else running(port, host)
    with tempfile.TemporaryDirectory(prefix="attack-") as temporary:
        home = Path(temporary)
        if target is not None:
            runner.make(ON_SERVERS, target.name, target, harmless=True)
        elif runner.wants(ON_SERVERS):
            with copied(study, url, home / "first") as copy:
                _open(copy)
                with study_server(copy, home / "study-server") as server:
                    runner.make(ON_SERVERS, server.name, server)
            with copied(study, url, home / "second") as copy:
                _open(copy)
                with combined_app(copy, home / "combined", uploads_per_hour="400") as server:
                    runner.make(ON_SERVERS, server.name, server)
        if runner.wants(ON_FILES):
            with copied(study, url, home / "study") as copy:
                runner.make(ON_FILES, "files", copy)
    return runner.rows


def _open(copy: StudyCopy) -> None:
    """Open a copy of a frozen study to its readers."""
    with copy.opened() as store:
        if store.status() is Status.FROZEN:
            open_study(store, actor="attack")


class _Runner:
    """Makes attacks, and keeps what came of them."""

    def __init__(self, only: Sequence[str], until: float, told: Told) -> None:
        self.rows: list[Row] = []
        self._only = only
        self._until = until
        self._told = told

    def wants(self, families: Iterable[str]) -> bool:
        """Whether one of these families is to be made."""
        return not self._only or any(family in self._only for family in families)

    def make(
        self,
        families: Mapping[str, Iterable[Attack[Place]]],
        name: str,
        place: Place,
        *,
        harmless: bool = False,
    ) -> None:
        """Make the attacks of the families on a place."""
        for family, attacks in families.items():
            if self._only and family not in self._only:
                continue
            for one in attacks:
                if harmless and not one.harmless:
                    continue
                if time.monotonic() > self._until:
                    found = Outcome(Verdict.NOT_TRIED, "the time was over")
                else:
                    found = tried(one, place)
                row = Row(family, name, one.name, one.expected, found)
                self.rows.append(row)
                self._told(row)


def as_table(rows: Sequence[Row]) -> str:
    """The rows as a table in Markdown."""
    lines = ["| family | on | attack | expected | observed | |", "|---|---|---|---|---|---|"]
    for one in rows:
        verdict, observed = one.outcome.verdict, one.outcome.observed.replace("|", "/")
        told = verdict.upper() if verdict is Verdict.FELL else verdict
        lines.append(
            f"| {one.family} | {one.place} | {one.attack} | {one.expected} | {observed} | {told} |"
        )
    counts = {kind: sum(one.outcome.verdict is kind for one in rows) for kind in Verdict}
    lines.append("\n" + ", ".join(f"{number} {kind}" for kind, number in counts.items()))
    return "\n".join(lines)
