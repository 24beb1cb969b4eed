"""A protocol is checked when it is made, and its JSON is canonical."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from study.domain.errors import ProtocolError
from study.domain.inference import Hypothesis, Random
from study.domain.protocol import Protocol
from study.domain.protocol_json import from_json
from study.domain.questions import CATALOG, PREFERENCE, Question, QuestionKind

DIGEST = "d56ef82db9b1c1c981343d86f5031bd2a41fe98f44af8557dbfad25fcec098a6"


def test_the_default_asks_two_criteria_and_a_preference() -> None:
    codes = [question.code for question in Protocol().questions]
    assert codes == ["quality", "fidelity", "preference"]
    assert [question.slots for question in Protocol().questions] == [(0, 1), (0, 1), (2,)]
    assert all(question.cannot_judge for question in Protocol().questions)
    assert [question.code for question in CATALOG[2:]] == [
        "noise", "sharpness", "artefacts", "confidence",
    ]  # fmt: skip
    assert all(question.scale == (1, 2, 3, 4, 5) for question in CATALOG)
    assert PREFERENCE.scale == (-1, 0, 1)


@given(
    st.builds(
        Protocol,
        title=st.text(min_size=1).filter(str.strip),
        readers=st.integers(1, 200),
        washout_days=st.floats(0, 365),
        pairs=st.lists(st.tuples(st.text(), st.text())).map(tuple),
        notes=st.text(),
    )
)
def test_json_reads_back_to_the_same_bytes(protocol: Protocol) -> None:
    text = protocol.to_json()
    assert from_json(text) == protocol
    assert from_json(text).digest == protocol.digest
    reordered = json.dumps(dict(reversed(json.loads(text).items())), indent=3)
    assert from_json(reordered).to_json() == text


def test_inference_is_read_from_json_and_left_out_at_its_default() -> None:
    declared = Protocol(
        random=Random.READERS, primary_pair=("m2", "m1"),
        hypothesis=Hypothesis.NON_INFERIORITY, margin=0.25,
    )  # fmt: skip
    assert from_json(declared.to_json()) == declared
    assert json.loads(declared.to_json())["random"] == "readers"
    for name in ("random", "primary_pair", "hypothesis", "margin"):
        assert name not in json.loads(Protocol().to_json())
    with pytest.raises(ProtocolError, match="random='all' is unknown: choose from readers, cases"):
        from_json('{"random": "all"}')


def test_the_digest_of_earlier_versions_stays() -> None:
    # Of version 0.1, before what is random and the primary comparison were declared.
    assert Protocol().digest == DIGEST


def test_the_digest_changes_with_any_field() -> None:
    base = Protocol()
    changed = [base.with_(notes="x"), base.with_(alpha=0.01), base.with_(questions=CATALOG[:2])]
    assert len({base.digest, *(protocol.digest for protocol in changed)}) == 4


def test_a_question_is_found_by_its_code() -> None:
    assert Protocol().question("fidelity").text.startswith("Anatomical")
    with pytest.raises(ProtocolError, match="No question 'noise'"):
        Protocol().question("noise")


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"readers": 0}, "readers=0 is outside 1 to 200"),
        ({"readers": 2.5}, "readers=2.5 must be a whole number"),
        ({"readers": True}, "readers=True must be a whole number"),
        ({"washout_days": "28"}, "washout_days='28' must be a number"),
        ({"washout_days": float("nan")}, "washout_days=nan is outside"),
        ({"randomise_sides": "no"}, "randomise_sides='no' must be true or false"),
        ({"title": "  "}, "title is empty"),
        ({"consent": ""}, "consent is empty"),
        ({"questions": ()}, "at least one"),
        ({"questions": (CATALOG[0], CATALOG[0])}, "different codes"),
        (
            {"questions": (PREFERENCE, Question("other", "?", QuestionKind.PREFERENCE, -1, 1))},
            "One preference question, or one comparison, is enough",
        ),
        ({"blinding_groups": ("filter",)}, "at least 2 blinding_groups"),
        ({"kappa_rule": "mean"}, "kappa_rule='mean' is unknown"),
        ({"alpha": 0.9}, "alpha=0.9 is outside"),
        ({"margin": 0.5}, "margin=0.5 is for non-inferiority and equivalence"),
        ({"hypothesis": Hypothesis.EQUIVALENCE}, "Equivalence needs a margin above 0 and below 4"),
        (
            {"hypothesis": Hypothesis.NON_INFERIORITY, "margin": 4.0},
            "Non-inferiority needs a margin above 0 and below 4, not 4",
        ),
        (
            {"hypothesis": Hypothesis.EQUIVALENCE, "margin": 0.5, "questions": (PREFERENCE,)},
            "above 0 and below 0.5, not 0.5",
        ),
        ({"primary_pair": ("m1", "m1")}, "m1, m1 needs two methods"),
        (
            {"primary_pair": ("m1", "m2"), "questions": CATALOG[1:3]},
            "needs a question that is marked as primary",
        ),
    ],
)
def test_values_that_are_not_possible(changes: dict[str, Any], says: str) -> None:
    with pytest.raises(ProtocolError, match=says):
        Protocol(**changes)


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ({"code": "Quality", "text": "?"}, "lower-case word"),
        ({"code": "over all", "text": "?"}, "lower-case word"),
        ({"code": "quality", "text": " "}, "has no text"),
        ({"code": "q", "text": "?", "minimum": 5, "maximum": 5}, "scale 5 to 5"),
        ({"code": "q", "text": "?", "minimum": 0, "maximum": 100}, "2 to 11 points"),
        ({"code": "q", "text": "?", "anchors": ("bad", "good")}, "2 anchor texts for 5 points"),
        ({"code": "q", "text": "?", "kind": QuestionKind.PREFERENCE}, "goes from -1 to 1"),
        ({"code": "q", "text": "?", "cannot_judge": 1}, "cannot_judge=1 must be true or false"),
    ],
)
def test_questions_that_are_not_possible(arguments: dict[str, Any], says: str) -> None:
    with pytest.raises(ProtocolError, match=says):
        Question(**arguments)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("{", "is not JSON"),
        ("[]", "must be a JSON object"),
        ('{"reader": 3}', "unknown fields: reader"),
        ('{"readers": "three"}', "readers='three' must be a whole number"),
        ('{"readers": 3, "readers": 5}', "readers is stated twice"),
        ("[" * 100_000, "too many brackets"),
        ('{"questions": 5}', "questions must be a list"),
        ('{"questions": ["quality"]}', "question 'quality' must be an object"),
        (
            '{"questions": [{"code": "q", "text": "?", "colour": 1}]}',
            "'q' has unknown fields: colo",
        ),
        ('{"questions": [{"code": "q"}]}', "The question 'q' lacks text"),
        (
            '{"questions": [{"code": "q", "text": "?", "anchors": "good"}]}',
            "anchors must be a list",
        ),
        ('{"questions": [{"code": "q", "text": "?", "kind": ["likert"]}]}', "choose from likert"),
        ('{"qualification": [{"case": "c1"}]}', "'c1' lacks question, low"),
        ('{"repeat_sessions": [{"repeats": 5}]}', "lacks washout_days"),
        ('{"random": ["readers"]}', "choose from readers"),
        ('{"questions": [{"code": "q", "text": "?", "kind": "essay"}]}', "'essay'"),
        ('{"pairs": [["a", "b", "c"]]}', "two methods in brackets"),
        ('{"texts": 5}', "texts=5 must be an object"),
        ('{"title": "a\\ud800"}', "characters that are no text"),
        ('{"blinding_groups": ["a\\u0000", "b"]}', "characters that are no text"),
        ('{"repeat_sessions": [{"repeats": 1, "washout_days": 1' + "0" * 400 + "}]}", "too large"),
    ],
)
def test_json_that_is_no_protocol(text: str, says: str) -> None:
    with pytest.raises(ProtocolError, match=says):
        from_json(text)
