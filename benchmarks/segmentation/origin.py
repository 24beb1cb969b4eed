"""The code and the weights behind a result, and which of them have changed since."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from benchmarks.code_changes import Pairs, Part, changed, code_of
from benchmarks.segmentation.runs import MEASURES_CODE, TRAINING_CODE
from benchmarks.segmentation.variants import damage, damaged
from enhancers.errors import ReadingRoomError
from enhancers.evaluation.methods_under_test import MethodUnderTest

if TYPE_CHECKING:
    from benchmarks.segmentation.runs import Experiment

PARTS = (
    Part("degradations", "the degradations", "enhancers.degrade"),
    Part("training", "the networks, their training and its images", TRAINING_CODE),
    Part("measures", "the measures", MEASURES_CODE),
)


def codes(methods: Iterable[MethodUnderTest]) -> Pairs:
    """Each method and each of `PARTS`, with the start of the digest of its code."""
    return code_of(methods, PARTS)


def changed_code(before: Pairs) -> tuple[str, ...]:
    """Labels of the entries of ``before``, as `codes` made it, that have changed or are gone."""
    return changed(before, PARTS)


def weights(plan: Experiment) -> Pairs:
    """Key and SHA-256 of every network that a method of the plan samples from, by key.

    Raises
    ------
    NetworkMissing
    """
    found: dict[str, str] = {}
    for cohort in plan.cohorts:
        for name in plan.degradations:
            how = damage(name, cohort.modality)
            degraded = damaged(cohort, cohort.test[0], how)
            for one in plan.methods:
                key, _, digest = one.prior(degraded, how.task).partition(":")
                if key:
                    found[key] = digest
    return tuple(sorted(found.items()))


def changed_weights(before: Pairs) -> tuple[str, ...]:
    """Keys of the entries of ``before``, as `weights` made it, that have changed or are gone."""
    return tuple(key for key, digest in before if _weights(key) != digest)


def _weights(key: str) -> str:
    from enhancers.networks.load import identity

    try:
        return identity(key).partition(":")[2]
    except ReadingRoomError:
        return ""
