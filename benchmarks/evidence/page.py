"""The page ``evidence.md``, from the stored results alone."""

from __future__ import annotations

from collections.abc import Iterator

from benchmarks.code_changes import changed
from benchmarks.evidence import failure_text
from benchmarks.evidence.chapters import CHAPTERS, Chapter
from benchmarks.evidence.claim_text import (
    ALL_OF_IT,
    claims_of,
    claims_table,
    group_name,
    images,
    listed,
    short,
    subjects,
)
from benchmarks.evidence.measure import command
from benchmarks.evidence.results import PARTS, Evidence, Material, MeasuredChapter
from benchmarks.peers.install import COMMAND
from benchmarks.peers.packages import PEERS
from enhancers.evaluation.plots import PANELS
from enhancers.evaluation.protocol import Condition
from enhancers.evaluation.protocols import protocol
from enhancers.evaluation.summary import Summary
from enhancers.evaluation.tables import (
    READING,
    comparison_table,
    definition,
    group_table,
    means_table,
    number,
)

HEAD = """\
# How good is it?

Is a method better, by how much, and on what: measured by commands, on images with a known truth \
that are degraded, enhanced and compared. The figures are in `evidence.json`; this page is written \
from them, and a test fails when the two differ. Where a claim is missed, the page says so. \
A better score is not a better diagnosis: nothing here is for clinical use. Segmentation of \
enhanced images is in `segmentation.md`, what each ingredient of the training gave in \
`ingredients.md`, speed and memory are in `benchmarks.md`.
"""
USED_BY = {"pixel": "`null_space`, `unimie`", "latent": "`pseudo_label`"}


def as_markdown(evidence: Evidence) -> str:
    """The complete page; the same results give the same bytes."""
    lines = [HEAD, *_claims(evidence), *_networks(evidence)]
    for chapter in CHAPTERS.values():
        lines += _chapter(chapter, evidence)
    lines += [*failure_text.as_lines(evidence), *_reading(evidence)]
    return "\n".join(lines).rstrip() + "\n"


def _code(text: str) -> list[str]:
    return ["```", text, "```", ""]


def _claims(evidence: Evidence) -> Iterator[str]:
    yield from ("## What is claimed, and what was measured", "")
    yield from _code(ALL_OF_IT)
    yield from claims_table(evidence)


def _networks(evidence: Evidence) -> Iterator[str]:
    yield from ("## What the embedded networks were trained on", "")
    yield from _code(
        "python -m enhancers networks train --which pixel --data DIR\n"
        "python -m enhancers networks train --which latent --data DIR"
    )
    if not evidence.networks:
        yield from ("Not written yet.", "")
        return
    yield (
        "Two small networks ship with the project. They were trained on open images of 256 x 256 "
        "pixels and on the project's own phantoms; no subject is on both sides. Of the archives "
        "in `DIR` only the subjects that training held out are measured on, of a folder of other "
        "images all, and phantoms only with seeds that training never drew. Sources and licences "
        "of the images are in "
        "`assets/networks/ATTRIBUTION.md`."
    )
    yield ""
    for one in evidence.networks:
        stages = "; ".join(
            f"{stage.stage}, {stage.steps} steps in {stage.minutes:.0f} minutes"
            for stage in one.stages
        )
        yield (
            f"- `{one.key}`, for {USED_BY.get(one.key, 'no method')}: {stages} ({one.recipe}); "
            f"weights `{one.digest[:12]}`."
        )
    yield ""
    for material in dict.fromkeys(one.material for one in evidence.networks):
        own = [f"`{one.key}`" for one in evidence.networks if one.material == material]
        yield from _material(material, " and ".join(own))


def _material(material: tuple[Material, ...], networks: str) -> Iterator[str]:
    yield f"| {networks} | images trained on | of subjects | images held out | of subjects |"
    yield "|---|---|---|---|---|"
    for one in material:
        yield (
            f"| {group_name(one.group)} | {one.images} | {one.subjects} "
            f"| {one.held_images} | {one.held_subjects} |"
        )
    yield ""


def _chapter(chapter: Chapter, evidence: Evidence) -> Iterator[str]:
    yield from (f"## {chapter.title}", "", chapter.question, "")
    found = evidence.chapter(chapter.key)
    if found is None:
        yield from _code(command(chapter, "DIR", None))
        yield from ("Not run yet.", "")
        return
    yield from _code(found.command)
    yield from _circumstances(found)
    yield from _peers(chapter, found)
    yield from _outdated(found, evidence)
    yield from claims_of(chapter.key, evidence)
    asked = protocol(found.protocol)
    summary = Summary(asked, found.subject, found.lines, found.comparisons)
    for condition in asked.conditions:
        yield from _condition(condition, found, summary, chapter)
    if found.failed:
        yield from ("### Not measured", "", *(f"- {line}" for line in found.failed), "")


def _circumstances(found: MeasuredChapter) -> Iterator[str]:
    drawn = found.source == "phantoms"
    text = images(found) if drawn else f"images: {images(found)}, of {subjects(found)}"
    seeds = f"{found.seeds} seed{'' if found.seeds == 1 else 's'}"
    yield f"{text[0].upper()}{text[1:]}; {seeds} of every method that samples."
    yield from ("", f"Protocol `{found.protocol}`: {protocol(found.protocol).source}.", "")
    versions = ", ".join(f"{name} {version}" for name, version in found.versions)
    yield from (f"Run {found.when}: {found.machine}. {versions}.", "")


def _peers(chapter: Chapter, found: MeasuredChapter) -> Iterator[str]:
    """The sources of the rival denoisers, and which of them were not measured."""
    there = {line.candidate.partition("@")[0].partition(":")[0] for line in found.lines}
    asked = dict.fromkeys(key.partition(":")[0] for key in chapter.peers)
    own = [PEERS[key] for key in asked if key in there]
    if own:
        texts = "; ".join(f"{one.label}, {one.summary}: {one.citation}" for one in own)
        yield from (f"Rivals of other packages, told the same: {texts}", "")
    lacking = [PEERS[key].label for key in asked if key not in there]
    if lacking:
        yield (
            f"**Not measured here: {listed(lacking)}**, which come from other packages; "
            f"`{COMMAND}` installs them."
        )
        yield ""


def _outdated(found: MeasuredChapter, evidence: Evidence) -> Iterator[str]:
    """Notes where networks or code have changed since."""
    if evidence.has_earlier_weights(found):
        yield from ("**Measured with earlier weights than those that ship now.**", "")
    if what := changed(found.code, PARTS):
        yield from (f"**Measured before the last change of {listed(what)}.**", "")
    elif not found.code:
        yield from ("**It is not known which code made this.**", "")


def _condition(
    condition: Condition, found: MeasuredChapter, summary: Summary, chapter: Chapter
) -> Iterator[str]:
    shown = summary.of(condition.key)
    if not shown:
        return
    seconds = {cost.candidate: cost.median for cost in found.costs}
    yield from (f"### {condition.label}", "")
    yield from (*means_table(shown, summary.protocol, seconds), "")
    yield from _over_seeds(summary, condition)
    yield from group_table(summary, condition)
    compared = chapter.compared or summary.protocol.measures[:PANELS]
    yield from comparison_table(summary, condition, compared)
    for plot in found.plots:
        if plot.condition == condition.key:
            yield from (f"![{plot.text}]({plot.file})", "")


def _over_seeds(summary: Summary, condition: Condition) -> Iterator[str]:
    """Standard deviations over seeds, where there were several."""
    spreads = [
        f"{line.label} {short(line.measure)} {number(line.seed_sd, line.measure)}"
        for line in summary.of(condition.key)
        if line.seed_sd is not None
    ]
    if spreads:
        yield from (f"Standard deviation over seeds: {'; '.join(spreads)}.", "")


def _reading(evidence: Evidence) -> Iterator[str]:
    keys = dict.fromkeys(line.measure for one in evidence.chapters for line in one.lines)
    if keys:
        yield from ("## How to read the tables", "", READING, "")
        yield (
            "Seconds are the median wall time of one image on the machine named, with whatever "
            "else it was doing; calls are those of the network."
        )
        yield from ("", *(f"- {definition(key)}" for key in keys), "")
