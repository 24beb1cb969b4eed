"""What the files for containers and Spaces promise."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import threading
from collections.abc import Iterator
from fnmatch import fnmatch
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import gradio
import pytest
import yaml
from packaging.requirements import Requirement

from enhancers.networks.catalog import NETWORKS
from enhancers.networks.entry import Hub
from enhancers.settings import PREFIX, Settings

ROOT = Path(__file__).parents[1]
DOCUMENTED = {
    "title", "emoji", "colorFrom", "colorTo", "sdk", "python_version", "sdk_version",
    "suggested_hardware", "suggested_storage", "app_file", "app_port", "base_path", "fullWidth",
    "header", "short_description", "models", "datasets", "tags", "thumbnail", "pinned",
    "hf_oauth", "disable_embedding", "startup_duration_timeout", "custom_headers",
    "preload_from_hub", "license",
}  # fmt: skip
COLOURS = {"red", "yellow", "green", "blue", "indigo", "purple", "pink", "gray"}


def instructions() -> list[tuple[str, str]]:
    """Name and text of each instruction of the Dockerfile, with continued lines joined."""
    text = (ROOT / "Dockerfile").read_text(encoding="utf-8").replace("\\\n", " ")
    lines = [line for line in text.splitlines() if line.strip() and not line.startswith("#")]
    # An option may stand between an instruction and its continued line.
    return [(line.split()[0], line.split(maxsplit=1)[1].strip()) for line in lines]


def texts(name: str) -> list[str]:
    return [text for found, text in instructions() if found == name]


def copied() -> list[str]:
    return [
        source
        for text in texts("COPY")
        for source in [part for part in text.split() if not part.startswith("--")][:-1]
    ]


def is_sent(path: str) -> bool:
    """Whether .dockerignore lets a file through: the last pattern that fits decides."""
    sent = True
    for line in (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines():
        if not line or line.startswith("#"):
            continue
        pattern = line.removeprefix("!").removeprefix("**/")
        parts = path.split("/")
        prefixes = ["/".join(parts[: end + 1]) for end in range(len(parts))]
        if line.startswith("**/"):
            prefixes += parts
        if any(fnmatch(prefix, pattern) for prefix in prefixes):
            sent = line.startswith("!")
    return sent


def test_what_is_copied_is_there_and_is_sent_to_the_builder() -> None:
    assert {"requirements.txt", "app.py", "enhancers", "study", "assets"} <= set(copied())
    for source in copied():
        assert (ROOT / source).exists()
        assert is_sent(source)


@pytest.mark.parametrize(
    "path",
    [".venv/bin/python", ".git/config", "tests/test_app.py", "study1.key.json", "study/a.key.json",
     "study/study.sqlite", "enhancers/__pycache__/base.pyc", ".runs/pixel/x", "shared/x"],
)  # fmt: skip
def test_what_is_private_or_made_here_is_not_sent(path: str) -> None:
    assert not is_sent(path)


def test_the_container_does_not_run_as_root() -> None:
    names = [name for name, _ in instructions()]
    user = texts("USER")[-1]
    assert re.fullmatch(r"[1-9]\d*", user)
    assert any(f"--uid {user}" in text for text in texts("RUN"))
    assert "RUN" not in names[names.index("USER") :]


def environment() -> dict[str, str]:
    (text,) = texts("ENV")
    return dict(part.split("=", 1) for part in text.split())


def test_its_settings_are_settings_and_lie_in_the_volume() -> None:
    (volume,) = texts("VOLUME")
    given = environment()
    named = {
        name.removeprefix(PREFIX).lower(): value
        for name, value in given.items()
        if name.startswith(PREFIX)
    }
    assert named.keys() <= Settings.model_fields.keys()
    assert named["host"] == "0.0.0.0"
    assert texts("EXPOSE") == [named["port"]]
    for folder in (named["cache_dir"], named["models_dir"], given["HF_HOME"]):
        assert folder.startswith(volume + "/")


class Page(BaseHTTPRequestHandler):
    status = 200

    def do_GET(self) -> None:
        self.send_response(self.status)
        self.end_headers()
        self.wfile.write(b"<html>")

    def log_message(self, *args: object) -> None:
        return


@pytest.fixture
def port() -> Iterator[int]:
    with HTTPServer(("127.0.0.1", 0), Page) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server.server_port
        server.shutdown()


def test_the_health_check_asks_for_the_page(port: int, monkeypatch: pytest.MonkeyPatch) -> None:
    (text,) = texts("HEALTHCHECK")
    command = json.loads(text[text.index("[") :])
    assert command[0] == "python"

    def answer() -> int:
        asked = {**os.environ, "READINGROOM_PORT": str(port)}
        words = [sys.executable, *command[1:]]
        return subprocess.run(words, env=asked, capture_output=True, check=False).returncode

    assert answer() == 0
    monkeypatch.setattr(Page, "status", 500)
    assert answer() != 0


def test_the_space_is_described_in_documented_words() -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    _, front, page = text.split("---\n", 2)
    told = yaml.safe_load(front)
    assert told.keys() <= DOCUMENTED
    assert {told["colorFrom"], told["colorTo"]} <= COLOURS
    assert len(told["short_description"]) <= 60
    assert (ROOT / told["app_file"]).is_file()
    assert told["sdk"] == "gradio"
    (wanted,) = [
        each
        for line in (ROOT / "requirements.txt").read_text(encoding="utf-8").splitlines()
        if line.strip() and (each := Requirement(line)).name == "gradio"
    ]
    assert told["sdk_version"] in wanted.specifier
    assert told["sdk_version"].split(".")[0] == gradio.__version__.split(".")[0]
    assert told["python_version"] in ("3.11", "3.12", "3.13")
    assert told["emoji"].isprintable()
    assert not told["emoji"].isascii()
    assert re.fullmatch(r"\d+[mh]", told["startup_duration_timeout"])
    assert page.lstrip().startswith("![Reading Room")


def test_a_space_preloads_the_revision_that_the_catalogue_knows() -> None:
    front = yaml.safe_load((ROOT / "README.md").read_text(encoding="utf-8").split("---\n", 2)[1])
    (line,) = front["preload_from_hub"]
    repository, files, revision = line.split()
    assert front["models"] == [repository]
    (source,) = {entry.source for entry in NETWORKS if isinstance(entry.source, Hub)}
    assert repository == source.repository
    assert revision == source.revision
    assert files.split(",") == [file.path for file in source.files]


def tracked() -> list[str]:
    listed = ["git", "ls-files", "-z"]
    done = subprocess.run(listed, cwd=ROOT, capture_output=True, text=True, check=False)
    if done.returncode:
        pytest.skip("this is no clone")
    return [name for name in done.stdout.split("\0") if name and (ROOT / name).is_file()]


def is_binary(name: str) -> bool:
    """As git and the Hub see it: a zero byte in its beginning."""
    with (ROOT / name).open("rb") as file:
        return b"\0" in file.read(8000)


def test_what_is_pushed_to_a_space_holds_no_plain_binary() -> None:
    recipe = (ROOT / "docs" / "spaces.md").read_text(encoding="utf-8")
    (line,) = re.findall(r"^printf '%s filter=lfs.*> \.gitattributes$", recipe, re.MULTILINE)
    patterns = re.findall(r"'(\*\.\w+)'", line)
    plain = (ROOT / ".gitattributes").read_text(encoding="utf-8")
    binaries = [name for name in tracked() if is_binary(name)]
    assert len(binaries) > 50
    for name in binaries:
        assert any(fnmatch(name, pattern) for pattern in patterns), name
    for pattern in patterns:
        assert f"{pattern} binary" in plain
    # With git-lfs installed, a filter here would show every image as modified.
    assert "filter=" not in plain
