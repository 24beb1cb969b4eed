"""What the networks have to reach on test subjects, and whether they do."""

from __future__ import annotations

import math
from collections.abc import Iterator

from benchmarks.floor import Floor
from benchmarks.reconstruction.settings import (
    GROUPS,
    REGRESSION,
    SAMPLE,
    SCANS,
    TRAINED,
    form,
    label,
)
from benchmarks.reconstruction.tables import Found
from enhancers.evaluation.methods_under_test import INPUT

LEAD = 1.0
"""Of Restormer over TV-Recon in CT and MR, in dB."""
PLAIN = (INPUT, "tv_recon")


def floors(found: Found) -> Iterator[Floor]:
    """Every floor, of each modality."""
    for group in found.groups:
        for key in TRAINED:
            for measure, digits in (("psnr", 2), ("ssim", 3)):
                yield _above(found, group, form(key, group), measure, digits)
        if GROUPS[group] in ("CT", "MR"):
            yield _lead(found, group)
        for what, name, digits in (
            ("fid", "FID", 3), ("kid", "KID", 4), ("spectrum", "distance from the spectrum", 1),
        ):  # fmt: skip
            yield _below(found, group, what, name, digits)


def _above(found: Found, group: str, key: str, measure: str, digits: int) -> Floor:
    sentence = (
        f"{GROUPS[group]}: {label(key)} above the degraded image and TV-Recon in {measure.upper()}"
    )
    own = found.mean(key, measure, group)
    others = [found.mean(one, measure, group) for one in PLAIN]
    if not all(map(math.isfinite, (own, *others))):
        return Floor(sentence, None)
    words = f"{own:.{digits}f} against {', '.join(f'{one:.{digits}f}' for one in others)}"
    return Floor(sentence, own - max(others), words)


def _lead(found: Found, group: str) -> Floor:
    sentence = f"{GROUPS[group]}: Restormer at least {LEAD:g} dB above TV-Recon"
    lead = found.mean("restormer", "psnr", group) - found.mean("tv_recon", "psnr", group)
    if not math.isfinite(lead):
        return Floor(sentence, None)
    return Floor(sentence, lead - LEAD, f"{lead:+.2f} dB")


def _below(found: Found, group: str, what: str, name: str, digits: int) -> Floor:
    sample = form(SAMPLE, group)
    sentence = f"{GROUPS[group]}: {label(sample)}, has a lower {name} than Pix2Pix and Restormer"
    own = found.distance(sample, what, group)
    others = [found.distance(one, what, group) for one in REGRESSION]
    if not all(map(math.isfinite, (own, *others))):
        return Floor(sentence, None)
    words = f"{own:.{digits}f} against {', '.join(f'{one:.{digits}f}' for one in others)}"
    return Floor(sentence, min(others) - own, words)


def closest_rival(found: Found) -> str:
    """What a reconstruction without a network reaches on MR with the same knowledge."""
    rival = "tv_recon@phase=smooth"
    scores = [found.mean(one, "psnr", SCANS) for one in (rival, "restormer")]
    if not all(map(math.isfinite, scores)):
        return ""
    paired = found.paired("restormer", rival, "psnr", SCANS)
    interval = paired and paired.by_subject
    said = ""
    if interval and interval.low is not None and interval.high is not None:
        said = f", by subject {interval.low:+.2f} to {interval.high:+.2f}"
    return (
        "The floors of MR are those of the networks with data consistency, since TV-Recon is given "
        "the samples too; Table 4 has both forms. Data consistency takes the phase to be smooth. "
        f"**The closest rival is therefore TV-Recon with a smooth phase: {scores[0]:.2f} dB, "
        f"Restormer {scores[1]:.2f} dB** ({scores[1] - scores[0]:+.2f}{said})."
    )
