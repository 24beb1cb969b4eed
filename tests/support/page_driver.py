"""A browser tab without a browser: fires the events of a page over HTTP, as Gradio's script does.

What the script does with events decides whether a page stays usable: an event may be dropped or
deferred while one of the same listener is being answered, answers may change fields, and changed
fields fire events themselves.
"""

from __future__ import annotations

import json
import secrets
import socket
import threading
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import httpx

from enhancers.settings import read_settings
from enhancers.ui import ComparePage, launch


@contextmanager
def served(page: ComparePage) -> Iterator[str]:
    """Serve the compare page on a free port, as `enhancers.ui.launch` does."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    try:
        launch(page, read_settings().model_copy(update={"port": port}))
        yield f"http://127.0.0.1:{port}"
    finally:
        page.blocks.close()


class DrivenTab:
    """One tab: its components' properties, and the events that are being answered.

    ``answers`` holds each answered dependency and the last message about it.
    """

    def __init__(self, address: str) -> None:
        self.client = httpx.Client(base_url=address, timeout=60)
        config = self.client.get("/config").json()
        self.hash = secrets.token_hex(6)
        self.props = {one["id"]: dict(one["props"]) for one in config["components"]}
        self.ids = {
            props["elem_id"]: number for number, props in self.props.items() if props.get("elem_id")
        }
        self.deps = {dep["id"]: dep for dep in config["dependencies"]}
        self.events: dict[str, dict[str, Any]] = {}
        self.streams: dict[str, list[Any]] = {}
        self.answers: list[tuple[dict[str, Any], dict[str, Any]]] = []
        self.deferred: dict[int, Any] = {}
        self.lock = threading.RLock()
        self.changed = threading.Condition(self.lock)
        self.reader: threading.Thread | None = None
        self.targets = defaultdict(list)
        self.after = defaultdict(list)
        for dep in self.deps.values():
            for number, event in dep["targets"]:
                self.targets[number, event].append(dep["id"])
            if dep.get("trigger_after") is not None:
                self.after[dep["trigger_after"]].append(dep["id"])

    def prop(self, elem_id: str, name: str = "value") -> Any:
        with self.lock:
            return self.props[self.ids[elem_id]].get(name)

    def set(self, elem_id: str, value: Any, event: str = "input") -> None:
        """Change a field as its user does; a change of its value is an event as well."""
        with self.lock:
            self._assign(self.ids[elem_id], {"value": value})
            self.fire(elem_id, event)

    def fire(self, elem_id: str, event: str, data: Any = None) -> None:
        """An event of a component."""
        with self.lock:
            for dep in self.targets[self.ids[elem_id], event]:
                self._dispatch(dep, data)

    def call(self, number: int) -> None:
        """The event of a dependency, whatever would cause it."""
        with self.lock:
            self._dispatch(number, {"index": 0, "value": ""})

    def load(self, *arguments: Any) -> None:
        """What happens when the page is opened; ``arguments`` come from the page's script."""
        with self.lock:
            for (_, event), deps in list(self.targets.items()):
                if event == "load":
                    for dep in deps:
                        self._dispatch(dep, None, list(arguments))

    def upload(self, elem_id: str, name: str, content: bytes) -> None:
        answer = self.client.post("/gradio_api/upload", files={"files": (name, content)})
        file = {"path": answer.json()[0], "orig_name": name, "meta": {"_type": "gradio.FileData"}}
        several = self.prop(elem_id, "file_count") == "multiple"
        self.set(elem_id, [file] if several else file, "upload")

    def wait(self, seconds: float = 30.0) -> None:
        """Until every event is answered."""
        with self.changed:
            idle = self.changed.wait_for(lambda: not self.events and not self.deferred, seconds)
            pending = [event["dep"]["id"] for event in self.events.values()]
        assert idle, f"still being answered: {pending}"

    def answered(self, seconds: float = 10.0) -> None:
        """Until every event is answered or streams its answer."""
        with self.changed:
            self.changed.wait_for(lambda: all(key in self.streams for key in self.events), seconds)

    def close(self) -> None:
        reader = self.reader
        if reader is not None:
            reader.join(10)
        self.client.close()

    def _dispatch(self, number: int, data: Any, arguments: list[Any] | None = None) -> None:
        dep = self.deps[number]
        pending = any(event["dep"] is dep for event in self.events.values())
        if pending and dep["trigger_mode"] == "once":
            return
        if pending and dep["trigger_mode"] == "always_last":
            self.deferred[number] = data
            return
        if arguments is None or len(arguments) != len(dep["inputs"]):
            arguments = [self.props[each].get("value") for each in dep["inputs"]]
        body = {
            "fn_index": number,
            "data": arguments,
            "event_data": data,
            "session_hash": self.hash,
        }
        joined = self.client.post("/gradio_api/queue/join", json=body)
        joined.raise_for_status()
        self.events[joined.json()["event_id"]] = {"dep": dep}
        if self.reader is None:
            self.reader = threading.Thread(target=self._read, daemon=True)
            self.reader.start()

    def _read(self) -> None:
        url = f"/gradio_api/queue/data?session_hash={self.hash}"
        with self.client.stream("GET", url) as stream:
            for line in stream.iter_lines():
                if line.startswith("data:"):
                    message = json.loads(line[5:])
                    if message["msg"] == "close_stream":
                        break
                    self._receive(message)
        with self.changed:
            self.reader = None
            if self.events:
                # An event joined while the stream was being closed.
                self.reader = threading.Thread(target=self._read, daemon=True)
                self.reader.start()

    def _receive(self, message: dict[str, Any]) -> None:
        with self.changed:
            event = self.events.get(message.get("event_id", ""))
            if event is None:
                return
            dep, key = event["dep"], message["event_id"]
            if message["msg"] == "process_generating":
                self._show(dep, self._patched(key, message["output"]))
            elif message["msg"] == "process_completed":
                if message["success"]:
                    self._show(dep, message["output"].get("data", []))
                self.answers.append((dep, message))
                del self.events[key]
                self.streams.pop(key, None)
                for follower in self.after[dep["id"]]:
                    self._dispatch(follower, None)
                if dep["id"] in self.deferred:
                    self._dispatch(dep["id"], self.deferred.pop(dep["id"]))
            self.changed.notify_all()

    def _patched(self, key: str, output: dict[str, Any]) -> list[Any]:
        """The data of a stream: complete at first, then as differences to the data before."""
        data = output.get("data", [])
        if key not in self.streams:
            self.streams[key] = data
        else:
            self.streams[key] = [
                patched(old, new) for old, new in zip(self.streams[key], data, strict=False)
            ]
        return self.streams[key]

    def _show(self, dep: dict[str, Any], data: list[Any]) -> None:
        for number, value in zip(dep["outputs"], data, strict=False):
            if isinstance(value, dict) and value.get("__type__") == "update":
                self._assign(number, {k: v for k, v in value.items() if k != "__type__"})
            else:
                self._assign(number, {"value": value})

    def _assign(self, number: int, props: dict[str, Any]) -> None:
        before = self.props[number].get("value")
        self.props[number].update(json.loads(json.dumps(props)))
        if "value" in props and props["value"] != before:
            for dep in self.targets[number, "change"]:
                self._dispatch(dep, None)


def patched(old: Any, changes: list[Any]) -> Any:
    """Apply the differences of a stream."""
    found = [json.loads(json.dumps(old))]
    for action, path, value in changes:
        *way, last = [0, *path]
        target = found
        for step in way:
            target = target[step]
        if action == "replace":
            target[last] = value
        elif action == "append":
            target[last] += value
        elif action == "add":
            target.insert(last, value) if isinstance(target, list) else target.update({last: value})
        elif action == "delete":
            del target[last]
    return found[0]
