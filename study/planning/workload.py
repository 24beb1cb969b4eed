"""Workload of a design, and the expected precision of kappa, before anyone reads."""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil

import numpy as np

from study.domain.errors import ProtocolError
from study.domain.plan import MethodRow, method_pairs, repeat_distance
from study.domain.protocol import MethodKind, Protocol

ASSUMED_KAPPA = 0.6
"""Kappa for which the expected half width is simulated."""
PATIENT_SHARE = 0.5
"""Probability that a case has the same true quality as other cases of its patient."""
LONG_HOURS = 8.0
FEW_REPEATS = 10
WIDEST = 0.5
"""Largest half width that is reported as a number."""
_POINTS = 5
_ENTRIES = 2_000_000


@dataclass(frozen=True)
class WorkloadEstimate:
    """Workload and expected precision of a study.

    Parameters
    ----------
    readers, cases, pairs : int
        Numbers of readers, main cases and pairs of methods.
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
    kappa_half_width : float, optional
        Expected half width of the 95% interval of Fleiss' kappa of one method on a 5-point scale,
        for a kappa of 0.6 and correlated cases of a patient; None with one reader.
    warnings : tuple of str
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
    kappa_half_width: float | None
    warnings: tuple[str, ...] = ()

    @property
    def ratings_total(self) -> int:
        """Number of answers of all readers."""
        return self.readers * self.ratings

    def as_text(self) -> str:
        """The estimate as text."""
        width = self.kappa_half_width
        rows = [
            ("readers", f"{self.readers}"),
            ("main pairs each", f"{self.main} ({self.cases} cases x {self.pairs} method pairs)"),
            ("all pairs each", f"{self.trials}"),
            ("answers", f"{self.ratings} each, {self.ratings_total} in all"),
            (
                "time each",
                f"{self.hours:.1f} h, {self.sittings} times at most {self.stretch:g} min",
            ),
            ("kappa of a method", _precision(width)),
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
    repeat_distance(protocol, main)
    read = main + protocol.repeats + protocol.nulls
    trials = read + protocol.training + protocol.dummies
    hours = trials * protocol.seconds_per_pair / 3600
    answers = sum(len(question.slots) for question in protocol.questions)
    return WorkloadEstimate(
        readers=protocol.readers,
        cases=cases,
        pairs=pairs,
        main=main,
        trials=trials,
        ratings=read * answers,
        hours=hours,
        sittings=max(1, ceil(hours * 60 / protocol.break_minutes)),
        stretch=protocol.break_minutes,
        kappa_half_width=_half_width(cases, patients, protocol.readers),
        warnings=_warnings(protocol, patients, hours),
    )


def _precision(width: float | None) -> str:
    if width is None:
        return "needs 2 readers"
    if width > WIDEST:
        return f"needs more cases: +-{width:.1f} says nothing"
    return f"within +-{width:.2f} (95%), if it is {ASSUMED_KAPPA:g}"


def _pairs(protocol: Protocol, methods: int) -> int:
    if protocol.pairs:
        return len(protocol.pairs)
    rows: list[MethodRow] = [(f"{i}", MethodKind.TEST) for i in range(methods)]
    pairs = method_pairs(protocol.with_(control="", primary_pair=()), rows)
    return methods - 1 if protocol.control else len(pairs)


def _warnings(protocol: Protocol, patients: int, hours: float) -> tuple[str, ...]:
    found = []
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


def _half_width(cases: int, patients: int, readers: int) -> float | None:
    """1.96 standard deviations of Fleiss' kappa over simulated studies."""
    if readers < 2:
        return None
    rng = np.random.default_rng(0)
    studies = int(np.clip(_ENTRIES // (cases * readers), 50, 400))
    kappas = [_simulated_kappa(cases, patients, readers, rng) for _ in range(studies)]
    return float(1.96 * np.std(kappas))


def _simulated_kappa(cases: int, patients: int, readers: int, rng: np.random.Generator) -> float:
    """Kappa of simulated readers who see the truth with probability sqrt(0.6), else guess.

    Truth and guesses are uniform on the scale, so the expected kappa is the square of that
    probability.
    """
    of_patient = rng.integers(_POINTS, size=patients)[np.arange(cases) % patients]
    alike = rng.random(cases) < PATIENT_SHARE
    truth = np.where(alike, of_patient, rng.integers(_POINTS, size=cases))
    seen = rng.random((cases, readers)) < np.sqrt(ASSUMED_KAPPA)
    rated = np.where(seen, truth[:, None], rng.integers(_POINTS, size=(cases, readers)))
    counts = np.stack([(rated == point).sum(axis=1) for point in range(_POINTS)], axis=1)
    agreement = ((counts * (counts - 1)).sum(axis=1) / (readers * (readers - 1))).mean()
    chance = ((counts.sum(axis=0) / counts.sum()) ** 2).sum()
    return float((agreement - chance) / (1 - chance)) if chance < 1 else 1.0
