"""The claims as text: the table of the page, the short one of the README, sentences."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from benchmarks.code_changes import changed
from benchmarks.evidence.claims import (
    MET,
    MISSED,
    NOT_JUDGED,
    NOT_RUN,
    Finding,
    findings,
    strength,
)
from benchmarks.evidence.measure import PROGRAM
from benchmarks.evidence.results import PARTS, Evidence, MeasuredChapter
from enhancers.evaluation.measures import measure
from enhancers.evaluation.tables import interval, number, signed

GROUPS = {
    "mr": "MR", "ct": "CT", "us": "ultrasound", "xr": "X-ray", "discs": "with faint discs",
    "micro": "microscopy", "color": "colour images", "phantom": "phantoms",
}  # fmt: skip
"""Names of groups of images in a sentence."""
LISTED = 4
"""How many names of what has changed the README lists."""
ALL_OF_IT = f"{PROGRAM} --data DIR"


def claims_table(evidence: Evidence) -> Iterator[str]:
    """A row for every claim and measure, then the missed ones in sentences."""
    found, before = findings(evidence), ""
    yield "| claim | measure | required | ahead by, 95 % interval | measured | verdict | images |"
    yield "|---|---|---|---|---|---|---|"
    for one in found:
        # A sentence that several rows share is in the first of them.
        sentence = "" if one.claim.sentence == before else one.claim.sentence
        before = one.claim.sentence
        label = _name(one, measure(one.claim.measure).label)
        cells = [sentence, label, _required(one), _ahead(one), _means(one),
                 _bold(one.verdict) + _weights(one, evidence), _images(one, evidence)]  # fmt: skip
        yield f"| {' | '.join(cells)} |"
    yield ""
    yield (
        "All methods that need a network have the embedded one. A claim is measured against the "
        "strongest of its rivals in that measure. Ahead is the mean difference over subjects with "
        "its 95 % interval, positive where the method is better; the two means beside it are over "
        "images; all are unweighted over the kinds of images. A claim is met where the interval "
        "lies above what is required, and not judged where no interval is stored."
    )
    yield ""
    if text := _since(evidence):
        yield from (text, "")
    for verdict, title in ((MISSED, "Missed"), (NOT_JUDGED, "Not judged")):
        gaps = _by_sentence(one for one in found if one.verdict == verdict)
        for sentence, own in gaps.items():
            text = "; ".join(f"in {_name(one)} {_gap(one)}" for one in own)
            yield f"- **{title}:** {sentence}: {text}."
        if gaps:
            yield ""


def claims_block(evidence: Evidence) -> str:
    """The short table of the README: a row for each claim, with each measure where it is lowest."""
    lines = [
        f"What is claimed of the methods with the embedded networks, as `{ALL_OF_IT}` measured it "
        "last. A claim is met where the 95 % interval over subjects, in brackets, lies above what "
        "it states, for the rival that comes closest, and at every level of a degradation: the "
        "lowest is shown.",
        "", "| claim | ahead by | | images |", "|---|---|---|---|",
    ]  # fmt: skip
    for sentence, found in _by_sentence(findings(evidence)).items():
        ahead = ", ".join(
            f"{short(one.claim.measure)} {_ahead(one)} over {one.rival}{_lacking(one)}{_at(one)}"
            for one in _weakest(found)
        )
        verdict = _bold(_worst(found)) + _weights(found[0], evidence)
        lines.append(f"| {sentence} | {ahead} | {verdict} | {_images(found[0], evidence)} |")
    if text := _since(evidence, LISTED):
        lines += ["", text]
    return "\n".join(lines)


def _weakest(found: Iterable[Finding]) -> list[Finding]:
    """Of the findings of a claim, the lowest of each measure."""
    lowest: dict[str, Finding] = {}
    for one in found:
        if one.ahead is not None:
            known = lowest.setdefault(one.claim.measure, one)
            lowest[one.claim.measure] = min(known, one, key=strength)
    return list(lowest.values())


def _since(evidence: Evidence, most: int | None = None) -> str:
    """A sentence on the code behind claims that changed since; empty where none did.

    More than ``most`` names are counted.
    """
    keys = dict.fromkeys(one.claim.chapter for one in findings(evidence))
    claimed = [evidence.chapter(key) for key in keys]
    what = [label for one in claimed if one is not None for label in changed(one.code, PARTS)]
    if not what:
        return ""
    names = [*dict.fromkeys(what)]
    if most is not None and len(names) > most:
        return (
            f"Measured before the last change of {len(names)} methods and tools; the page has all."
        )
    return f"Measured before the last change of {listed(names)}."


def claims_of(chapter: str, evidence: Evidence) -> Iterator[str]:
    """The claims of a chapter as a list; empty where there are none."""
    own = [one for one in findings(evidence) if one.claim.chapter == chapter]
    for sentence, found in _by_sentence(own).items():
        text = "; ".join(_of_measure(one) for one in found)
        yield f"- {_bold(_worst(found))}: {sentence}: {text}."
    if own:
        yield ""


def short(key: str) -> str:
    """The label of a measure without its unit."""
    return measure(key).label.partition(" (")[0]


def group_name(group: str) -> str:
    """The name of a group of images in a sentence."""
    return GROUPS.get(group, group)


def images(found: MeasuredChapter) -> str:
    """The number of images of a chapter by group."""
    drawn = found.source == "phantoms"
    counts = {one.images for one in found.images}
    if len(found.images) > 1 and len(counts) == 1:
        text = f"{counts.pop()} each of {listed([group_name(one.group) for one in found.images])}"
    else:
        text = ", ".join(f"{one.images} {group_name(one.group)}" for one in found.images)
    return f"phantoms: {text}" if drawn else text


def subjects(found: MeasuredChapter) -> str:
    """The number of subjects of a chapter by group."""
    counts = [str(one.subjects) for one in found.images]
    return f"{listed(counts)} subject{'' if counts == ['1'] else 's'}"


def listed(words: Sequence[str]) -> str:
    """Words joined as in a sentence: "a, b and c"."""
    return " and ".join(part for part in (", ".join(words[:-1]), words[-1]) if part)


def _by_sentence(found: Iterable[Finding]) -> dict[str, list[Finding]]:
    sentences: dict[str, list[Finding]] = {}
    for one in found:
        sentences.setdefault(one.claim.sentence, []).append(one)
    return sentences


def _images(one: Finding, evidence: Evidence) -> str:
    chapter = evidence.chapter(one.claim.chapter)
    return "" if chapter is None else images(chapter)


def _name(one: Finding, label: str = "") -> str:
    """The measure of a claim, and its level where there are several."""
    return (label or short(one.claim.measure)) + _at(one)


def _at(one: Finding) -> str:
    return f" at {one.claim.level}" if one.claim.level else ""


def _weights(one: Finding, evidence: Evidence) -> str:
    """What follows a verdict on other weights than those that ship."""
    chapter = evidence.chapter(one.claim.chapter)
    earlier = chapter is not None and evidence.has_earlier_weights(chapter)
    return " with earlier weights" if earlier else ""


def _of_measure(one: Finding) -> str:
    """The measurement in a sentence, such as "PSNR +1.34 (+1.10 to +1.57): 28.5 against ..."."""
    name = _name(one)
    return name if one.ahead is None else f"{name} {_ahead(one)}: {_means(one)}"


def _gap(one: Finding) -> str:
    """Why a claim is not met, as the end of a sentence."""
    key, found = one.claim.measure, one.ahead
    assert found is not None
    if one.verdict == NOT_JUDGED and one.lacking:
        return f"{listed(one.lacking)}, which may be stronger, were not measured"
    if found.low is None or found.high is None:
        return (
            f"no interval of {signed(found.mean, key)} against {one.rival} over subjects is stored"
        )
    span = f"interval {interval(found, key)}"
    if found.low <= 0 <= found.high:
        return (
            f"its lead over {one.rival} is {signed(found.mean, key)}, {span}: no difference shown"
        )
    size = number(abs(found.mean), key)
    if found.mean < 0:
        return f"it is {size} worse than {one.rival}, {span}"
    return f"it is only {size} better than {one.rival}, {span}"


def _required(one: Finding) -> str:
    least, key = one.claim.at_least, one.claim.measure
    return "above 0" if least is None else f"{number(least, key)} or more"


def _ahead(one: Finding) -> str:
    """The advantage with its interval in brackets."""
    if one.ahead is None:
        return ""
    text, key = signed(one.ahead.mean, one.claim.measure), one.claim.measure
    return text if one.ahead.low is None else f"{text} ({interval(one.ahead, key)})"


def _means(one: Finding) -> str:
    if one.own is None or one.best is None:
        return ""
    key = one.claim.measure
    return f"{number(one.own, key)} against {number(one.best, key)}, {one.rival}{_lacking(one)}"


def _lacking(one: Finding) -> str:
    """What follows the strongest of the measured rivals where others were not measured."""
    return f" ({listed(one.lacking)} not measured)" if one.lacking else ""


def _worst(found: list[Finding]) -> str:
    verdicts = [one.verdict for one in found]
    return next(verdict for verdict in (MISSED, NOT_RUN, NOT_JUDGED, MET) if verdict in verdicts)


def _bold(verdict: str) -> str:
    return f"**{verdict}**" if verdict == MISSED else verdict
