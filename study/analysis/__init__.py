"""Analysis of a study: from its answers to every result in its report.

`collect` reads a study's store, `analyse` computes, `run` does both and logs the analysis. Results
are frozen dataclasses that identify methods by their masks (M1, M2, ...) only; names are added
where results are shown.
"""

from __future__ import annotations

from study.analysis.dataset import Dataset
from study.analysis.results import Analysis, CriterionResult, analyse
from study.analysis.scores import AnalysisOptions

__all__ = ["Analysis", "AnalysisOptions", "CriterionResult", "Dataset", "analyse"]
