"""The coordinator's pages as HTML: names, files, events, accounts, and what is shown once."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from sqlalchemy import Row

from study.accounts.staff import Credential, StaffAccount
from study.planning.lifecycle import MethodName
from study.report.markup import Content, Html, join, tag
from study.web.coordinator.downloads import Download
from study.web.coordinator.views import code, empty, facts, moment, table


def methods(names: Iterable[MethodName]) -> Html:
    """Which code was which method."""
    rows: list[list[Content]] = [
        [
            one.mask,
            one.name,
            one.kind.value,
            one.group or "–",
            ", ".join(f"{name} {value}" for name, value in one.parameters) or "–",
        ]
        for one in names
    ]
    return table(("Code", "Method", "Kind", "Group", "Parameters"), rows)


def downloads(files: Sequence[tuple[str, Download]]) -> Html:
    """Links to what was made."""
    if not files:
        return empty("Nothing has been made since the server started.")
    rows: list[list[Content]] = [
        [
            tag("a", file.name, href=f"files/{token}", class_="download", target="_blank"),
            "by code" if file.masked else "by name",
            f"{len(file.content) / 1000:.0f} kB",
            moment(file.made_at),
        ]
        for token, file in files
    ]
    return table(("File", "Methods", "Size", "Made at (UTC)"), rows)


def audit(rows: Sequence[Row[*tuple[Any, ...]]]) -> Html:
    """Events, the newest first: number, time, actor, action, target and detail."""
    if not rows:
        return empty("No event of this kind.")
    told: list[list[Content]] = [
        [f"{number}", f"{at[:10]} {at[11:19]}", actor, action, target, tag("span", detail)]
        for number, at, actor, action, target, detail in rows
    ]
    return table(("No.", "Time (UTC)", "Who", "What", "To what", "Detail"), told)


def accounts(found: Sequence[StaffAccount]) -> Html:
    """Who may come in."""
    rows: list[list[Content]] = [
        [one.code, one.role.value, "on" if one.active else "off", moment(one.created_at)]
        for one in found
    ]
    return table(("Account", "Role", "State", "Made at (UTC)"), rows)


def secret(given: Credential) -> Html:
    """A secret that is shown once."""
    return _once(
        f"Give this to {given.code}. It is shown once; the database keeps a hash only.",
        [("Name", given.code), ("Secret", given.secret)],
    )


def invitation(reader: str, address: str, secret_: str) -> Html:
    """An invitation that is shown once."""
    return _once(
        f"Hand this to the reader {reader}. It is shown once; an earlier link, secret or session "
        f"of {reader} has ended. Open the link in another browser than yours: it signs in there.",
        [("Link (works once)", address), ("Reader code", reader), ("Secret", secret_)],
    )


def _once(words: str, entries: Sequence[tuple[str, str]]) -> Html:
    told: list[tuple[str, Content]] = [
        (
            name,
            join(
                (
                    code(value),
                    tag("button", "Copy", data_copy=value, type="button", class_="co-small"),
                ),
                " ",
            ),
        )
        for name, value in entries
    ]
    return tag("div", tag("p", words), facts(told), class_="co-once")
