"""What the stored images, the read-outs and the training tell of the methods without being seen."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import select
from sqlalchemy.orm import aliased

from benchmarks.attack.attack import Attack, NotTried, Outcome, outcome
from benchmarks.attack.copies import StudyCopy
from benchmarks.attack.servers import Server
from benchmarks.study_load.http_reader import Exchange, HttpReader
from study.domain.screens import ScreenKind
from study.storage.models import Item, Presentation, ReadingSession, Stimulus

U16 = 65535
FeatureRow = tuple[str, str, list[float]]
"""Case, method, features."""
MOST_TOLD = 0.7
"""Balanced accuracy that is reached by chance with few cases."""


def features(data: bytes, display: Mapping[str, Any]) -> list[float]:
    """What a reader with a mouse, or with the raw buffer, sees of the rounding of an image.

    Parameters
    ----------
    data : bytes
        Of the image, as it is sent.
    display : mapping
        Windows and grid of the case.
    """
    low, high = display["window"]
    levels = np.frombuffer(data, "<u2").astype(float)
    values = low + levels / U16 * (high - low)
    # How many pixels are black is content.
    inside = values[values > low + 0.02 * (high - low)]
    read = np.array([float(text) for text in _read_outs(inside, display)])
    used, counts = np.unique(levels, return_counts=True)
    gaps = np.diff(used) * (high - low) / U16
    sure = (counts[1:] >= 12) & (counts[:-1] >= 12)
    known = gaps[sure] if sure.any() else gaps
    origin, step = display.get("grid") or (0.0, 1.0)
    off = (values - origin) / step
    middle = used[(used >= np.quantile(levels, 0.2)) & (used <= np.quantile(levels, 0.8))]
    span = (middle[-1] - middle[0]) * (high - low) / U16
    return [
        float(np.mean(read == np.rint(read))),
        float(np.diff(np.unique(read)).min()),
        float(np.mean(np.abs(off - np.rint(off)) > 0.05)),
        float(np.round(np.median(known) / step, 1)),
        float(np.round(gaps.min() / step, 1)),
        float(len(middle) * step > 1.5 * (span + step)),
    ]


def _read_outs(values: NDArray[np.float64], display: Mapping[str, Any]) -> list[str]:
    """The texts under the mouse, as `readingText` of the page makes them."""
    low, high = display["window"]
    digits = next((n for n, least in enumerate((1000, 100, 5)) if high - low >= least), 3)
    if display.get("grid") is not None:
        origin, step = display["grid"]
        values = origin + np.rint((values - origin) / step) * step
        digits = min(digits, max(_decimals(origin), _decimals(step)))
    return [f"{value:.{digits}f}" for value in values]


def _decimals(number: float) -> int:
    return next((n for n in range(4) if abs(number - round(number, n)) <= 1e-6), 4)


def accuracy(found: Sequence[FeatureRow], method: str) -> float:
    """Balanced accuracy of nearest centroids at telling a method, left out case by case."""
    table = np.array([one for *_, one in found])
    table = (table - table.mean(axis=0)) / np.where(table.std(axis=0) > 0, table.std(axis=0), 1)
    cases = np.array([case for case, *_ in found])
    wanted = np.array([name == method for _, name, _ in found])
    right: dict[bool, list[float]] = {True: [], False: []}
    for place, case in enumerate(cases):
        others = cases != case
        far = [
            float(np.linalg.norm(table[place] - table[others & (wanted == kind)].mean(axis=0)))
            for kind in (False, True)
        ]
        guess = 0.5 if abs(far[0] - far[1]) < 1e-9 else float(far[1] < far[0])
        right[bool(wanted[place])].append(guess if wanted[place] else 1 - guess)
    return float(np.mean([np.mean(each) for each in right.values()]))


def rounding(copy: StudyCopy) -> Outcome:
    """A classifier on values, spacing and read-outs of all images."""
    with copy.opened(read_only=True) as store, store.read() as session:
        stored = session.execute(
            select(Stimulus, Item.window_json)
            .join(Item, Item.id == Stimulus.item_id)
            .where(Stimulus.channels == 1)
        ).all()
        folder = store.stimuli
        found = [
            (row.item_id, row.method_id, features((folder / row.file).read_bytes(), windows))
            for row, text in stored[:400]
            if (windows := json.loads(text)).get("window")
        ]
    methods = {method for _, method, _ in found}
    if len({case for case, *_ in found}) < 3 or len(methods) < 2:
        raise NotTried("fewer than three gray cases")
    best = max(accuracy(found, method) for method in methods)
    return outcome(best <= MOST_TOLD, f"best accuracy {best:.2f} of {len(found)} images")


def training(copy: StudyCopy) -> Outcome:
    """Feedback in the training about images that are rated later."""
    with copy.opened(read_only=True) as store:
        protocol = store.protocol()
        if not protocol.feedback:
            return outcome(True, "no feedback")
        shown = _images_of(store, training=True) & _images_of(store, training=False)
    return outcome(not shown, f"{len(shown)} images are in the training and rated")


def _images_of(store: Any, *, training: bool) -> set[str]:
    """Digests of the images of the cases that the training shows, or that are rated."""
    stimulus = aliased(Stimulus)
    in_training = (ReadingSession.phase == "training") == training
    wanted = (
        select(stimulus.pixel_sha256)
        .join(Presentation, Presentation.item_id == stimulus.item_id)
        .join(ReadingSession, ReadingSession.id == Presentation.session_id)
        .where(in_training, Presentation.role != "dummy")
    )
    with store.read() as session:
        return set(session.scalars(wanted))


def traffic(server: Server) -> Outcome:
    """Sizes, headers and fields of what comes with each pair of a reader."""
    heard: list[Exchange] = []
    with server.client() as client:
        code = server.code()
        client.post("/reader/login", data={"code": code, "secret": server.reader(code)})
        reader = HttpReader(client, heard=heard.append)
        if reader.read(6) in (ScreenKind.CLOSED, ScreenKind.WITHDRAWN):
            raise NotTried("the reader has nothing to read")
    pixels = [one for one in heard if one.name == "pixels"]
    kinds = {(tuple(name for name, _ in one.headers), len(one.body) % 4) for one in pixels}
    tags = {name for one in heard for name, _ in one.headers} & {"etag", "last-modified"}
    packed = any(name == "content-encoding" for one in pixels for name, _ in one.headers)
    answers = [json.loads(one.body).get("pair") for one in heard if one.name != "pixels"]
    fields = {tuple(sorted(one)) for one in answers if one}
    held = len(kinds) <= 1 and len(fields) <= 1 and not tags and not packed
    return outcome(held, f"{len(pixels)} answers of {len(kinds)} form, {len(fields)} set of fields")


FILES: tuple[Attack[StudyCopy], ...] = (
    Attack("values, spacing and read-outs of images", f"accuracy below {MOST_TOLD:g}", rounding),
    Attack("feedback about rated images", "none", training),
)
SERVERS: tuple[Attack[Server], ...] = (
    Attack("form of the answers of pairs", "the same for all", traffic),
)
