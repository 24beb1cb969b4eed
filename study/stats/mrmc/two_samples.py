"""Areas under a curve of two samples for several readers, with covariances over patients.

The area is the probability that a score of the second sample is above one of the first, ties
counted half. With negative and positive cases it is the area under the ROC curve; with the cases
by two methods it is that of visual grading characteristics (VGC).

References
----------
E. R. DeLong, D. M. DeLong, D. L. Clarke-Pearson, "Comparing the areas under two or more correlated
receiver operating characteristic curves: a nonparametric approach", Biometrics 44(3), 1988.
N. A. Obuchowski, "Nonparametric analysis of clustered ROC curve data", Biometrics 53(2), 1997.
M. Båth, L. G. Månsson, "Visual grading characteristics (VGC) analysis: a non-parametric
rank-invariant statistical method for image quality evaluation", British Journal of Radiology
80(951), 2007.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

from study.stats.estimate import Floats


class Covariance(StrEnum):
    """How the covariance of areas over patients is estimated."""

    DELONG = "delong"
    JACKKNIFE = "jackknife"

    @property
    def words(self) -> str:
        """Name of the method."""
        return {"delong": "DeLong", "jackknife": "jackknife"}[self]


@dataclass(frozen=True, eq=False)
class TwoSamples:
    """One area: the two samples of a reader, with the patient of each score.

    Parameters
    ----------
    low, high : ndarray
        Scores of the sample that should be lower, and of the one that should be higher.
    low_patients, high_patients : ndarray of int
        Patient of each, from 0.
    """

    low: Floats
    high: Floats
    low_patients: NDArray[np.int64]
    high_patients: NDArray[np.int64]

    @property
    def wins(self) -> Floats:
        """1 where the higher sample is above, one half for ties; shape (high, low)."""
        difference = self.high[:, None] - self.low[None, :]
        wins: Floats = (np.sign(difference) + 1) / 2
        return wins

    @property
    def area(self) -> float:
        """The area; NaN without scores in both samples."""
        if not self.low.size or not self.high.size:
            return float("nan")
        return float(share_below(self.high, self.low).mean())

    def left_out(self, patients: int) -> Floats:
        """The area without each patient, shape (patients,)."""
        wins = self.wins
        total = np.full(patients, wins.sum())
        pairs = np.full(patients, float(wins.size))
        np.subtract.at(total, self.high_patients, wins.sum(axis=1))
        np.subtract.at(total, self.low_patients, wins.sum(axis=0))
        of_high = np.bincount(self.high_patients, minlength=patients)
        of_low = np.bincount(self.low_patients, minlength=patients)
        pairs -= of_high * self.low.size + of_low * self.high.size - of_high * of_low
        # Pairs of scores within a patient were taken away twice.
        rows, columns = np.nonzero(self.high_patients[:, None] == self.low_patients[None, :])
        np.add.at(total, self.high_patients[rows], wins[rows, columns])
        areas: Floats = total / np.where(pairs > 0, pairs, np.nan)
        return areas

    def placements(self, patients: int) -> tuple[Floats, Floats]:
        """Sums by patient of the placement values minus the area, of high and of low scores."""
        area = self.area
        of_high, of_low = np.zeros(patients), np.zeros(patients)
        np.add.at(of_high, self.high_patients, share_below(self.high, self.low) - area)
        np.add.at(of_low, self.low_patients, 1 - share_below(self.low, self.high) - area)
        return of_high, of_low


def share_below(scores: Floats, others: Floats) -> Floats:
    """For each score the share of other scores below it, equal ones counted half.

    It takes memory for the scores, not for their pairs.
    """
    ordered = np.sort(others)
    below = np.searchsorted(ordered, scores, "left") + np.searchsorted(ordered, scores, "right")
    shares: Floats = below / (2 * others.size)
    return shares


def area_covariance(samples: Sequence[TwoSamples], patients: int, how: Covariance) -> Floats:
    """Covariance of the areas from the sampling of patients, shape (areas, areas)."""
    if how is Covariance.JACKKNIFE:
        return jackknife_covariance(np.stack([one.left_out(patients) for one in samples], axis=1))
    return _delong(samples, patients)


def jackknife_covariance(left_out: Floats) -> Floats:
    """Covariance from values without each patient, shape (patients, values)."""
    patients = len(left_out)
    centred = left_out - left_out.mean(axis=0)
    covariance: Floats = (patients - 1) / patients * centred.T @ centred
    return covariance


def _delong(samples: Sequence[TwoSamples], patients: int) -> Floats:
    """DeLong's covariance; for patients with several scores in Obuchowski's form."""
    placed = [one.placements(patients) for one in samples]
    high = np.stack(
        [of_high / one.high.size for one, (of_high, _) in zip(samples, placed, strict=True)]
    )
    low = np.stack(
        [of_low / one.low.size for one, (_, of_low) in zip(samples, placed, strict=True)]
    )
    everyone = [np.concatenate([one.high_patients, one.low_patients]) for one in samples]
    of_high = _corrected(len(np.unique(np.concatenate([one.high_patients for one in samples]))))
    of_low = _corrected(len(np.unique(np.concatenate([one.low_patients for one in samples]))))
    of_both = _corrected(len(np.unique(np.concatenate(everyone))))
    across = high @ low.T
    covariance: Floats = (
        of_high * high @ high.T + of_low * low @ low.T + of_both * (across + across.T)
    )
    return covariance


def _corrected(clusters: int) -> float:
    return clusters / (clusters - 1) if clusters > 1 else float("nan")
