"""Comparison of the trainings: results as JSON, and the page written from them alone."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from pydantic import TypeAdapter, ValidationError

from benchmarks.ablations.recipes import BASE, SHIPPED
from benchmarks.ablations.trainings import SIGMAS, Trained
from enhancers.errors import ReadingRoomError

NAME = "ingredients"
"""Stem of the files in ``assets/evidence``."""


@dataclass(frozen=True)
class AblationReport:
    """The trainings and the circumstances of the run.

    ``groups`` are those over which the unweighted means are taken, ``images`` how many of each.
    """

    command: str
    when: str
    machine: str
    versions: tuple[tuple[str, str], ...]
    groups: tuple[str, ...]
    images: int
    trained: tuple[Trained, ...]


def read(path: Path) -> AblationReport:
    """Read a stored report.

    Raises
    ------
    ReadingRoomError
        The file holds something else.
    """
    try:
        return TypeAdapter(AblationReport).validate_json(path.read_bytes())
    except ValidationError as error:
        raise ReadingRoomError(
            f"{path} does not hold trainings; run benchmarks ablations again."
        ) from error


def write(folder: Path, report: AblationReport) -> str:
    """Write ``ingredients.json`` and ``ingredients.md`` into ``folder``; return the page."""
    folder.mkdir(parents=True, exist_ok=True)
    text = TypeAdapter(AblationReport).dump_json(report, indent=2).decode("utf-8")
    (folder / f"{NAME}.json").write_text(f"{text}\n", encoding="utf-8")
    page = as_markdown(report)
    (folder / f"{NAME}.md").write_text(page, encoding="utf-8")
    return page


def as_markdown(report: AblationReport) -> str:
    """The page: a table by noise level, one by group, and the circumstances of the run."""
    trained = [one for one in report.trained if one.key != SHIPPED]
    versions = ", ".join(f"{name} {version}" for name, version in report.versions)
    groups = ", ".join(report.groups)
    lines = [
        "# What each ingredient of the pixel network gave", "",
        f"Written by `{report.command}`, {report.when}; {report.machine}; {versions}.", "",
        f"{len(trained)} short trainings from the same seed, each with one thing changed, judged "
        "by what one call of the network takes off Gaussian noise on held-out subjects: PSNR in "
        f"dB, the unweighted mean over {groups}, at most {report.images} images each. Short "
        "trainings say which way a choice goes, not how far it would go in a long one. What the "
        "sampler gives is in the chapters of `evidence.md`.", "",
    ]  # fmt: skip
    return "\n".join([*lines, *_by_noise(report), "", *_by_group(report), ""])


def _by_noise(report: AblationReport) -> list[str]:
    base = next((one for one in report.trained if one.key == BASE), None)
    heads = [f"σ {sigma:g}" for sigma in SIGMAS]
    lines = [
        f"| training | parameters | images | steps | {' | '.join(heads)} | against the first |",
        "|---" * (len(heads) + 5) + "|",
    ]
    for one in report.trained:
        means = [one.mean(sigma, report.groups) for sigma in SIGMAS]
        cells = [f"{mean:.2f}" for mean in means]
        change = ""
        if base is not None and one is not base:
            differences = [
                mean - base.mean(sigma, report.groups)
                for mean, sigma in zip(means, SIGMAS, strict=True)
            ]
            change = " ".join(f"{difference:+.2f}" for difference in differences)
        lines.append(
            f"| {one.label} | {one.parameters:,} | {one.images} | {one.steps} "
            f"| {' | '.join(cells)} | {change} |"
        )
    return lines


def _by_group(report: AblationReport) -> list[str]:
    sigma = SIGMAS[len(SIGMAS) // 2]
    names = list(report.trained[0].psnr[f"{sigma:g}"]) if report.trained else []
    lines = [f"| σ {sigma:g}, by group | {' | '.join(names)} |", "|---" * (len(names) + 1) + "|"]
    for one in report.trained:
        cells = [f"{one.psnr[f'{sigma:g}'][name]:.2f}" for name in names]
        lines.append(f"| {one.label} | {' | '.join(cells)} |")
    return lines
