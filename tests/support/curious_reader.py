"""What a curious reader could learn from everything but the pixels, and how to tell whether it is
more than chance."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import select

from benchmarks.study_load.http_reader import Exchange
from study.storage.models import Presentation, Reader, ReadingSession
from study.storage.store import Store
from tests.support.open_study import methods_of

FOLDS = 10
PERMUTATIONS = 999
RIDGE = 0.1
Matrix = NDArray[np.float64]


@dataclass(frozen=True)
class Trial:
    """All exchanges that had to do with one pair, and the methods it showed."""

    token: str
    told: tuple[Exchange, ...]
    """Where the pair was announced, its pixels came, and its answers were taken."""
    left: str
    right: str


def trials(heard: Sequence[Exchange], store: Store, code: str) -> list[Trial]:
    """The pairs of a reader's session in the order they came, with what was heard of each."""
    asked = _tokens(store, code)
    announced: dict[str, list[Exchange]] = {}
    tickets: dict[str, str] = {}
    current = ""
    for each in heard:
        if each.name == "pixels":
            # Those of the next pair come while this one is on the screen.
            announced.setdefault(each.path.rsplit("/", 1)[-1], []).append(each)
            continue
        if each.name == "rate":
            announced.setdefault(current, []).append(each)
        pair = json.loads(each.body).get("pair")
        if pair is not None:
            current = pair["token"]
            announced.setdefault(current, []).append(each)
            tickets[current] = pair["ticket"]
    found = []
    for token in asked:
        if token in tickets:
            told = [*announced[token], *announced.get(tickets[token], [])]
            found.append(Trial(token, tuple(told), *methods_of(store, token)))
    return found


def families(seen: Sequence[Trial]) -> dict[str, Matrix]:
    """Features of each pair, one row a pair, by what they are made of."""
    found = {
        "sizes": [_sizes(trial) for trial in seen],
        "times": [_times(trial) for trial in seen],
        "headers": [_headers(trial) for trial in seen],
        "letters": [_letters(trial) for trial in seen],
        "fields": [_fields(trial) for trial in seen],
        "order": [[float(place), place % 2, place % 3] for place in range(len(seen))],
    }
    return {name: _spread(_filled(rows)) for name, rows in found.items()}


@dataclass(frozen=True)
class Finding:
    """The best that any family of features does.

    Parameters
    ----------
    p : float
        Share of permutations in which the best family, side and way does as well.
    family : str
    side : str
        "left", "right", or "both" for the two methods whatever their sides.
    way : str
        "all": accuracy of the whole family, cross-validated. "one": share of the spread of its
        best single feature that the methods explain.
    score : float
        That accuracy or share.
    """

    p: float
    family: str
    side: str
    way: str
    score: float


def classify(seen: Sequence[Trial]) -> Finding:
    """Try to tell from each family of features the method on either side, and the two methods."""
    pairs = ["".join(sorted((one.left, one.right))) for one in seen]
    sides = {
        "left": [one.left for one in seen],
        "right": [one.right for one in seen],
        "both": pairs,
    }
    rng = np.random.default_rng(1)
    orders = [np.arange(len(seen)), *(rng.permutation(len(seen)) for _ in range(PERMUTATIONS))]
    folds = rng.permutation(len(seen)) % FOLDS
    scores, names = [], []
    for family, features in families(seen).items():
        predictor = _predictor(features, folds)
        for side, methods in sides.items():
            labels = np.unique(methods, return_inverse=True)[1][np.array(orders)]
            scores += [_accuracies(predictor, labels), _explained(features, labels)]
            names += [(family, side, "all"), (family, side, "one")]
    table = np.array(scores)
    # One scale for all, so that the best of many tries is compared with the best of as many.
    spread = table.std(axis=1, keepdims=True)
    scaled = (table - table.mean(axis=1, keepdims=True)) / np.where(spread > 0, spread, 1)
    best = scaled.max(axis=0)
    winner = int(scaled[:, 0].argmax())
    p = float(np.mean(best >= best[0] - 1e-12))
    return Finding(p, *names[winner], score=float(table[winner, 0]))


def _tokens(store: Store, code: str) -> list[str]:
    with store.read() as session:
        found = session.scalars(
            select(Presentation.token)
            .join(ReadingSession, ReadingSession.id == Presentation.session_id)
            .join(Reader, Reader.id == ReadingSession.reader_id)
            .where(Reader.code == code, ReadingSession.phase == "main")
            .order_by(Presentation.position)
        )
        return list(found)


def _sizes(trial: Trial) -> list[float]:
    """Bytes on the way, bytes as read, bytes of the headers."""
    return [
        float(number)
        for each in trial.told
        for number in (each.size, len(each.body), sum(len(k) + len(v) for k, v in each.headers))
    ]


def _times(trial: Trial) -> list[float]:
    return [each.seconds for each in trial.told]


def _headers(trial: Trial) -> list[float]:
    names = ("etag", "last-modified", "content-type", "content-disposition", "content-encoding")
    row = []
    for each in trial.told:
        given = dict(each.headers)
        row += [float(len(each.headers)), *(_number(given.get(name, "")) for name in names)]
    return row


def _letters(trial: Trial) -> list[float]:
    """Every character of the tokens and of the addresses."""
    row: list[float] = []
    for each in trial.told:
        texts = [each.path.rsplit("/", 1)[-1]] if each.name == "pixels" else _texts(each)
        for text in texts:
            row += [float(ord(letter)) for letter in text[:24].ljust(24)]
    return row


def _texts(each: Exchange) -> list[str]:
    pair = json.loads(each.body).get("pair") or {}
    return [str(pair.get(name) or "") for name in ("token", "ticket", "next_ticket")]


def _fields(trial: Trial) -> list[float]:
    """Every value of what was said about the pair, but for its random tokens."""
    said = next(each for each in trial.told if each.name != "pixels")
    return [
        _number(value)
        for name, value in _leaves(json.loads(said.body))
        if not name.endswith(("token", "ticket"))
    ]


def _leaves(value: object, name: str = "") -> Iterator[tuple[str, object]]:
    if isinstance(value, dict):
        for key in value:
            yield from _leaves(value[key], f"{name}.{key}")
    elif isinstance(value, list):
        for place, each in enumerate(value):
            yield from _leaves(each, f"{name}.{place}")
    else:
        yield name, value


def _number(value: object) -> float:
    if isinstance(value, int | float) and not isinstance(value, bool):
        return float(value)
    text = str(value)
    try:
        return float(text)
    except ValueError:
        return float(int.from_bytes(text.encode()[:4].ljust(4), "big") % 10007)


def _filled(rows: Sequence[Sequence[float]]) -> Matrix:
    table = np.zeros((len(rows), max(map(len, rows))))
    for place, row in enumerate(rows):
        table[place, : len(row)] = row
    return table


def _spread(table: Matrix) -> Matrix:
    """Each feature as it is and as the eighth of the ranks it lies in; constant ones dropped."""
    columns = []
    for column in table.T:
        if np.ptp(column) == 0:
            continue
        columns.append(column)
        ranks = np.unique(column, return_inverse=True)[1]
        eighths = ranks * 8 // (ranks.max() + 1)
        columns += [(eighths == part).astype(float) for part in range(8)]
    if not columns:
        return np.zeros((len(table), 1))
    stacked = np.column_stack(columns)
    spread = stacked.std(axis=0)
    return (stacked - stacked.mean(axis=0)) / np.where(spread > 0, spread, 1)


def _predictor(features: Matrix, folds: NDArray[np.int64]) -> Matrix:
    """Ridge regression as one matrix: row i predicts pair i from the pairs of other folds."""
    kernel = features @ features.T / features.shape[1]
    predictor = np.zeros_like(kernel)
    for fold in range(FOLDS):
        inside, outside = folds == fold, folds != fold
        inner = kernel[np.ix_(outside, outside)] + RIDGE * np.eye(int(outside.sum()))
        weights = np.linalg.solve(inner, kernel[np.ix_(outside, inside)]).T
        # Around the shares of the methods there: features that say nothing predict those.
        weights += (1 - weights.sum(axis=1, keepdims=True)) / outside.sum()
        predictor[np.ix_(inside, outside)] = weights
    return predictor


def _accuracies(predictor: Matrix, labels: NDArray[np.int64]) -> NDArray[np.float64]:
    """Share of right predictions for each row of labels."""
    found = []
    for some in np.array_split(labels, 20):
        wanted = np.eye(labels.max() + 1)[some]
        found.append(np.mean((predictor @ wanted).argmax(axis=2) == some, axis=1))
    return np.concatenate(found)


def _explained(features: Matrix, labels: NDArray[np.int64]) -> NDArray[np.float64]:
    """Largest correlation ratio of one feature and the methods, for each row of labels."""
    found = np.zeros((len(labels), features.shape[1]))
    for method in range(labels.max() + 1):
        mine = (labels == method).astype(float)
        found += (mine @ features) ** 2 / mine.sum(axis=1, keepdims=True)
    return np.asarray(found.max(axis=1) / len(features))
