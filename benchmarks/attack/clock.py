"""The clock of the server is set back: nobody is signed out, and no answer is lost."""

from __future__ import annotations

import hashlib
import hmac
import time
from datetime import UTC, datetime, timedelta

from itsdangerous import TimestampSigner, URLSafeTimedSerializer
from sqlalchemy import select

from benchmarks.attack.attack import Attack, NotTried, Outcome, outcome
from benchmarks.attack.servers import Server
from benchmarks.study_load.http_reader import HttpReader
from study.domain.screens import ScreenKind
from study.storage.models import Reader, ReadingSession, stamp

_DAYS = 2


class _Later(TimestampSigner):
    """Signs as before the clock was set back."""

    def get_timestamp(self) -> int:
        return int(time.time()) + 86400 * _DAYS


def signed_out(server: Server) -> Outcome:
    """A cookie that was made before: its time lies in the future."""
    code = server.code(1)
    server.reader(code)
    with server.own.opened(read_only=True) as store, store.read() as session:
        reader = session.scalars(select(Reader).where(Reader.code == code)).one()
        study, content = store.study_id, [reader.id, reader.generation]
    key = bytes.fromhex(server.cookie_key.read_text().strip())
    own = hmac.new(key, f"{study}\ncookie".encode(), hashlib.sha256).digest()
    value = URLSafeTimedSerializer(own, salt="reader", signer=_Later).dumps(content)
    with server.client() as client:
        client.cookies.set("readingroom_reader", str(value))
        status = client.get("/reader/api/state").status_code
    return outcome(status == 200, f"status {status}")


def lost_answer(server: Server) -> Outcome:
    """A session that has begun opens, once more, in the future."""
    with server.client() as client:
        code = server.code()
        client.post("/reader/login", data={"code": code, "secret": server.reader(code)})
        reader = HttpReader(client)
        if reader.read(0) is not ScreenKind.PAIR:
            raise NotTried("the reader has nothing to read")
        reader.look()
        with server.own.opened() as store, store.write() as session:
            wanted = (
                select(ReadingSession)
                .join(Reader, Reader.id == ReadingSession.reader_id)
                .where(Reader.code == code, ReadingSession.started_at.is_not(None))
            )
            kept = [(one.id, one.not_before) for one in session.scalars(wanted)]
            for one in session.scalars(wanted):
                one.not_before = stamp(datetime.now(UTC) + timedelta(days=_DAYS))
        following = reader.answer()
        with server.own.opened() as store, store.write() as session:
            for name, before in kept:
                session.get_one(ReadingSession, name).not_before = before
    return outcome(following.kind is not ScreenKind.WAIT, f"stored; then {following.kind}")


SERVERS: tuple[Attack[Server], ...] = (
    Attack("the clock is set back by two days", "nobody is signed out", signed_out),
    Attack("the clock is set back while a session is read", "the answer is stored", lost_answer),
)
