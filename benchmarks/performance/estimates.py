"""``benchmarks speed --estimates``: expected against measured times of the classical methods."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence

from benchmarks.performance.figures import Measurement
from benchmarks.performance.large_images import LargeCase, plain_cases
from enhancers.compare import expected_seconds
from enhancers.method import Modality

MOST_RATIO = 2.0
"""Largest ratio of expected and measured time, whichever is longer."""
ENOUGH_SECONDS, MOST_REPEATS = 2.0, 5
"""A run is repeated until all took so many seconds, but not more often. The shortest counts, or its
processor time where that is shorter, since other programs lengthen the first."""
LARGEST_VARIED = 1000
"""Largest side at which parameters are varied, and colour images are run."""

CT, MR, US = Modality.CT, Modality.MR, Modality.US
VARIED = (
    LargeCase("nlm", CT, {"search": 5}),
    LargeCase("nlm", CT, {"search": 31}),
    LargeCase("nlm", CT, {"patch": 11}),
    LargeCase("nlm", CT, {"sigma": 0.0}),
    LargeCase("tv", CT, {"iterations": 10}),
    LargeCase("tv", CT, {"weight": 0.01}),
    LargeCase("tv", CT, {"weight": 1.0}),
    LargeCase("srad", US, {"steps": 5}),
    LargeCase("srad", US, {"steps": 200}),
    LargeCase("srad", US, {"time_step": 0.01}),
    LargeCase("n4", MR, {"shrink": 2}),
    LargeCase("n4", MR, {"levels": 6}),
    LargeCase("n4", MR, {"iterations": 10}),
    LargeCase("clahe", CT, {"tiles": 32}),
    LargeCase("classical", MR, {"contrast": False}),
    LargeCase("clahe", CT, colour=True),
    LargeCase("nlm", CT, colour=True),
    LargeCase("tv", CT, colour=True),
    LargeCase("srad", US, colour=True),
    LargeCase("n4", MR, colour=True),
)
"""Cases with the parameters that change the cost most, and in colour."""


def estimates(
    sides: Sequence[int], cases: Sequence[LargeCase] | None = None
) -> Iterator[Measurement]:
    """The ratio of expected and measured time of each case at each side.

    Parameters
    ----------
    sides : sequence of int
        Sides of the images in pixels.
    cases : sequence of LargeCase, optional
        By default every classical method with its defaults, and up to `LARGEST_VARIED` the cases of
        `VARIED`.
    """
    plain = tuple(plain_cases())
    for side in sides:
        varied = VARIED if side <= LARGEST_VARIED else ()
        for case in (*plain, *varied) if cases is None else cases:
            yield compared(case, side)


def compared(case: LargeCase, side: int) -> Measurement:
    """Expected against measured time; runs here teach the estimates nothing."""
    case.warm_up()
    image = case.image(side)
    expected = expected_seconds(image, case.key, case.given)
    assert expected is not None, "classical methods always have an estimate"
    walls: list[float] = []
    works: list[float] = []
    while not walls or (len(walls) < MOST_REPEATS and sum(walls) < ENOUGH_SECONDS):
        started, worked = time.perf_counter(), time.process_time()
        case.run(image)
        walls.append(time.perf_counter() - started)
        works.append(time.process_time() - worked)
    took = min(*walls, *works)
    detail = (
        f"expected {expected:.3g} s, took {min(walls):.3g} s, {min(works):.3g} s of processor time"
    )
    name = f"{case.name}, {side} x {side}: expected / measured or the reverse"
    return Measurement(name, max(expected / took, took / expected), MOST_RATIO, detail=detail)
