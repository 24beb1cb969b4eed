"""Simulated studies of equal methods, with and without clustering by patient and reader."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from scipy.stats import rankdata

from study.stats.comparison.preference import Choice, Preference
from study.stats.comparison.rankings import Ranking
from study.stats.estimate import Floats

CASE_SD, PATIENT_SD, NOISE_SD = 0.5, 0.5, 0.6
"""Standard deviations on the 5-point scale of what the two methods share, and of a rating."""
PATIENT_EFFECT, READER_EFFECT = 0.5, 0.3
"""Standard deviations of a method's effect in a patient, and with a reader, where clustered."""
TIE = 0.25
"""A difference below this is no preference."""
CENTRE = 3.0
METHODS = ("A", "B", "C")


class Clustering(StrEnum):
    """What the differences of two methods depend on, besides noise."""

    NONE = "none"
    PATIENT = "patient"
    READER = "reader"
    BOTH = "both"


@dataclass(frozen=True)
class Design:
    """Numbers of patients, of cases of each, and of readers."""

    patients: int
    cases: int
    readers: int = 5

    @property
    def name(self) -> str:
        """Such as "20 x 5"."""
        return f"{self.patients} × {self.cases}"

    @property
    def clusters(self) -> list[str]:
        """Patient of each case."""
        return [f"P{case // self.cases}" for case in range(self.patients * self.cases)]


@dataclass(frozen=True, eq=False)
class SimulatedStudy:
    """One study of two methods whose true difference is zero, and a third one to be ranked.

    Parameters
    ----------
    design : Design
    opinion : ndarray, shape (3, cases, readers)
        What each reader thinks of each image, on a continuous scale.
    """

    design: Design
    opinion: Floats

    @property
    def scores(self) -> Floats:
        """The ratings from 1 to 5 of the two methods, shape (2, cases, readers)."""
        scores: Floats = np.clip(np.rint(self.opinion[:2]), 1, 5)
        return scores

    @property
    def ranks(self) -> Floats:
        """The ranks of all three methods, 1 for the best, shape (3, cases, readers)."""
        ranks: Floats = rankdata(-self.opinion, axis=0)
        return ranks

    def rankings(self) -> list[Ranking]:
        """The ranking of each case by each reader."""
        clusters, ranks = self.design.clusters, self.ranks
        return [
            Ranking(f"{case}", f"R{reader}", METHODS, tuple(ranks[:, case, reader]), clusters[case])
            for case, reader in np.ndindex(ranks.shape[1:])
        ]

    def choices(self) -> list[Choice]:
        """The preferences, with sides that alternate."""
        clusters, found = self.design.clusters, []
        for case, reader in np.ndindex(self.opinion.shape[1:]):
            difference = float(self.opinion[0, case, reader] - self.opinion[1, case, reader])
            left, right = ("A", "B") if (case + reader) % 2 else ("B", "A")
            preferred = Preference.TIE
            if abs(difference) > TIE:
                wins = (difference > 0) == (left == "A")
                preferred = Preference.LEFT if wins else Preference.RIGHT
            found.append(Choice(f"{case}", f"R{reader}", left, right, preferred, clusters[case]))
        return found


def simulate(design: Design, clustering: Clustering, rng: np.random.Generator) -> SimulatedStudy:
    """Draw one study."""
    patient = np.repeat(np.arange(design.patients), design.cases)
    cases, readers = patient.size, design.readers
    shared = (
        CASE_SD * rng.normal(size=cases) + PATIENT_SD * rng.normal(size=design.patients)[patient]
    )

    def opinions(methods: int, rng: np.random.Generator) -> Floats:
        opinion = CENTRE + shared[:, None] + NOISE_SD * rng.normal(size=(methods, cases, readers))
        if clustering in (Clustering.PATIENT, Clustering.BOTH):
            effect = PATIENT_EFFECT * rng.normal(size=(methods, design.patients))
            opinion += effect[:, patient, None]
        if clustering in (Clustering.READER, Clustering.BOTH):
            opinion += READER_EFFECT * rng.normal(size=(methods, 1, readers))
        return opinion

    third = rng.spawn(1)[0]
    return SimulatedStudy(design, np.concatenate([opinions(2, rng), opinions(1, third)]))
