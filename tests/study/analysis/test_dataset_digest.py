"""The digest of the data of an analysis is that of their canonical JSON, piece by piece."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict
from pathlib import Path

from study.analysis.collect import collect
from study.analysis.records import MethodRecord
from study.domain.terms import Status
from tests.support.constrained_study import ruled_study


def test_the_digest_is_that_of_all_data_as_one_text(tmp_path: Path) -> None:
    store = ruled_study(tmp_path / "s", None)
    with store.write() as session:
        store.set_status(session, Status.CLOSED, "anna")
    data = collect(store)
    store.close()
    assert len(data.observations) > 5
    assert data.exclusions
    cases = [asdict(case) for case in data.cases]
    observations = [obs._asdict() for obs in data.ordered()]
    for one in (*cases, *observations):  # Fields of later versions, which are empty here.
        for name in ("truth", "slices", "answer", "unit", "others", "version"):
            one.pop(name, None)
    content = {
        "methods": [asdict(MethodRecord(one.mask, one.kind)) for one in data.methods],
        "cases": cases,
        "observations": observations,
        "guesses": sorted((g.reader, g.method, g.guess) for g in data.guesses),
        "exclusions": [asdict(one) for one in data.exclusions],
    }
    text = json.dumps(content, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    assert data.digest == hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()
