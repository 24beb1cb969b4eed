"""Power and precision of the primary test over a grid of readers and cases."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import compress

import numpy as np

from study.domain.errors import ProtocolError
from study.domain.formatting import plural
from study.domain.inference import Hypothesis
from study.domain.protocol import Protocol
from study.domain.questions import Analysed, Question
from study.planning.power.design import SimulatedDesign, read_with_control
from study.planning.power.model import RatingModel
from study.planning.workload import reading_hours
from study.stats.comparison.hypotheses import hypothesis_test
from study.stats.comparison.preference import win_rates
from study.stats.estimate import Estimate, PValue
from study.stats.random_effects import random_effects_test
from study.stats.two_way_bootstrap import LOG_ODDS

SIMULATIONS, RESAMPLES = 400, 100
"""Simulated studies of each design, and resamples of each test of preferences."""
TARGET = 0.8
READERS = (3, 5, 8, 12)
COLUMNS = (
    ("readers", 8), ("patients", 10), ("cases", 8), ("power", 8), ("half width", 12),
    ("hours each", 12),
)  # fmt: skip
MOST_RATINGS, MOST_SIMULATED = 1_000_000, 2_000_000_000
"""Largest design, and most ratings of a method in all simulated studies of a grid."""
PARTS = (0.5, 1.0, 2.0, 4.0)
"""Cases of the grid, as parts of those that are planned."""


@dataclass(frozen=True)
class DesignPower:
    """One design.

    Parameters
    ----------
    readers, patients, cases : int
    power : float
        Share of simulated studies that show the hypothesis.
    half_width : float or None
        Median half width of the interval of the difference, or of the share of wins; None where
        most studies have no interval.
    hours : float
        Reading time per reader.
    """

    readers: int
    patients: int
    cases: int
    power: float
    half_width: float | None
    hours: float


@dataclass(frozen=True)
class PowerPlan:
    """Power over a grid of designs.

    Parameters
    ----------
    question : str
        Code of the primary question.
    hypothesis : Hypothesis
    effect : str
        The true difference, in words.
    assumptions : str
    target : float
    designs : tuple of DesignPower
        By readers, then cases.
    smallest : DesignPower or None
        Fewest readings in all that reach the target.
    simulations : int
    """

    question: str
    hypothesis: Hypothesis
    effect: str
    assumptions: str
    target: float
    designs: tuple[DesignPower, ...]
    smallest: DesignPower | None
    simulations: int

    def as_text(self) -> str:
        """The plan as text: a table of designs, and the smallest that reaches the target."""
        error = 1.96 * math.sqrt(self.target * (1 - self.target) / self.simulations)
        lines = [
            f"power for {self.hypothesis.value} in {self.question}: {self.effect}",
            f"{self.assumptions}; {self.simulations} simulated studies of each design "
            f"(±{100 * error:.0f} %)",
            "".join(f"{name:>{width}}" for name, width in COLUMNS),
        ]
        for one in self.designs:
            width = "undefined" if one.half_width is None else f"{one.half_width:.2f}"
            lines.append(f"{one.readers:>8}{one.patients:>10}{one.cases:>8}{100 * one.power:>7.0f}%"
                         f"{width:>12}{one.hours:>12.1f}")  # fmt: skip
        if self.smallest is None:
            lines.append(f"no design of the grid reaches {100 * self.target:.0f} %: add readers or "
                         "cases with --grid-readers and --grid-cases")  # fmt: skip
        else:
            best = self.smallest
            lines.append(
                f"smallest that reaches {100 * self.target:.0f} %: "
                f"{plural(best.readers, 'reader')}, {plural(best.cases, 'case')} of "
                f"{plural(best.patients, 'patient')}, "
                f"{best.hours:.1f} hours each"
            )
        return "\n".join(lines)


def power_plan(
    protocol: Protocol,
    model: RatingModel,
    *,
    methods: int,
    readers: Sequence[int],
    cases: Sequence[int],
    cases_per_patient: float = 1.0,
    target: float = TARGET,
    simulations: int = SIMULATIONS,
    seed: int = 0,
) -> PowerPlan:
    """Simulate the primary test of every design of a grid.

    Parameters
    ----------
    protocol : Protocol
        Its primary question, hypothesis, margin, level and what is random.
    model : RatingModel
        With the true difference.
    methods : int
        Number of methods, for the hours.
    readers, cases : sequence of int
        The grid; cases on which the repeats do not fit are left out.
    cases_per_patient : float
        At least 1.
    target, simulations, seed
        Power that is wanted, studies of each design, and seed.

    Raises
    ------
    ProtocolError
        There is no primary question, no design of the grid is possible, or they are too large.
    """
    question = protocol.primary_question
    if question is None:
        raise ProtocolError(
            "No question is marked as primary: power is that of the primary comparison. Mark one "
            'in the protocol ("primary": true).'
        )
    designs = [(one, other) for one in sorted(set(readers)) for other in sorted(set(cases))]
    _check_size([count * number * model.images for count, number in designs], simulations)
    # What does not depend on the size is said as it is.
    reading_hours(protocol.with_(repeats=0), max(cases), methods)
    found = []
    for count, number in designs:
        patients = max(1, round(number / cases_per_patient))
        try:
            hours = reading_hours(protocol, number, methods)
        except ProtocolError:
            continue
        rng = np.random.default_rng((seed, count, number))
        design = SimulatedDesign(
            count,
            np.arange(number) % patients,
            read_with_control(protocol, methods, count, number),
        )
        outcomes = [_study(protocol, question, model, design, rng) for _ in range(simulations)]
        widths = [width for _, width in outcomes if width is not None]
        found.append(
            DesignPower(
                count, patients, number,
                float(np.mean([shown for shown, _ in outcomes])),
                float(np.median(widths)) if 2 * len(widths) > simulations else None,
                hours,
            )
        )  # fmt: skip
    if not found:
        raise ProtocolError(
            f"No design with {', '.join(map(str, cases))} cases holds the {protocol.repeats} "
            "repeats of the protocol: give more cases, or fewer repeats."
        )
    reaching = [one for one in found if one.power >= target]
    smallest = min(reaching, key=lambda one: (one.readers * one.cases, one.hours), default=None)
    return PowerPlan(
        question.code, protocol.hypothesis, effect_in_words(question, model),
        _assumptions(protocol, model, methods), target, tuple(found), smallest, simulations,
    )  # fmt: skip


def effect_in_words(question: Question, model: RatingModel) -> str:
    """The true difference of a model."""
    if question.analysed is Analysed.PREFERENCES:
        return f"the first wins {100 * model.share(model.effect):.0f} % of the decided preferences"
    if question.ranks:
        return (
            f"a true difference of {model.rank_difference(model.effect):+.2f} in the mean rank of "
            f"{model.images} images, the others midway"
        )
    ends = f" on {model.low:g} to {model.high:g}" if math.isfinite(model.high) else ""
    return f"a true difference of {model.effect:+.2f}{ends}"


def grid_cases(planned: int) -> tuple[int, ...]:
    """The cases of the grid, around those that are planned."""
    return tuple(sorted({max(2, round(part * planned)) for part in PARTS}))


def grid_readers(planned: int) -> tuple[int, ...]:
    """The readers of the grid, with those that are planned."""
    return tuple(sorted({*READERS, planned}))


def _assumptions(protocol: Protocol, model: RatingModel, methods: int) -> str:
    """Spreads, what is random, and how much of the cases a reader reads, in words."""
    words = f"{model.source}, {protocol.random.words} random"
    if not protocol.block:
        return words
    part = 100 * protocol.block / (methods - 1)
    return f"{words}, each reader has both methods in {part:.0f} % of the cases"


def _study(
    protocol: Protocol,
    question: Question,
    model: RatingModel,
    design: SimulatedDesign,
    rng: np.random.Generator,
) -> tuple[bool, float | None]:
    """Whether one simulated study shows the hypothesis, and the half width of its interval."""
    level, margin = 1 - protocol.alpha, protocol.margin
    readers, patient, read = design.readers, design.patient, design.read(rng)
    if not read.any():
        return False, None
    if question.analysed is Analysed.PREFERENCES:
        choices = list(compress(model.choices(rng, readers, patient), read.ravel()))
        [rate] = win_rates(
            choices, resamples=RESAMPLES, seed=0, random=protocol.random, level=level
        )
        ends = rate.rate.bootstrap
        width = _half_width(ends.low, ends.high) if ends else None
        limits = (LOG_ODDS.to(0.5 - margin), LOG_ODDS.to(0.5 + margin))
        return _shown(protocol, model, rate.test, rate.log_odds, limits), width
    simulated = model.rankings if question.ranks else model.ratings
    first, second, *_ = simulated(rng, readers, patient)
    clusters = [f"P{number}" for number in patient]
    found = random_effects_test(
        np.where(read, first - second, np.nan), clusters, protocol.random, span=question.span,
        level=level,
    )  # fmt: skip
    width = _half_width(found.difference.low, found.difference.high)
    shown = _shown(protocol, model, found.test, found.difference, (-margin, margin))
    return shown, width


def _shown(
    protocol: Protocol,
    model: RatingModel,
    test: PValue,
    value: Estimate,
    margins: tuple[float, float],
) -> bool:
    outcome = hypothesis_test(
        test, value.value, value.se, hypothesis=protocol.hypothesis, margins=margins,
        alpha=protocol.alpha,
    )  # fmt: skip
    # A difference in the wrong direction is not what the study is to show.
    right = (
        protocol.hypothesis is not Hypothesis.DIFFERENCE or (value.value or 0.0) * model.effect >= 0
    )
    return bool(outcome.shown) and right


def _half_width(low: float | None, high: float | None) -> float | None:
    return None if low is None or high is None else (high - low) / 2


def _check_size(ratings: Sequence[int], simulations: int) -> None:
    if max(ratings) > MOST_RATINGS or simulations * sum(ratings) > MOST_SIMULATED:
        raise ProtocolError(
            f"{plural(len(ratings), 'design')} of up to {max(ratings)} ratings, simulated "
            f"{simulations} times, are too many: give fewer or smaller ones with --grid-readers "
            "and --grid-cases, or fewer --simulations."
        )


def numbers_of(text: str, name: str) -> tuple[int, ...]:
    """Positive integers separated by commas, such as "3,5,8".

    Raises
    ------
    ProtocolError
        It is something else.
    """
    parts: Iterable[str] = (part.strip() for part in text.split(","))
    found = [int(part) if part.isascii() and part.isdecimal() else 0 for part in parts]
    if not all(1 <= number <= 100_000 for number in found):
        raise ProtocolError(f"{name} {text!r} must be numbers separated by commas, such as 3,5,8.")
    return tuple(found)
