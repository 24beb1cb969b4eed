"""Scores of cases with a truth in the input format of iMRMC.

A free header with the numbers of cases, readers and modalities; then a line for the truth of each
case (reader -1, modality 0), and a line for each score.

References
----------
B. D. Gallas, "One-shot estimate of MRMC variance: AUC", Academic Radiology 13(3), 2006; the format
is in the manual of iMRMC, https://didsr.github.io/iMRMC (4.1.1, study raw data).
"""

from __future__ import annotations

from collections.abc import Iterator

from study.analysis.dataset import Dataset
from study.analysis.scores import first_ratings
from study.domain.questions import Question
from study.report.export_files import ExportFile, text_file

_TRUTHS = {"no": 0, "yes": 1}


def imrmc_files(data: Dataset) -> Iterator[ExportFile]:
    """A file for each question that is a confidence in the truth; the truths need the key file."""
    for question in data.protocol.questions:
        if question.truth and any(case.truth in _TRUTHS for case in data.cases):
            yield text_file(f"{question.code}.imrmc", _text(data, question))


def _text(data: Dataset, question: Question) -> str:
    truths = {case.case: _TRUTHS[case.truth] for case in data.cases if case.truth in _TRUTHS}
    kept = [
        obs for obs in first_ratings(data, question) if obs.value is not None and obs.case in truths
    ]
    cases = sorted({obs.case for obs in kept})
    positive = sum(truths[case] for case in cases)
    used = {obs.method for obs in kept}
    lines = [
        f"{data.study.code}: first main ratings of the question {question.code}",
        *(f"Modality {one.mask} is {one.name}" for one in data.methods if one.mask in used),
        "",
        f"NR: {len({obs.reader for obs in kept})}",
        f"N0: {len(cases) - positive}",
        f"N1: {positive}",
        f"NM: {len(used)}",
        "",
        "BEGIN DATA:",
        *(f"-1,{case},0,{truths[case]}" for case in cases),
        *(f"{obs.reader},{obs.case},{obs.method},{obs.value:g}" for obs in kept),
    ]
    return "\n".join(lines) + "\n"
