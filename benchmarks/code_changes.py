"""Whether the code and the defaults behind stored figures have changed since."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from benchmarks.peers import methods as peer_methods
from benchmarks.peers.packages import PEERS
from enhancers.classical.pipelines import stages
from enhancers.errors import ReadingRoomError
from enhancers.evaluation.baselines.catalog import BASELINES
from enhancers.evaluation.method_text import method_under_test
from enhancers.evaluation.methods_under_test import PIPELINES, MethodUnderTest
from enhancers.method import Modality
from enhancers.registry import METHODS
from enhancers.source_digest import source_digest

_STAGES = {
    stage.key
    for modality in Modality
    for stage in stages(modality, contrast=True, sigma=None, clip_limit=1.0)
}
DIGITS = 12
"""Digits of a digest in a file for people."""

Pairs = tuple[tuple[str, str], ...]
"""Keys with digests in hexadecimal."""


@dataclass(frozen=True)
class Part:
    """Code other than that of the methods: its key, its name in a sentence, its module."""

    key: str
    label: str
    module: str


def code_of(candidates: Iterable[MethodUnderTest], parts: Sequence[Part]) -> Pairs:
    """Each method of the candidates and each part, with the start of its digest.

    The digest covers the code and the default parameters.
    """
    methods = [one.method for one in candidates if one.kind != "input"]
    keys = dict.fromkeys([*methods, *(part.key for part in parts)])
    return tuple((key, _digest(key, parts)) for key in keys)


def changed(before: Pairs, parts: Sequence[Part]) -> tuple[str, ...]:
    """Labels of the entries of ``before``, as `code_of` made it, that have changed or are gone."""
    return tuple(_label(key, parts) for key, digest in before if _digest(key, parts) != digest)


def _digest(key: str, parts: Sequence[Part]) -> str:
    """The start of the current digest; empty where there is no such method."""
    part = _part(key, parts)
    if key in PEERS:
        return peer_methods.code(key)[:DIGITS]
    try:
        code = method_under_test(key).code() if part is None else source_digest(part.module)
    except ReadingRoomError:
        return ""
    text = json.dumps([code, _defaults(key)], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:DIGITS]


def _defaults(key: str) -> list[object]:
    """Defaults and presets of a method; of a pipeline, those of its stages too."""
    if key in BASELINES:
        return [BASELINES[key].steps]
    used = {key, *(_STAGES if key in PIPELINES else ())}
    return [
        [
            one.key,
            {each.name: each.default for each in one.parameters},
            {modality.value: dict(preset) for modality, preset in one.presets.items()},
        ]
        for one in METHODS
        if one.key in used
    ]


def _label(key: str, parts: Sequence[Part]) -> str:
    part = _part(key, parts)
    if key in PEERS:
        return PEERS[key].label
    try:
        return method_under_test(key).label if part is None else part.label
    except ReadingRoomError:
        return key


def _part(key: str, parts: Sequence[Part]) -> Part | None:
    return next((part for part in parts if part.key == key), None)
