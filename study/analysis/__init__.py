"""From the answers of a study to everything its report says.

`collect` reads a study's store, `analyse` computes, `run` does both and logs it. Results are frozen
dataclasses that name methods by their masks only; names are added where results are shown.
"""

from __future__ import annotations

from study.analysis.dataset import Dataset
from study.analysis.results import Analysis, CriterionResult, analyse
from study.analysis.scores import AnalysisOptions

__all__ = ["Analysis", "AnalysisOptions", "CriterionResult", "Dataset", "analyse"]
