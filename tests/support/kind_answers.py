"""Simulated answers to every kind of question, with an error that grows with the method."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from study.domain.questions import Question, QuestionKind, question_from
from tests.support.open_study import SIZE

PER_IMAGE = tuple(
    question_from({"code": code, "text": text, **more})
    for code, text, more in (
        ("quality", "Overall quality", {"minimum": 0, "maximum": 10}),
        ("line", "Visibility", {"kind": "vas", "anchors": ["not at all", "perfectly"]}),
        ("count", "Vertebrae", {"kind": "number", "low": 0, "high": 24, "unit": "vertebrae"}),
        ("lesion", "Is there a lesion?", {"kind": "yes_no", "primary": True}),
        ("artefact", "Which artefact?", {"kind": "choice", "anchors": ["none", "blur", "noise"]}),
        ("remark", "What do you see?", {"kind": "text", "longest": 200, "cannot_judge": False}),
        ("tip", "Where is the tip?", {"kind": "point"}),
        ("width", "How wide is it?", {"kind": "length", "show_value": True}),
        ("cobb", "Cobb angle", {"kind": "angle"}),
        ("region", "Outline", {"kind": "region"}),
        ("box", "Ellipse around it", {"kind": "region", "shape": "ellipse"}),
        ("sure", "How sure are you of a lesion?", {"maximum": 6, "truth": True}),
    )
)  # fmt: skip
"""Every kind that is asked about an image."""
COMPARED = question_from({"code": "better", "text": "Which is better?", "kind": "comparison"})

Value = int | float | str | list[list[float]]


def answer(question: Question, rng: np.random.Generator, case: int, error: float) -> Value:
    """An answer about a case whose true angle is 10 degrees for each case number.

    Parameters
    ----------
    question : Question
    rng : Generator
        Of the reader and the image.
    case : int
    error : float
        Standard deviation of an angle in degrees; other answers vary in proportion.
    """
    return _ANSWERS[question.kind](question, rng, case, error)


def _line(degrees: float, row: float) -> list[list[float]]:
    run, rise = 20 * math.cos(math.radians(degrees)), 20 * math.sin(math.radians(degrees))
    return [[SIZE / 2 - run, row - rise], [SIZE / 2 + run, row + rise]]


def _likert(question: Question, rng: np.random.Generator, case: int, error: float) -> int:
    found = round(question.maximum - 1 - error + rng.normal(0, 0.7))
    return int(np.clip(found, question.minimum, question.maximum))


def _angle(
    question: Question, rng: np.random.Generator, case: int, error: float
) -> list[list[float]]:
    tilt = 5.0 * case + rng.normal(0, error)
    return _line(tilt, SIZE * 0.3) + _line(-5.0 * case, SIZE * 0.7)


def _region(
    question: Question, rng: np.random.Generator, case: int, error: float
) -> list[list[float]]:
    side = 10 + 2 * case + float(np.clip(rng.normal(0, error), -5, 5))
    corners = [[20.0, 20.0], [20 + side, 20.0], [20 + side, 20 + side], [20.0, 20 + side]]
    return [corners[0], corners[2]] if question.shape == "ellipse" else corners


_ANSWERS: dict[QuestionKind, Callable[[Question, np.random.Generator, int, float], Value]] = {
    QuestionKind.LIKERT: _likert,
    QuestionKind.VAS: lambda q, rng, case, error: int(
        np.clip(90 - 8 * error + rng.normal(0, 5), 0, 100)
    ),
    QuestionKind.NUMBER: lambda q, rng, case, error: round(12 + case + rng.normal(0, error / 4), 1),
    QuestionKind.YES_NO: lambda q, rng, case, error: int(rng.random() < 0.1 + 0.8 * (case % 2)),
    QuestionKind.CHOICE: lambda q, rng, case, error: 1 + int(rng.integers(3)),
    QuestionKind.TEXT: lambda q, rng, case, error: f"=case {case}" if case % 2 else "",
    QuestionKind.POINT: lambda q, rng, case, error: [[30.5 + case, 31.25]],
    QuestionKind.LENGTH: lambda q, rng, case, error: [
        [10.0, 10.0], [20.0 + 4 * case + float(rng.normal(0, error)) / 2, 10.0],
    ],
    QuestionKind.ANGLE: _angle,
    QuestionKind.REGION: _region,
    QuestionKind.COMPARISON: lambda q, rng, case, error: int(np.clip(rng.normal(0, 1.5), -3, 3)),
    QuestionKind.PREFERENCE: lambda q, rng, case, error: int(rng.integers(-1, 2)),
}  # fmt: skip
