"""The same methods on many files, on this machine or on a Ray cluster.

Existing results are kept, and a bad file does not stop the others. An interrupted batch leaves only
complete files behind; the same call continues it.

>>> from enhancers.batch import BatchPlan, LocalBackend, Request, listed, run
>>> plan = BatchPlan(folder, out, (Request("srad"),))  # doctest: +SKIP
>>> for row in run(plan, listed(plan), LocalBackend(plan)):  # doctest: +SKIP
...     print(row.file, row.method, row.status)
"""

from __future__ import annotations

from enhancers.batch.local import LocalBackend
from enhancers.batch.plan import BatchPlan, Slices, requests
from enhancers.batch.runs import run
from enhancers.batch.sources import Source, listed
from enhancers.batch.summary_table import Status, SummaryRow
from enhancers.compare import Request

__all__ = [
    "BatchPlan",
    "LocalBackend",
    "Request",
    "Slices",
    "Source",
    "Status",
    "SummaryRow",
    "listed",
    "requests",
    "run",
]
