"""Text that PostgreSQL cannot store or compare, in every message of a page: no error of a server.

SQLite takes it; with READINGROOM_TEST_POSTGRES_URL the same is asked of PostgreSQL.
"""

from __future__ import annotations

from typing import Any

import pytest
from fastapi.testclient import TestClient

from study.accounts import staff
from study.accounts.staff import StaffRole
from study.server.standalone import build_app
from study.web.coordinator.routes import PREFIX
from tests.support.http_visitor import PROFILE, Visitor, contents, error
from tests.support.open_study import small_study

NUL = "a\x00b"
EVENT = {"kind": "zoom", "payload": "2", "at_ms": 1}


@pytest.fixture
def small(tmp_path, url):
    study = small_study(tmp_path / "s", cases=1, url=url)
    yield study
    study.store.close()


def with_nul(message: dict[str, Any]) -> list[dict[str, Any]]:
    """Copies of a message in each of which one text has a NUL."""
    return [message | {name: NUL} for name, value in message.items() if isinstance(value, str)]


def test_every_message_of_a_reader_is_refused(small):
    visitor = Visitor(small).join()
    given = visitor.sit_down().pair()
    token = given["pair"]["token"]
    rating = visitor.rating(given) | {"comment": "", "held": ""}
    asked = {
        "consent": [{"digest": NUL}],
        "profile": with_nul(PROFILE),
        "rate": with_nul(rating),
        "correct": with_nul(rating | {"reason": "wrong key"}),
        "guess": [{"token": NUL, "guesses": [1, 1]}],
        "pause": [{"token": NUL, "at_ms": 1}],
        "interaction": [
            {"token": NUL, "events": [EVENT]},
            *({"token": token, "events": [event]} for event in with_nul(EVENT)),
        ],
    }
    before = contents(small)
    for path, bodies in asked.items():
        for body in bodies:
            answer = visitor.post(path, body)
            assert (answer.status_code, error(answer)) == (422, "request"), (path, body)
    assert visitor.get("pixels/a%00b").status_code == 422
    assert contents(small) == before


def test_no_sign_in_form_fails(small):
    staff.add(small.store, "anna", StaffRole.ADMIN, actor="setup")
    forms = {
        "/reader/login": {"code": "R01", "secret": "x"},
        "/reader/join": {"token": "x"},
        f"{PREFIX}/login": {"name": "anna", "secret": "x"},
    }
    with TestClient(build_app(small.store), raise_server_exceptions=False) as asking:
        for path, form in forms.items():
            for filled in with_nul(form):
                answer = asking.post(path, data=filled)
                assert answer.status_code in (403, 422), (path, filled, answer.status_code)
        assert asking.get("/reader/join/a%00b").status_code == 200
        assert asking.get(f"{PREFIX}/files/a%00b", follow_redirects=False).status_code < 500
