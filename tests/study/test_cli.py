"""The study's command line as a coordinator types it."""

from __future__ import annotations

import json
import sqlite3
import stat
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from enhancers.save import save_png16
from study.cli import main

METHODS = ("clean", "weak", "strong")
HEAVY = {"torch", "sqlalchemy", "gradio", "fastapi", "uvicorn", "matplotlib", "enhancers"}


def call(monkeypatch: pytest.MonkeyPatch, *arguments: object) -> int:
    monkeypatch.setattr(sys, "argv", ["study", *map(str, arguments)])
    return main()


def fails(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], *arguments: object
) -> str:
    capsys.readouterr()
    assert call(monkeypatch, *arguments) == 2
    told = capsys.readouterr()
    assert told.err.count("\n") == 1
    assert told.err.startswith("error: ")
    assert "Traceback" not in told.err + told.out
    return told.err


@pytest.fixture
def manifest(tmp_path: Path) -> Path:
    """Five cases under three methods, ready-made."""
    images = tmp_path / "images"
    images.mkdir()
    y, x = np.mgrid[:48, :48] / 48 - 0.5
    lines = ["case,patient,method,file,training"]
    for case in range(5):
        disc = 0.2 + 0.5 * (np.hypot(x - 0.05 * case, y) < 0.3)
        for place, method in enumerate(METHODS):
            noise = np.random.default_rng(case).normal(size=(48, 48)) * 0.03 * place
            name = f"{method}_{case}.png"
            save_png16(images / name, np.clip(disc + noise, 0, 1).astype(np.float32))
            lines.append(f"case{case},pat{case},{method},{name},{'yes' if case == 4 else ''}")
    path = images / "manifest.csv"
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


@pytest.fixture
def protocol(tmp_path: Path) -> Path:
    path = tmp_path / "protocol.json"
    small = {"readers": 2, "training": 1, "dummies": 1, "repeats": 2, "nulls": 1}
    path.write_text(json.dumps(small), encoding="utf-8")
    return path


def test_a_study_from_init_to_unblinding(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
    manifest: Path,
    protocol: Path,
) -> None:
    folder, key = tmp_path / "study", tmp_path / "key.json"

    def done(*arguments: object) -> str:
        capsys.readouterr()
        assert call(monkeypatch, *arguments) == 0
        return capsys.readouterr().out

    done("init", folder, "--key", key, "--protocol", protocol, "--code", "T1")
    assert stat.S_IMODE(key.stat().st_mode) == 0o600
    monkeypatch.setenv("READINGROOM_STUDY_KEY", str(key))

    assert "There are no stimuli yet" in fails(monkeypatch, capsys, "freeze", folder)
    built = done("build", folder, "--manifest", manifest, "--reference", "clean",
                 "--group", "weak=filter", "--group", "strong=neural network",
                 "--group", "clean=not processed", "--accept-differences",
                 "--actor", "anna")  # fmt: skip
    assert "5 cases (1 for training) x 3 methods: 15 stimuli rendered" in built
    again = done("build", folder, "--manifest", manifest, "--reference", "clean",
                 "--group", "weak=filter", "--group", "strong=neural network",
                 "--group", "clean=not processed", "--accept-differences")  # fmt: skip
    assert "0 stimuli rendered, 15 kept" in again

    assert "12 (4 cases x 3 method pairs)" in done("plan", folder)
    done("plan", folder, "--readers", 3, "--save")
    frozen = done("freeze", folder, "--pair", "clean vs weak", "--pair", "weak vs strong")
    assert "Frozen: 3 readers, 4 cases, 3 methods, 13 pairs for each reader." in frozen
    assert "4 cases x 2 method pairs" in done("plan", folder)
    assert not any(name in frozen for name in METHODS)

    assert done("open", folder) == "The study is open.\n"
    one = done("invite", folder, "R02", "--url", "https://study.example/").split("\t")
    assert one[0] == "R02"
    assert one[2].startswith("https://study.example/reader/join/")
    everyone = done("invite", folder, "--all").splitlines()
    assert [line.split("\t")[0] for line in everyone] == ["R01", "R03"]
    assert done("invite", folder, "--all") == ""
    assert done("invite", folder, "--staff", "Anna").startswith("anna\tsecret ")
    assert done("invite", folder, "--staff", "mona", "--monitor").startswith("mona\tsecret ")

    assert "are whole" in done("verify", folder, "--images")
    assert "15 images, verified" in done("backup", folder, tmp_path / "copy", "--images")
    assert "close it before unblinding" in fails(
        monkeypatch, capsys, "unblind", folder, "--second", "bert"
    )
    assert done("close", folder) == "The study is closed.\n"
    assert "cannot confirm alone" in fails(
        monkeypatch, capsys, "unblind", folder, "--actor", "anna", "--second", "Anna"
    )
    names = done("unblind", folder, "--actor", "anna", "--second", "bert").splitlines()
    assert sorted(line.split("\t")[1] for line in names) == sorted(METHODS)
    assert [line.split("\t")[0] for line in names] == ["M1", "M2", "M3"]

    with sqlite3.connect(folder / "study.sqlite") as database:
        rows = list(database.execute("SELECT actor, action FROM audit_event"))
    assert ("anna", "build") in rows
    assert ("anna", "unblind") in rows


def test_verify_names_the_first_broken_row(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    folder = tmp_path / "study"
    assert call(monkeypatch, "init", folder, "--key", tmp_path / "key.json") == 0
    mirror = folder / "mirror.jsonl"
    mirror.write_text(mirror.read_text().replace("create", "crEate"), encoding="utf-8")
    capsys.readouterr()
    assert call(monkeypatch, "verify", folder) == 1
    assert "audit_event row 1" in capsys.readouterr().out


def test_a_protocol_is_written_edited_and_used(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    path = tmp_path / "protocol.json"
    assert call(monkeypatch, "plan", "--cases", 20, "--methods", 4, "--write", path) == 0
    assert "120 (20 cases x 6 method pairs)" in capsys.readouterr().out
    edited = json.loads(path.read_text()) | {"title": "Noise in CT", "readers": 9}
    path.write_text(json.dumps(edited))
    assert call(monkeypatch, "init", tmp_path / "s", "--key", tmp_path / "k", "--protocol", path,
                "--readers", 7) == 0  # fmt: skip
    with sqlite3.connect(tmp_path / "s" / "study.sqlite") as database:
        stored = json.loads(database.execute("SELECT protocol_json FROM study").fetchone()[0])
    assert (stored["title"], stored["readers"]) == ("Noise in CT", 7)
    assert "file at" in fails(
        monkeypatch, capsys, "plan", "--cases", 2, "--methods", 2, "--write", path
    )


def test_a_failed_init_leaves_no_key(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    folder, key = tmp_path / "study", tmp_path / "key.json"
    assert call(monkeypatch, "init", folder, "--key", key) == 0
    kept = key.read_bytes()
    assert "already" in fails(monkeypatch, capsys, "init", folder, "--key", tmp_path / "other")
    assert not (tmp_path / "other").exists()
    assert "never overwritten" in fails(
        monkeypatch, capsys, "init", tmp_path / "second", "--key", key
    )
    assert key.read_bytes() == kept
    assert not (tmp_path / "second").exists()
    assert "lies in the study folder" in fails(
        monkeypatch, capsys, "init", tmp_path / "third", "--key", tmp_path / "third" / "key"
    )


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["nonsense"], "No such command"),
        (["build", "DIR"], "Missing option '--key'"),
        (["build", "DIR", "--key", "K"], "one of --manifest, --folders and --images; 0 are"),
        (["build", "DIR", "--key", "K", "--manifest", "m.csv", "--folders", "f"], "2 are given"),
        (["build", "DIR", "--key", "K", "--folders", "f", "--method", "nlm"], "go with --images"),
        (["build", "DIR", "--key", "K", "--manifest", "m.csv"], "m.csv"),
        (["freeze", "DIR", "--key", "K", "--pair", "nlm"], '--pair nlm is not "A vs B"'),
        (["plan"], "Give --cases and --methods"),
        (["plan", "--cases", "9", "--methods", "3", "--save"], "--save needs the folder"),
        (["plan", "--protocol", "none.json"], "none.json"),
        (["open", "DIR"], "No study database"),
        (["invite", "DIR"], "Say who is invited"),
        (["invite", "DIR", "R01", "--staff", "anna"], "Say who is invited"),
        (["verify", "DIR", "--database", "nonsense"], "address cannot be read"),
        (["unblind", "DIR", "--key", "K"], "Missing option '--second'"),
        (["stats", "fleiss", "--ratings", "none.csv"], "none.csv cannot be read"),
        (["stats", "kappa", "--ratings", "none.csv"], "choose from fleiss"),
    ],
)
def test_errors_are_one_line_and_status_2(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
    arguments: list[str],
    says: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("READINGROOM_STUDY_KEY", raising=False)
    assert says in fails(monkeypatch, capsys, *arguments)


def test_a_protocol_that_is_no_text_is_told(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    path = tmp_path / "protocol.json"
    path.write_bytes(b"\xff\xfe\x00")
    assert "not a text in UTF-8" in fails(monkeypatch, capsys, "plan", "--protocol", path)


def test_statistics_need_no_database_no_server_and_no_torch(tmp_path: Path) -> None:
    ratings = tmp_path / "ratings.csv"
    rows = [(item, rater) for item in "abcdef" for rater in "12"]
    lines = [f"{item},{rater},{1 + (ord(item) + int(rater)) % 3}" for item, rater in rows]
    ratings.write_text("\n".join(["item,rater,value", *lines]) + "\n", encoding="utf-8")
    code = (
        "import sys\n"
        f"sys.argv = ['study', 'stats', 'fleiss', '--ratings', {str(ratings)!r}, '--json',"
        " '--scale', '1:5']\n"
        "from study.cli import main\n"
        "status = main()\n"
        f"print(sorted({HEAVY!r} & set(sys.modules)), file=sys.stderr)\n"
        "sys.exit(status)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    found = json.loads(done.stdout)
    assert (found["kind"], found["items"], found["raters"]) == ("fleiss", 6, 2)
    assert found["scale"]["categories"] == ["1", "2", "3", "4", "5"]
    assert found["results"]["kappa"]["value"] == pytest.approx(-0.5)
    assert done.stderr.strip() == "[]"


def test_statistics_as_text(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    ratings = tmp_path / "ratings.csv"
    ratings.write_text("item,rater,value\na,1,3\na,2,3\nb,1,2\nb,2,2\n", encoding="utf-8")
    assert call(monkeypatch, "stats", "cohen", "--ratings", ratings, "--scale", "1:5") == 0
    assert "2 items, 2 raters, 4 ratings" in capsys.readouterr().out


def test_the_module_runs() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "study", "--help"], capture_output=True, text=True, check=True
    )
    for command in ("plan", "init", "build", "freeze", "open", "invite", "serve", "close",
                    "unblind", "stats", "backup", "verify"):  # fmt: skip
        assert f"\n  {command} " in done.stdout
