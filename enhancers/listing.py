"""The list of methods as text and as JSON, from the registry only."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import Any

from enhancers.registry import get, methods


def as_text() -> str:
    """One line per method with key and summary."""
    return "\n".join(f"{method.key:13} {method.summary}" for method in methods())


def parameters(key: str) -> str:
    """The parameters of a method: what each accepts, its default, and what it does.

    Raises
    ------
    UnknownMethod
    """
    lines = []
    for one in get(key).parameters:
        default = "auto" if one.default is None else one.default
        lines.append(f"{one.name}: {one.expects()}; {default} by default. {one.help}".rstrip())
    return "\n".join(lines)


def as_dict(key: str | None = None) -> dict[str, Any]:
    """The facts of the registry about all methods, or one, as JSON types."""
    found = [
        {
            "key": method.key,
            "label": method.label,
            "family": method.family,
            "summary": method.summary,
            "modalities": list(method.modalities),
            "prior": method.prior,
            "remaps": method.remaps,
            "scale": method.scale,
            "parameters": [asdict(parameter) for parameter in method.parameters],
            "citation": str(method.citation),
        }
        for method in (methods() if key is None else (get(key),))
    ]
    return {"methods": found}


def as_json(key: str | None = None) -> str:
    """`as_dict` as indented JSON."""
    return json.dumps(as_dict(key), indent=2, ensure_ascii=False)
