"""A Thurstonian model of a reader, for simulated answers that a seed determines.

Every image has a latent quality on the scale of the question: the strength of its method plus a
random part that all readers share for the case. Each reader adds an individual bias and noise. The
same seed and pair give the same answer, in whatever order they are asked.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from study.domain.question_kinds import IMAGE_SLOTS
from study.domain.questions import LEFT, NO_PREFERENCE, PREFERS_LEFT, PREFERS_RIGHT, RIGHT, Question


@dataclass(frozen=True)
class ShownPair:
    """A pair as the reader sees it.

    Parameters
    ----------
    case : str
    left, right : str
        Identifiers of the methods.
    presentation : str
        Identifies the presentation: a repeat draws new noise.
    others : tuple of str
        Methods of a ranking after the first two.
    """

    case: str
    left: str
    right: str
    presentation: str
    others: tuple[str, ...] = ()

    @property
    def methods(self) -> tuple[str, ...]:
        """The methods by slot."""
        return tuple(filter(None, (self.left, self.right, *self.others)))


@dataclass(frozen=True)
class ReaderModel:
    """One simulated reader.

    Parameters
    ----------
    reader : str
        Seeds the noise, together with the seed.
    strengths : mapping of str to float
        Mean score of each method by its identifier; 3 for other methods.
    seed : int
        Seed of all random numbers.
    bias : float
        Added to all scores; below 0 for a severe reader.
    noise : float
        Standard deviation of the noise of a single answer.
    spread : float
        Standard deviation of the random part that all readers share for an image.
    left_bonus : float
        Added to the left image's quality in the preference.
    indifference : float
        Qualities that differ by less give no preference.
    cannot_judge : float
        Probability of "cannot judge".
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
        draw = self._draws(self.reader, question.code, shown.presentation, str(side))
        if question.cannot_judge and draw.random() < self.cannot_judge:
            return None
        latent = self._latent(shown, side) + self.bias
        return int(np.clip(round(latent + draw.normal(0, self.noise)), *_ends(question)))

    def prefer(self, question: Question, shown: ShownPair) -> int | None:
        """The preferred side, neither, or None for "cannot judge"."""
        draw = self._draws(self.reader, question.code, shown.presentation)
        if question.cannot_judge and draw.random() < self.cannot_judge:
            return None
        apart = self._latent(shown, LEFT) - self._latent(shown, RIGHT)
        apart += self.left_bonus + draw.normal(0, self.noise)
        if abs(apart) < self.indifference:
            return NO_PREFERENCE
        return PREFERS_LEFT if apart > 0 else PREFERS_RIGHT

    def rank(self, question: Question, shown: ShownPair, side: int) -> int:
        """The rank of an image among those that are shown; 1 is the best."""
        draw = self._draws(self.reader, question.code, shown.presentation)
        slots = IMAGE_SLOTS[: len(shown.methods)]
        seen = {slot: self._latent(shown, slot) + draw.normal(0, self.noise) for slot in slots}
        return 1 + sum(other > seen[side] for other in seen.values())

    def seconds(self, shown: ShownPair) -> float:
        """Seconds that the reader looks at a pair."""
        return float(self._draws(self.reader, "seconds", shown.presentation).lognormal(3.0, 0.35))

    def _latent(self, shown: ShownPair, side: int) -> float:
        method = shown.methods[IMAGE_SLOTS.index(side)]
        shared = self._draws("all readers", shown.case, method).normal(0, self.spread)
        return self.strengths.get(method, 3.0) + float(shared)

    def _draws(self, *of: str) -> np.random.Generator:
        text = "\x1f".join((str(self.seed), *of))
        seed = hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest()[:16]
        return np.random.default_rng(int.from_bytes(seed, "big"))


def _ends(question: Question) -> tuple[int, int]:
    return question.minimum, question.maximum
