"""A crossover as it was read: the order of the methods over the sessions, and what it did."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from study.analysis.dataset import Dataset, difference_bounds
from study.analysis.scores import first_ratings
from study.domain.questions import Analysed, Question
from study.stats.comparison.carry_over import CarryOver, carry_over
from study.stats.comparison.crossover_effects import CrossoverEffects, crossover_effects
from study.stats.estimate import Estimate, Floats
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
    effects : tuple of (str, CrossoverEffects)
        For each of these questions, carry-over and period.
    """

    balance: CarryOver
    partial: int
    periods: tuple[tuple[str, tuple[Estimate, ...]], ...]
    effects: tuple[tuple[str, CrossoverEffects], ...]


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
    periods, effects = [], []
    for one in scored:
        means, read_in = _means(data, one, sessions)
        periods.append((one.code, _periods(means, one, level)))
        if read_in:
            effects.append((one.code, crossover_effects(means, read_in, level=level)))
    balance = carry_over(complete)
    return CrossoverConduct(balance, len(read) - len(complete), tuple(periods), tuple(effects))


def _means(
    data: Dataset, question: Question, sessions: int
) -> tuple[Floats, list[tuple[str, ...]]]:
    """Means of patients of each reader with ratings in every session, and the methods' orders.

    A patient counts once, whatever the number of cases, where the reader rated it in all sessions.
    """
    own: dict[str, dict[str, dict[int, list[float]]]] = {}
    methods: dict[str, dict[int, str]] = {}
    for obs in first_ratings(data, question):
        if obs.value is not None:
            patient = own.setdefault(obs.reader, {}).setdefault(obs.patient, {})
            patient.setdefault(obs.session, []).append(obs.value)
            methods.setdefault(obs.reader, {})[obs.session] = obs.method
    means, orders = [], []
    for reader, patients in own.items():
        in_all = [by for by in patients.values() if len(by) == sessions]
        if in_all:
            order = sorted(methods[reader])
            rows = [[np.mean(by[session]) for session in order] for by in in_all]
            means.append(np.mean(rows, axis=0))
            orders.append(tuple(methods[reader][session] for session in order))
    return np.array(means, np.float64).reshape(len(means), sessions), orders


def _periods(table: Floats, question: Question, level: float) -> tuple[Estimate, ...]:
    sessions = table.shape[1]
    if len(table):
        table = table - table.mean(axis=1, keepdims=True)
    return tuple(
        mean_estimate(
            f"Session {place + 1}", table[:, place], "readers as the sample", level,
            difference_bounds(question),
        )
        for place in range(sessions)
    )  # fmt: skip
