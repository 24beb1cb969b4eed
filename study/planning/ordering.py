"""Random orders with constraints: spacing, insertion, and Latin squares."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

PATIENT_GAP = 5
"""Number of other pairs between two pairs of the same patient, if possible."""
_TRIES = 12


def williams(size: int) -> NDArray[np.intp]:
    """Williams' Latin square, which balances carry-over.

    Parameters
    ----------
    size : int
        Number of treatments, at least 1.

    Returns
    -------
    ndarray
        Rows are orders of 0 .. size-1: `size` rows for an even number, twice as many for an odd
        one. Each treatment is at each position equally often, and each ordered pair of neighbours
        occurs equally often.

    References
    ----------
    E. J. Williams, Experimental designs balanced for the estimation of residual effects of
    treatments, Aust. J. Sci. Res. A 2 (1949) 149-168.
    """
    zigzag = [
        (place + 1) // 2 if place % 2 else (size - place // 2) % size for place in range(size)
    ]
    square = (np.array(zigzag)[None, :] + np.arange(size)[:, None]) % size
    return np.vstack([square, square[:, ::-1]]) if size % 2 and size > 1 else square


def spaced(
    patients: Sequence[str],
    rng: np.random.Generator,
    *,
    gap: int = PATIENT_GAP,
    recent: Sequence[str] = (),
) -> list[int]:
    """A random order with more than `gap` positions between entries of one patient.

    The gap is reduced until that is possible, and so that at least two patients are possible at
    every step while two are left: few patients do not become a fixed rotation.

    Parameters
    ----------
    patients : sequence of str
        The patient of each entry.
    rng : Generator
    gap : int
        Least number of positions between entries; 0 gives a plain shuffle.
    recent : sequence of str
        Patients shown before, the latest one last.

    Returns
    -------
    list of int
        Indices of the entries in their new order.
    """
    names, member = np.unique(np.array(patients, dtype=object), return_inverse=True)
    if not len(names):
        return []
    counts = np.bincount(member)
    before = np.full(len(names), -len(recent) - gap - 1)
    for place, patient in enumerate(recent):
        before[names == patient] = place - len(recent)
    for wanted in range(min(gap, max(0, len(names) - 2)), -1, -1):
        if _needed(counts, wanted) > len(member):
            continue
        for attempt in range(_TRIES):
            sequence = _attempt(counts, before, wanted, rng, greedy=attempt > _TRIES // 2)
            if sequence is not None:
                return _entries(sequence, member, rng)
    raise AssertionError("a gap of 0 is always possible")


def _attempt(
    counts: NDArray[np.intp],
    before: NDArray[np.intp],
    gap: int,
    rng: np.random.Generator,
    *,
    greedy: bool,
) -> list[int] | None:
    """A random sequence of patients, or None where it cannot be completed."""
    left, last = counts.copy(), before.copy()
    sequence: list[int] = []
    for position in range(int(counts.sum())):
        weights = np.where(position - last > gap, left, 0)
        if not weights.any():
            return None
        most = left.max()
        if greedy:
            weights = np.where(weights == weights.max(), weights, 0)
        elif _needed(left, gap) >= left.sum() and (weights == most).any():
            # The patients with the most entries only just fit: one of them must be next.
            weights = np.where(weights == most, weights, 0)
        draw = rng.integers(weights.sum())
        chosen = int(np.searchsorted(np.cumsum(weights), draw, side="right"))
        sequence.append(chosen)
        left[chosen] -= 1
        last[chosen] = position
    return sequence


def _needed(left: NDArray[np.intp], gap: int) -> int:
    """Least number of positions for the remaining entries, set by the largest patients."""
    most = int(left.max())
    return (most - 1) * (gap + 1) + int(np.count_nonzero(left == most))


def _entries(
    sequence: Sequence[int], member: NDArray[np.intp], rng: np.random.Generator
) -> list[int]:
    """The shuffled entries of each patient, at the positions of that patient."""
    hands = {name: iter(rng.permutation(np.flatnonzero(member == name))) for name in set(sequence)}
    return [int(next(hands[name])) for name in sequence]


def place_for(
    patients: Sequence[str],
    patient: str,
    low: int,
    high: int,
    rng: np.random.Generator,
    *,
    gap: int = PATIENT_GAP,
) -> int:
    """A random index from `low` to `high` at which to insert an entry of a patient.

    Positions more than `gap` away from entries of the same patient are preferred, then those that
    are farthest. Insertion never reduces other distances.
    """
    same = [index for index, other in enumerate(patients) if other == patient]
    distances = [
        min((place - i if i < place else i + 1 - place for i in same), default=gap + 1)
        for place in range(low, high + 1)
    ]
    enough = min(gap + 1, max(distances))
    places = [low + offset for offset, distance in enumerate(distances) if distance >= enough]
    return places[int(rng.integers(len(places)))]
