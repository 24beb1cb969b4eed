"""Requests that pages of other sites make a browser send, and names that are not the server's."""

from __future__ import annotations

from collections.abc import Mapping

import httpx
from sqlalchemy import func, select

from benchmarks.attack.attack import Attack, Outcome, outcome
from benchmarks.attack.servers import Server
from study.storage.models import Consent
from study.web.error_route import HEADER

OTHERS: tuple[Mapping[str, str], ...] = (
    {"Origin": "http://other.localhost:1234", "Sec-Fetch-Site": "same-site"},
    {"Origin": "http://127.0.0.1:1", "Sec-Fetch-Site": "same-site"},
    {"Origin": "https://evil.example.net", "Sec-Fetch-Site": "cross-site"},
    {"Origin": "null"},
    {"Origin": "https://evil.example.net"},
)
"""Headers by which a browser says that another site made it send a request."""
STUDY = ("/", "/reader/api/withdraw", "/reader/login", "/coordinator/login",
         "/coordinator/gradio_api/queue/join", "/reader/gradio_api/queue/join")  # fmt: skip
COMPARE = ("/gradio_api/queue/join", "/gradio_api/upload", "/gradio_api/call/enhance")


def _paths(server: Server) -> tuple[str, ...]:
    return (*STUDY, *(COMPARE if server.compares else ()))


def sent(server: Server) -> Outcome:
    """POST, PUT and DELETE to many routes, as other sites make a browser send them."""
    answers: dict[int, int] = {}
    with server.client() as client:
        for headers in OTHERS:
            for path in _paths(server):
                for method in ("POST", "PUT", "DELETE"):
                    status = client.request(method, path, headers=headers, json={}).status_code
                    answers[status] = answers.get(status, 0) + 1
    return outcome(set(answers) == {403}, f"statuses {answers}")


def withdrawn(server: Server) -> Outcome:
    """A page elsewhere lets a signed-in reader withdraw for good."""
    code = server.code()
    secret = server.reader(code)
    with server.client() as browser:
        sign_in = {"code": code, "secret": secret}
        assert browser.post("/reader/login", data=sign_in).status_code == 303
        before = _withdrawals(server)
        answer = browser.post("/reader/api/withdraw", json={}, headers={**OTHERS[0], HEADER: "1"})
    return outcome(
        answer.status_code == 403 and _withdrawals(server) == before,
        f"{answer.status_code}, {_withdrawals(server) - before} withdrawals",
    )


def _withdrawals(server: Server) -> int:
    with server.own.opened() as store, store.read() as session:
        wanted = select(func.count()).where(Consent.action == "withdrawn")
        return session.scalar(wanted) or 0


def administrator(server: Server) -> Outcome:
    """A page elsewhere lets a signed-in administrator's browser call the coordinator's page."""
    sign_in = server.administrator()
    with server.client() as browser:
        assert browser.post("/coordinator/login", data=sign_in).status_code == 303
        own = browser.post("/coordinator/gradio_api/queue/join", json={"fn_index": -1, "data": []})
        statuses = {
            browser.post(
                "/coordinator/gradio_api/queue/join", headers=headers, json={"data": []}
            ).status_code
            for headers in OTHERS
        }
    return outcome(statuses == {403} and own.status_code != 403, f"statuses {statuses}")


def readable(server: Server) -> Outcome:
    """An answer that lets another origin read it, also after a preflight."""
    found = []
    with server.client() as client:
        for path in ("/reader/login", "/reader/config", *_paths(server)):
            for headers in OTHERS:
                ask = {**headers, "Access-Control-Request-Method": "POST"}
                for answer in (
                    client.get(path, headers=headers), client.options(path, headers=ask),
                ):  # fmt: skip
                    found += [one for one in answer.headers if one.startswith("access-control-")]
    return outcome(not found, f"{len(found)} permitting headers")


def rebound(server: Server) -> Outcome:
    """The name of another site points to this machine."""
    statuses = set()
    with server.client() as client:
        for name in ("rebound.example.net", "127.0.0.1.example.net", ""):
            for path in ("/reader/login", "/"):
                statuses.add(client.get(path, headers={"Host": name}).status_code)
    return outcome(statuses <= {421, 400}, f"statuses {statuses}")


def framed(server: Server) -> Outcome:
    """Pages in a frame of another site, and answers without the headers that guard them."""
    lacking = []
    with server.client() as client:
        for path in ("/", "/nothing", "/reader/", "/reader/login", "/coordinator/"):
            answer = client.get(path)
            lacking += [f"{path} {problem}" for problem in _problems(answer)]
    return outcome(not lacking, f"lacking: {', '.join(lacking[:3]) or 'nothing'}")


def _problems(answer: httpx.Response) -> list[str]:
    policy = answer.headers.get("content-security-policy", "")
    found = {
        "may be framed": "frame-ancestors 'none'" not in policy
        and "frame-ancestors 'self'" not in policy,
        "sniffing": answer.headers.get("x-content-type-options") != "nosniff",
        "referrer": answer.headers.get("referrer-policy") != "same-origin",
        "cache": "no-store" not in answer.headers.get("cache-control", ""),
        "server": "server" in answer.headers,
    }
    return [name for name, wrong in found.items() if wrong]


SERVERS: tuple[Attack[Server], ...] = (
    Attack("requests of other sites to every route", "403", sent, harmless=True),
    Attack("a page elsewhere withdraws a reader", "403, nothing stored", withdrawn),
    Attack("a page elsewhere acts as administrator", "403", administrator),
    Attack("answers readable by other origins", "no permission", readable, harmless=True),
    Attack("DNS rebinding", "421", rebound, harmless=True),
    Attack("framing, sniffing, caching of pages", "guarded by headers", framed, harmless=True),
)
