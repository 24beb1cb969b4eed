"""An angle study from its images to the unblinded report; every image is measured twice."""

from __future__ import annotations

import csv
import io
import math
import time
from pathlib import Path

import numpy as np
from sqlalchemy import select

from study.analysis import analyse
from study.analysis.collect import collect
from study.domain.protocol_json import from_json
from study.domain.terms import Role
from study.planning.freeze import freeze
from study.planning.lifecycle import close_study, open_study, unblind
from study.report import export
from study.report.page import document
from study.stimuli import sources
from study.stimuli.rendering import build
from study.storage.integrity import verify
from study.storage.models import Item, Presentation, Reader
from tests.support import small_studies
from tests.support.http_visitor import Visitor
from tests.support.open_study import Small, methods_of

CASES = 4
PROTOCOL = """{
    "title": "Angles", "presentation": "single", "readers": 2, "training": 0, "dummies": 0,
    "repeats": 8, "washout_days": 0.00002, "ask_blinding": false,
    "questions": [
        {"code": "cobb", "text": "Thoracic angle", "kind": "angle", "primary": true},
        {"code": "sure", "text": "How sure are you of a curve?", "maximum": 5, "truth": true}
    ]
}"""
ERRORS = {"original": 5.0, "enhanced": 0.5}
"""Standard deviation of a measurement in degrees."""


def made(folder: Path) -> tuple[Small, small_studies.Draft]:
    """An open study of four cases, original and enhanced."""
    draft = small_studies.draft(folder, from_json(PROTOCOL))
    images = small_studies.write_methods(folder / "in", tuple(ERRORS), CASES)
    lines = ["case,patient,method,file,truth"]
    for case in range(CASES):
        for name in ERRORS:
            file = f"{name}/pat{case // 2}_s{case}.png"
            lines.append(f"s{case},p{case},{name},{file},{'yes' if case % 2 else 'no'}")
    (images / "list.csv").write_text("\n".join(lines), encoding="utf-8")
    build(draft.store, draft.key, sources.from_manifest(images / "list.csv"))
    freeze(draft.store, draft.key, actor="coordinator")
    open_study(draft.store, actor="coordinator")
    with draft.store.read() as session:
        readers = dict(session.execute(select(Reader.code, Reader.id)).all())
    return Small(draft.store, tuple(draft.key.methods), readers), draft


def measure(small: Small, draft: small_studies.Draft, code: str) -> None:
    """Read until there is nothing to read now; the lines are drawn with an error."""
    key, names = draft.key, {one: method.name for one, method in draft.key.methods.items()}
    visitor = Visitor(small).join(code)
    visitor.sit_down()
    given = visitor.pair()
    while given["pair"] is not None and given["screen"]["kind"] == "pair":
        token = given["pair"]["token"]
        with small.store.read() as session:
            item = session.scalars(
                select(Item.id).join(Presentation).where(Presentation.token == token)
            ).one()
        name = names[methods_of(small.store, token)[0]]
        number = int(key.cases[item].name[1:])
        rng = np.random.default_rng([int(code[1:]), visitor.keys, number])
        tilt = math.radians(10 * (number + 1) + rng.normal(0, ERRORS[name]))
        slope = [[4, 16], [4 + 12 * math.cos(tilt), 16 - 12 * math.sin(tilt)]]
        answers = [
            {"question": "cobb", "slot": 0, "value": [[2, 30], [30, 30], *slope]},
            {"question": "sure", "slot": 0, "value": 4 if number % 2 else 2},
        ]
        answered = visitor.post("rate", visitor.rating(given, answers=answers))
        assert answered.status_code == 200, answered.text
        given = answered.json()


def test_every_image_is_measured_twice_and_the_enhanced_agree_better(tmp_path: Path) -> None:
    small, draft = made(tmp_path)
    for code in small.readers:
        measure(small, draft, code)
        assert Visitor(small).join(code).screen["kind"] in {"wait", "ready"}
    time.sleep(2)
    for code in small.readers:
        measure(small, draft, code)
        assert Visitor(small).join(code).screen["kind"] == "done"
    close_study(small.store, actor="coordinator")
    verdict = verify(small.store)
    assert verdict.ok, verdict.as_text()
    assert not any(case.truth for case in collect(small.store).cases)
    unblind(small.store, draft.key, actor="anna", second="bert")
    data = collect(small.store, draft.key)
    repeats = [one for one in data.observations if one.role is Role.REPEAT]
    assert len(repeats) == 2 * 8 * 2
    assert {one.session for one in repeats} == {2}
    assert not any(one.missing for one in data.observations)
    found = analyse(data, resamples=20)
    [cobb] = found.measures
    names = {one.mask: one.name for one in data.methods}
    sems = {names[mask]: one for mask, one in cobb.reliability if mask in names}
    original, enhanced = (sems[name].sem_agreement.value for name in ERRORS)
    assert original is not None
    assert enhanced is not None
    assert enhanced < 1.5 < original
    assert cobb.repeats[-1].pairs == 2 * 8
    assert found.primary is not None
    assert found.primary.question == "cobb"
    [limits], [sure] = cobb.limits, found.criteria
    assert limits.bias.n == CASES
    assert cobb.repeat_limits is not None
    assert cobb.repeat_limits.bias.n == 2 * 8
    assert sure.roc is not None
    assert sure.roc.areas is not None
    assert [one.value for one in sure.roc.areas.methods] == [1.0, 1.0]
    written = document(data, found)
    assert {one.plot.name for one in written.figures} >= {
        "primary", "forest-cobb", "limits-cobb", "repeats-cobb", "vgc-sure", "roc-sure",
    }  # fmt: skip
    html = written.html
    assert html.index('id="measure-cobb"') < html.index('id="criterion-sure"')
    assert "Thoracic angle" in html
    assert "hidden repeats against the first answers" in html
    files = {one.name: one.text for one in export.files(data)}
    cases = list(csv.DictReader(io.StringIO(files["cases.csv"])))
    assert sorted(row["truth"] for row in cases) == ["no", "no", "yes", "yes"]
    rows = list(csv.DictReader(io.StringIO(files["ratings.csv"])))
    drawn = [row for row in rows if row["question"] == "cobb"]
    assert len(drawn) == 2 * 16
    assert all(
        row["answer"].startswith('{"points":[[2.0,30.0],[30.0,30.0],[4.0,16.0]') for row in drawn
    )
    small.store.close()
