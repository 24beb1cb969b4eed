"""A whole study as a coordinator runs it: commands, a served study, readers over HTTP, results."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, redirect_stdout
from dataclasses import dataclass, field
from pathlib import Path
from unittest import mock

import httpx

from benchmarks.study_load.http_reader import HttpReader
from study.cli import main
from study.demo.reader_model import ReaderModel, ShownPair
from study.demo.simulated_readers import SimulatedReader
from study.domain.answers import Answer
from study.domain.questions import Question
from study.domain.screens import ScreenKind
from study.storage import key_file
from study.storage.key import Key
from study.storage.store import Store
from tests.support import image_files, small_studies

CASES, READERS, SIDE, SEED = 12, 5, 64, 11
WORTH = {"clean": 4.5, "restormer": 3.9, "wavelet": 3.0, "bilateral": 2.1}
"""What the simulated readers think of the methods."""
CONTROL = "restormer"
GROUPS = {
    "clean": "not processed", "restormer": "neural network",
    "wavelet": "filter", "bilateral": "filter",
}  # fmt: skip
NOISE = {"clean": 0.5, "restormer": 2.0, "wavelet": 4.0, "bilateral": 6.0}
PROTOCOL = {
    "title": "Denoising of phantoms", "readers": READERS, "training": 1, "dummies": 1, "repeats": 3,
    "nulls": 2, "repeat_distance": 8,
}  # fmt: skip
MAIN = CASES * (len(WORTH) - 1)
PAIRS = 1 + 1 + MAIN + 3 + 2
CELLS = 5
"""Answers to a pair: two criteria for each side, and the preference."""


def study(*arguments: object) -> str:
    """What a command prints; it must succeed."""
    output = io.StringIO()
    argv = ["study", *map(str, arguments)]
    with mock.patch.object(sys, "argv", argv), redirect_stdout(output):
        status = main()
    assert status == 0, f"{' '.join(argv)}: {status}\n{output.getvalue()}"
    return output.getvalue()


class Logged(SimulatedReader):
    """A model that goes by names, so that it is the same in every run, and remembers its answers.

    `given` has them by session and position, question, and slot.
    """

    def __init__(self, store: Store, model: ReaderModel, key: Key) -> None:
        super().__init__(store, model)
        self.given: dict[tuple[str, str, int], int | None] = {}
        self._cases = {name: one.name for name, one in key.cases.items()}
        self._methods = {name: one.name for name, one in key.methods.items()}

    def shown(self, token: str) -> ShownPair:
        found = super().shown(token)
        left, right = self._methods[found.left], self._methods[found.right]
        return ShownPair(self._cases[found.case], left, right, found.presentation)

    def answers(self, token: str, questions: Sequence[Question]) -> tuple[Answer, ...]:
        given = super().answers(token, questions)
        place = self.shown(token).presentation
        self.given |= {(place, one.question, one.slot): one.value for one in given}
        return given


@dataclass
class Whole:
    """A study that is open, and what its readers answer."""

    folder: Path
    key: Path
    links: dict[str, str]
    secret: str
    judges: dict[str, Logged] = field(default_factory=dict)

    @property
    def secrets(self) -> frozenset[str]:
        """What no reader may ever see."""
        return frozenset(key_file.load(self.key, self.folder).secret_strings())

    def judge(self, code: str) -> Logged:
        """The model of a reader, always the same one."""
        if code not in self.judges:
            key = key_file.load(self.key, self.folder)
            self.judges[code] = Logged(Store.open(self.folder), model_of(code), key)
        return self.judges[code]


def model_of(code: str) -> ReaderModel:
    """What a reader likes; R01 is severe and R05 is not."""
    bias = 0.1 * (int(code[1:]) - 3)
    return ReaderModel(code, WORTH, seed=SEED, bias=bias, noise=0.3, spread=0.6)


def make(folder: Path) -> Whole:
    """From ready-made images to an open study with invited readers."""
    where, key = folder / "study", folder / "key.json"
    protocol = folder / "protocol.json"
    protocol.write_text(json.dumps(PROTOCOL), encoding="utf-8")
    for name, sigma in NOISE.items():
        (folder / "images" / name).mkdir(parents=True)
        for case in range(CASES + 1):
            pixels = small_studies.noisy(small_studies.picture(case, SIDE, SIDE), 50 + case, sigma)
            path = folder / "images" / name / f"pat{case // 2}_s{case}.png"
            path.write_bytes(image_files.png(pixels))
    study("init", where, "--key", key, "--protocol", protocol, "--code", "WHOLE")
    account = study("invite", where, "--staff", "bert")
    groups = [part for pair in GROUPS.items() for part in ("--group", "=".join(pair))]
    output = study(
        "build", where, "--key", key, "--folders", folder / "images", "--separator", "_",
        "--reference", "clean", "--training", f"pat{CASES // 2}_s{CASES}", *groups,
        "--accept-differences",
    )  # fmt: skip
    assert "13 cases (1 for training) x 4 methods: 52 stimuli rendered" in output
    frozen = study("freeze", where, "--key", key, "--control", CONTROL)
    assert f"5 readers, 12 cases, 4 methods, {PAIRS} pairs for each reader" in frozen
    study("open", where)
    lines = study("invite", where, "--all").splitlines()
    links = {line.split("\t")[0]: line.split("\t")[2] for line in lines}
    return Whole(where, key, links, account.split("\t")[1].removeprefix("secret "))


@contextmanager
def server(whole: Whole) -> Iterator[str]:
    """The study as its command serves it; the root."""
    command = [sys.executable, "-m", "study", "serve", str(whole.folder), "--port", "0"]
    environment = os.environ | {"PYTHONUNBUFFERED": "1"}
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        try:
            output = next(line for line in process.stdout if line.startswith("Readers: "))
            yield output.removeprefix("Readers: ").strip().removesuffix("/reader/")
        finally:
            process.terminate()
        # What a server writes about a study that went well is nothing.
        assert process.stderr.read() == ""


def read(whole: Whole, root: str, codes: Sequence[str]) -> None:
    """Let readers read everything at the same time."""

    def one(code: str) -> ScreenKind:
        with httpx.Client(base_url=root, timeout=60) as client:
            robot = HttpReader(client, whole.judge(code))
            robot.join(whole.links[code])
            return robot.read()

    with ThreadPoolExecutor(len(codes)) as pool:
        assert list(pool.map(one, codes)) == [ScreenKind.DONE] * len(codes)
