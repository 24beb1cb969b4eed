"""The quota of uploads of one address."""

import pytest
from fastapi.testclient import TestClient
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Route

from enhancers.http_limits import upload_quota
from enhancers.http_limits.addresses import client_group
from enhancers.http_limits.upload_quota import QuotaOfUploads, UploadQuota

PATH = "/gradio_api/upload"


@pytest.fixture
def clock():
    return [1000.0]


@pytest.fixture
def ask(clock):
    """Upload from an address."""
    quota = UploadQuota(gb_per_hour=4e-6, files_per_hour=3, clock=lambda: clock[0])
    received = []

    async def upload(request):
        received.append(await request.body())
        return PlainTextResponse("stored")

    async def other(request):
        return PlainTextResponse("other")

    app = Starlette(routes=[Route(PATH, upload, methods=["POST"]), Route("/", other)])

    def asked(size=1000, address="10.0.0.1", files=1, path=PATH, method="POST", **options):
        with TestClient(QuotaOfUploads(app, quota), client=(address, 5000)) as client:
            parts = [("files", (f"{n}.png", b"x" * (size // files))) for n in range(files)]
            sent = {"files": parts} if method == "POST" else {}
            return client.request(method, path, **(options or sent))

    asked.received = received
    return asked


def test_bytes_are_counted_by_address_and_forgotten_after_an_hour(ask, clock):
    assert ask(3000).text == "stored"
    refused = ask(2000)
    assert refused.status_code == 429
    assert refused.text.endswith("Try again in 60 minutes.")
    assert ask(2000, "10.0.0.2").text == "stored"
    clock[0] += 3590
    assert ask(2000).text.endswith("Try again in 1 minute.")
    clock[0] += 20
    assert ask(2000).text == "stored"
    assert len(ask.received) == 3


def test_files_are_counted_however_many_come_at_once(ask):
    assert ask(100, files=3).text == "stored"
    assert ask(10).status_code == 429
    assert "3 files" in ask(10).text


def test_a_file_beyond_the_quota_is_never_taken(ask):
    assert "too large" in ask(5000).text


def test_an_upload_without_its_size_is_refused(ask):
    assert ask(content=iter([b"x"])).status_code == 411
    assert not ask.received


def test_a_full_disk_says_so(ask, monkeypatch):
    monkeypatch.setattr(upload_quota, "_free_bytes", lambda: 2**20)
    assert ask().status_code == 507
    assert "disk of the server is full" in ask().text


def test_what_is_no_upload_passes(ask):
    for _ in range(5):
        assert ask(path="/", method="GET").text == "other"


def test_the_addresses_that_are_remembered_are_few(clock, monkeypatch):
    monkeypatch.setattr(upload_quota, "_ADDRESSES", 2)
    quota = UploadQuota(files_per_hour=1, clock=lambda: clock[0])
    for address in "abc":
        quota.take(address, 1)
    assert list(quota._steps) == ["b", "c"]


def test_who_sends_a_request_is_told_by_its_scope():
    assert client_group({}) == client_group({"client": None}) == ""
    assert client_group({"client": ("2001:db8:1:2::9", 1)}) == "2001:db8:1:2::/64"
    assert client_group({"client": ("testclient", 1)}) == "testclient"
