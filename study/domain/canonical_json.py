"""JSON that is the same everywhere, for hashes: sorted keys, no spaces, no escapes of letters."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from types import NoneType
from typing import Any, Protocol

import orjson

from study.domain.terms import Phase, Role


class _Hash(Protocol):
    def update(self, data: bytes, /) -> None: ...


_ENCODER = json.JSONEncoder(sort_keys=True, separators=(",", ":"), ensure_ascii=False)
_PLAIN = frozenset((str, int, bool, NoneType, Phase, Role))
"""Types that both encoders write alike."""


def canonical_json(content: Mapping[str, Any], errors: str = "strict") -> bytes:
    """An object as canonical JSON.

    Parameters
    ----------
    content : mapping
    errors : str
        How `str.encode` treats a lone surrogate.
    """
    for value in content.values():
        kind = type(value)
        if kind not in _PLAIN and (kind is not float or (not 1e-4 <= abs(value) < 1e16 and value)):
            break
    else:
        try:
            return orjson.dumps(content, option=orjson.OPT_SORT_KEYS)
        except orjson.JSONEncodeError:  # Of a number beyond 64 bits or a lone surrogate.
            pass
    return _ENCODER.encode(content).encode(errors=errors)


def update_with_list(
    digest: _Hash, contents: Iterable[Mapping[str, Any]], errors: str = "strict"
) -> None:
    """Hash a list of objects as canonical JSON, without holding it: it may be a million."""
    separator = b"["
    for one in contents:
        digest.update(separator + canonical_json(one, errors))
        separator = b","
    digest.update(b"[]" if separator == b"[" else b"]")
