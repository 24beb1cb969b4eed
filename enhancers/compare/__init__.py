"""Several methods on one image: streaming, cancelling, and a disk cache of results.

>>> from enhancers.compare import Request, compare, default_cache
>>> for event in compare(image, [Request("srad")], cache=default_cache()):  # doctest: +SKIP
...     print(event.method, event.step.fraction, event.error)
"""

from __future__ import annotations

from enhancers.compare.cache import ResultCache, default_cache
from enhancers.compare.estimate import ESTIMATE_ABOVE, estimate_seconds, is_large
from enhancers.compare.events import Event, Outcome, Request
from enhancers.compare.runs import compare, enhance

__all__ = [
    "ESTIMATE_ABOVE",
    "Event",
    "Outcome",
    "Request",
    "ResultCache",
    "compare",
    "default_cache",
    "enhance",
    "estimate_seconds",
    "is_large",
]
