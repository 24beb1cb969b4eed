"""The endpoints as MCP tools: only where the setting asks for them, and never those of a study."""

from __future__ import annotations

import asyncio
import base64
import importlib.util
import os
import subprocess
import sys
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import TypeVar

import httpx
import numpy as np
import pytest
from mcp import ClientSession
from mcp.client.streamable_http import streamablehttp_client

from enhancers.api import check_mcp
from enhancers.errors import ReadingRoomError
from enhancers.settings import Settings
from tests.support.image_files import png
from tests.support.program import ROOT, program
from tests.support.tiny_study import tiny_study

T = TypeVar("T")


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    folder = tmp_path_factory.mktemp("mcp")
    store = tiny_study(folder / "study")
    with program(
        mcp="true", study_dir=str(store.folder), cache_dir=str(folder / "cache"), device="cpu"
    ) as found:
        yield found
    store.close()


def ask(address: str, question: Callable[[ClientSession], Awaitable[T]]) -> T:
    async def answer() -> T:
        async with (
            streamablehttp_client(address + "/gradio_api/mcp/") as (reading, writing, _),
            ClientSession(reading, writing) as session,
        ):
            await session.initialize()
            return await question(session)

    return asyncio.run(answer())


def picture() -> str:
    data = png((np.random.default_rng(0).random((40, 32)) * 255).astype(np.uint8))
    return "data:image/png;base64," + base64.b64encode(data).decode()


def test_the_tools_are_the_endpoints(address: str) -> None:
    tools = {tool.name: tool for tool in ask(address, ClientSession.list_tools).tools}
    assert set(tools) == {"methods", "enhance", "metrics", "metrics_of_pairs", "degrade"}
    enhance = tools["enhance"]
    assert "Not a medical device" in (enhance.description or "")
    assert enhance.inputSchema["required"] == ["image", "method"]
    for tool in tools.values():
        for name, schema in tool.inputSchema["properties"].items():
            assert schema["description"], f"{tool.name}: {name}"
    for tool, name in (("enhance", "image"), ("metrics", "image"), ("metrics", "truth")):
        assert tools[tool].inputSchema["properties"][name]["type"] == "string"


@pytest.mark.exhaustive
def test_a_tool_runs_on_an_image(address: str) -> None:
    called = ask(
        address,
        lambda session: session.call_tool(
            "enhance", {"image": picture(), "method": "clahe", "seed": 1}
        ),
    )
    assert not called.isError
    assert "clahe.png" in called.content[0].text
    assert "clahe.json" in called.content[0].text
    scores = ask(address, lambda session: session.call_tool(
        "metrics", {"image": picture(), "truth": picture()}
    ))  # fmt: skip
    assert "'psnr': {'value': 'inf'" in scores.content[0].text


def test_a_mistake_is_one_sentence(address: str) -> None:
    called = ask(
        address,
        lambda session: session.call_tool("enhance", {"image": picture(), "method": "sharpen"}),
    )
    assert called.isError
    assert called.content[0].text.startswith("No method sharpen")


def test_a_study_beside_it_has_no_tools(address: str) -> None:
    for path in ("/reader", "/coordinator", "/demo"):
        answer = httpx.post(f"{address}{path}/gradio_api/mcp/", json={}, timeout=60)
        assert answer.status_code in (401, 403, 404, 405)


def test_it_is_off_unless_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("READINGROOM_MCP", raising=False)
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    assert Settings().mcp is False
    check_mcp(Settings())
    with pytest.raises(ReadingRoomError, match="pip install -r requirements-mcp"):
        check_mcp(Settings(mcp=True))


@pytest.mark.exhaustive
def test_without_the_package_the_program_says_so(tmp_path: Path) -> None:
    blocked = tmp_path / "sitecustomize.py"
    blocked.write_text("import sys\nsys.modules['mcp'] = None\n")
    done = subprocess.run(
        [sys.executable, "app.py"], cwd=ROOT, text=True, capture_output=True, check=False,
        env={**os.environ, "PYTHONPATH": str(tmp_path), "READINGROOM_MCP": "true"},
    )  # fmt: skip
    assert done.returncode == 2
    assert done.stderr.startswith("error: READINGROOM_MCP is on")
    assert done.stderr.count("\n") == 1
