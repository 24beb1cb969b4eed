"""A protocol run: every image, candidate and seed becomes a row, computed once and then kept."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from enhancers import devices, provenance
from enhancers.errors import ParameterError, ReadingRoomError
from enhancers.evaluation import measures
from enhancers.evaluation.conditions import degraded_case
from enhancers.evaluation.methods_under_test import MethodUnderTest
from enhancers.evaluation.pictures import keep, kept
from enhancers.evaluation.problem import Degraded, TestImage
from enhancers.evaluation.protocols import Condition, Protocol
from enhancers.evaluation.slice_stack import neighbours_of
from enhancers.evaluation.store import Measured, ResultRow, RowStore
from enhancers.image import Pixels, pixels_digest
from enhancers.source_digest import source_digest


@dataclass(frozen=True, eq=False)
class RunPlan:
    """All that is to be measured.

    ``seeds`` is how many each sampling method gets; the others run once.
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
class _Job:
    condition: Condition
    case: TestImage
    candidate: MethodUnderTest
    seed: int


def jobs(plan: RunPlan) -> Iterator[_Job]:
    """Every run of the plan, image after image, so that an interrupted one has whole images."""
    for condition in plan.protocol.conditions:
        wanted = condition.groups or tuple({case.group: None for case in plan.cases})
        for case in plan.cases:
            if case.group not in wanted:
                continue
            for candidate in plan.candidates:
                if candidate.suits(condition.task):
                    for seed in range(plan.seeds if candidate.sampled else 1):
                        yield _Job(condition, case, candidate, seed)


def count(plan: RunPlan) -> int:
    """How many rows there will be."""
    return sum(1 for _ in jobs(plan))


def run(plan: RunPlan, folder: Path, pictures: Path | None = None) -> Iterator[ResultRow]:
    """Measure what is not in ``folder`` yet; rows come in the order of the plan.

    Parameters
    ----------
    plan : RunPlan
    folder : Path
        Of the `RowStore`.
    pictures : Path, optional
        Where results of the first seed are kept as PNG, as far as they are computed now.

    Raises
    ------
    NetworkMissing, DeviceError
        What a candidate needs is not here. What a single image makes fail is a row with `error`.
    """
    store = RowStore(folder)
    posed: tuple[Condition, TestImage, TestImage, Degraded] | None = None
    for job in jobs(plan):
        if posed is None or posed[0] is not job.condition or posed[1] is not job.case:
            posed = (job.condition, job.case, *degraded_case(job.case, job.condition))
        yield _row(plan, job, posed[2], posed[3], store, pictures)


def _row(
    plan: RunPlan,
    job: _Job,
    case: TestImage,
    degraded: Degraded,
    store: RowStore,
    pictures: Path | None,
) -> ResultRow:
    candidate, task = job.candidate, job.condition.task
    keys = _keys(plan.protocol, job, degraded)
    digest = _digest(plan, job, case, degraded, keys)
    row = ResultRow(
        job.condition.key, case.key, case.group, case.subject, round(degraded.level, 6),
        candidate.key, candidate.family, candidate.label, job.seed,
    )  # fmt: skip
    known = store.get(digest)
    wanted = pictures is not None and job.seed == 0
    if known is not None and not (wanted and not kept(pictures, row)):
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
    if pictures is not None and job.seed == 0:
        keep(pictures, row, case, degraded, outcome.pixels)
    # What was read back is what a second run will see.
    return replace(row, measured=store.get(digest) or measured, fresh=True)


def _spectrum(pixels: Pixels, case: TestImage) -> tuple[float, ...]:
    """The noise power in the cells that hold nothing, by frequency."""
    from enhancers.evaluation import texture

    if case.mask is None:
        return ()
    found = texture.noise_of([texture.cells(pixels, case.mask)])
    return tuple(float(power) for power in found.power)


def _keys(protocol: Protocol, job: _Job, degraded: Degraded) -> tuple[str, ...]:
    """The measures that mean something: a contrast step moves the image away from any truth."""
    blind = job.condition.kind == "none" and job.condition.factor == 1
    if blind or job.candidate.contrasted(degraded, job.condition.task):
        return tuple(key for key in protocol.measures if measures.measure(key).needs != "truth")
    return protocol.measures


def _digest(
    plan: RunPlan, job: _Job, case: TestImage, degraded: Degraded, keys: Sequence[str]
) -> str:
    """Over everything that determines the row, the time it takes aside."""
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
    if neighbours := neighbours_of(degraded):
        determining["neighbours"] = [pixels_digest(pixels) for pixels in neighbours]
    return hashlib.sha256(json.dumps(determining, sort_keys=True).encode()).hexdigest()
