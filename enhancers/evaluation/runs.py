"""Runs a protocol: a row for every image, method and seed, computed once and then stored."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from enhancers import devices, provenance
from enhancers.errors import ParameterError, ReadingRoomError
from enhancers.evaluation import measures, pictures
from enhancers.evaluation.conditions import degraded_case
from enhancers.evaluation.methods_under_test import MethodUnderTest
from enhancers.evaluation.problem import Degraded, TestImage
from enhancers.evaluation.protocol import Condition, Protocol
from enhancers.evaluation.slice_stack import neighbours_of
from enhancers.evaluation.store import Measured, ResultRow, RowStore
from enhancers.image import Pixels, pixels_digest
from enhancers.source_digest import source_digest


@dataclass(frozen=True, eq=False)
class RunPlan:
    """The rows to compute.

    Parameters
    ----------
    protocol : Protocol
    cases : tuple of TestImage
    candidates : tuple of MethodUnderTest
    seeds : int
        Number of seeds for methods that sample; the others run once.
    device : str
    """

    protocol: Protocol
    cases: tuple[TestImage, ...]
    candidates: tuple[MethodUnderTest, ...]
    seeds: int = 1
    device: str = "cpu"

    def __post_init__(self) -> None:
        if self.seeds < 1:
            raise ParameterError(f"seeds={self.seeds} is not possible; give 1 or more.")


@dataclass(frozen=True, eq=False)
class Job:
    """One row to compute."""

    condition: Condition
    case: TestImage
    candidate: MethodUnderTest
    seed: int


def jobs(plan: RunPlan) -> Iterator[Job]:
    """The rows of a plan, image after image, so that an interrupted run has complete images."""
    for condition in plan.protocol.conditions:
        wanted = condition.groups or tuple({case.group: None for case in plan.cases})
        for case in plan.cases:
            if case.group not in wanted:
                continue
            for candidate in plan.candidates:
                if candidate.suits(condition.task):
                    for seed in range(plan.seeds if candidate.sampled else 1):
                        yield Job(condition, case, candidate, seed)


def count(plan: RunPlan) -> int:
    """The number of rows of a plan."""
    return sum(1 for _ in jobs(plan))


def run(plan: RunPlan, folder: Path, picture_folder: Path | None = None) -> Iterator[ResultRow]:
    """Yield the rows of a plan in order; those that ``folder`` does not have are computed.

    Parameters
    ----------
    plan : RunPlan
    folder : Path
        Of the `RowStore`.
    picture_folder : Path, optional
        Where results of the first seed are stored as PNG.

    Raises
    ------
    NetworkMissing, DeviceError
        A network or device is missing. A failure on one image gives a row with `error`.
    """
    store = RowStore(folder)
    current: tuple[Condition, TestImage, TestImage, Degraded] | None = None
    for job in jobs(plan):
        if current is None or current[0] is not job.condition or current[1] is not job.case:
            current = (job.condition, job.case, *degraded_case(job.case, job.condition))
        yield _row(plan, job, current[2], current[3], store, picture_folder)


def _row(
    plan: RunPlan,
    job: Job,
    case: TestImage,
    degraded: Degraded,
    store: RowStore,
    picture_folder: Path | None,
) -> ResultRow:
    candidate, task = job.candidate, job.condition.task
    keys = _keys(plan.protocol, job, degraded)
    digest = row_digest(plan, job, case, degraded, keys)
    row = ResultRow(
        job.condition.key, case.key, case.group, case.subject, round(degraded.level, 6),
        candidate.key, candidate.family, candidate.label, job.seed,
    )  # fmt: skip
    known = store.get(digest)
    picture = picture_folder if job.seed == 0 else None
    if known is not None and (picture is None or pictures.stored(picture, row)):
        return replace(row, measured=known)
    try:
        outcome = candidate.enhance(degraded, task, seed=job.seed, device=plan.device)
        found = measures.score(outcome.pixels, case, keys, degraded=degraded.pixels)
    except ReadingRoomError as error:
        return replace(row, error=str(error))
    scores = {score.key: score.value for score in found}
    spectrum = _spectrum(outcome.pixels, case) if plan.protocol.spectra else ()
    measured = Measured(scores, spectrum, outcome.calls, outcome.seconds, outcome.notes)
    if known is None:
        store.put(digest, measured)
    if picture is not None:
        pictures.store(picture, row, case, degraded, outcome.pixels)
    # Read back, so that a second run gives the same.
    return replace(row, measured=store.get(digest) or measured, fresh=True)


def _spectrum(pixels: Pixels, case: TestImage) -> tuple[float, ...]:
    """The noise power in the cells without a disc, by frequency."""
    from enhancers.evaluation import texture

    if case.mask is None:
        return ()
    found = texture.noise_of([texture.cells(pixels, case.mask)])
    return tuple(float(power) for power in found.power)


def _keys(protocol: Protocol, job: Job, degraded: Degraded) -> tuple[str, ...]:
    """The measures that apply: none with a truth after a contrast step, or without degradation."""
    blind = job.condition.kind == "none" and job.condition.factor == 1
    if blind or job.candidate.contrasted(degraded, job.condition.task):
        return tuple(key for key in protocol.measures if measures.measure(key).needs != "truth")
    return protocol.measures


def row_digest(
    plan: RunPlan, job: Job, case: TestImage, degraded: Degraded, keys: Sequence[str]
) -> str:
    """SHA-256 over everything that determines a row, except its time."""
    candidate, task = job.candidate, job.condition.task
    family = "diffusion" if candidate.by_device else "classical"
    determining: dict[str, object] = {
        "truth": pixels_digest(case.truth),
        "mask": "" if case.mask is None else hashlib.sha256(case.mask.tobytes()).hexdigest(),
        "degraded": pixels_digest(degraded.pixels),
        "sigma": degraded.sigma,
        "modality": str(case.modality),
        "task": task,
        "method": candidate.method,
        "params": candidate.parameters(degraded, task),
        "stages": candidate.stages(degraded, task),
        "seed": job.seed,
        "prior": candidate.prior(degraded, task),
        "code": candidate.code(),
        "device": devices.model_name(plan.device) if candidate.by_device else "cpu",
        "software": dict(provenance.software(family)),
        "measures": {key: measures.available(key) for key in keys},
        "measuring": source_digest(measures.__name__),
    }
    if case.background is not None:
        determining["background"] = hashlib.sha256(case.background.tobytes()).hexdigest()
    if degraded.measured is not None:
        determining["measured"] = degraded.measured.digest
    if neighbours := neighbours_of(degraded):
        determining["neighbours"] = [pixels_digest(pixels) for pixels in neighbours]
    return hashlib.sha256(json.dumps(determining, sort_keys=True).encode()).hexdigest()
