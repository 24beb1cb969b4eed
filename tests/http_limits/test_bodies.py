"""Bodies that are too large or too slow, refused before an app has them."""

import asyncio

import pytest
from fastapi import FastAPI
from starlette.requests import ClientDisconnect

from enhancers.http_limits.bodies import EVENT_BYTES, FORM_BYTES, BodyLimits

TEN = {"/ten": 10, "/long/ten": 20}


class Asked:
    """One request to an app behind the limits; `read` is what the app has got."""

    def __init__(self, chunks, path="/ten", headers=(), patience=20.0, app=None):
        self.chunks = list(chunks)
        self.read = b""
        self.asked_for = 0
        self.sent = []
        scope = {
            "type": "http", "method": "POST", "path": path, "raw_path": path.encode(),
            "query_string": b"", "root_path": "", "headers": list(headers),
        }  # fmt: skip
        limits = BodyLimits(app or self.app, TEN, patience)
        asyncio.run(limits(scope, self.receive, self.send))

    async def receive(self):
        self.asked_for += 1
        if not self.chunks:
            await asyncio.sleep(60)
        body = self.chunks.pop(0)
        return {"type": "http.request", "body": body, "more_body": bool(self.chunks)}

    async def send(self, message):
        self.sent.append(message)

    async def app(self, scope, receive, send):
        while True:
            message = await receive()
            if message["type"] == "http.disconnect":
                raise ClientDisconnect
            self.read += message["body"]
            if not message["more_body"]:
                break
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"done"})

    @property
    def status(self):
        return self.sent[0]["status"]


def test_a_body_within_the_limit_arrives():
    asked = Asked([b"12345", b"67890"])
    assert (asked.status, asked.read) == (200, b"1234567890")


@pytest.mark.parametrize("stated", [b"11", b"300000000", b"9" * 30, b"-1", b"\xb2", b"1e3"])
def test_a_body_that_says_that_it_is_too_long_is_not_read(stated):
    asked = Asked([b"x"], headers=[(b"content-length", stated)])
    assert (asked.status, asked.asked_for) == (413, 0)
    assert b"10 bytes" in asked.sent[1]["body"]


def test_a_body_that_does_not_say_is_cut_off_while_it_is_read():
    asked = Asked([b"12345"] * 1000)
    assert (asked.status, len(asked.read), asked.asked_for) == (413, 10, 3)


def test_a_body_that_does_not_come_is_not_waited_for():
    asked = Asked([], patience=0.02)
    assert (asked.status, asked.read) == (408, b"")


def test_dribbling_earns_no_time():
    class Dribble(Asked):
        async def receive(self):
            await asyncio.sleep(0.01)
            return {"type": "http.request", "body": b"x", "more_body": True}

    asked = Dribble([], "/other", patience=0.05)
    assert asked.status == 408
    assert len(asked.read) < 10


@pytest.mark.parametrize(
    ("path", "limit"),
    [
        ("/ten", 10),
        ("/some/ten/", 10),
        ("/some/long/ten", 20),
        ("/tenth", FORM_BYTES),
        ("/reader/api/rate", FORM_BYTES),
        ("/gradio_api/queue/join", EVENT_BYTES),
    ],
)
def test_every_path_has_a_limit(path, limit):
    assert Asked([b""], path, [(b"content-length", b"%d" % limit)]).status == 200
    assert Asked([b""], path, [(b"content-length", b"%d" % (limit + 1))]).status == 413


def test_what_an_app_makes_of_half_a_body_is_not_sent():
    app = FastAPI()

    @app.post("/ten")
    def ten(given: dict):
        return given

    asked = Asked([b'{"a": "', b"long", b'"}'], app=app)
    assert [message.get("status") for message in asked.sent] == [413, None]


def test_an_error_of_the_app_stays_one():
    async def fails(scope, receive, send):
        raise LookupError("broken")

    with pytest.raises(LookupError):
        Asked([b"x"], app=fails)
