"""The results as stored in ``evidence.json``, from which the page and the claims are made."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter, ValidationError

from benchmarks.code_changes import Pairs, Part
from enhancers.errors import ReadingRoomError
from enhancers.evaluation.statistics import Interval
from enhancers.evaluation.summary import Comparison, SummaryLine

NAME = "evidence.json"
PARTS = (
    Part("degradations", "the degradations", "enhancers.degrade"),
    Part("phantoms", "the phantoms", "enhancers.phantoms"),
    Part("measures", "the measures", "enhancers.evaluation.measures"),
)
"""Code that all figures depend on, whatever the methods."""
DIGITS = 6
"""Significant digits of a stored figure."""
WIDTH = 600
"""Longest line of the file; a mean or a comparison fits."""


@dataclass(frozen=True)
class ImageCount:
    """The number of images and subjects of a group."""

    group: str
    images: int
    subjects: int


@dataclass(frozen=True)
class Cost:
    """Wall time in seconds of the runs of a method when it was measured."""

    candidate: str
    label: str
    runs: int
    median: float
    longest: float


@dataclass(frozen=True)
class Plot:
    """A picture in the same folder, with an alternative text."""

    file: str
    text: str
    condition: str = ""


@dataclass(frozen=True)
class MeasuredChapter:
    """A measured chapter.

    Parameters
    ----------
    key, protocol, subject : str
        ``subject`` is the method with which the others are compared.
    source : str
        "images" or "phantoms": what it was measured on.
    command, when, machine : str
    versions : tuple of (package, version)
    weights : tuple of (network, SHA-256)
        Of the networks that the methods sampled from.
    code : tuple of (method, digest)
        See `benchmarks.code_changes`, with `PARTS`.
    seeds : int
    images : tuple of ImageCount
    failed : tuple of str
        What could not be measured, with the reason.
    lines : tuple of SummaryLine
        The means that the summary shows, for all groups and for each.
    comparisons : tuple of Comparison
    costs : tuple of Cost
    plots : tuple of Plot
    """

    key: str
    protocol: str
    subject: str
    source: str
    command: str
    when: str
    machine: str
    versions: tuple[tuple[str, str], ...]
    weights: tuple[tuple[str, str], ...]
    code: Pairs
    seeds: int
    images: tuple[ImageCount, ...]
    failed: tuple[str, ...] = ()
    lines: tuple[SummaryLine, ...] = ()
    comparisons: tuple[Comparison, ...] = ()
    costs: tuple[Cost, ...] = ()
    plots: tuple[Plot, ...] = ()


@dataclass(frozen=True)
class Training:
    """One stage of a network's training, from its ``training.json``."""

    stage: str
    steps: int
    minutes: float


@dataclass(frozen=True)
class Material:
    """Training and held-out images of a network, of one group."""

    group: str
    images: int
    subjects: int
    held_images: int
    held_subjects: int


@dataclass(frozen=True)
class TrainedNetwork:
    """An embedded network: digest of its weights, training stages and images."""

    key: str
    digest: str
    recipe: str
    stages: tuple[Training, ...]
    material: tuple[Material, ...]


@dataclass(frozen=True)
class Judged:
    """A measure before and after a method; ``before`` is None where nothing was degraded."""

    measure: str
    before: float | None
    after: float


@dataclass(frozen=True)
class Failure:
    """The scores and the picture of a failure case."""

    method: str
    judged: tuple[Judged, ...]
    plot: Plot


@dataclass(frozen=True)
class Evidence:
    """Everything that is stored."""

    chapters: tuple[MeasuredChapter, ...] = ()
    networks: tuple[TrainedNetwork, ...] = ()
    failures: tuple[Failure, ...] = ()

    def chapter(self, key: str) -> MeasuredChapter | None:
        """The chapter with this key; None where it was not measured."""
        return next((one for one in self.chapters if one.key == key), None)

    def with_chapter(self, fresh: MeasuredChapter, order: tuple[str, ...]) -> Evidence:
        """A copy with a chapter added or replaced; chapters not in ``order`` are dropped."""
        own = {one.key: one for one in self.chapters} | {fresh.key: fresh}
        return replace(self, chapters=tuple(own[key] for key in order if key in own))

    def has_earlier_weights(self, found: MeasuredChapter) -> bool:
        """Whether a chapter was measured with other weights than the stored networks have."""
        now = {network.key: network.digest for network in self.networks}
        return any(now.get(key, digest) != digest for key, digest in found.weights)

    @property
    def files(self) -> frozenset[str]:
        """File names of all pictures."""
        plots = [plot for chapter in self.chapters for plot in chapter.plots]
        return frozenset(plot.file for plot in [*plots, *(one.plot for one in self.failures)])


def read(folder: Path) -> Evidence:
    """The evidence in ``folder``; empty where there is no file.

    Raises
    ------
    ReadingRoomError
        The file holds something else.
    """
    path = folder / NAME
    if not path.exists():
        return Evidence()
    try:
        return TypeAdapter(Evidence).validate_json(path.read_bytes())
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(part) for part in first["loc"])
        raise ReadingRoomError(
            f"{path} does not hold evidence ({place or 'the file'}: {first['msg']}); move it away, "
            "or name another folder to --out."
        ) from error


def as_json(evidence: Evidence) -> str:
    """The text of the file, with a line for each figure, so that changes are visible in a diff."""
    plain = TypeAdapter(Evidence).dump_python(evidence, mode="json")
    return _text(plain, "") + "\n"


def _text(value: Any, indent: str) -> str:
    flat = json.dumps(value, ensure_ascii=False, allow_nan=False)
    if len(flat) <= WIDTH or not isinstance(value, (dict, list)):
        return flat
    deeper = f"{indent} "
    if isinstance(value, list):
        opened, closed = "[]"
        parts = [_text(one, deeper) for one in value]
    else:
        opened, closed = "{}"
        parts = [f"{json.dumps(key)}: {_text(one, deeper)}" for key, one in value.items()]
    inner = f",\n{deeper}".join(parts)
    return f"{opened}\n{deeper}{inner}\n{indent}{closed}"


def rounded_lines(lines: tuple[SummaryLine, ...]) -> tuple[SummaryLine, ...]:
    """The means that the summary shows, rounded to `DIGITS`, without infinite ones."""
    return tuple(
        replace(
            line, mean=rounded(line.mean), calls=rounded(line.calls),
            sd=_or_none(line.sd), seed_sd=_or_none(line.seed_sd),
        )
        for line in lines
        if line.shown and math.isfinite(line.mean)
    )  # fmt: skip


def rounded_comparisons(found: tuple[Comparison, ...]) -> tuple[Comparison, ...]:
    """The comparisons, rounded to `DIGITS`."""
    return tuple(
        replace(
            one,
            paired=replace(
                one.paired,
                by_image=_interval(one.paired.by_image),
                by_subject=_interval(one.paired.by_subject),
                wilcoxon=_or_none(one.paired.wilcoxon),
            ),
            wilcoxon=_or_none(one.wilcoxon), t_test=_or_none(one.t_test),
        )
        for one in found
    )  # fmt: skip


def _interval(found: Interval) -> Interval:
    return Interval(
        rounded(found.mean), _or_none(found.low), _or_none(found.high), _or_none(found.p)
    )


def rounded(value: float) -> float:
    """A figure with `DIGITS` significant digits."""
    return float(f"{value:.{DIGITS}g}")


def _or_none(value: float | None) -> float | None:
    return None if value is None else rounded(value)
