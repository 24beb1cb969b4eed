"""Simulated readers: how much they like what they see, drawn from recorded seeds.

A taste is a thurstonian one: every image has a latent quality on the scale of the question, made of
the method's strength and of a part that all readers share about the case; each reader adds a bias
and noise of their own. The same seed and pair give the same answer, in whatever order they are
asked.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from study.domain.questions import LEFT, NO_PREFERENCE, PREFERS_LEFT, PREFERS_RIGHT, RIGHT, Question


@dataclass(frozen=True)
class ShownPair:
    """A pair as it lies before the reader.

    Parameters
    ----------
    case : str
    left, right : str
        Identifiers of the methods.
    showing : str
        Different at every showing: a repeat draws new noise.
    """

    case: str
    left: str
    right: str
    showing: str


@dataclass(frozen=True)
class ReaderModel:
    """One simulated reader.

    Parameters
    ----------
    reader : str
        Tells the noise of readers apart.
    strengths : mapping of str to float
        Mean score of each method, by its identifier; a method that is not there is worth 3.
    seed : int
        Of everything that is drawn.
    bias : float
        Added to all scores: a severe reader has less than 0.
    noise : float
        Standard deviation of a single judgement.
    spread : float
        Standard deviation of what all readers share about an image.
    left_bonus : float
        How much the left side gains in the preference.
    indifference : float
        Qualities closer than this get no preference.
    cannot_judge : float
        Chance that a question is not answered.
    """

    reader: str
    strengths: Mapping[str, float] = field(default_factory=dict)
    seed: int = 0
    bias: float = 0.0
    noise: float = 0.5
    spread: float = 0.6
    left_bonus: float = 0.0
    indifference: float = 0.3
    cannot_judge: float = 0.0

    def score(self, question: Question, shown: ShownPair, side: int) -> int | None:
        """A point of the question's scale, or None for "cannot judge"."""
        draw = self._draws(self.reader, question.code, shown.showing, str(side))
        if question.cannot_judge and draw.random() < self.cannot_judge:
            return None
        latent = self._latent(shown, side) + self.bias
        return int(np.clip(round(latent + draw.normal(0, self.noise)), *_ends(question)))

    def prefer(self, question: Question, shown: ShownPair) -> int | None:
        """Which side, neither, or None for "cannot judge"."""
        draw = self._draws(self.reader, question.code, shown.showing)
        if question.cannot_judge and draw.random() < self.cannot_judge:
            return None
        apart = self._latent(shown, LEFT) - self._latent(shown, RIGHT)
        apart += self.left_bonus + draw.normal(0, self.noise)
        if abs(apart) < self.indifference:
            return NO_PREFERENCE
        return PREFERS_LEFT if apart > 0 else PREFERS_RIGHT

    def seconds(self, shown: ShownPair) -> float:
        """How long the reader looks."""
        return float(self._draws(self.reader, "seconds", shown.showing).lognormal(3.0, 0.35))

    def _latent(self, shown: ShownPair, side: int) -> float:
        method = shown.left if side == LEFT else shown.right
        shared = self._draws("all readers", shown.case, method).normal(0, self.spread)
        return self.strengths.get(method, 3.0) + float(shared)

    def _draws(self, *of: str) -> np.random.Generator:
        text = "\x1f".join((str(self.seed), *of))
        seed = hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest()[:16]
        return np.random.default_rng(int.from_bytes(seed, "big"))


def _ends(question: Question) -> tuple[int, int]:
    return question.minimum, question.maximum
