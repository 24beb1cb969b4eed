"""Files are complete or absent, lines too, and templates escape what they are given."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
import time
from pathlib import Path

import pytest
from jinja2 import UndefinedError

from enhancers import files
from enhancers.files import (
    LEFTOVER_SECONDS,
    append_lines,
    atomic_path,
    blocks_of_lines,
    complete_lines,
    open_to_append,
    remove_leftovers,
    texts_from_the_end,
    write_atomic,
)
from enhancers.html_templates import html_templates


def test_a_file_is_replaced_in_one_step(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    write_atomic(path, b"first")
    write_atomic(path, b"second", sync=True)
    assert path.read_bytes() == b"second"
    assert list(tmp_path.iterdir()) == [path]


def test_an_error_leaves_the_old_file_and_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_bytes(b"old")

    def interrupted() -> None:
        with atomic_path(path) as part:
            part.write_bytes(b"half")
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        interrupted()
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_private_file_is_private_from_the_first_byte(tmp_path: Path) -> None:
    write_atomic(tmp_path / "key", b"secret", mode=0o600)
    assert stat.S_IMODE((tmp_path / "key").stat().st_mode) == 0o600


def test_leftovers_of_dead_processes_are_removed(tmp_path: Path) -> None:
    with atomic_path(tmp_path / "a.txt") as part:
        part.write_bytes(b"")
        old = part.with_name(f".old{part.name}")
        old.write_bytes(b"")
        os.utime(old, (time.time() - LEFTOVER_SECONDS - 60,) * 2)
        remove_leftovers(tmp_path)
        assert list(tmp_path.iterdir()) == [part]


def append(path: Path, *lines: bytes) -> None:
    with open_to_append(path) as file:
        append_lines(file, lines)


def test_a_line_that_was_cut_short_is_ignored_and_then_removed(tmp_path: Path) -> None:
    path = tmp_path / "rows"
    assert list(complete_lines(path)) == []
    append(path, b"one\n", b"two\n")
    for torn in (b"", b"th", b"th" * 10_000):
        path.write_bytes(b"one\ntwo\n" + torn)
        assert list(complete_lines(path)) == [b"one\n", b"two\n"]
        append(path, b"three\n")
        assert path.read_bytes() == b"one\ntwo\nthree\n"
    path.write_bytes(b"o")
    append(path, b"one\n")
    assert path.read_bytes() == b"one\n"


@pytest.mark.parametrize("block", [1, 7, 40, 1 << 20])
@pytest.mark.parametrize("torn", [b"", b"cut", b"cut" * 40])
def test_lines_are_read_from_both_ends(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, block: int, torn: bytes
) -> None:
    monkeypatch.setattr(files, "_BLOCK", block)
    lines = [b"%d" % number * (number % 23) + b"\n" for number in range(60)]
    for count in (0, 1, 2, 60):
        path = tmp_path / "rows"
        path.write_bytes(b"".join(lines[:count]) + torn)
        assert list(complete_lines(path)) == lines[:count]
        after = blocks_of_lines(path, start=len(lines[0]))
        assert [line for some in after for line in some] == lines[1:count]
        with path.open("rb") as file:
            texts = list(texts_from_the_end(file))
        ends = [place + len(text) for place, text in texts]
        assert ends[:1] == [path.stat().st_size - len(torn)][: bool(count)]
        texts = [text for text in texts if text[1]]
        for place, text in texts:
            assert path.read_bytes()[place : place + len(text)] == text
            assert text.endswith(b"\n")
        assert b"".join(text for _, text in reversed(texts)) == b"".join(lines[:count])


def test_processes_append_in_turn(tmp_path: Path) -> None:
    code = f"""
from pathlib import Path
from enhancers.files import append_lines, open_to_append
for _ in range(50):
    with open_to_append(Path({str(tmp_path / "rows")!r})) as file:
        append_lines(file, [b"x" * 20_000 + b"\\n"])
"""
    started = [subprocess.Popen([sys.executable, "-c", code]) for _ in range(2)]
    assert [process.wait(timeout=60) for process in started] == [0, 0]
    assert list(complete_lines(tmp_path / "rows")) == [b"x" * 20_000 + b"\n"] * 100


def test_templates_escape_values_and_refuse_missing_ones(tmp_path: Path) -> None:
    (tmp_path / "page.html").write_text("<p>{{ text }}</p>", encoding="utf-8")
    page = html_templates(tmp_path).get_template("page.html")
    assert page.render(text="<b>&") == "<p>&lt;b&gt;&amp;</p>"
    with pytest.raises(UndefinedError):
        page.render()
