"""Analyses of a stored study: each one is logged and can be repeated from the log."""

from __future__ import annotations

import json
import platform
from dataclasses import dataclass
from importlib.metadata import version

from enhancers import __version__
from study.analysis.collect import collect
from study.analysis.dataset import Dataset
from study.analysis.results import Analysis, analyse
from study.domain.errors import StatisticsError
from study.stats.estimate import LEVEL, to_json
from study.stats.intervals import RESAMPLES
from study.storage.hash_chain import audit
from study.storage.key import Key
from study.storage.models import AnalysisRun
from study.storage.store import Store

PACKAGES = ("matplotlib", "numpy", "scipy", "sqlalchemy", "statsmodels")


@dataclass(frozen=True)
class LoggedAnalysis:
    """An analysis with the identifier of its log entry.

    Parameters
    ----------
    run_id : str
        Identifier of the `AnalysisRun`; empty for a study on a disk that cannot be written.
    data : Dataset
    analysis : Analysis
    """

    run_id: str
    data: Dataset
    analysis: Analysis


@dataclass(frozen=True)
class RepeatVerdict:
    """Whether a repeated analysis gives the same bytes; `reason` says why not."""

    same: bool
    reason: str = ""


def run(
    store: Store,
    *,
    actor: str,
    key: Key | None = None,
    kind: str = "report",
    seed: int | None = None,
    resamples: int = RESAMPLES,
    level: float = LEVEL,
) -> LoggedAnalysis:
    """Analyse a closed study and log the analysis.

    Parameters
    ----------
    store : Store
    actor : str
        Account that requests it.
    key : Key, optional
        Names of the methods, for a study that is unblinded.
    kind : str
        Purpose of the analysis.
    seed, resamples, level
        See `study.analysis.analyse`.

    Raises
    ------
    BlindingError
        The study is not closed, or names are requested before it is unblinded.
    KeyFileError
        The key is of another study.
    """
    data = collect(store, key)
    analysis = analyse(data, seed=seed, resamples=resamples, level=level)
    if store.read_only:
        return LoggedAnalysis("", data, analysis)
    with store.write() as session:
        entry = AnalysisRun(
            study_id=store.study_id,
            kind=kind,
            data_sha256=analysis.data_sha256,
            protocol_sha256=analysis.protocol_sha256,
            code_version=__version__,
            libraries_json=json.dumps(libraries(), sort_keys=True),
            seed=_signed(analysis.options.seed),
            unblinded=data.unblinded,
            result_json=to_json(analysis, indent=None),
        )
        session.add(entry)
        session.flush()
        audit(session, actor, "analysis", target=entry.id, detail=f"{kind}, {_by(data)}")
        return LoggedAnalysis(entry.id, data, analysis)


def repeat(store: Store, run_id: str, key: Key | None = None) -> RepeatVerdict:
    """Repeat a logged analysis and compare the results byte for byte.

    Raises
    ------
    StatisticsError
        There is no such analysis in the log.
    """
    with store.read() as session:
        entry = session.get(AnalysisRun, run_id)
    if entry is None:
        raise StatisticsError(f"The log has no analysis {run_id!r}.")
    data = collect(store, key if entry.unblinded else None)
    if data.unblinded != entry.unblinded:
        return RepeatVerdict(False, "it was made with the names of the methods: give the key file")
    if data.digest != entry.data_sha256:
        return RepeatVerdict(
            False, "the data are not the same: ratings or exclusions were added since"
        )
    options = json.loads(entry.result_json)["options"]
    options.pop("random", None)
    again = analyse(data, **options)
    if to_json(again, indent=None) == entry.result_json:
        return RepeatVerdict(True)
    then = json.loads(entry.libraries_json)
    changed = [name for name, number in libraries().items() if then.get(name) != number]
    if entry.code_version != __version__:
        changed.insert(0, "Reading Room")
    because = f"{', '.join(changed)} changed since" if changed else "with the same libraries"
    return RepeatVerdict(False, f"the numbers differ, {because}")


def _signed(seed: int) -> int:
    """A seed of 32 bits as the column holds it, which is signed in PostgreSQL.

    The result has it as it is, and an analysis is repeated with that.
    """
    return (seed + 2**31) % 2**32 - 2**31


def libraries() -> dict[str, str]:
    """Versions of Python and of the packages that compute results."""
    return {"python": platform.python_version(), **{name: version(name) for name in PACKAGES}}


def _by(data: Dataset) -> str:
    return "methods named" if data.unblinded else "methods masked"
