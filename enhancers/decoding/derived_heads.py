"""Heads of derived DICOM objects, from the worker that read the header of the source.

That header may be hostile, and says who the patient is: the server parses none of it, and passes
the bytes on.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

import numpy as np
from numpy.typing import NDArray

from enhancers.decoding.messages import ConnectionEnded
from enhancers.load.dicom.quantity import Quantity
from enhancers.save.dicom import DerivedHead
from enhancers.save.dicom.coding import Coding

_TYPES = ("u1", "u2", "u4", "i1", "i2", "i4", "f4", "f8")


def head_facts(head: DerivedHead) -> tuple[dict[str, Any], list[NDArray[Any]]]:
    """A head as JSON types and an array."""
    facts = {
        "codings": [asdict(one) for one in head.codings],
        "measured": [(one.slope, one.intercept) for one in head.measured],
        "size": head.size,
    }
    return facts, [np.frombuffer(head.data, np.uint8)]


def derived_head_of(facts: Mapping[str, Any], arrays: Sequence[NDArray[Any]]) -> DerivedHead:
    """The head of `head_facts`.

    Raises
    ------
    ConnectionEnded
        The values are none of a head.
    """
    try:
        codings = tuple(Coding(**one) for one in facts["codings"])
        measured = tuple(Quantity(slope=float(a), intercept=float(b)) for a, b in facts["measured"])
        slopes = [one.slope for one in codings] + [one.slope for one in measured]
        rest = [one.intercept for one in codings] + [one.intercept for one in measured]
        usable = (
            all(one.dtype in _TYPES for one in codings)
            and all(math.isfinite(one) for one in (*slopes, *rest))
            and all(slopes)
            and len(codings) == len(measured) > 0
        )
        if not usable:
            raise ValueError(facts)
        return DerivedHead(arrays[0].tobytes(), codings, measured, int(facts["size"]))
    except (TypeError, ValueError, KeyError, IndexError) as error:
        raise ConnectionEnded("no head") from error
