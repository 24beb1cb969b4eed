"""Every denoiser on the same held-out images, its noise known: one table for each noise level.

It is what a new network of the project is judged by: against the strongest of the others, FFDNet
with clipped noise restored.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from types import MappingProxyType

import numpy as np

from benchmarks.peers import install
from benchmarks.peers.methods import PeerUnderTest, peers
from benchmarks.peers.preparation import noise_of
from benchmarks.peers.process import peer_process
from enhancers.errors import ImagesAbsent
from enhancers.evaluation.cases import PHANTOMS, read_cases
from enhancers.evaluation.conditions import degraded_case
from enhancers.evaluation.method_text import method_under_test
from enhancers.evaluation.methods_under_test import MethodUnderTest
from enhancers.evaluation.problem import TestImage
from enhancers.evaluation.protocols import FOUR, protocol
from enhancers.evaluation.runs import RunPlan
from enhancers.evaluation.store import ResultRow

IMAGES = (
    "mr-0190", "mr-0492", "mr-0522", "ct-0000", "ct-0084", "ct-0217",
    "us-0006", "us-0134", "us-0234", "xr-0010", "xr-0108", "xr-0208",
)  # fmt: skip
"""Images of subjects that training held out, three of each modality."""
EACH = 3
"""Phantoms of each modality, where there are no images."""
MEASURES = ("psnr", "ssim")
REFERENCE = "ffdnet"
"""The rival that a network has to beat."""
LEAD = 0.3
"""By how many dB, in the mean."""
REPEATS = 3
METHODS: Mapping[str, str] = MappingProxyType({
    "input": "Noisy image",
    "nlm:auto@unclip=false": "Non-local means",
    "nlm:auto": "Non-local means, clipped noise restored",
    "tv:auto@unclip=false": "Total variation",
    "tv:auto": "Total variation, clipped noise restored",
    "bm3d:clipped": "BM3D",
    "bm3d": "BM3D, clipped noise restored",
    "ffdnet:clipped": "FFDNet",
    "ffdnet": "FFDNet, clipped noise restored",
    "null_space": "DDNM, one sample",
    "denoiser": "Network denoiser, one call",
    "denoiser@flips=true": "Network denoiser, eight turns",
})  # fmt: skip
"""The methods and their names. The last three use the network of the project."""
OWN = tuple(METHODS)[-3:]


@dataclass(frozen=True)
class Means:
    """Mean PSNR and SSIM of a method at a noise level: of each modality, and of these means."""

    method: str
    condition: str
    by_group: Mapping[str, tuple[float, float]]

    @property
    def mean(self) -> tuple[float, float]:
        """Unweighted over the modalities."""
        psnr, ssim = np.mean(list(self.by_group.values()), axis=0)
        return float(psnr), float(ssim)


def read_images(data: Path | None, keys: Sequence[str]) -> list[TestImage]:
    """The images with these keys, or phantoms where there is no folder.

    Raises
    ------
    ImagesAbsent
        The folder lacks one, or training did not hold it out.
    """
    if data is None:
        return read_cases(PHANTOMS, FOUR, limit=EACH)
    found = {case.key: case for case in read_cases(data, FOUR)}
    for key in keys:
        if key not in found:
            raise ImagesAbsent(
                f"{data} has no image {key} of a subject that training held out; name others with "
                "--images, such as mr-0190,ct-0084, or leave out --data for phantoms."
            )
    return [found[key] for key in keys]


def methods(texts: Sequence[str] = tuple(METHODS)) -> list[MethodUnderTest]:
    """The methods to run; those of other packages only where these are installed."""
    chosen: list[MethodUnderTest] = []
    for text in texts:
        if text.split(":")[0] in {REFERENCE, "bm3d"}:
            if not install.installed():
                continue
            [one] = peers([text])
            chosen.append(replace(one, label=METHODS[text]))
        else:
            chosen.append(replace(method_under_test(text), label=METHODS[text]))
    return chosen


def plan(cases: Sequence[TestImage], chosen: Sequence[MethodUnderTest], device: str) -> RunPlan:
    """The rows to compute: those of the protocol ``denoise``, which the evidence has as well."""
    return RunPlan(protocol("denoise"), tuple(cases), tuple(chosen), device=device)


def means(rows: Sequence[ResultRow]) -> list[Means]:
    """The means of rows without errors, by noise level and method, in their order."""
    scores: dict[tuple[str, str], dict[str, list[tuple[float, float]]]] = {}
    for row in rows:
        values = [row.measured.scores.get(key) for key in MEASURES]
        if row.error or None in values:
            continue
        psnr, ssim = (float(value or 0.0) for value in values)
        own = scores.setdefault((row.condition, row.candidate), {})
        own.setdefault(row.group, []).append((psnr, ssim))
    return [
        Means(method, condition, {group: _mean(found) for group, found in own.items()})
        for (condition, method), own in scores.items()
    ]


def _mean(values: Sequence[tuple[float, float]]) -> tuple[float, float]:
    psnr, ssim = np.mean(values, axis=0)
    return float(psnr), float(ssim)


def seconds(plan: RunPlan) -> dict[str, float]:
    """Processor seconds of each method on the first image at σ = 0.1: the least of `REPEATS`."""
    condition = plan.protocol.conditions[1]
    _, degraded = degraded_case(plan.cases[0], condition)
    found: dict[str, float] = {}
    for one in plan.candidates:
        times: list[float] = []
        # The first run loads networks. What is slow is not measured again.
        while len(times) < 2 or (len(times) <= REPEATS and min(times) < 1.0):
            if isinstance(one, PeerUnderTest):
                sigma = noise_of(degraded)
                times.append(peer_process().denoise(one.method, degraded.pixels, sigma).processor)
            else:
                started = time.process_time()
                one.enhance(degraded, condition.task, seed=0, device=plan.device)
                times.append(time.process_time() - started)
        found[one.key] = min(times)
    return found


def as_markdown(plan: RunPlan, found: Sequence[Means], times: Mapping[str, float]) -> str:
    """The tables, one for each noise level, and what the network lacks or leads by."""
    groups = list(dict.fromkeys(case.group for case in plan.cases))
    lines: list[str] = []
    for condition in plan.protocol.conditions:
        own = [one for one in found if one.condition == condition.key]
        heads = ["PSNR / SSIM", *(group.upper() for group in groups), "processor seconds"]
        lines += [f"### {condition.label}", "", f"| | {' | '.join(heads)} |"]
        lines += ["|---" * (len(heads) + 1) + "|"]
        labels = {one.key: one.label for one in plan.candidates}
        for one in own:
            cells = [_pair(one.mean), *(_pair(one.by_group[group]) for group in groups)]
            spent = times.get(one.method)
            cells.append("" if spent is None else f"{spent:.2g}")
            lines.append(f"| {labels[one.method]} | {' | '.join(cells)} |")
        lines += ["", *verdicts(own, labels), ""]
    return "\n".join(lines)


def verdicts(found: Sequence[Means], labels: Mapping[str, str]) -> Iterator[str]:
    """A sentence for each method with the project's network: what it lacks or leads by."""
    rival = next((one for one in found if one.method == REFERENCE), None)
    if rival is None:
        yield f"FFDNet was not measured here; install it with `{install.COMMAND}`."
        return
    for one in found:
        if one.method not in OWN:
            continue
        psnr, ssim = (a - b for a, b in zip(one.mean, rival.mean, strict=True))
        below = [
            group.upper()
            for group, own in one.by_group.items()
            if own[0] < rival.by_group[group][0] or own[1] < rival.by_group[group][1]
        ]
        ahead = psnr >= LEAD and ssim > 0 and not below
        where = f", below it in {', '.join(below)}" if below else ""
        yield (
            f"- {labels[one.method]}: {psnr:+.2f} dB and SSIM {ssim:+.3f} against "
            f"{labels[REFERENCE]}{where}: {'ahead' if ahead else '**NOT AHEAD**'}."
        )


def _pair(values: tuple[float, float]) -> str:
    return f"{values[0]:.2f} / {values[1]:.3f}"
