"""``enhancers batch`` as a user types it."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from enhancers.__main__ import main
from enhancers.cli.batch import with_address
from tests.support import image_files
from tests.support.batch_folders import fill, results


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return fill(tmp_path / "in")


def call(monkeypatch: pytest.MonkeyPatch, *arguments: object) -> int:
    monkeypatch.setattr(sys, "argv", ["enhancers", "batch", *map(str, arguments)])
    return main()


def test_a_batch_and_the_same_again(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    folder: Path,
    tmp_path: Path,
) -> None:
    arguments = (folder, "--methods", "clahe, srad", "--out", tmp_path / "out", "--slice", "all",
                 "--set", "clahe.clip_limit=3", "--modality", "mr")  # fmt: skip
    assert call(monkeypatch, *arguments) == 0
    assert "10 done" in capsys.readouterr().out
    assert call(monkeypatch, *arguments) == 0
    assert "10 kept" in capsys.readouterr().out
    assert len(results(tmp_path / "out")) == 10


def test_a_bad_file_is_status_one_and_a_sentence(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    folder: Path,
    tmp_path: Path,
) -> None:
    for index in range(12):
        (folder / f"{index}.dcm").write_bytes(b"")
    assert call(monkeypatch, folder, "--methods", "clahe", "--out", tmp_path / "out") == 1
    said = capsys.readouterr()
    assert "12 failed" in said.out
    assert "failed: 0.dcm: The file is empty (0 bytes)." in said.err
    assert "failed: and 2 more" in said.err
    assert len(results(tmp_path / "out")) == 3


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("{in}", "--methods", "clahee", "--out", "{out}"), "did you mean clahe"),
        (("{in}", "--methods", "clahe,clahe", "--out", "{out}"), "twice"),
        (("{in}", "--methods", "clahe", "--out", "{out}", "--set", "clip_limit=2"), "method.name"),
        (("{in}", "--methods", "clahe", "--out", "{out}", "--set", "srad.steps=2"), "method.name"),
        (("{in}", "--methods", "clahe", "--out", "{out}", "--set", "clahe.clip=2"), "clip_limit"),
        (("{in}", "--methods", "clahe", "--out", "{out}", "--set", "clahe.tiles=99"), "tiles=99"),
        (("{in}", "--methods", "clahe", "--out", "{out}", "--slice", "last"), "middle or all"),
        (("{in}", "--methods", "clahe", "--out", "{out}", "--format", "jpg"), "png or tif"),
        (("{in}", "--methods", "clahe", "--out", "{out}", "--modality", "XX"), "XX"),
        (("{in}", "--methods", "clahe", "--out", "{out}", "--device", "cuda:9"), "cuda:9"),
        (("{in}", "--methods", "clahe", "--out", "{out}", "--jobs", "0"), "--jobs"),
        (("{in}", "--methods", "clahe", "--out", "{in}"), "folder of their own"),
        (("{in}", "--methods", "clahe", "--out", "{in}/a.png"), "is a file"),
        (("{in}/a.png", "--methods", "clahe", "--out", "{out}"), "not a folder"),
        (("{in}/gone", "--methods", "clahe", "--out", "{out}"), "not a folder"),
        (("{empty}", "--methods", "clahe", "--out", "{out}"), "no image"),
        (("{in}", "--methods", "null_space", "--set", "null_space.prior=no-such-network",
          "--device", "cpu", "--out", "{out}"), "no-such-network"),
        (("{in}", "--methods", "clahe", "--out", "{out}", "--ray", "127.0.0.1:1"), "127.0.0.1:1"),
    ],
)  # fmt: skip
def test_every_error_is_one_line(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    folder: Path,
    tmp_path: Path,
    arguments: tuple[str, ...],
    says: str,
) -> None:
    empty = tmp_path / "empty"
    empty.mkdir()
    (empty / "notes.txt").write_text("nothing")
    places = {"in": folder, "out": tmp_path / "out", "empty": empty}
    assert call(monkeypatch, *(word.format(**places) for word in arguments)) == 2
    error = capsys.readouterr().err.split("\r")[-1].lstrip()
    assert error.startswith("error: ")
    assert error.count("\n") == 1
    assert says in error
    assert not list((tmp_path / "out").rglob("*.png"))


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (["d", "--ray"], ["d", "--ray", "local"]),
        (["--ray", "d"], ["--ray", "local", "d"]),
        (["--ray", "--jobs", "2"], ["--ray", "local", "--jobs", "2"]),
        (["--ray", "auto", "d"], ["--ray", "auto", "d"]),
        (["--ray", "10.0.0.1:6379"], ["--ray", "10.0.0.1:6379"]),
        (["--ray", "[::1]:6379"], ["--ray", "[::1]:6379"]),
        (["--ray", "ray://head:10001"], ["--ray", "ray://head:10001"]),
        (["--ray=auto", "d"], ["--ray=auto", "d"]),
    ],
)
def test_ray_may_stand_alone(given: list[str], expected: list[str]) -> None:
    assert with_address(given) == expected


def test_an_interrupted_batch_says_130_and_writes_its_table(
    monkeypatch: pytest.MonkeyPatch, folder: Path, tmp_path: Path
) -> None:
    from enhancers.batch.worker import Worker

    work = Worker.work
    done: list[object] = []

    def interrupted(self: Worker, *arguments: object) -> object:
        if done:
            raise KeyboardInterrupt
        done.append(1)
        return work(self, *arguments)

    monkeypatch.setattr(Worker, "work", interrupted)
    assert call(monkeypatch, folder, "--methods", "clahe", "--out", tmp_path / "out") == 130
    text = (tmp_path / "out" / "summary.csv").read_text()
    assert text.count(",done,") == 1
    assert text.count(",not run,") == 2
    assert not any(name in text for name in image_files.PATIENT)
