"""Leaks outside the reader's browser: what lies on the disk, the seed, the order of the plan.

As in `tests.study.web.test_leaks`, each check is shown to find its leak when that is put back.
"""

from __future__ import annotations

import base64
import hashlib
import secrets
import sqlite3
import stat
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from fastapi import FastAPI
from starlette.staticfiles import StaticFiles

from study.domain.protocol import Protocol
from study.domain.terms import MethodKind, Role
from study.planning.assignment import PlannedCase, Trial, assign
from study.server.standalone import build_app
from study.storage import key_file
from study.storage.backup import backup
from study.storage.hash_chain import audit
from study.storage.models import Study
from tests.support import read_study as plays
from tests.support.http_visitor import Visitor
from tests.support.open_study import Small
from tests.support.read_study import Played

ROOT = Path(__file__).resolve().parents[3]
SEED = bytes(range(100, 132))
READERS, CASES, METHODS = 40, 12, 4


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> Played:
    """A study that simulated readers have read, still open; not to be changed."""
    folder = tmp_path_factory.mktemp("leaks_more")
    done = plays.play(folder, close=False)
    done.store.close()
    return done


@pytest.fixture
def study(original: Played, tmp_path: Path) -> Iterator[Played]:
    copied = plays.copy(original, tmp_path)
    yield copied
    copied.store.close()


def names_on_disk(folder: Path, words: Iterable[str]) -> set[str]:
    """Words that stand in any file below a folder or in its name, plain or encoded."""
    wanted = {word: tuple(_forms(word)) for word in words if len(word) >= 5}
    found = set()
    for path in folder.rglob("*"):
        data = str(path.relative_to(folder)).encode().lower()
        data += path.read_bytes().lower() if path.is_file() else b""
        found |= {word for word, forms in wanted.items() if any(form in data for form in forms)}
    return found


def _forms(word: str) -> Iterator[bytes]:
    for text in (word, word.lower()):
        yield text.encode().lower()
        yield text.encode("utf-16-le").lower()
        yield text.encode().hex().encode()
        yield base64.b64encode(text.encode()).rstrip(b"=")[:-1].lower()


def test_a_study_that_is_read_names_nothing_on_the_disk(study: Played, tmp_path: Path) -> None:
    """Database, write-ahead log, second log, images and copies: only the key has names."""
    backup(study.store, tmp_path / "copy", stimuli=True)
    with study.store.write() as session:
        audit(session, "anna", "note", detail="looked at the progress")
    folder = study.store.folder
    assert (folder / "study.sqlite-wal").stat().st_size > 0
    secret = study.key.secret_strings()
    assert {"restormer", "dncnn", "clean"} <= set(secret)
    assert len(list((tmp_path / "copy").rglob("*.raw"))) == len(list(study.store.stimuli.iterdir()))
    assert names_on_disk(folder, secret) == set()
    assert names_on_disk(tmp_path / "copy", secret) == set()


@pytest.mark.parametrize("leak", ["audit", "comment", "file", "hex"])
def test_a_name_left_on_the_disk_is_found(study: Played, leak: str) -> None:
    if leak == "audit":
        with study.store.write() as session:
            audit(session, "anna", "build", detail="from /data/Restormer/pat0.png")
    elif leak == "comment":
        with sqlite3.connect(study.store.folder / "notes.sqlite") as notes:
            notes.execute("CREATE TABLE note (text TEXT)")
            notes.execute("INSERT INTO note VALUES ('restormer is M2')")
    elif leak == "file":
        (study.store.stimuli / "restormer_0.raw").write_bytes(b"")
    else:
        (study.store.folder / "x.json").write_text(b"restormer".hex(), encoding="utf-8")
    found = names_on_disk(study.store.folder, study.key.secret_strings())
    assert {name.lower() for name in found} == {"restormer"}


def readable_by_others(folder: Path) -> list[Path]:
    """Files and folders that another user of the machine could open."""
    return [
        path for path in (folder, *folder.rglob("*")) if stat.S_IMODE(path.stat().st_mode) & 0o077
    ]


def test_nobody_else_on_the_machine_can_read_a_study(study: Played, tmp_path: Path) -> None:
    backup(study.store, tmp_path / "copy", stimuli=True)
    with study.store.write() as session:
        audit(session, "anna", "note")
    assert readable_by_others(study.store.folder) == []
    assert readable_by_others(tmp_path / "copy") == []
    assert readable_by_others(study.key_path) == []
    image = next(study.store.stimuli.iterdir())
    image.chmod(0o644)
    assert readable_by_others(study.store.folder) == [image]


def served_files(app: FastAPI, study: Played) -> list[str]:
    """Addresses at which a signed-in reader gets a file of the study or the key."""
    small = Small(study.store, (), {"R04": study.reader("R04")})
    visitor = Visitor(small, app).join("R04")
    folder = study.store.folder
    files = [folder / "study.sqlite", folder / "mirror.jsonl", study.key_path,
             next(study.store.stimuli.iterdir())]  # fmt: skip
    known = [path.read_bytes()[:64] for path in files]
    tries = [
        f"{start}{name}"
        for path in files
        for name in (path, path.name, f"../{path.name}", f"%2e%2e/{path.name}",
                     f"{folder.name}/{path.name}", f"stimuli/{path.name}")
        for start in ("/", "/file=", "/reader/", "/reader/file=", "/reader/gradio_api/file=",
                      "/reader/gradio_api/file/", "/reader/static/", "/reader/assets/",
                      "/reader/pixels/", "/coordinator/gradio_api/file=", "/study/")
    ]  # fmt: skip
    return [
        path for path in tries
        if any(start in visitor.client.get(path).content for start in known)
    ]  # fmt: skip


def test_no_address_serves_a_file_of_the_study(study: Played) -> None:
    assert served_files(build_app(study.store), study) == []


@pytest.mark.exhaustive
def test_a_folder_that_is_served_is_found(study: Played) -> None:
    app = FastAPI()
    app.mount("/study", StaticFiles(directory=study.store.folder))
    app.mount("/", build_app(study.store))
    assert "/study/study.sqlite" in served_files(app, study)


@pytest.mark.parametrize(
    "name",
    ["study.sqlite", "study.sqlite-wal", "study.sqlite-shm", "mirror.jsonl", "key.json",
     "study1.key.json", "stimuli"],
)  # fmt: skip
def test_a_study_in_the_checkout_is_not_committed_by_accident(name: str) -> None:
    rules = (ROOT / ".gitignore").read_text(encoding="utf-8").split()
    assert any(fnmatch(name, rule.rstrip("/")) for rule in rules)


def guessed_seed(published: str, words: Sequence[str]) -> str | None:
    """The guess that gives the published hash of the seed: a number, a time, or a known word."""
    now = int(datetime.now(UTC).timestamp())
    numbers = [*range(100_000), *range(now - 7200, now + 60)]
    days = [f"{now:%Y%m%d}" for now in (datetime.now(UTC),)]
    texts = [*words, *days, *(str(number) for number in numbers)]
    for number in numbers:
        for order in ("big", "little"):
            if hashlib.sha256(number.to_bytes(32, order)).hexdigest() == published:
                return str(number)
    for text in texts:
        inner = hashlib.sha256(text.encode()).digest()
        padded = text.encode()[:32].ljust(32, b"\0")
        if published in (hashlib.sha256(inner).hexdigest(), hashlib.sha256(padded).hexdigest()):
            return text
    return None


def test_the_seed_is_not_found_by_guessing(study: Played) -> None:
    with study.store.read() as session:
        row = session.get_one(Study, study.store.study_id)
    words = [row.id, row.code, row.created_at, "R01", study.reader("R01")]
    assert row.seed_sha256 == study.key.seed_sha256
    assert guessed_seed(row.seed_sha256, words) is None


@pytest.mark.parametrize(
    "seed",
    [(1234).to_bytes(32, "big"), hashlib.sha256(b"S1").digest(), b"R01".ljust(32, b"\0")],
    ids=["number", "code of the study", "code of a reader"],
)
def test_a_seed_that_can_be_guessed_is_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, seed: bytes
) -> None:
    monkeypatch.setattr(secrets, "token_bytes", lambda size: seed[:size])
    key = key_file.create(tmp_path / "key.json", tmp_path / "study")
    assert guessed_seed(key.seed_sha256, ["S1", "R01"]) is not None


def plans() -> list[tuple[Trial, ...]]:
    """The main pairs of many readers, drawn from one seed."""
    protocol = Protocol(readers=READERS, training=0, dummies=0, repeats=0, nulls=0)
    cases = [PlannedCase(f"C{number:03d}", f"P{number:03d}") for number in range(CASES)]
    methods = [(f"m{number}", MethodKind.TEST) for number in range(METHODS)]
    return [
        assign(protocol, cases, methods, seed=SEED, study_id="one", reader=place)
        for place in range(READERS)
    ]


def order_tells(found: Sequence[Sequence[Trial]]) -> list[str]:
    """What the order of pairs tells: the largest of several statistics, where it is not chance.

    Each is a mean over readers of a standardised number; six is beyond chance.
    """
    values: dict[str, list[float]] = {}
    for plan in found:
        mains = [trial for trial in plan if trial.role is Role.MAIN]
        place = np.arange(len(mains))
        case = np.array([int(trial.case[1:]) for trial in mains])
        pair = np.array(["".join(sorted((trial.left, trial.right))) for trial in mains])
        numbers = np.unique(pair, return_inverse=True)[1]
        forwards = np.array([trial.left < trial.right for trial in mains])
        root = np.sqrt(len(mains))
        told = {
            "cases in the order of their upload": _correlation(place, case) * root,
            "pairs of methods in an order": _correlation(place, numbers) * root,
            "sides in runs": _runs(forwards),
            "the same pair of methods after itself": _after(numbers),
        }
        for name, value in told.items():
            values.setdefault(name, []).append(value)
    # Alternating signs would cancel out, so that both the mean and the spread are looked at.
    return [
        name
        for name, each in values.items()
        if abs(np.mean(each)) * np.sqrt(len(each)) > 6 or np.std(each) > 2
    ]


def _correlation(a: Any, b: Any) -> float:
    return float(np.corrcoef(a, b)[0, 1])


def _runs(flags: Any) -> float:
    """Wald and Wolfowitz: more or fewer runs than chance."""
    ones, zeros = int(flags.sum()), int((~flags).sum())
    runs = 1 + int(np.sum(flags[1:] != flags[:-1]))
    twice = 2 * ones * zeros
    if not twice:
        return -10.0
    mean = 1 + twice / (ones + zeros)
    variance = twice * (twice - ones - zeros) / ((ones + zeros) ** 2 * (ones + zeros - 1))
    return float((runs - mean) / np.sqrt(variance))


def _after(labels: Any) -> float:
    """How often a label follows itself, against a shuffled order."""
    counts = Counter(labels.tolist())
    total = len(labels)
    share = sum(n * (n - 1) for n in counts.values()) / (total * (total - 1))
    seen = float(np.mean(labels[1:] == labels[:-1]))
    return float((seen - share) / np.sqrt(share * (1 - share) / (total - 1)))


def test_the_order_of_a_plan_tells_nothing() -> None:
    assert order_tells(plans()) == []


@pytest.mark.parametrize(
    ("leak", "told"),
    [
        (lambda plan: sorted(plan, key=lambda one: one.case), "cases in the order of their upload"),
        (lambda plan: sorted(plan, key=lambda one: {one.left, one.right} == {"m0", "m1"}),
         "pairs of methods in an order"),
        (lambda plan: sorted(plan, key=lambda one: one.left < one.right), "sides in runs"),
        (lambda plan: sorted(plan, key=lambda one: sorted((one.left, one.right))),
         "the same pair of methods after itself"),
    ],
    ids=["cases sorted", "one pair last", "sides sorted", "pairs sorted"],
)  # fmt: skip
def test_an_order_that_tells_is_found(leak: Any, told: str) -> None:
    assert told in order_tells([leak(plan) for plan in plans()])
