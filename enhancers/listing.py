"""The list of methods as text and as JSON, from the registry only."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import Any

from enhancers.registry import METHODS


def as_text() -> str:
    """One line per method with key and summary."""
    return "\n".join(f"{method.key:14}{method.summary}" for method in METHODS)


def as_dict() -> dict[str, Any]:
    """The facts of the registry about all methods, as JSON types."""
    methods = [
        {
            "key": method.key,
            "label": method.label,
            "family": method.family,
            "summary": method.summary,
            "modalities": list(method.modalities),
            "prior": method.prior,
            "remaps": method.remaps,
            "parameters": [asdict(parameter) for parameter in method.parameters],
            "citation": str(method.citation),
        }
        for method in METHODS
    ]
    return {"methods": methods}


def as_json() -> str:
    """`as_dict` as indented JSON."""
    return json.dumps(as_dict(), indent=2, ensure_ascii=False)
