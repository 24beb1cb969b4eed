"""What the method has to reach, whether it does, and who wins against the supervised U-Net."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

from benchmarks.floor import Floor
from benchmarks.spine.found import Found
from benchmarks.spine.published import label
from benchmarks.spine.settings import BEST, MEAN, RIVAL, SHIPPED, SINGLE, SRAD
from enhancers.evaluation.statistics import Interval

MEASURES = (("psnr", "PSNR", " dB", 2), ("ms_ssim", "MS-SSIM", "", 3))
GROUPS = (
    ("every single depth", (*SINGLE, BEST)),
    ("the weighted mean of depths", (MEAN,)),
    ("SRAD", (SRAD,)),
)


def floors(found: Found) -> Iterator[Floor]:
    """Every floor, for the variant that the method has by default."""
    for measure, name, unit, digits in MEASURES:
        for words, others in GROUPS:
            sentence = f"{label(SHIPPED)} above {words} in {name}"
            yield _above(found, measure, unit, digits, sentence, others)
    yield _angle(found)


def _above(
    found: Found, measure: str, unit: str, digits: int, sentence: str, others: Sequence[str]
) -> Floor:
    own, theirs = found.mean(SHIPPED, measure), [found.mean(key, measure) for key in others]
    if not all(map(math.isfinite, (own, *theirs))):
        return Floor(sentence, None)
    nearest = others[theirs.index(max(theirs))]
    words = (
        f"{own:.{digits}f} against {max(theirs):.{digits}f}{unit} ({label(nearest)}): "
        f"{ahead_text(found.ahead(SHIPPED, nearest, measure), digits)}"
    )
    return Floor(sentence, own - max(theirs), words)


def _angle(found: Found) -> Floor:
    sentence = f"{label(SHIPPED)}: a smaller error of the curve angles than on the best depth"
    ahead = found.angle_ahead(SHIPPED, BEST)
    if ahead is None:
        return Floor(sentence, None)
    own, theirs = found.angle_error(SHIPPED), found.angle_error(BEST)
    lost = " and ".join("{} of {}".format(*found.unmeasured(key)) for key in (SHIPPED, BEST))
    words = (
        f"{own:.1f} against {theirs:.1f}°: smaller by {ahead_text(ahead, 1)}; "
        f"not measurable: {lost}"
    )
    return Floor(sentence, ahead.mean, words)


def ahead_text(ahead: Interval | None, digits: int) -> str:
    """A difference with its interval."""
    if ahead is None:
        return "no volume in common"
    if ahead.low is None or ahead.high is None:
        return f"{ahead.mean:+.{digits}f} (no interval: it needs two subjects)"
    return f"{ahead.mean:+.{digits}f} ({ahead.low:+.{digits}f} to {ahead.high:+.{digits}f})"


def against_rival(found: Found) -> str:
    """Who is ahead in what, as a sentence."""
    told = [
        (name, found.ahead(SHIPPED, RIVAL, measure), unit, digits)
        for measure, name, unit, digits in MEASURES
    ]
    told.append(("the error of the curve angles", found.angle_ahead(SHIPPED, RIVAL), "°", 1))
    won: list[str] = []
    lost: list[str] = []
    tied: list[str] = []
    for name, ahead, unit, digits in told:
        if ahead is None:
            continue
        low, high = ahead.low, ahead.high
        clear = low is not None and high is not None and (low > 0 or high < 0)
        place = (won if ahead.mean > 0 else lost) if clear else tied
        place.append(f"{name} ({ahead.mean:+.{digits}f}{unit})")
    parts = [
        f"{words} in {', '.join(names)}"
        for words, names in (
            ("The supervised U-Net wins", lost),
            (f"{label(SHIPPED)} wins against the supervised U-Net", won),
            ("Neither is ahead with 95 % confidence", tied),
        )
        if names
    ]
    if not parts:
        return "The supervised U-Net was not measured."
    return (
        f"{'. '.join(parts)}. Differences are the method's less the U-Net's, for angles the "
        "U-Net's error less the method's; intervals take subjects as independent."
    )


def failures(found: Found) -> Iterator[str]:
    """The sentences of the floors that were missed."""
    return (one.sentence for one in floors(found) if one.margin is not None and one.margin <= 0)
