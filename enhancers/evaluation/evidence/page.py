"""The page ``evidence.md``, from the stored results alone: the same figures give the same bytes."""

from __future__ import annotations

from collections.abc import Iterator

from enhancers.evaluation.evidence import claims, failing
from enhancers.evaluation.evidence.claims import Finding
from enhancers.evaluation.evidence.measuring import PROGRAM, command
from enhancers.evaluation.evidence.plan import CHAPTERS, Chapter
from enhancers.evaluation.evidence.stored import Evidence, Images, Material, Measured
from enhancers.evaluation.measures import measure
from enhancers.evaluation.plots import PANELS
from enhancers.evaluation.protocols import Condition, protocol
from enhancers.evaluation.summary import Summary
from enhancers.evaluation.tables import (
    READING,
    comparison_table,
    definition,
    group_table,
    means_table,
    number,
    signed,
)

HEAD = """\
# How good is it?

Is a method better, by how much, and on what: measured by commands, on images with a known truth \
that are degraded, enhanced and compared. The figures are in `evidence.json`; this page is written \
from them, and a test fails when the two differ. Where a claim is missed, the page says so. \
A better score is not a better diagnosis: nothing here is for clinical use.
"""
GROUPS = {
    "mr": "MR", "ct": "CT", "us": "ultrasound", "xr": "X-ray", "discs": "disc phantoms",
    "micro": "microscopy", "color": "colour images", "phantom": "phantoms",
}  # fmt: skip
"""Groups of images as a sentence names them."""
USED_BY = {"pixel": "`null_space`, `unimie`", "latent": "`pseudo_label`"}
ALL_OF_IT = f"{PROGRAM} --data DIR --work DIR"


def as_markdown(evidence: Evidence) -> str:
    """The whole page."""
    lines = [HEAD, *_claims(evidence), *_networks(evidence)]
    for chapter in CHAPTERS.values():
        lines += _chapter(chapter, evidence)
    lines += [*failing.as_lines(evidence), *_reading(evidence)]
    return "\n".join(lines).rstrip() + "\n"


def _code(text: str) -> list[str]:
    return ["```", text, "```", ""]


def _claims(evidence: Evidence) -> Iterator[str]:
    yield from ("## What is claimed, and what was measured", "")
    yield from _code(ALL_OF_IT)
    found, before = claims.findings(evidence), ""
    yield "| claim | measure | required | measured | verdict | images |"
    yield "|---|---|---|---|---|---|"
    for one in found:
        key = one.claim.measure
        chapter = evidence.chapter(one.claim.chapter)
        images = "" if chapter is None else _images(chapter)
        # As in print, what several rows share stands in the first of them.
        sentence = "" if one.claim.sentence == before else one.claim.sentence
        before = one.claim.sentence
        cells = [sentence, measure(key).label, _required(one), _measured(one),
                 _verdict(one), images]  # fmt: skip
        yield f"| {' | '.join(cells)} |"
    yield ""
    yield (
        "A claim is measured against the best of its rivals in that measure: the difference, then "
        "the two means, unweighted over the kinds of images."
    )
    yield ""
    yield from _missed(found)


def _missed(found: tuple[Finding, ...]) -> Iterator[str]:
    """What is not borne out, in sentences."""
    missed = [one for one in found if one.verdict == claims.MISSED]
    for one in missed:
        told = f"in {short(one.claim.measure)} it is {_gap(one)} {one.rival}"
        yield f"- **Missed:** {one.claim.sentence}: {told}."
    if missed:
        yield ""


def _gap(one: Finding) -> str:
    """How a missed claim stands, such as "0.31 worse than" or "only 0.52 better than"."""
    if not one.ahead:
        return "level with"
    size = number(abs(one.ahead), one.claim.measure)
    return f"only {size} better than" if one.ahead > 0 else f"{size} worse than"


def _required(one: Finding) -> str:
    least, key = one.claim.at_least, one.claim.measure
    up = measure(key).direction == "up"
    if least is None:
        return "higher" if up else "lower"
    if least == 0:
        return "not lower" if up else "not higher"
    return f"{signed(least, key)} or more" if up else f"{signed(-least, key)} or less"


def _measured(one: Finding) -> str:
    if one.ahead is None or one.own is None or one.best is None:
        return ""
    key = one.claim.measure
    return (
        f"{signed(one.own - one.best, key)} ({number(one.own, key)} against "
        f"{number(one.best, key)}, {one.rival})"
    )


def _verdict(one: Finding) -> str:
    return f"**{one.verdict}**" if one.verdict == claims.MISSED else one.verdict


def short(key: str) -> str:
    """The name of a measure without its unit."""
    return measure(key).label.partition(" (")[0]


def _images(chapter: Measured) -> str:
    told = [_group(one) for one in chapter.images]
    return ("phantoms: " if chapter.source == "phantoms" else "") + ", ".join(told)


def _group(one: Images) -> str:
    return f"{one.images} {GROUPS.get(one.group, one.group)}"


def claims_block(evidence: Evidence) -> str:
    """The short table of the README: a line a claim, its measures together."""
    sentences: dict[str, list[Finding]] = {}
    for one in claims.findings(evidence):
        sentences.setdefault(one.claim.sentence, []).append(one)
    lines = [
        f"What is claimed, as `{ALL_OF_IT}` measured it last:", "",
        "| claim | ahead by | | images |", "|---|---|---|---|",
    ]  # fmt: skip
    for sentence, found in sentences.items():
        told = ", ".join(
            f"{short(one.claim.measure)} {signed(one.ahead, one.claim.measure)}"
            for one in found
            if one.ahead is not None
        )
        chapter = evidence.chapter(found[0].claim.chapter)
        images = "" if chapter is None else _images(chapter)
        lines.append(f"| {sentence} | {told} | {_worst(found)} | {images} |")
    return "\n".join(lines)


def _worst(found: list[Finding]) -> str:
    verdicts = [one.verdict for one in found]
    for verdict in (claims.MISSED, claims.NOT_RUN):
        if verdict in verdicts:
            return f"**{verdict}**" if verdict == claims.MISSED else verdict
    return claims.MET


def _networks(evidence: Evidence) -> Iterator[str]:
    yield from ("## What the embedded networks were trained on", "")
    yield from _code("python -m enhancers priors train --which pixel --data DIR")
    if not evidence.networks:
        yield from ("Not written yet.", "")
        return
    yield (
        "Two small networks ship with the project. They were trained on open images of 256 x 256 "
        "pixels and on the project's own phantoms; no subject is on both sides. Of the archives "
        "in `DIR` only the subjects that training held out are measured on, and phantoms only "
        "with seeds that training never drew. Sources and licences of the images are in "
        "`assets/priors/ATTRIBUTION.md`."
    )
    yield ""
    for one in evidence.networks:
        stages = "; ".join(
            f"{stage.stage}, {stage.steps} steps in {stage.minutes:.0f} minutes"
            for stage in one.stages
        )
        yield (
            f"- `{one.key}`, for {USED_BY.get(one.key, 'no method')}: {stages}; batches of "
            f"{one.batch}; weights `{one.digest[:12]}`."
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
            f"| {GROUPS.get(one.group, one.group)} | {one.images} | {one.subjects} "
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
    yield from _outdated(found, evidence)
    yield from _claimed(chapter, evidence)
    asked = protocol(found.protocol)
    summary = Summary(asked, found.subject, found.lines, found.comparisons)
    for condition in asked.conditions:
        yield from _condition(condition, found, summary, chapter)
    if found.failed:
        yield from ("### Not measured", "", *(f"- {line}" for line in found.failed), "")


def _claimed(chapter: Chapter, evidence: Evidence) -> Iterator[str]:
    own = [one for one in claims.findings(evidence) if one.claim.chapter == chapter.key]
    for one in own:
        told = f"{short(one.claim.measure)} {_measured(one)}".rstrip()
        yield f"- {_verdict(one)}: {one.claim.sentence}: {told}"
    if own:
        yield ""


def _circumstances(found: Measured) -> Iterator[str]:
    drawn = found.source == "phantoms"
    told = [
        _group(one) + ("" if drawn else f" of {_count(one.subjects, 'subject')}")
        for one in found.images
    ]
    yield (
        f"{'Phantoms' if drawn else 'Images'}: {', '.join(told)}; "
        f"{_count(found.seeds, 'seed')} of every method that samples."
    )
    yield from ("", f"Protocol `{found.protocol}`: {protocol(found.protocol).source}.", "")
    versions = ", ".join(f"{name} {version}" for name, version in found.versions)
    yield from (f"Run {found.when}: {found.machine}. {versions}.", "")


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"


def _outdated(found: Measured, evidence: Evidence) -> Iterator[str]:
    """Whether the networks have been trained anew since."""
    now = {network.key: network.digest for network in evidence.networks}
    if any(now.get(key, digest) != digest for key, digest in found.weights):
        yield from ("**Measured with earlier weights than those that ship now.**", "")


def _condition(
    condition: Condition, found: Measured, summary: Summary, chapter: Chapter
) -> Iterator[str]:
    shown = summary.of(condition.key)
    if not shown:
        return
    seconds = {cost.candidate: cost.median for cost in found.costs}
    yield from (f"### {condition.label}", "")
    yield from (*means_table(shown, summary.protocol, seconds), "")
    yield from _over_seeds(summary, condition)
    yield from group_table(summary, condition)
    told = chapter.compared or summary.protocol.measures[:PANELS]
    yield from comparison_table(summary, condition, told)
    for plot in found.plots:
        if plot.condition == condition.key:
            yield from (f"![{plot.text}]({plot.file})", "")


def _over_seeds(summary: Summary, condition: Condition) -> Iterator[str]:
    """How much the seed alone changes, where there were several."""
    told = [
        f"{line.label} {short(line.measure)} {number(line.seed_sd, line.measure)}"
        for line in summary.of(condition.key)
        if line.seed_sd is not None
    ]
    if told:
        yield from (f"Standard deviation over seeds: {'; '.join(told)}.", "")


def _reading(evidence: Evidence) -> Iterator[str]:
    keys = dict.fromkeys(line.measure for one in evidence.chapters for line in one.lines)
    if keys:
        yield from ("## How to read the tables", "", READING, "")
        yield (
            "Seconds are the median wall time of one image on the machine named, with whatever "
            "else it was doing; calls are those of the network."
        )
        yield from ("", *(f"- {definition(key)}" for key in keys), "")
