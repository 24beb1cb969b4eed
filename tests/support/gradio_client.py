"""Calls a Gradio server as a browser does, one dependency after the other, with any cookie."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

import httpx

FILLED: dict[str, Any] = {
    "confirm-freeze": "S1", "confirm-close": "S1", "account-name": "eve", "target": "",
    "header": "shown",
}  # fmt: skip
"""What is typed into fields, by their elem_id, so that every call would do something."""


@dataclass(frozen=True)
class Answer:
    """What came back: the HTTP status, whether the handler ran to its end, and the message."""

    fn: int
    status: int
    success: bool
    message: str

    @property
    def refused(self) -> bool:
        return self.status in (401, 403) or not self.success


def dependencies(config: dict[str, Any]) -> list[dict[str, Any]]:
    return list(config["dependencies"])


def arguments(config: dict[str, Any], dependency: dict[str, Any], filled: dict[str, Any]) -> list:
    """A value for each input: what is filled in, else what the component starts with."""
    components = {one["id"]: one["props"] for one in config["components"]}
    found = []
    for number in dependency["inputs"]:
        props = components[number]
        found.append(filled.get(props.get("elem_id"), props.get("value")))
    return found


def call(client: httpx.Client, root: str, fn: int, data: list) -> Answer:
    """One event through the queue, followed to its end."""
    session = f"session{fn}"
    joined = client.post(
        f"{root}/gradio_api/queue/join",
        json={"fn_index": fn, "data": data, "session_hash": session, "event_data": None},
    )
    if joined.status_code != 200:
        return Answer(fn, joined.status_code, False, joined.text)
    url = f"{root}/gradio_api/queue/data?session_hash={session}"
    with client.stream("GET", url) as stream:
        if stream.status_code != 200:
            return Answer(fn, stream.status_code, False, stream.read().decode())
        for line in stream.iter_lines():
            if not line.startswith("data:"):
                continue
            event = json.loads(line[5:])
            if event["msg"] in ("process_completed", "unexpected_error"):
                told = json.dumps(event.get("output", event))
                return Answer(fn, 200, bool(event.get("success")), told)
    return Answer(fn, 200, False, "nothing came back")


def replay(
    client: httpx.Client, root: str, config: dict[str, Any], filled: dict[str, Any] | None = None
) -> list[Answer]:
    """Every dependency that has a handler, in order."""
    filled = FILLED if filled is None else filled
    return [
        call(client, root, one["id"], arguments(config, one, filled))
        for one in dependencies(config)
        if one["backend_fn"]
    ]
