"""Text that is made by column is that of the standard encoders, value by value."""

from __future__ import annotations

import json
from dataclasses import replace
from hashlib import sha256
from typing import Any

import pytest

from study.analysis.column_text import json_texts, laid_out
from study.domain.terms import Role
from tests.support.simulated_datasets import dataset

ENCODER = json.JSONEncoder(ensure_ascii=False)
COLUMNS: list[tuple[Any, ...]] = [
    ("a", "b,\"c\"\n", "\ud800", "%s"),
    ("same", "same", "same", "same"),
    (1, 1, 1, 1),
    (1, True, 1.0, 1),
    (0.0, -0.0, 0.0, 0.0),
    (None, 0.1 + 0.2, 13.828, 9999999999999998.0),
    (1e-5, 1e16, -1e22, 5e-324),
    (2**70, 2, 3, 4),
    (float("nan"), 1.5, 2.5, 3.5),
    (None, 3, -7, 0),
    (Role.MAIN, Role.NULL, "main", Role.MAIN),
    ((), ("M1", "M2"), (), ("M3",)),
]  # fmt: skip


@pytest.mark.parametrize("column", COLUMNS, ids=repr)
def test_json_of_a_column_is_that_of_its_values(column: tuple[Any, ...]) -> None:
    for values in (column, column[:1], column * 3):
        texts = json_texts(values, ENCODER)
        lines = laid_out('{"%": %s}', [texts], len(values))
        assert list(lines) == [f'{{"%": {ENCODER.encode(one)}}}' for one in values]


def test_lines_have_all_columns_in_their_places() -> None:
    assert list(laid_out("<%s|%s|%s>", [["a", "b"], "%d", ["c", "d"]], 2)) == [
        "<a|%d|c>",
        "<b|%d|d>",
    ]
    assert list(laid_out("<%s>", ["x"], 2)) == ["<x>", "<x>"]


def test_the_digest_leaves_out_what_was_added_later_where_it_is_empty() -> None:
    data = dataset(cases=2)
    first, second, *others = data.ordered()
    first = first._replace(answer='{"text":"\ud800,}"}', unit="mm", value=1e-5)
    data = replace(data, observations=(first, second._replace(others=("M3",), version=2), *others))
    plain = [one._asdict() for one in data.ordered()]
    for one in plain:
        if not one["answer"]:
            del one["answer"], one["unit"]
        if not one["others"]:
            del one["others"]
        if one["version"] == 1:
            del one["version"]
    content = {
        "cases": [
            {"case": one.case, "patient": one.patient, "modality": one.modality,
             "training": one.training}
            for one in data.cases
        ],
        "exclusions": [],
        "guesses": [],
        "methods": [vars(one) for one in data.methods],
        "observations": plain,
    }  # fmt: skip
    text = json.dumps(content, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    assert data.digest == sha256(text.encode("utf-8", "surrogatepass")).hexdigest()
