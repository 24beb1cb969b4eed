"""Running methods on an image: one at a time, or several with streaming, cancelling and a cache.

>>> from enhancers.compare import Request, compare, enhance
>>> from enhancers.load import load
>>> from enhancers.samples import sample
>>> image = load(sample("ultrasound").degraded)
>>> enhance(image, "tv").pixels.shape == image.shape
True
>>> for event in compare(image, [Request("tv"), Request("clahe")]):
...     if event.finished:
...         print(event.method, event.error or "done")
tv done
clahe done
"""

from __future__ import annotations

from enhancers.compare.cache import Cache, MemoryCache, ResultCache, default_cache
from enhancers.compare.estimate import (
    ESTIMATE_ABOVE,
    estimate_seconds,
    expected_seconds,
    is_large,
)
from enhancers.compare.events import Event, Outcome, Request
from enhancers.compare.runs import compare, enhance

__all__ = [
    "ESTIMATE_ABOVE",
    "Cache",
    "Event",
    "MemoryCache",
    "Outcome",
    "Request",
    "ResultCache",
    "compare",
    "default_cache",
    "enhance",
    "estimate_seconds",
    "expected_seconds",
    "is_large",
]
