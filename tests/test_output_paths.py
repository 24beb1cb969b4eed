"""Where results cannot be written: said before anything is computed, with what to do."""

from __future__ import annotations

import errno
import sys
from pathlib import Path

import pytest

import study.cli
from enhancers.__main__ import main
from enhancers.files import system_error
from tests.support import image_files


def error_of(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], *given: object
) -> str:
    monkeypatch.setattr(sys, "argv", ["enhancers", *map(str, given)])
    assert main() == 2
    found = capsys.readouterr()
    assert found.out == ""
    return found.err.splitlines()[-1]


@pytest.mark.parametrize(
    "command",
    [
        ("run", "{image}", "--method", "tv", "--out", "{out}", "--maps", "{below}"),
        ("batch", "{folder}", "--methods", "tv", "--out", "{below}"),
        ("samples", "--out", "{below}"),
        ("evaluate", "--protocol", "x", "--data", "phantoms", "--out", "{below}"),
        ("networks", "train", "--which", "pixel", "--out", "{below}"),
    ],
)
def test_a_folder_below_a_file_is_refused_first(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
    command: tuple[str, ...],
) -> None:
    (tmp_path / "in").mkdir()
    image = tmp_path / "in" / "a.png"
    image.write_bytes(image_files.png(image_files.ramp()))
    places = {
        "image": image, "folder": tmp_path / "in", "out": tmp_path / "out.png",
        "below": image / "x" / "y",
    }  # fmt: skip
    said = error_of(monkeypatch, capsys, *(word.format(**places) for word in command))
    assert f"{image} is a file; give a folder" in said
    assert not (tmp_path / "out.png").exists()


def test_what_the_system_refuses_is_a_sentence(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    file = tmp_path / "file"
    file.write_text("")
    with pytest.raises(NotADirectoryError) as found:
        (file / "x").mkdir()
    assert system_error(found.value) == (
        f"{file / 'x'}: a part of the path is a file and not a folder; give another path."
    )
    assert system_error(OSError(errno.ENOSPC, "No space left on device")) == (
        "The disk is full; make room, or give a path on another one."
    )
    assert system_error(OSError("a sentence")) == "a sentence"
    monkeypatch.setattr(sys, "argv", ["study", "demo", "--folder", str(file / "x")])

    def refused(**_: object) -> int:
        (file / "x").mkdir()
        return 0

    monkeypatch.setattr(study.cli, "app", refused)
    assert study.cli.main() == 2
    assert "give another path" in capsys.readouterr().err
