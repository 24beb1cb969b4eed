"""Forged cookies, cookies of another kind, and what a stolen backup is worth."""

from __future__ import annotations

import secrets

from itsdangerous import URLSafeTimedSerializer
from sqlalchemy import select

from benchmarks.attack.attack import Attack, Outcome, outcome
from benchmarks.attack.servers import Server, random_text
from study.accounts.readers import ReaderSignIn
from study.accounts.staff import StaffSignIn
from study.storage.models import Reader, Staff

READER, STAFF = ReaderSignIn.cookie_name, StaffSignIn.cookie_name


def _admitted(server: Server, name: str, value: str) -> bool:
    with server.client() as client:
        client.cookies.set(name, value)
        if name == READER:
            return client.get("/reader/api/state").status_code == 200
        return client.get("/coordinator/config").status_code == 200


def forged(server: Server) -> Outcome:
    """Random and unsigned cookies."""
    values = ["", "x", random_text(), '["1",0]', "e30.e30.e30", "WyIxIiwwXQ.aaaaaa." + "A" * 27]
    let_in = [one for name in (READER, STAFF) for one in values if _admitted(server, name, one)]
    return outcome(not let_in, f"{len(let_in)} of {2 * len(values)} admitted")


def other_kind(server: Server) -> Outcome:
    """The cookie of a reader as that of an administrator, and the other way round."""
    cookies = {}
    with server.client() as browser:
        code = server.code(1)
        browser.post("/reader/login", data={"code": code, "secret": server.reader(code)})
        cookies[STAFF] = browser.cookies[READER]
    with server.client() as browser:
        browser.post("/coordinator/login", data=server.administrator())
        cookies[READER] = next(one.value or "" for one in browser.cookies.jar if one.name == STAFF)
    held = bool(cookies[STAFF] and cookies[READER])
    held &= _admitted(server, READER, cookies[STAFF])
    let_in = [name for name, value in cookies.items() if _admitted(server, name, value)]
    return outcome(held and not let_in, f"{len(let_in)} of 2 admitted")


def from_backup(server: Server) -> Outcome:
    """Cookies signed with every text of the study that might be a key, and with a new key."""
    with server.own.opened(read_only=True) as store:
        study = store.study_id
        with store.read() as session:
            accounts: list[tuple[str, str, str, Reader | Staff]] = [
                (READER, "reader", "cookie", session.scalars(select(Reader).limit(1)).one()),
                *((STAFF, "staff", "staff cookie", one)
                  for one in session.scalars(select(Staff).limit(1))),
            ]  # fmt: skip
            keys = [study.encode(), secrets.token_bytes(32), *(
                text.encode() for _, _, _, one in accounts for text in vars(one).values()
                if isinstance(text, str)
            )]  # fmt: skip
        let_in = 0
        for cookie, salt, _, account in accounts:
            for key in keys:
                value = URLSafeTimedSerializer(key, salt=salt).dumps(
                    [account.id, account.generation]
                )
                let_in += _admitted(server, cookie, str(value))
        held = server.cookie_key.read_text().strip()
        files = [path.read_bytes() for path in store.folder.rglob("*") if path.is_file()]
    inside = any(held.encode() in one or bytes.fromhex(held) in one for one in files)
    where = "in the study" if inside else "not in the study"
    return outcome(not let_in and not inside, f"{let_in} admitted; the key of the server {where}")


def signed_out(server: Server) -> Outcome:
    """A cookie that was copied before its reader signed out."""
    with server.client() as browser:
        code = server.code(1)
        browser.post("/reader/login", data={"code": code, "secret": server.reader(code)})
        stolen = browser.cookies[READER]
        before = _admitted(server, READER, stolen)
        browser.post("/reader/logout", headers={"X-Reading-Room": "1"})
    after = _admitted(server, READER, stolen)
    return outcome(before and not after, "ended" if not after else "still admitted")


SERVERS: tuple[Attack[Server], ...] = (
    Attack("forged cookies", "nobody admitted", forged, harmless=True),
    Attack("a reader's cookie as an administrator's", "nobody admitted", other_kind),
    Attack("cookies signed with what a backup has", "nobody admitted", from_backup),
    Attack("a copied cookie after sign-out", "ended", signed_out),
)
