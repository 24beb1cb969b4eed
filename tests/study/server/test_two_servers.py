"""Two server processes on one database and one folder serve one study."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier

import httpx
import pytest
from sqlalchemy import select

from benchmarks.study_load.http_reader import HttpReader
from benchmarks.study_load.served_study import server_of
from study.accounts.readers import invite
from study.domain.errors import StudyError
from study.domain.protocol import Protocol
from study.domain.screens import ScreenKind
from study.storage.integrity import verify
from study.storage.models import Presentation, RatingEvent, Reader, ReadingSession
from study.storage.store import Store
from tests.support.open_study import small_study

PROTOCOL = Protocol(
    title="Two servers", readers=3, training=0, dummies=0, repeats=0, nulls=0,
    least_width=1000, least_height=540, ask_blinding=False,
)  # fmt: skip


class InTurn(httpx.BaseTransport):
    """Sends one request to one server, and the next to the other."""

    def __init__(self, roots: tuple[str, str], first: int) -> None:
        self._roots = itertools.cycle([httpx.URL(roots[first]), httpx.URL(roots[1 - first])])
        self._transport = httpx.HTTPTransport()

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        root = next(self._roots)
        request.url = request.url.copy_with(host=root.host, port=root.port)
        request.headers["Host"] = f"{root.host}:{root.port}"
        return self._transport.handle_request(request)


@pytest.fixture
def roots(tmp_path: Path, url: str | None) -> Iterator[tuple[str, str]]:
    small_study(tmp_path / "s", PROTOCOL, cases=2, url=url).store.close()
    with server_of(tmp_path / "s", url) as one, server_of(tmp_path / "s", url) as two:
        yield one, two


def window(roots: tuple[str, str], first: int, cookies: httpx.Cookies | None = None) -> HttpReader:
    """A window of a reader's browser, whose requests go to the servers in turn."""
    client = httpx.Client(
        base_url=roots[first], transport=InTurn(roots, first), timeout=60, cookies=cookies
    )
    return HttpReader(client)


def test_no_pair_is_rated_twice_and_no_rating_is_lost(
    tmp_path: Path, url: str | None, roots: tuple[str, str]
) -> None:
    store = Store.open(tmp_path / "s", url=url)
    links = [invite(store, code, actor="setup").path for code in ("R01", "R02", "R03")]

    def read(place: int) -> Counter[str]:
        """Answer every pair in two windows at one moment; count what each of them is told."""
        one = window(roots, place % 2)
        one.join(links[place])
        one.read(0)
        both = Barrier(2)
        other = window(roots, 1 - place % 2, one._client.cookies)
        other.read(0)

        def answer(page: HttpReader) -> str:
            page._page = None
            page.look()
            both.wait(60)
            try:
                page.answer()
            except StudyError as error:
                return "refused" if "answered with 409" in str(error) else str(error)
            return "stored"

        told: Counter[str] = Counter()
        with ThreadPoolExecutor(2) as pool:
            while one.page().kind is ScreenKind.PAIR:
                told.update(pool.map(answer, (one, other)))
                one._page = other._page = None
        return told

    with ThreadPoolExecutor(3) as pool:
        told = list(pool.map(read, range(3)))
    pairs = 2 * 6
    assert told == [Counter(stored=pairs, refused=pairs)] * 3
    with store.read() as session:
        stored = session.execute(
            select(Reader.code, Presentation.id, RatingEvent.idempotency_key)
            .join(ReadingSession, ReadingSession.reader_id == Reader.id)
            .join(Presentation, Presentation.session_id == ReadingSession.id)
            .join(RatingEvent, RatingEvent.presentation_id == Presentation.id)
            .distinct()
        ).all()
    assert Counter(row.code for row in stored) == dict.fromkeys(("R01", "R02", "R03"), pairs)
    # `small_study` writes another digest of its plan.
    found = [one for one in verify(store).problems if not one.startswith("The plan of the readers")]
    assert found == []
    store.close()
