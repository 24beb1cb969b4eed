"""The fields of the design page, and the protocol that they describe."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from study.domain.errors import ProtocolError
from study.domain.inference import Hypothesis, Random
from study.domain.plan import MethodRow, method_pairs
from study.domain.protocol import Protocol
from study.domain.protocol_json import chosen
from study.domain.questions import CATALOG, PREFERENCE, RANKING, Question
from study.domain.terms import Shown
from study.domain.windows import NAMED, WHOLE, Listed, label_of
from study.planning.progress_report import ImageCounts
from study.planning.workload import WorkloadEstimate, estimate

EVERY, CONTROL, LISTED = "every pair", "all against one", "chosen pairs"
PAIRINGS = (EVERY, CONTROL, LISTED)
TEXTS = ("title", "instructions", "consent", "notes", "language")
INTEGERS = {
    "readers": "Readers",
    "block": "Methods per case",
    "training": "Training pairs",
    "dummies": "Dummies",
    "repeats": "Hidden repeats",
    "nulls": "Null pairs",
    "repeat_distance": "Pairs before a repeat",
    "least_width": "Minimum window width",
    "least_height": "Minimum window height",
}
DECIMALS = {
    "washout_days": "Washout in days",
    "break_minutes": "Break after minutes",
    "seconds_per_pair": "Seconds per pair",
    "alpha": "Significance level",
    "margin": "Margin",
}
NUMBERS = INTEGERS | DECIMALS
LABELS = NUMBERS | {"ranked": "Images of a ranking"}
FLAGS = ("feedback", "ask_blinding", "crossover", "show_original")
CHOICES = ("presentation", "random", "hypothesis")
PLANNED = {"planned_cases": 40, "planned_patients": 40, "planned_methods": 4}
"""Numbers for the estimate until images are built."""


@dataclass(frozen=True)
class StudySize:
    """Numbers of cases, patients and methods for the estimate."""

    cases: int
    patients: int
    methods: int


@dataclass(frozen=True)
class NamedMethod:
    """A method by its identifier and its name."""

    id: str
    name: str


RANDOM = {
    Random.BOTH: "readers and patients",
    Random.READERS: "readers, these cases",
    Random.CASES: "patients, these readers",
}
"""Labels of what p values and intervals take as random."""
HYPOTHESES = {
    Hypothesis.DIFFERENCE: "they differ",
    Hypothesis.NON_INFERIORITY: "the first is not worse (non-inferiority)",
    Hypothesis.EQUIVALENCE: "they are equivalent",
}
SHOWN = {
    Shown.PAIR: "pairs, side by side",
    Shown.SINGLE: "single images",
    Shown.RANKING: "all images of a case, to be ranked",
}
NO_PRIMARY = {"": "the only pair, or none"}


def criteria(protocol: Protocol) -> dict[str, Question]:
    """The criteria that may be chosen, by code: those of the catalog and of the protocol."""
    own = {q.code: q for q in protocol.questions if not (q.of_pair or q.ranks)}
    return {question.code: question for question in CATALOG} | own


def known_windows(protocol: Protocol) -> dict[str, Listed]:
    """The display windows that may be chosen, by label: those known by name and the protocol's."""
    return {label_of(one): one for one in (*WHOLE, *NAMED, *protocol.windows)}


def values_of(protocol: Protocol) -> dict[str, Any]:
    """What the fields show for a protocol, by name."""
    rated = [q for q in protocol.questions if not (q.of_pair or q.ranks)]
    primary = next((q.code for q in rated if q.primary), "")
    pairing = CONTROL if protocol.control else LISTED if protocol.pairs else EVERY
    return {
        **{name: getattr(protocol, name) for name in (*TEXTS, *NUMBERS, *FLAGS)},
        "criteria": [question.code for question in rated],
        "primary": primary or None,
        "preference": any(q.of_pair for q in protocol.questions),
        "cannot_judge": all(question.cannot_judge for question in protocol.questions),
        "ranked": protocol.images if protocol.ranking else RANKING.maximum,
        "ties": any(question.ties for question in protocol.questions),
        "groups": ", ".join(protocol.blinding_groups),
        "windows": [label_of(one) for one in protocol.windows],
        "pairing": pairing,
        "control": protocol.control or None,
        "pairs": [pair_value(pair) for pair in protocol.pairs],
        "primary_pair": " ".join(protocol.primary_pair),
        **{name: getattr(protocol, name).value for name in CHOICES},
    }


def protocol_of(values: Mapping[str, Any], base: Protocol) -> Protocol:
    """The protocol that the fields describe.

    Parameters
    ----------
    values : mapping
        As `values_of` gives them.
    base : Protocol
        The stored one; what has no field stays.

    Raises
    ------
    ProtocolError
        A number is missing, or a value is not possible.
    """
    pairing = values["pairing"]
    if pairing == CONTROL and not values["control"]:
        raise ProtocolError("Choose the method that all others are compared with.")
    if pairing == LISTED and not values["pairs"]:
        raise ProtocolError("Choose at least one pair of methods.")
    return base.with_(
        **{name: str(values[name] or "").strip() for name in TEXTS},
        **{name: int(_number(name, values[name], integer=True)) for name in INTEGERS},
        **{name: _number(name, values[name]) for name in DECIMALS},
        **{name: bool(values[name]) for name in FLAGS},
        questions=_questions(values, base),
        blinding_groups=tuple(g.strip() for g in str(values["groups"]).split(",") if g.strip()),
        control=str(values["control"]) if pairing == CONTROL else "",
        pairs=tuple(_pair(text) for text in values["pairs"]) if pairing == LISTED else (),
        primary_pair=_pair(values["primary_pair"]) if values["primary_pair"] else (),
        windows=tuple(known_windows(base)[label] for label in values["windows"] or ()),
        **{name: chosen(name, values[name]) for name in CHOICES},
        randomise_sides=True,
        randomise_order=True,
    )


def planned(images: ImageCounts, values: Mapping[str, Any]) -> StudySize:
    """Numbers of the built images where there are some, else of the fields."""
    if images.cases:
        return StudySize(images.cases, images.patients, images.methods)
    return StudySize(*(int(_number(name, values[name], integer=True)) for name in PLANNED))


def cost(
    protocol: Protocol, size: StudySize, methods: Sequence[MethodRow] = ()
) -> WorkloadEstimate:
    """The workload of a design; given the methods that are built, its pairs are checked too.

    Raises
    ------
    ProtocolError
        The design is not possible.
    """
    if methods:
        method_pairs(protocol, methods)
    return estimate(protocol, size.cases, size.patients, size.methods)


def pair_value(pair: tuple[str, str]) -> str:
    """A pair of methods as the value of its checkbox."""
    return " ".join(sorted(pair))


def _pair(value: str) -> tuple[str, str]:
    first, _, second = str(value).partition(" ")
    return first, second


def _questions(values: Mapping[str, Any], base: Protocol) -> tuple[Question, ...]:
    if values["presentation"] == Shown.RANKING:
        return _rankings(values, base)
    known = criteria(base)
    asked = [question for code, question in known.items() if code in values["criteria"]]
    if values["primary"] and values["primary"] not in values["criteria"]:
        raise ProtocolError(f"The primary criterion {values['primary']} is not among the chosen.")
    stored = next((q for q in base.questions if q.of_pair), PREFERENCE)
    if values["preference"]:
        asked.append(stored)
    may, might = bool(values["cannot_judge"]), all(q.cannot_judge for q in base.questions)
    return tuple(
        replace(
            question,
            cannot_judge=question.cannot_judge if may == might else may,
            primary=question.code == values["primary"],
        )
        for question in asked
    )


def _rankings(values: Mapping[str, Any], base: Protocol) -> tuple[Question, ...]:
    """The ranking questions of the protocol, or the ready-made one."""
    images = int(_number("ranked", values["ranked"], integer=True))
    stored = [question for question in base.questions if question.ranks] or [RANKING]
    return tuple(replace(one, maximum=images, ties=bool(values["ties"])) for one in stored)


def _number(name: str, value: Any, *, integer: bool = False) -> float:
    label = LABELS.get(name) or f"Number of {name.removeprefix('planned_')}"
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ProtocolError(f"{label} is empty: give a number.")
    if integer and value != int(value):
        raise ProtocolError(f"{label} is {value:g}: give a whole number.")
    return float(value)
