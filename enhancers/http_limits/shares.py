"""Shares of what a server keeps, so that nobody pushes out what others use."""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Mapping
from typing import TypeVar

K = TypeVar("K", bound=Hashable)


def in_excess(owners: Mapping[K, str], capacity: int) -> list[K]:
    """Which entries make room: the least recently used of whoever has most.

    Nobody can push out what others use by opening many.

    Parameters
    ----------
    owners : mapping
        Who each entry belongs to, least recently used first.
    capacity : int
        Most entries that are kept.
    """
    counts = Counter(owners.values())
    left = dict(owners)
    dropped: list[K] = []
    while len(left) > capacity:
        most = max(counts.values())
        key = next(key for key, owner in left.items() if counts[owner] == most)
        counts[left.pop(key)] -= 1
        dropped.append(key)
    return dropped
