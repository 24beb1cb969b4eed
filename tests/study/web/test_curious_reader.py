"""A reader who keeps everything but the pixels of a study learns nothing about the methods."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from starlette.middleware.gzip import GZipMiddleware

from benchmarks.study_load.http_reader import Exchange
from study.domain.protocol import Protocol
from study.planning.freeze import freeze
from study.planning.lifecycle import open_study
from study.reading import presentation
from study.reading.pixel_tickets import issue
from study.server.standalone import build_app
from study.stimuli import sources
from study.stimuli.rendering import Options, build
from study.stimuli.sources import Sources
from study.storage.models import PresentationSlot, Stimulus, Ticket
from study.storage.store import Store
from study.web import reader_api
from tests.support import image_files, small_studies
from tests.support.curious_reader import Finding, classify, trials
from tests.support.served_study import http_reader, served

pytestmark = pytest.mark.slow

NOISE = {"restormer": 0.6, "dncnn": 2.0, "wavelet": 8.0, "clean": 0.0}
"""What is left of it by each method, in gray levels."""
CASES = 40
PROTOCOL = Protocol(
    readers=8, training=1, dummies=2, repeats=10, nulls=4, feedback=False, ask_blinding=False
)
PAIRS = 2 + CASES * 6 + 10 + 4
SOME = 90
"""Pairs that are enough to find what was put in."""
CAUGHT = 0.05


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Store:
    """An open study of 40 cases and 4 methods."""
    folder = tmp_path_factory.mktemp("curious")
    draft = small_studies.draft(folder, PROTOCOL)
    build(draft.store, draft.key, images(folder / "in"), options=Options(accept_differences=True))
    freeze(draft.store, draft.key, actor="anna")
    open_study(draft.store, actor="anna")
    return draft.store


@pytest.fixture(scope="module")
def root(store: Store) -> Iterator[str]:
    with served(store) as address:
        yield address


def images(folder: Path) -> Sources:
    """Methods that leave more or less noise, so that their files would differ in size."""
    y, x = np.mgrid[:32, :32] / 16.0 - 1
    for name, sigma in NOISE.items():
        (folder / name).mkdir(parents=True)
        for case in range(CASES):
            disc = np.hypot(x - 0.2 * np.sin(case), y - 0.2 * np.cos(case)) < 0.6
            pixels = (60 + 100 * disc).astype(np.uint8)
            left = small_studies.noisy(pixels, case, sigma) if sigma else pixels
            (folder / name / f"pat{case}.png").write_bytes(image_files.png(left))
    return sources.with_roles(sources.from_folders(folder), reference="clean")


def snoop(store: Store, root: str, code: str, most: int | None = None) -> Finding:
    """Read as a curious reader and try to tell the methods from what came."""
    heard: list[Exchange] = []
    with http_reader(store, root, code, heard=heard.append) as one:
        one.read(None if most is None else most + PROTOCOL.training)
    found = trials(heard, store, code)
    assert len(found) >= (most or PAIRS)
    return classify(found)


@pytest.mark.parametrize(
    ("codes", "most"),
    [(("R01", "R02"), SOME), pytest.param(("R07", "R08"), None, marks=pytest.mark.exhaustive)],
    ids=["some pairs", "all pairs"],
)
def test_everything_but_the_pixels_says_nothing_about_the_methods(
    store: Store, root: str, codes: tuple[str, ...], most: int | None
) -> None:
    # By chance one reader in a hundred finds something; the next one would not find it again.
    found = []
    for code in codes:
        found.append(snoop(store, root, code, most))
        if found[-1].p > 0.01:
            return
    pytest.fail(f"The methods can be told: {found}")


@pytest.mark.exhaustive
def test_sizes_of_compressed_answers_would_tell(store: Store) -> None:
    app = build_app(store)
    app.add_middleware(GZipMiddleware, minimum_size=0)
    with served(store, app) as root:
        found = snoop(store, root, "R03", SOME)
    # The length of an answer is also a header of it.
    assert found.p < CAUGHT, found
    assert found.family in {"sizes", "headers"}, found


@pytest.mark.exhaustive
def test_a_ticket_made_from_the_method_would_tell(
    store: Store, root: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    letters: dict[str, str] = {}

    def leaky(session: Any, reader_id: str, pair_ids: list[str]) -> dict[str, str]:
        tokens = issue(session, reader_id, pair_ids)
        for pair_id, token in tokens.items():
            slot = session.get_one(PresentationSlot, (pair_id, 0))
            method = session.get_one(Stimulus, slot.stimulus_id).method_id
            letter = letters.setdefault(method, "abcdefgh"[len(letters)])
            ticket = session.get_one(Ticket, token)
            tokens[pair_id] = ticket.token = letter + token[1:]
        session.flush()
        return tokens

    monkeypatch.setattr(presentation, "issue", leaky)
    found = snoop(store, root, "R04", SOME)
    assert (found.p < CAUGHT, found.family, found.side) == (True, "letters", "left"), found


@pytest.mark.exhaustive
def test_a_slow_method_would_tell(store: Store, root: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """As if the images were made while the reader waits."""
    redeem = reader_api.redeem
    slow: list[str] = []

    def late(store: Store, token: str, reader_id: str) -> bytes:
        with store.read() as session:
            pair = session.get_one(Ticket, token).presentation_id
            slot = session.get_one(PresentationSlot, (pair, 1))
            method = session.get_one(Stimulus, slot.stimulus_id).method_id
        if method not in slow:
            slow.append(method)
        time.sleep(0.08 * slow.index(method))
        return redeem(store, token, reader_id)

    monkeypatch.setattr(reader_api, "redeem", late)
    found = snoop(store, root, "R05", SOME)
    assert (found.p < CAUGHT, found.family, found.side) == (True, "times", "right"), found
