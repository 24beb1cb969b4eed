"""Strangers on the compare page: sessions of others, paths of the server, uploads without end."""

from __future__ import annotations

import json

import httpx

from benchmarks.attack.attack import Attack, NotTried, Outcome, outcome
from benchmarks.attack.servers import STRANGER, Server
from tests.support.image_files import png, ramp
from tests.support.page_driver import DrivenTab

_MANY = 90
"""More tabs than the page keeps."""


def _need_page(server: Server) -> None:
    if not server.compares:
        raise NotTried("it has no compare page")


def _opened(server: Server, name: str = "mine.png") -> DrivenTab:
    """A visitor's tab with an image."""
    tab = DrivenTab(server.address)
    tab.client.get("/")
    tab.load("")
    tab.wait()
    tab.upload("upload", name, png(ramp(64, 64, 255).astype("uint8")))
    tab.wait()
    return tab


def evicted(server: Server) -> Outcome:
    """A stranger opens many tabs."""
    _need_page(server)
    mine = _opened(server)
    with server.client(STRANGER) as client:
        dependencies = client.get("/config").json()["dependencies"]
        load = next(
            one for one in dependencies if any(event == "load" for _, event in one["targets"])
        )
        for number in range(_MANY):
            body = {"fn_index": load["id"], "data": [""] * len(load["inputs"]),
                    "session_hash": f"stranger{number}"}  # fmt: skip
            client.post("/gradio_api/queue/join", json=body).raise_for_status()
        _answered(client, f"stranger{_MANY - 1}")
    kept = _downloadable(mine)
    mine.close()
    return outcome(kept, "the image is there" if kept else "the image has gone")


def _answered(client: httpx.Client, session: str) -> None:
    url = f"/gradio_api/queue/data?session_hash={session}"
    with client.stream("GET", url) as stream:
        for line in stream.iter_lines():
            if "process_completed" in line:
                return


def _downloadable(tab: DrivenTab) -> bool:
    """Whether a page that is loaded anew finds the image of the tab's session."""
    again = DrivenTab(str(tab.client.base_url))
    again.client.cookies.update(tab.client.cookies)
    again.load(tab.prop("visit"))
    again.wait()
    found = "mine.png" in json.dumps(again.props, default=str)
    again.close()
    return found


def guessed(server: Server) -> Outcome:
    """A stranger who knows the session hash that a browser made asks for its session."""
    _need_page(server)
    mine = _opened(server)
    other = DrivenTab(server.address)
    other.hash = mine.hash
    before = mine.prop("visit")
    other.load("")
    other.wait()
    told = other.prop("visit") == before or "mine.png" in json.dumps(other.props, default=str)
    mine.close()
    other.close()
    return outcome(not told, "the session of another is shown" if told else "another session")


def paths(server: Server) -> Outcome:
    """The networks form and uploads are given paths of the server, that exist and that do not."""
    _need_page(server)
    tab = DrivenTab(server.address)
    if "network-path" in tab.ids:
        return outcome(False, "there is a field for paths")
    answers = set()
    for path in ("/etc/passwd", "/etc/nothing-here", "/proc/self/environ"):
        before = len(tab.answers)
        body = {"path": path, "orig_name": "x.png", "meta": {"_type": "gradio.FileData"}}
        tab.set("upload", body, "upload")
        tab.wait()
        _, message = tab.answers[before]
        answers.add(json.dumps([message["success"], message["output"], tab.prop("notice")]))
    tab.close()
    held = len(answers) == 1 and not any(
        word in str(answers) for word in ("root:", "/etc", "/proc")
    )
    return outcome(held, "the same answer" if len(answers) == 1 else "answers differ")


def quota(server: Server) -> Outcome:
    """A stranger uploads file after file; somebody else uploads one."""
    _need_page(server)
    statuses: list[int] = []
    with server.client(STRANGER) as client:
        for _ in range(40):
            files = [("files", (f"{n}.png", b"x")) for n in range(50)]
            answer = client.post("/gradio_api/upload", files=files)
            statuses.append(answer.status_code)
            if answer.status_code == 429:
                break
    with server.client() as client:
        other = client.post("/gradio_api/upload", files={"files": ("x.png", b"x")}).status_code
    stopped = statuses[-1] == 429
    return outcome(stopped and other == 200, f"{50 * len(statuses)} files; others {other}")


SERVERS: tuple[Attack[Server], ...] = (
    Attack("a stranger opens 90 tabs", "sessions of others stay", evicted),
    Attack("a stranger knows the session hash", "another session", guessed),
    Attack("paths of the server in forms", "answers say nothing", paths),
    Attack("2000 uploads of one address", "429, others may", quota),
)
