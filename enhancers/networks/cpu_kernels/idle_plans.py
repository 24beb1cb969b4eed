"""Plans for images of several sizes, kept between runs within a bound."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from enhancers.networks.cpu_kernels.plan import ComputePlan, PlannedImage

IDLE_BYTES = 256 * 2**20
"""Memory that the plans of a network may keep between runs."""


@dataclass(frozen=True, eq=False)
class NetworkPlan:
    """A plan with the image that it reads and the one that it writes."""

    plan: ComputePlan
    source: PlannedImage
    target: PlannedImage


class IdlePlans:
    """Plans by size of the image; several threads may run one each.

    Parameters
    ----------
    make : callable
        The plan for an image of this height and width.
    """

    def __init__(self, make: Callable[[int, int], NetworkPlan]) -> None:
        self._make = make
        self._lock = threading.Lock()
        self.idle: OrderedDict[int, NetworkPlan] = OrderedDict()

    @contextmanager
    def borrowed(self, height: int, width: int) -> Iterator[NetworkPlan]:
        """A plan that nobody else uses meanwhile."""
        found = self._taken(height, width) or self._make(height, width)
        yield found
        with self._lock:
            self.idle[id(found)] = found
            while sum(each.plan.bytes for each in self.idle.values()) > IDLE_BYTES:
                self.idle.popitem(last=False)

    def _taken(self, height: int, width: int) -> NetworkPlan | None:
        with self._lock:
            for key, found in reversed(self.idle.items()):
                if (found.plan.height, found.plan.width) == (height, width):
                    return self.idle.pop(key)
        return None
