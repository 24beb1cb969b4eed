"""The tables of the page, the paper's figures beside ours."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from benchmarks.reconstruction.measure import Distances, Latency
from benchmarks.reconstruction.settings import (
    GROUPS,
    PUBLISHED,
    PUBLISHED_BY_STEPS,
    PUBLISHED_MS,
    PUBLISHED_PSNR,
    PUBLISHED_SCORES,
    SAMPLE,
    label,
    published_name,
)
from enhancers.evaluation.statistics import Pair, Paired, compare
from enhancers.evaluation.store import ResultRow


@dataclass(frozen=True)
class Found:
    """Everything that was measured.

    Parameters
    ----------
    rows : tuple of ResultRow
        Without errors.
    distances : mapping of (condition, candidate) to Distances
    latencies : mapping of candidate to Latency
    by_steps : mapping of steps to tuple of ResultRow
    accuracy : float
        Of the classifier whose features give FID and KID, on validation subjects.
    patches : int
        Of each modality.
    """

    rows: tuple[ResultRow, ...]
    distances: Mapping[tuple[str, str], Distances]
    latencies: Mapping[str, Latency]
    by_steps: Mapping[int, tuple[ResultRow, ...]]
    accuracy: float
    patches: int

    @property
    def candidates(self) -> list[str]:
        """The keys of the methods, in their order."""
        return list(dict.fromkeys(row.candidate for row in self.rows))

    @property
    def compared(self) -> list[str]:
        """The keys of the methods that were measured in every group."""
        groups = set(self.groups)
        return [
            key
            for key in self.candidates
            if {row.group for row in self.rows if row.candidate == key} == groups
        ]

    @property
    def groups(self) -> list[str]:
        """Of the images, such as "ct"."""
        return list(dict.fromkeys(row.group for row in self.rows))

    def values(self, candidate: str, measure: str, group: str = "") -> list[float]:
        """Of a method's rows, by default of all groups."""
        return [
            value
            for row in self.rows
            if row.candidate == candidate and group in ("", row.group)
            and (value := row.measured.scores.get(measure)) is not None
        ]  # fmt: skip

    def mean(self, candidate: str, measure: str, group: str = "") -> float:
        """The mean over images of a group, or the unweighted mean of those means."""
        groups = [group] if group else self.groups
        means = [np.mean(self.values(candidate, measure, one) or [math.nan]) for one in groups]
        return float(np.mean(means))

    def distance(self, candidate: str, what: str, group: str = "") -> float:
        """`Distances` of a method in a group, or the mean over the groups."""
        groups = [group] if group else self.groups
        known = [self.distances.get((one, candidate)) for one in groups]
        return float(np.mean([math.nan if one is None else getattr(one, what) for one in known]))

    def paired(self, first: str, second: str, measure: str, group: str = "") -> Paired | None:
        """Differences of two methods, first minus second."""
        known = {
            (row.case, row.candidate): row
            for row in self.rows
            if group in ("", row.group) and row.measured.scores.get(measure) is not None
        }
        pairs = [
            Pair(row.group, row.subject, _score(row, measure), _score(other, measure))
            for (case, candidate), row in known.items()
            if candidate == first and (other := known.get((case, second))) is not None
        ]
        return compare(pairs)


def _score(row: ResultRow, measure: str) -> float:
    value = row.measured.scores[measure]
    assert value is not None
    return value


def table(heads: Sequence[str], lines: Sequence[Sequence[str]]) -> list[str]:
    """A table in Markdown, and an empty line."""
    rule = ["---"] * len(heads)
    return [f"| {' | '.join(cells)} |" for cells in (heads, rule, *lines)] + [""]


def overall(found: Found) -> list[str]:
    """Table 3."""
    lines = []
    for key in found.compared:
        cells = []
        for measure, digits, scale in (("psnr", 2, 1.0), ("ssim", 3, 1.0), ("nmse", 1, 1e3)):
            sd = np.std(found.values(key, measure), ddof=1) * scale
            cells.append(f"{found.mean(key, measure) * scale:.{digits}f} ± {sd:.{digits}f}")
        cells += [f"{found.distance(key, what):.{digits}f}"
                  for what, digits in (("fid", 3), ("kid", 4), ("spectrum", 1))]  # fmt: skip
        paper = PUBLISHED.get(published_name(key))
        theirs = "—"
        if paper:
            theirs = f"{paper[0]} dB, {paper[1]}, {1e3 * paper[2]:.1f}, {paper[3]}"
        lines.append([label(key), *cells, theirs])
    heads = ["method", "PSNR, dB", "SSIM", "NMSE × 10³", "FID (own features)", "KID (own features)",
             "spectrum, dB from the truth", "paper: PSNR, SSIM, NMSE × 10³, FID-Med"]  # fmt: skip
    return table(heads, lines)


def by_modality(found: Found) -> list[str]:
    """Table 4, with FID of each modality."""
    lines = []
    for key in found.candidates:
        paper = PUBLISHED_PSNR.get(published_name(key))
        cells = []
        for place, (group, _) in enumerate(GROUPS.items()):
            if group in found.groups:
                theirs = f" ({paper[place]})" if paper else ""
                known = bool(found.values(key, "psnr", group))
                cells.append(f"{found.mean(key, 'psnr', group):.2f}{theirs}" if known else "—")
                cells.append(f"{found.mean(key, 'ssim', group):.3f}" if known else "—")
                cells.append(f"{found.distance(key, 'fid', group):.3f}" if known else "—")
        lines.append([label(key), *cells])
    heads = [f"{GROUPS[group]}: {what}" for group in GROUPS if group in found.groups
             for what in ("PSNR, dB (paper)", "SSIM", "FID (own features)")]  # fmt: skip
    return table(["method", *heads], lines)


def differences(found: Found) -> list[str]:
    """Diffusion-UNet against each other method: as the paper compares, and by subject."""
    rivals = [key for key in found.compared if key != SAMPLE]
    family = len(rivals) * 2
    lines = []
    for rival in rivals:
        for measure, digits in (("psnr", 2), ("ssim", 4)):
            paired = found.paired(SAMPLE, rival, measure)
            if paired is None:
                continue
            p = paired.by_image.p
            by_subject = paired.by_subject
            interval = "needs two subjects in each group"
            if by_subject.low is not None and by_subject.high is not None:
                interval = f"{by_subject.low:+.{digits}f} to {by_subject.high:+.{digits}f}"
            lines.append([
                label(rival), measure.upper(), f"{paired.by_image.mean:+.{digits}f}",
                "—" if p is None else p_text(min(1.0, p * family)), interval,
                f"{paired.images}, {paired.subjects}",
            ])  # fmt: skip
    heads = ["Diffusion-UNet, one sample, minus", "measure", "mean difference",
             f"p, paired t, Bonferroni × {family}", "95 % interval by subject",
             "images, subjects"]  # fmt: skip
    return table(heads, lines)


def latency(found: Found) -> list[str]:
    """Table 6, with Welch's analysis of variance."""
    from study.stats.comparison.one_way import one_way_anova

    lines = []
    for key, one in found.latencies.items():
        seconds = 1e3 * np.array(one.seconds)
        paper = PUBLISHED_MS.get(published_name(key))
        sd = f" ± {seconds.std(ddof=1):.0f}" if len(seconds) > 1 else ""
        lines.append([label(key), f"{seconds.mean():.0f}{sd}", str(one.calls),
                      "—" if paper is None else str(paper)])  # fmt: skip
    text = table(["method", "ms for 256 x 256", "network calls", "paper, ms for 512 x 512"], lines)
    if len(found.latencies) < 2 or len(lines) < 2:
        return text
    tested = one_way_anova({
        label(key): np.log(np.array(one.seconds)) for key, one in found.latencies.items()
    })  # fmt: skip
    welch = tested.welch
    said = welch.reason or "not computed"
    if welch.p is not None and welch.statistic is not None:
        said = f"{welch.method}: {welch.statistic:.0f}, p {p_text(welch.p)}"
    return [*text, f"Welch's ANOVA of the logarithms, {said}. The runs are repeated on one image "
            "and one machine: they are not independent of it, and the p value says nothing about "
            "others.", ""]  # fmt: skip


def p_text(p: float) -> str:
    """A p value for people."""
    return "< .001" if p < 0.001 else f"{p:.3f}".replace("0.", ".", 1)


def steps(found: Found) -> list[str]:
    """Table 7."""
    lines = []
    for count, rows in found.by_steps.items():
        psnr = [_score(row, "psnr") for row in rows]
        seconds = np.mean([row.measured.seconds for row in rows])
        theirs = PUBLISHED_BY_STEPS.get(count)
        lines.append([str(count), f"{np.mean(psnr):.2f}", str(len(rows)), f"{seconds:.1f}",
                      "—" if theirs is None else str(theirs)])  # fmt: skip
    return table(["steps", "PSNR, dB", "images", "seconds", "paper: PSNR, dB"], lines)


def reader_regression() -> str:
    """The regression of the paper's scores on its FID, over its four models."""
    from scipy.stats import linregress

    names = list(PUBLISHED_SCORES)
    found = linregress([PUBLISHED[name][3] for name in names],
                       [PUBLISHED_SCORES[name] for name in names])  # fmt: skip
    return (
        f"Recomputed from the paper's Tables 3 and 5, over four models (n = {len(names)}): slope "
        f"{found.slope:.4f} points for one unit of FID-Med, r = {found.rvalue:.3f}, p = "
        f"{p_text(float(found.pvalue))}. Four points cannot tell FID from anything else in which "
        "the models differ. `--per-image` writes a distance of each image; beside readers' "
        "scores of those images, `python -m study stats regression --metric distance` takes it."
    )
