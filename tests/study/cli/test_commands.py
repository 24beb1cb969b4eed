"""The study's command line as a coordinator types it."""

from __future__ import annotations

import io
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
from study.demo.reader_model import ReaderModel
from study.demo.simulated_readers import read
from study.storage import key_file
from study.storage.store import Store

METHODS = ("clean", "weak", "strong")
BUILD = ("--reference", "clean", "--group", "weak=filter", "--group", "strong=neural network",
         "--group", "clean=not processed", "--accept-differences")  # fmt: skip
HEAVY = {"torch", "sqlalchemy", "gradio", "fastapi", "uvicorn", "matplotlib", "enhancers.image"}


class Terminal:
    """Types commands and reads what they print."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
        self.patch, self.capture = monkeypatch, capsys

    def types(self, line: str, *, terminal: bool = False) -> None:
        """What a command reads that asks for a line."""
        typed = io.StringIO(f"{line}\n")
        self.patch.setattr(typed, "isatty", lambda: terminal)
        self.patch.setattr(sys, "stdin", typed)

    def call(self, *arguments: object) -> int:
        self.capture.readouterr()
        self.patch.setattr(sys, "argv", ["study", *map(str, arguments)])
        return main()

    def done(self, *arguments: object) -> str:
        """What a command prints that succeeds."""
        assert self.call(*arguments) == 0
        return self.capture.readouterr().out

    def fails(self, *arguments: object) -> str:
        """The one line of a command that fails."""
        assert self.call(*arguments) == 2
        output = self.capture.readouterr()
        assert output.err.count("\n") == 1
        assert output.err.startswith("error: ")
        assert "Traceback" not in output.err + output.out
        return output.err


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Terminal:
    monkeypatch.delenv("READINGROOM_STUDY_KEY", raising=False)
    return Terminal(monkeypatch, capsys)


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


@pytest.fixture
def built(terminal: Terminal, tmp_path: Path, manifest: Path, protocol: Path) -> Path:
    """The folder of a draft with its images; the key is in the environment."""
    folder, key = tmp_path / "study", tmp_path / "key.json"
    terminal.done("init", folder, "--key", key, "--protocol", protocol, "--code", "T1")
    terminal.patch.setenv("READINGROOM_STUDY_KEY", str(key))
    output = terminal.done("build", folder, "--manifest", manifest, *BUILD, "--actor", "anna")
    assert "5 cases (1 for training) x 3 methods: 15 stimuli rendered" in output
    return folder


def test_from_a_draft_to_an_open_study(terminal: Terminal, built: Path, tmp_path: Path) -> None:
    done = terminal.done
    assert stat.S_IMODE((tmp_path / "key.json").stat().st_mode) == 0o600
    again = done("build", built, "--manifest", tmp_path / "images" / "manifest.csv", *BUILD)
    assert "0 stimuli rendered, 15 kept" in again
    assert "12 (4 cases x 3 method pairs)" in done("plan", built)
    done("plan", built, "--readers", 3, "--save")
    frozen = done("freeze", built, "--pair", "clean vs weak", "--pair", "weak vs strong")
    assert "Frozen: 3 readers, 4 cases, 3 methods, 13 pairs for each reader." in frozen
    assert not any(name in frozen for name in METHODS)
    assert "4 cases x 2 method pairs" in done("plan", built)

    assert done("open", built) == "The study is open.\n"
    one = done("invite", built, "R02", "--url", "https://study.example/").rstrip().split("\t")
    assert one[0] == "R02"
    assert one[2].startswith("https://study.example/reader/join/")
    everyone = done("invite", built, "--all").splitlines()
    assert [line.split("\t")[0] for line in everyone] == ["R01", "R03"]
    assert done("invite", built, "--all") == ""
    assert done("invite", built, "--staff", "Anna").startswith("anna\tsecret ")
    assert done("invite", built, "--staff", "mona", "--monitor").startswith("mona\tsecret ")
    with sqlite3.connect(built / "study.sqlite") as database:
        assert list(database.execute("SELECT code, role FROM staff ORDER BY code")) == [
            ("anna", "admin"), ("mona", "monitor"),
        ]  # fmt: skip

    assert "are intact" in done("verify", built, "--images")
    assert "15 images, verified" in done("backup", built, tmp_path / "copy", "--images")
    assert "overwrites nothing" in terminal.fails("backup", built, tmp_path / "copy")


def _closes_on_purpose_only(terminal: Terminal, unread: Path) -> None:
    terminal.types("n", terminal=True)
    assert terminal.call("close", unread) == 1
    asked = terminal.capture.readouterr()
    assert "are not read, and a closed study is never opened again" in asked.out + asked.err
    assert "is open" in terminal.done("status", unread)


def test_from_ratings_to_the_report_with_names(
    terminal: Terminal, built: Path, tmp_path: Path
) -> None:
    done, fails, key = terminal.done, terminal.fails, tmp_path / "key.json"
    inference = ("--random", "cases", "--hypothesis", "non-inferiority", "--margin", 1.5)
    frozen = done("freeze", built, "--primary", "strong vs weak", *inference)
    assert "patients are few" in frozen
    assert "No primary comparison" not in frozen
    done("open", built)
    _closes_on_purpose_only(terminal, built)
    _read(built, key)
    page = tmp_path / "page.html"
    for command in (("export", built, "--out", tmp_path / "t"), ("report", built, "--out", page)):
        assert "Close it first" in fails(*command)
    assert "close it before unblinding" in fails("unblind", built, "--second", "bert")
    signing = ("--signing-key", tmp_path / "signing.key")
    assert "Make one: head -c 32" in fails("close", built, *signing)
    signing[1].write_bytes(b"0123456789abcdef" * 2)
    closed, head = done("close", built, *signing).splitlines()
    assert closed == "The study is closed."
    assert done("verify", built, "--head", head, *signing).splitlines()[-1] == head

    texts = [
        Path(path).read_text() for path in done("export", built, "--out", tmp_path / "t").split()
    ]
    assert len(texts) > 4
    assert texts[-1].splitlines()[0] == done("verify", built).splitlines()[-1]
    assert not any(name in text for text in texts for name in ("weak", "strong", "case0", "pat0"))
    run = done("report", built, "--out", page).split("analysis ")[1].rstrip(")\n")
    assert page.stat().st_mode & 0o777 == 0o600
    for words in ("<html", "before the first rating: that M", "and exactly these readers"):
        assert words in page.read_text()
    assert "strong" not in page.read_text()
    assert done("report", built, "--again", run) == "The same, byte for byte.\n"
    assert "no analysis 'x'" in fails("report", built, "--again", "x")
    assert "--out FILE.html" in fails("report", built)
    assert "There is a file at" in fails("report", built, "--out", page)

    # The environment's key names nothing before the unblinding; asking for names by hand fails.
    assert "unblind" in fails("export", built, "--out", tmp_path / "early", "--key", key)

    two = ("unblind", built, "--actor", "anna", "--second")
    assert "cannot confirm alone" in fails(*two, "Anna")
    # Words are not enough: the second person types the secret of an account.
    assert "no administrator's account" in fails(*two, "bert")
    secret = done("invite", built, "--staff", "bert", "--actor", "root").split("\t")[1].split()[1]
    terminal.types("0000")
    assert "do not belong together" in fails(*two, "bert")
    terminal.types(secret)
    assert "could use both accounts" in fails(
        "unblind", built, "--actor", "root", "--second", "bert"
    )
    terminal.types(secret)
    names = [line.split("\t") for line in done(*two, "bert").splitlines()]
    assert [name[0] for name in names] == ["M1", "M2", "M3"]
    assert sorted(name[1] for name in names) == sorted(METHODS)
    for options, named in (((), True), (("--key", key), True), (("--masked",), False)):
        folder = tmp_path / f"tables{len(options)}{named}"
        tables = done("export", built, "--out", folder, *options).split()
        assert any("strong" in Path(path).read_text() for path in tables) is named
    _files_with_names(terminal, built, tmp_path)
    with sqlite3.connect(built / "study.sqlite") as database:
        rows = list(database.execute("SELECT actor, action FROM audit_event"))
    assert {("anna", "build"), ("anna", "unblind")} <= set(rows)


def _files_with_names(terminal: Terminal, built: Path, folder: Path) -> None:
    """The tables and figures of a report, and an export as Parquet."""
    done, fails = terminal.done, terminal.fails
    report = ("report", built, "--out", folder / "named.html", "--tables")
    assert "is not empty" in fails(*report, folder)
    figures = folder / "figures"
    done(*report, folder / "report-tables", "--figures", figures)
    for name in ("named.html", "report-tables/tables.html", "report-tables/tables.tex"):
        assert "strong" in (folder / name).read_text()
    assert (figures / "primary.svg").exists()
    assert (figures / "primary.png").read_bytes().startswith(b"\x89PNG")
    assert "Figure 1, primary: The primary comparison" in (figures / "captions.txt").read_text(
        "utf-8"
    )
    other = ("report", built, "--out", folder / "other.html", "--figures", figures)
    assert "is not empty" in fails(*other)
    assert "--figures DIR goes with" in fails("report", built, "--again", "x", "--figures", folder)
    done("export", built, "--out", folder / "typed", "--format", "parquet")
    assert (folder / "typed" / "ratings.parquet").read_bytes().startswith(b"PAR1")


def _read(folder: Path, key: Path) -> None:
    """Let two simulated readers read everything."""
    store = Store.open(folder)
    methods = key_file.load(key, folder).methods
    worth = {"clean": 4.5, "weak": 3.5, "strong": 2.5}
    strengths = {name: worth[one.name] for name, one in methods.items()}
    try:
        for code in ("R01", "R02"):
            assert read(store, code, ReaderModel(code, strengths, seed=1)) == 17
    finally:
        store.close()


def test_verify_names_the_first_broken_row(terminal: Terminal, tmp_path: Path) -> None:
    folder = tmp_path / "study"
    assert terminal.call("init", folder, "--key", tmp_path / "key.json") == 0
    mirror = folder / "mirror.jsonl"
    mirror.write_text(mirror.read_text().replace("create", "crEate"), encoding="utf-8")
    assert terminal.call("verify", folder) == 1
    assert "audit_event row 1" in terminal.capture.readouterr().out


def test_a_protocol_is_written_edited_and_used(terminal: Terminal, tmp_path: Path) -> None:
    path = tmp_path / "protocol.json"
    assert terminal.call("plan", "--cases", 20, "--methods", 4, "--write", path) == 0
    assert "120 (20 cases x 6 method pairs)" in terminal.capture.readouterr().out
    edited = json.loads(path.read_text()) | {"title": "Noise in CT", "readers": 9}
    # Notepad begins a file with a byte order mark.
    path.write_text(json.dumps(edited), encoding="utf-8-sig")
    assert terminal.call("init", tmp_path / "s", "--key", tmp_path / "k", "--protocol", path,
                "--readers", 7) == 0  # fmt: skip
    with sqlite3.connect(tmp_path / "s" / "study.sqlite") as database:
        stored = json.loads(database.execute("SELECT protocol_json FROM study").fetchone()[0])
    assert (stored["title"], stored["readers"]) == ("Noise in CT", 7)
    assert "file at" in terminal.fails("plan", "--cases", 2, "--methods", 2, "--write", path)


def test_a_study_gets_the_language_and_the_texts_that_are_given(
    terminal: Terminal, tmp_path: Path
) -> None:
    german = json.loads(terminal.done("texts", "de"))
    assert german["consent.agree"] == "Ich stimme zu"
    own, key = tmp_path / "texts.json", tmp_path / "key.json"
    own.write_text(json.dumps({"consent.agree": "Ja"}), encoding="utf-8")
    given = ("--language", "de", "--texts", own)
    assert terminal.call("init", tmp_path / "study", "--key", key, *given) == 0
    store = Store.open(tmp_path / "study")
    texts = store.protocol().reader_texts
    store.close()
    assert (texts["consent.agree"], texts["consent.decline"]) == ("Ja", german["consent.decline"])
    own.write_text('{"consent.agreed": "Ja"}', encoding="utf-8")
    refused = terminal.fails("init", tmp_path / "other", "--key", tmp_path / "k", *given)
    assert "'consent.agreed', which no page shows" in refused


def test_a_failed_init_leaves_no_key(terminal: Terminal, tmp_path: Path) -> None:
    folder, key = tmp_path / "study", tmp_path / "key.json"
    assert terminal.call("init", folder, "--key", key) == 0
    kept = key.read_bytes()
    assert "already" in terminal.fails("init", folder, "--key", tmp_path / "other")
    assert not (tmp_path / "other").exists()
    assert "never overwritten" in terminal.fails("init", tmp_path / "second", "--key", key)
    assert key.read_bytes() == kept
    assert not (tmp_path / "second").exists()
    assert "lies in the study folder" in terminal.fails(
        "init", tmp_path / "third", "--key", tmp_path / "third" / "key"
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
        (["freeze", "DIR", "--key", "K", "--primary", "nlm"], '--primary nlm is not "A vs B"'),
        (["freeze", "DIR", "--key", "K", "--random", "all"], "choose from readers, cases, both"),
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
    terminal: Terminal,
    tmp_path: Path,
    arguments: list[str],
    says: str,
) -> None:
    terminal.patch.chdir(tmp_path)
    assert says in terminal.fails(*arguments)


def test_a_protocol_that_is_no_text_is_told(terminal: Terminal, tmp_path: Path) -> None:
    path = tmp_path / "protocol.json"
    path.write_bytes(b"\xff\xfe\x00")
    assert "not a text in UTF-8" in terminal.fails("plan", "--protocol", path)


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


def test_statistics_as_text(terminal: Terminal, tmp_path: Path) -> None:
    ratings = tmp_path / "ratings.csv"
    ratings.write_text("item,rater,value\na,1,3\na,2,3\nb,1,2\nb,2,2\n", encoding="utf-8")
    assert terminal.call("stats", "cohen", "--ratings", ratings, "--scale", "1:5") == 0
    assert "2 items, 2 raters, 4 ratings" in terminal.capture.readouterr().out


def test_the_module_runs() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "study", "--help"], capture_output=True, text=True, check=True
    )
    for command in (
        "plan", "init", "build", "freeze", "open", "invite", "serve", "close", "unblind",
        "export", "report", "stats", "demo", "backup", "verify",
    ):  # fmt: skip
        assert f"\n  {command} " in done.stdout
