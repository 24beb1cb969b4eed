"""A crossover as it was read: the order of the methods over the sessions, and what it did."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from study.analysis.dataset import Dataset, difference_bounds
from study.analysis.scores import first_ratings
from study.domain.questions import Analysed, Question
from study.stats.comparison.carry_over import CarryOver, carry_over
from study.stats.estimate import Estimate
from study.stats.intervals import mean_estimate


@dataclass(frozen=True)
class CrossoverConduct:
    """The sessions of a crossover.

    Parameters
    ----------
    balance : CarryOver
        Of the readers who read in every session, by masks.
    partial : int
        Number of included readers with answers who did not.
    periods : tuple of (str, tuple of Estimate)
        For each question that is scored or measured: by session, the readers' means minus their
        means over all sessions, with readers as the sample. With balanced orders the methods cancel
        out.
    """

    balance: CarryOver
    partial: int
    periods: tuple[tuple[str, tuple[Estimate, ...]], ...]


def crossover(data: Dataset, level: float) -> CrossoverConduct | None:
    """How the sessions were read; None for other designs, or if nobody has read all of them."""
    if not data.protocol.crossover:
        return None
    orders: dict[str, dict[int, str]] = {reader: {} for reader in data.included_readers}
    asked = [*data.criteria, *data.asked(Analysed.MEASURES), *data.asked(Analysed.CATEGORIES)]
    for question in asked:
        for obs in first_ratings(data, question):
            if obs.value is not None and obs.reader in orders:
                orders[obs.reader][obs.session] = obs.method
    read = {reader: order for reader, order in orders.items() if order}
    sessions = len(data.masks)
    complete = [
        [order[session] for session in sorted(order)]
        for order in read.values()
        if len(order) == sessions
    ]
    if not complete:
        return None
    scored = [*data.criteria, *data.asked(Analysed.MEASURES)]
    periods = tuple((one.code, _periods(data, one, sessions, level)) for one in scored)
    return CrossoverConduct(carry_over(complete), len(read) - len(complete), periods)


def _periods(
    data: Dataset, question: Question, sessions: int, level: float
) -> tuple[Estimate, ...]:
    own: dict[str, dict[int, list[float]]] = {}
    for obs in first_ratings(data, question):
        if obs.value is not None:
            own.setdefault(obs.reader, {}).setdefault(obs.session, []).append(obs.value)
    means = [
        [float(np.mean(by_session[session])) for session in sorted(by_session)]
        for by_session in own.values()
        if len(by_session) == sessions
    ]
    table = np.array(means, np.float64).reshape(len(means), sessions)
    if means:
        table -= table.mean(axis=1, keepdims=True)
    return tuple(
        mean_estimate(
            f"Session {place + 1}", table[:, place], "readers as the sample", level,
            difference_bounds(question),
        )
        for place in range(sessions)
    )  # fmt: skip
