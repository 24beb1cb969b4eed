"""``enhancers networks`` as a user types it."""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from enhancers.networks import catalog
from enhancers.networks.catalog import NETWORKS
from enhancers.networks.entry import Download
from enhancers.networks.lookup import network_entry
from enhancers.phantoms import phantom
from enhancers.save import read_png16, save_png16
from tests.support.file_server import FakeSite, serving
from tests.support.network_files import guided_file, guided_tensors, pixel_pipeline
from tests.support.restoration_files import checkpoint
from tests.test_cli import call, fails

pytestmark = pytest.mark.usefixtures("models_folder")


def test_the_networks_are_listed_with_what_is_known(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert call(monkeypatch, "networks", "list", "--json") == 0
    found = {each["key"]: each for each in json.loads(capsys.readouterr().out)["priors"]}
    assert list(found) == [entry.key for entry in NETWORKS]
    assert found["pixel"]["present"]
    adm = found["adm256"]
    assert adm["status"] == "not here"
    assert adm["fetch_bytes"] == 2_211_383_297
    assert adm["sha256"].startswith("a37c32ff")
    assert adm["checkpoint"] == {"head_channels": 64, "qkv_order": "legacy"}
    assert adm["values"] == [-1.0, 1.0]
    assert adm["schedule"]["name"] == "linear"
    assert "without a licence" in found["mr-heart"]["source"]
    assert call(monkeypatch, "networks", "list") == 0
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == len(NETWORKS)
    assert any("fetch 2.1 GB" in line for line in lines)


def test_a_checkpoint_is_added_used_verified_and_removed(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    file = guided_file(tmp_path / "mine.pt")
    assert (
        call(
            monkeypatch,
            "networks",
            "add",
            file,
            "--head-channels",
            32,
            "--qkv-order",
            "legacy",
            "--label",
            "My network",
        )
        == 0
    )
    assert "--set prior=mine" in capsys.readouterr().out
    assert call(monkeypatch, "networks", "verify") == 0
    out = capsys.readouterr().out
    assert "WRONG" not in out
    assert "mine" in out
    weights = network_entry("mine").weights("unet")
    weights.write_bytes(weights.read_bytes()[:-1])
    assert call(monkeypatch, "networks", "verify", "mine") == 1
    out = capsys.readouterr().out
    assert "WRONG" in out
    assert "To mend it: remove it (python -m enhancers networks remove mine)" in out
    assert call(monkeypatch, "networks", "list") == 0
    assert "damaged" in capsys.readouterr().out
    assert call(monkeypatch, "networks", "remove", "mine", "--yes") == 0
    assert "are free" in capsys.readouterr().out


def test_an_added_network_is_sampled_from(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pixel_pipeline(tmp_path / "tiny")
    assert call(monkeypatch, "networks", "add", tmp_path / "tiny") == 0
    save_png16(tmp_path / "in.png", phantom("ct", size=64, seed=1).pixels)
    out, record = tmp_path / "out.png", tmp_path / "out.json"
    arguments = ["--set", "prior=tiny", "--set", "sigma=0.05", "--out", out, "--json", record]
    assert call(monkeypatch, "run", tmp_path / "in.png", "--method", "null_space", *arguments) == 0
    assert np.isfinite(read_png16(out.read_bytes())).all()
    assert json.loads(record.read_text())["prior"]["name"] == "tiny"


def test_a_fetch_says_the_size_and_wants_a_yes(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    content = guided_file(tmp_path / "net.pt").read_bytes()
    site = FakeSite({"/net.pt": content})
    with serving(site) as base:
        digest = hashlib.sha256(content).hexdigest()
        entry = replace(
            network_entry("adm256"),
            source=Download(f"{base}/net.pt", len(content), digest),
            parameters=sum(tensor.numel() for tensor in guided_tensors().values()),
        )
        monkeypatch.setattr(catalog, "NETWORKS", (entry,))
        assert "--yes" in fails(monkeypatch, capsys, "networks", "fetch", "adm256")
        monkeypatch.setattr("sys.stdin.isatty", lambda: True, raising=False)
        monkeypatch.setattr("typer.confirm", lambda _: False)
        assert call(monkeypatch, "networks", "fetch", "adm256") == 0
        out = capsys.readouterr().out
        assert f"{len(content) / 1e6:.1f} MB" in out
        assert "Licence: MIT" in out
        assert "Nothing was downloaded" in out
        assert site.asked == []
        assert call(monkeypatch, "networks", "fetch", "adm256", "--yes") == 0
        assert network_entry("adm256").present
        asked = len(site.asked)
        assert call(monkeypatch, "networks", "fetch", "adm256") == 0
        assert "is here already" in capsys.readouterr().out
        assert len(site.asked) == asked


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("fetch", "nothing"), "No network nothing"),
        (("fetch", "ct-abdomen"), "add CT.pt --like ct-abdomen"),
        (("fetch", "adm256"), "Nobody is here to ask"),
        (("verify", "sd15"), "networks fetch sd15"),
        (("verify", "nothing"), "No network nothing"),
        (("add", "{tmp}/none.pt"), "no file"),
        (("add", "{tmp}"), "holds no network"),
        (("add", "{tmp}/net.pt"), "--head-channels"),
        (("add", "{tmp}/net.pt", "--qkv-order", "old"), "old"),
        (("add", "{tmp}/text.pt", "--like", "adm256"), "not a checkpoint"),
        (("remove", "pixel", "--yes"), "comes with the project"),
        (("remove", "pixel"), "Nobody is here to ask"),
    ],
)
def test_every_error_is_one_line(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
    arguments: tuple[str, ...],
    says: str,
) -> None:
    guided_file(tmp_path / "net.pt")
    (tmp_path / "text.pt").write_text("not a network")
    filled = [argument.format(tmp=tmp_path) for argument in arguments]
    monkeypatch.setattr("sys.stdin.isatty", lambda: False, raising=False)
    assert says in fails(monkeypatch, capsys, "networks", *filled)


def test_a_method_with_a_missing_network_says_the_two_ways(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    save_png16(tmp_path / "in.png", phantom("ct", size=64, seed=1).pixels)
    told = fails(monkeypatch, capsys, "run", tmp_path / "in.png", "--method", "null_space",
                 "--set", "prior=adm256", "--out", tmp_path / "out.png")  # fmt: skip
    assert "networks fetch adm256" in told
    assert "networks add FILE --like adm256" in told


def test_a_network_for_restoration_becomes_a_method_of_every_command(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    file = checkpoint(tmp_path / "mine.pth", "SwinIR")
    stated = ("--licence", "MIT", "--source", "https://example.org")
    assert call(monkeypatch, "networks", "add", file, *stated) == 0
    assert "--method mine" in capsys.readouterr().out
    assert call(monkeypatch, "list", "--json") == 0
    listed = json.loads(capsys.readouterr().out)["methods"][-1]
    assert (listed["key"], listed["family"], listed["scale"]) == ("mine", "trained", 2)
    assert "Licence: MIT" in listed["citation"]
    (tmp_path / "in").mkdir()
    save_png16(tmp_path / "in" / "a.png", phantom("ct", size=64, seed=1).pixels)
    arguments = ["--methods", "mine", "--device", "cpu", "--out", tmp_path / "out"]
    assert call(monkeypatch, "batch", tmp_path / "in", *arguments) == 0
    [result] = (tmp_path / "out").rglob("*.png")
    assert read_png16(result.read_bytes()).shape == (128, 128)
    assert call(monkeypatch, "batch", tmp_path / "in", *arguments) == 0
    assert "1 kept" in capsys.readouterr().out
    assert call(monkeypatch, "networks", "list", "--json") == 0
    facts = json.loads(capsys.readouterr().out)["priors"][-1]
    assert (facts["restoration"]["source"], facts["licence"]) == ("https://example.org", "MIT")
    assert call(monkeypatch, "networks", "remove", "mine", "--yes") == 0
    said = fails(monkeypatch, capsys, "batch", tmp_path / "in", *arguments)
    assert "No method mine" in said
