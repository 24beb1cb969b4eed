"""Workload of a design, and the expected precision of kappa, before anyone reads."""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil

import numpy as np

from study.domain.errors import ProtocolError
from study.domain.plan import MethodRow, repeat_distance, session_repeats, shown_methods
from study.domain.protocol import Protocol
from study.domain.qualification import presentations
from study.domain.questions import Analysed
from study.domain.terms import SHOWN_WORDS, MethodKind, Shown
from study.stats.comparison.carry_over import orders_of

ASSUMED_KAPPA = 0.6
"""Kappa for which the expected half width is simulated."""
PATIENT_SHARE = 0.5
"""Probability that a case has the same true quality as other cases of its patient."""
LONG_HOURS = 8.0
FEW_REPEATS = 10
WIDEST = 0.5
"""Largest half width that is reported as a number."""
_ENTRIES = 2_000_000
_OF_A_CASE = {Shown.PAIR: "method pairs", Shown.SINGLE: "methods", Shown.RANKING: "ranking"}


@dataclass(frozen=True)
class KappaPrecision:
    """Expected precision of Fleiss' kappa on a scale, for a kappa of 0.6.

    Parameters
    ----------
    questions : tuple of str
        Codes of the questions on this scale.
    points : int
        Number of points of the scale.
    half_width : float or None
        Of the 95% interval, with correlated cases of a patient; None with one reader.
    """

    questions: tuple[str, ...]
    points: int
    half_width: float | None

    def as_text(self) -> str:
        """The precision in words."""
        where = f"{', '.join(self.questions)} ({self.points} points)"
        if self.half_width is None:
            return f"{where}: needs 2 readers"
        if self.half_width > WIDEST:
            return f"{where}: needs more cases: ±{self.half_width:.1f} says nothing"
        return f"{where}: within ±{self.half_width:.2f} (95%), if it is {ASSUMED_KAPPA:g}"


@dataclass(frozen=True)
class WorkloadEstimate:
    """Workload and expected precision of a study.

    Parameters
    ----------
    readers, cases, pairs : int
        Numbers of readers, main cases, and pairs of methods (methods where images are shown alone,
        1 where all are ranked).
    main : int
        Main pairs per reader.
    trials : int
        All pairs per reader, training and dummies included.
    ratings : int
        Answers per reader about main, repeated and null pairs.
    hours : float
        Reading time per reader.
    sittings : int
        Number of sittings per reader.
    stretch : float
        Length of a sitting in minutes, after which a break is suggested.
    kappas : tuple of KappaPrecision
        Expected precision of Fleiss' kappa of one method, for each length of scale.
    warnings : tuple of str
    presentation : Shown
        What is shown at a time.
    """

    readers: int
    cases: int
    pairs: int
    main: int
    trials: int
    ratings: int
    hours: float
    sittings: int
    stretch: float
    kappas: tuple[KappaPrecision, ...]
    warnings: tuple[str, ...] = ()
    presentation: Shown = Shown.PAIR

    @property
    def shown(self) -> str:
        """What is shown at a time, in words."""
        return SHOWN_WORDS[self.presentation]

    @property
    def of_a_case(self) -> str:
        """What each case is shown with, in words."""
        return _OF_A_CASE[self.presentation]

    @property
    def ratings_total(self) -> int:
        """Number of answers of all readers."""
        return self.readers * self.ratings

    def as_text(self) -> str:
        """The estimate as text."""
        rows = [
            ("readers", f"{self.readers}"),
            (
                f"main {self.shown} each",
                f"{self.main} ({self.cases} cases x {self.pairs} {self.of_a_case})",
            ),
            (f"all {self.shown} each", f"{self.trials}"),
            ("answers", f"{self.ratings} each, {self.ratings_total} in all"),
            (
                "time each",
                f"{self.hours:.1f} h, {self.sittings} times at most {self.stretch:g} min",
            ),
            *(("kappa of a method", one.as_text()) for one in self.kappas),
        ]
        lines = [f"{name:20}{value}" for name, value in rows]
        return "\n".join([*lines, *(f"Note: {warning}" for warning in self.warnings)])


def estimate(
    protocol: Protocol, cases: int, patients: int | None, methods: int
) -> WorkloadEstimate:
    """Estimate the workload of a study.

    Parameters
    ----------
    protocol : Protocol
    cases : int
        Number of main cases.
    patients : int, optional
        Number of patients; None for one per case.
    methods : int
        Number of methods, references and anchors included. Whether listed pairs and a control are
        methods is checked at the freeze.

    Raises
    ------
    ProtocolError
        Fewer than one case or two methods, more patients than cases, or repeats that do not fit.
    """
    patients = cases if patients is None else patients
    if cases < 1 or not 1 <= patients <= cases:
        raise ProtocolError(f"{cases} cases of {patients} patients are not possible.")
    pairs = _pairs(protocol, methods)
    main = cases * pairs
    sessions = pairs if protocol.crossover else 1
    trials = _trials(protocol, main, sessions)
    read = trials - protocol.training - protocol.dummies * sessions - _qualifying(protocol)
    hours = trials * protocol.seconds_per_pair / 3600
    answers = sum(len(protocol.slots(question)) for question in protocol.questions)
    return WorkloadEstimate(
        readers=protocol.readers,
        cases=cases,
        pairs=pairs,
        main=main,
        trials=trials,
        ratings=read * answers,
        hours=hours,
        sittings=max(sessions, ceil(hours * 60 / protocol.break_minutes)),
        stretch=protocol.break_minutes,
        kappas=_kappas(protocol, cases, patients),
        warnings=_warnings(protocol, patients, hours, methods),
        presentation=protocol.presentation,
    )


def reading_hours(protocol: Protocol, cases: int, methods: int) -> float:
    """Reading time per reader in hours.

    Raises
    ------
    ProtocolError
        Fewer than two methods, or repeats that do not fit.
    """
    pairs = _pairs(protocol, methods)
    sessions = pairs if protocol.crossover else 1
    return _trials(protocol, cases * pairs, sessions) * protocol.seconds_per_pair / 3600


def _trials(protocol: Protocol, main: int, sessions: int) -> int:
    """All pairs per reader, of which the repeats must fit between the main ones."""
    for share in session_repeats(protocol, sessions):
        repeat_distance(protocol.with_(repeats=share), main // sessions)
    others = protocol.repeats + protocol.nulls + protocol.training + protocol.dummies * sessions
    return main + others + _qualifying(protocol)


def _qualifying(protocol: Protocol) -> int:
    """What is shown in one attempt at the qualification."""
    return presentations(protocol.qualification, single=protocol.single)


def _kappas(protocol: Protocol, cases: int, patients: int) -> tuple[KappaPrecision, ...]:
    scales: dict[int, list[str]] = {}
    for question in protocol.questions:
        points = question.maximum - question.minimum + 1
        if question.analysed in {Analysed.SCORES, Analysed.CATEGORIES} and points > 1:
            scales.setdefault(points, []).append(question.code)
    return tuple(
        KappaPrecision(tuple(codes), points, _half_width(cases, patients, protocol.readers, points))
        for points, codes in scales.items()
    )


def _pairs(protocol: Protocol, methods: int) -> int:
    if protocol.block:
        if protocol.block > methods - 2:
            raise ProtocolError(
                f"Blocks of {protocol.block} besides the control leave none of {methods} methods "
                "out: set block to 0 to read all."
            )
        return {Shown.PAIR: protocol.block, Shown.SINGLE: protocol.block + 1, Shown.RANKING: 1}[
            protocol.presentation
        ]
    if protocol.pairs and protocol.paired:
        return len(protocol.pairs)
    rows: list[MethodRow] = [(f"{i}", MethodKind.TEST) for i in range(methods)]
    pairs = shown_methods(protocol.with_(pairs=(), control="", primary_pair=()), rows)
    return methods - 1 if protocol.control and protocol.paired else len(pairs)


def _warnings(protocol: Protocol, patients: int, hours: float, methods: int) -> tuple[str, ...]:
    found = []
    if protocol.crossover and protocol.readers % orders_of(methods):
        found.append(
            f"the order of {methods} methods over the sessions is balanced for carry-over with "
            f"multiples of {orders_of(methods)} readers, not with {protocol.readers}."
        )
    if protocol.readers < 2:
        found.append("with one reader there is no agreement between readers to report.")
    if hours > LONG_HOURS:
        found.append(
            f"{hours:.1f} hours per reader is long: use fewer cases, list pairs, or set a control."
        )
    if protocol.repeats < FEW_REPEATS:
        found.append(f"{protocol.repeats} repeats say little about a reader's own consistency.")
    if patients < 10:
        found.append(f"intervals that resample patients are rough with {patients} of them.")
    return tuple(found)


def _half_width(cases: int, patients: int, readers: int, points: int) -> float | None:
    """1.96 standard deviations of Fleiss' kappa over simulated studies."""
    if readers < 2:
        return None
    rng = np.random.default_rng(0)
    studies = int(np.clip(_ENTRIES // (cases * readers), 50, 400))
    kappas = [_simulated_kappa(cases, patients, readers, points, rng) for _ in range(studies)]
    return float(1.96 * np.std(kappas))


def _simulated_kappa(
    cases: int, patients: int, readers: int, points: int, rng: np.random.Generator
) -> float:
    """Kappa of simulated readers who see the truth with probability sqrt(0.6), else guess.

    Truth and guesses are uniform on the scale, so the expected kappa is the square of that
    probability.
    """
    of_patient = rng.integers(points, size=patients)[np.arange(cases) % patients]
    alike = rng.random(cases) < PATIENT_SHARE
    truth = np.where(alike, of_patient, rng.integers(points, size=cases))
    seen = rng.random((cases, readers)) < np.sqrt(ASSUMED_KAPPA)
    rated = np.where(seen, truth[:, None], rng.integers(points, size=(cases, readers)))
    counts = np.stack([(rated == point).sum(axis=1) for point in range(points)], axis=1)
    agreement = ((counts * (counts - 1)).sum(axis=1) / (readers * (readers - 1))).mean()
    chance = ((counts.sum(axis=0) / counts.sum()) ** 2).sum()
    return float((agreement - chance) / (1 - chance)) if chance < 1 else 1.0
