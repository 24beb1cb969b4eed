"""The faster encoder writes what the standard one writes: hashes of older studies stay right."""

from __future__ import annotations

import json
import struct
import sys
from hashlib import sha256
from random import Random
from typing import Any

import pytest

from study.domain.canonical_json import canonical_json, update_with_list
from study.domain.terms import Role

LETTERS = [chr(one) for one in range(0x110000) if not 0xD800 <= one < 0xE000]
FLOATS = [
    0.0, -0.0, 1.0, 0.1 + 0.2, 1e-4, 9.999e-5, 1e-7, 1e15, 9999999999999998.0, 1e16, 1e22, -1e300,
    5e-324, sys.float_info.min, sys.float_info.max, float("inf"), float("-inf"), float("nan"),
]  # fmt: skip
OTHERS: list[Any] = [
    None, True, False, 0, -1, 2**53 + 1, 2**63, 2**64, -(2**63) - 1, 10**30, Role.MAIN, "", "\0",
    "\x1f\x7f\b\f\n\r\t\"\\/", "\u2028\u2029", "\U0001f600", "é" + "e\u0301", [1, None], (1, "a"),
    {"b": 1, "a": [1e16]},
]  # fmt: skip


def expected(content: dict[str, Any]) -> bytes:
    text = json.dumps(content, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return text.encode(errors="surrogatepass")


@pytest.mark.parametrize("value", [*FLOATS, *OTHERS], ids=repr)
def test_hostile_values(value: Any) -> None:
    content = {"z": value, "a": "µ", "Z": 1.5, "": None}
    assert canonical_json(content) == expected(content)


def test_every_letter() -> None:
    for start in range(0, len(LETTERS), 997):
        content = {"text": "".join(LETTERS[start : start + 997])}
        assert canonical_json(content) == expected(content)


def test_any_number() -> None:
    draw = Random(0)
    for _ in range(20_000):
        content = {
            "a": struct.unpack("d", draw.randbytes(8))[0],
            "b": draw.uniform(-1, 1) * 10.0 ** draw.randint(-6, 18),
            "c": round(draw.uniform(0, 1000), draw.randint(0, 6)),
            "d": draw.getrandbits(70) - 2**69,
        }
        assert canonical_json(content) == expected(content)


def test_half_a_letter_is_refused_unless_it_is_asked_for() -> None:
    content = {"a": "\ud800"}
    with pytest.raises(UnicodeEncodeError):
        canonical_json(content)
    assert canonical_json(content, "surrogatepass") == expected(content)


def test_what_is_no_json_is_refused() -> None:
    with pytest.raises(TypeError):
        canonical_json({"a": b"x"})


def test_a_list_is_that_of_its_objects() -> None:
    lists: tuple[list[dict[str, Any]], ...] = ([], [{"b": 1e-5, "a": 1}, {}])
    for contents, text in zip(lists, (b"[]", b'[{"a":1,"b":1e-05},{}]'), strict=True):
        found = sha256()
        update_with_list(found, contents)
        assert found.digest() == sha256(text).digest()
