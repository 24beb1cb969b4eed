"""Who reads which cases with both methods, in complete designs and in incomplete blocks."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from study.domain.plan import PlannedCase
from study.domain.protocol import Protocol
from study.planning.blocks import read_methods
from study.planning.seeds import SEED_BYTES, SeedStreams

NO_SEED = bytes(SEED_BYTES)
"""Simulated plans are the same every time."""


@dataclass(frozen=True)
class SimulatedDesign:
    """Readers, patients, and in incomplete blocks what is read with the control.

    Parameters
    ----------
    readers : int
    patient : ndarray, shape (cases,)
        Patient of each case, from 0.
    with_control : tuple of ndarray, shape (cases, readers)
        For each other method, whether a reader reads a case with both; empty for complete designs.
    """

    readers: int
    patient: np.ndarray
    with_control: tuple[np.ndarray, ...]

    def read(self, rng: np.random.Generator) -> np.ndarray:
        """Whether a reader reads a case with both methods, shape (cases, readers)."""
        if not self.with_control:
            return np.ones((self.patient.size, self.readers), np.bool_)
        # The plan draws the names of the methods and the order of the cases.
        of_method = self.with_control[int(rng.integers(len(self.with_control)))]
        return of_method[rng.permutation(self.patient.size)]


def read_with_control(
    protocol: Protocol, methods: int, readers: int, cases: int
) -> tuple[np.ndarray, ...]:
    """The incomplete blocks of a plan, as `SimulatedDesign` has them."""
    if not protocol.block:
        return ()
    control, *others = names = [f"{number}" for number in range(methods)]
    planned = [PlannedCase(f"{number}", f"{number}") for number in range(cases)]
    plans = [
        read_methods(planned, names, control, protocol.block, SeedStreams(NO_SEED, "", reader))
        for reader in range(readers)
    ]
    return tuple(
        np.array([[name in plan[case.id] for plan in plans] for case in planned]) for name in others
    )
