"""Progress of work that takes long: generators that yield `Progress` and return a result."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass
from typing import TypeVar

T = TypeVar("T")


@dataclass(frozen=True)
class Progress:
    """``done`` of ``total`` bytes; ``note`` says of what."""

    note: str
    done: int
    total: int

    @property
    def fraction(self) -> float:
        """In [0, 1]; 0 where the total is unknown."""
        return min(1.0, self.done / self.total) if self.total else 0.0


def finish(steps: Generator[Progress, None, T]) -> T:
    """Run a generator to its end and return its result."""
    while True:
        try:
            next(steps)
        except StopIteration as end:
            result: T = end.value
            return result
