"""The claims of the project about its methods, and whether the stored figures support them."""

from __future__ import annotations

from dataclasses import dataclass

from benchmarks.evidence.results import Evidence
from enhancers.evaluation.measures import measure
from enhancers.evaluation.summary import ALL, SummaryLine

MET, MISSED, NOT_RUN = "met", "MISSED", "not run"


@dataclass(frozen=True)
class Claim:
    """The claim that a method is better than each of its rivals, by one measure.

    Parameters
    ----------
    key : str
    sentence : str
        The claim in words, shared by the measures of one claim.
    chapter, condition : str
        Where it is measured.
    candidate : str
        The method.
    rivals : tuple of str
        Other methods; of a filter, the best of its strengths counts.
    measure : str
    at_least : float or None
        The least difference, in the units of the measure; None for any.
    """

    key: str
    sentence: str
    chapter: str
    condition: str
    candidate: str
    rivals: tuple[str, ...]
    measure: str
    at_least: float | None = None


@dataclass(frozen=True)
class Finding:
    """The measurement of a claim.

    ``ahead`` is the advantage of the method over the best rival, negative where it is worse and
    None where one of them was not measured; ``own`` and ``best`` are the two values.
    """

    claim: Claim
    ahead: float | None = None
    own: float | None = None
    best: float | None = None
    rival: str = ""

    @property
    def verdict(self) -> str:
        """One of `MET`, `MISSED` and `NOT_RUN`."""
        if self.ahead is None:
            return NOT_RUN
        least = self.claim.at_least
        return MET if (self.ahead > 0 if least is None else self.ahead >= least) else MISSED


_MEAN, _SAMPLE, _HYBRID = "null_space:mean", "null_space", "pseudo_label:plain"
_FILTERS = ("nlm", "tv", "srad:tuned", "classical:tuned")
_GUIDE = ("classical:plain", "input")

# fmt: off
CLAIMS: tuple[Claim, ...] = (
    *(
        Claim(
            f"denoise-{sigma}-{key}",
            f"At noise σ {sigma}, one sample of DDNM is above every classical filter at its best, "
            "by 1 dB of PSNR and in SSIM",
            "denoise", f"gaussian-{sigma}", _SAMPLE, _FILTERS, key, least,
        )
        for sigma in ("0.05", "0.1", "0.2")
        for key, least in (("psnr", 1.0), ("ssim", None))
    ),
    Claim("enlarge-mean", "Enlarged four times, DDNM (mean of samples) is 1 dB above bicubic",
          "enlarge", "x4", _MEAN, ("bicubic",), "psnr", 1.0),
    *(
        Claim(
            f"enlarge-one-{key}",
            "One sample of DDNM is above bicubic in VIF, and not below it in PSNR",
            "enlarge", "x4", _SAMPLE, ("bicubic",), key, least,
        )
        for key, least in (("vif", None), ("psnr", 0.0))
    ),
    *(
        Claim(
            f"illumination-{key}",
            "On under-exposed images, UniMIE is closer to the truth (fitted) than CLAHE, gamma "
            "and Retinex",
            "illumination", "under-exposure", "unimie", ("clahe", "gamma", "retinex"), key,
        )
        for key in ("psnr_fitted", "ssim_fitted")
    ),
    Claim("illumination-loe", "It keeps the order of lightness (LOE) better than CLAHE and Retinex",
          "illumination", "under-exposure", "unimie", ("clahe", "retinex"), "loe"),
    *(
        Claim(
            f"{chapter}-{key}",
            f"{name}, the hybrid is above its pseudo-label and above the degraded image",
            chapter, condition, _HYBRID, _GUIDE, key,
        )
        for chapter, condition, name in (("us-speckle", "speckle", "On speckled ultrasound"),
                                         ("mr-rician", "rician", "On MR with Rician noise"))
        for key in ("psnr", "ssim")
    ),
)
# fmt: on


def findings(evidence: Evidence) -> tuple[Finding, ...]:
    """The findings of every claim, from the stored figures."""
    return tuple(_finding(claim, evidence) for claim in CLAIMS)


def _finding(claim: Claim, evidence: Evidence) -> Finding:
    chapter = evidence.chapter(claim.chapter)
    if chapter is None:
        return Finding(claim)
    here = [
        line
        for line in chapter.lines
        if (line.condition, line.group, line.measure) == (claim.condition, ALL, claim.measure)
    ]
    up = measure(claim.measure).direction == "up"
    # The best strength of a rival counts; the method itself has only one.
    own = next((line for line in here if line.candidate == claim.candidate), None)
    rivals = [_best(here, rival, up) for rival in claim.rivals]
    found = [line for line in rivals if line is not None]
    if own is None or len(found) < len(rivals):
        return Finding(claim)
    best = (max if up else min)(found, key=lambda line: line.mean)
    ahead = own.mean - best.mean if up else best.mean - own.mean
    # The subtraction adds digits that were not stored.
    return Finding(claim, round(ahead, 6), own.mean, best.mean, best.label)


def _best(lines: list[SummaryLine], candidate: str, up: bool) -> SummaryLine | None:
    own = [
        line for line in lines if line.candidate == candidate
        or line.candidate.startswith(f"{candidate}@")
    ]  # fmt: skip
    return (max if up else min)(own, key=lambda line: line.mean) if own else None
