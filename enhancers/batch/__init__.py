"""Many files through the same methods: on this machine, or on a Ray cluster.

A result that is there already is kept, one bad file does not stop the rest, and whatever interrupts
a batch leaves whole files behind: the same call goes on where it stopped.

>>> from enhancers.batch import Local, Plan, Request, listed, run
>>> plan = Plan(folder, out, (Request("srad"),))  # doctest: +SKIP
>>> for row in run(plan, listed(plan), Local(plan)):  # doctest: +SKIP
...     print(row.file, row.method, row.status)
"""

from __future__ import annotations

from enhancers.batch.local import Local
from enhancers.batch.plan import BatchPlan, Slices, requests
from enhancers.batch.runs import run
from enhancers.batch.sources import Source, listed
from enhancers.batch.summary_table import Status, SummaryRow
from enhancers.compare import Request

__all__ = [
    "BatchPlan",
    "Local",
    "Request",
    "Slices",
    "Source",
    "Status",
    "SummaryRow",
    "listed",
    "requests",
    "run",
]
