"""The claims of the project about its methods, and whether the stored figures support them."""

from __future__ import annotations

from dataclasses import dataclass

from benchmarks.evidence.results import Evidence
from benchmarks.peers.packages import PEERS
from enhancers.evaluation.measures import measure
from enhancers.evaluation.statistics import Interval
from enhancers.evaluation.summary import ALL, Comparison, SummaryLine

MET, MISSED, NOT_RUN, NOT_JUDGED = "met", "MISSED", "not run", "not judged"


@dataclass(frozen=True)
class Claim:
    """The claim that a method is better than each of its rivals, by one measure.

    Parameters
    ----------
    key : str
    sentence : str
        The claim in words, shared by the measures and levels of one claim.
    chapter, condition : str
        Where it is measured.
    candidate : str
        The method.
    rivals : tuple of str
        Other methods; of a filter, the best of its strengths counts.
    measure : str
    at_least : float or None
        The least difference, in the units of the measure; None for any above 0.
    peers : tuple of str
        Rival denoisers of other packages. They are rivals like the others where they were measured;
        a claim that is met without them is not judged.
    level : str
        Where a claim is made at several levels of a degradation, which of them: "σ 0.1".
    """

    key: str
    sentence: str
    chapter: str
    condition: str
    candidate: str
    rivals: tuple[str, ...]
    measure: str
    at_least: float | None = None
    peers: tuple[str, ...] = ()
    level: str = ""


@dataclass(frozen=True)
class Finding:
    """The measurement of a claim against its strongest rival: the one with the lowest interval.

    Parameters
    ----------
    claim : Claim
    ahead : Interval or None
        The advantage of the method, positive where it is better: the mean over subjects with its
        interval, which is empty where there are too few subjects or where it was not stored. None
        where the method or a rival was not measured.
    own, best : float or None
        The means over images of the method and of the rival.
    rival : str
        Its label.
    lacking : tuple of str
        Labels of rivals of other packages that were not measured, and may be stronger.
    """

    claim: Claim
    ahead: Interval | None = None
    own: float | None = None
    best: float | None = None
    rival: str = ""
    lacking: tuple[str, ...] = ()

    @property
    def required(self) -> float:
        """The difference that the claim states."""
        return self.claim.at_least or 0.0

    @property
    def verdict(self) -> str:
        """One of `MET`, `MISSED`, `NOT_RUN` and `NOT_JUDGED`.

        A claim is met where its interval over subjects lies above what is required: a positive
        mean is not enough. Without an interval it is not judged, nor is one that would be met while
        a rival is lacking.
        """
        if self.ahead is None:
            return NOT_RUN
        if self.ahead.low is None:
            return NOT_JUDGED
        least = self.claim.at_least
        if self.ahead.low <= 0 if least is None else self.ahead.low < least:
            return MISSED
        return NOT_JUDGED if self.lacking else MET


_MEAN, _SAMPLE, _HYBRID = "null_space:mean", "null_space", "pseudo_label:plain"
_GUIDE = ("classical:plain", "input")
_FILTERS = ("nlm:auto", "tv:auto")
_BM3D, _FFDNET = ("bm3d", "bm3d:clipped"), ("ffdnet", "ffdnet:clipped")
_TUNED = tuple(f"{key}:tuned" for key in (*_BM3D, *_FFDNET))
_SIGMAS = ("0.05", "0.1", "0.2")

# fmt: off
CLAIMS: tuple[Claim, ...] = (
    *(
        Claim(
            f"denoise-{sigma}-{key}",
            "On Gaussian noise, one sample of DDNM is above every classical filter, BM3D included, "
            "by 1 dB of PSNR and in SSIM",
            "denoisers", f"gaussian-{sigma}", _SAMPLE, _FILTERS, key, least, _BM3D, f"σ {sigma}",
        )
        for sigma in _SIGMAS
        for key, least in (("psnr", 1.0), ("ssim", None))
    ),
    *(
        Claim(
            f"denoiser-{sigma}-{key}",
            "On Gaussian noise, the network denoiser in one call is above BM3D and above FFDNet, a "
            "network trained on photographs",
            "denoisers", f"gaussian-{sigma}", "denoiser", _FILTERS, key, None, (*_BM3D, *_FFDNET),
            f"σ {sigma}",
        )
        for sigma in _SIGMAS
        for key in ("psnr", "ssim")
    ),
    Claim("lowdose-ct", "On quarter-dose CT, one sample of DDNM is not below non-local means, "
          "total variation, BM3D and FFDNet at their best",
          "lowdose-ct", "quarter-dose", _SAMPLE, ("nlm", "tv"), "psnr", 0.0, _TUNED),
    Claim("enlarge-mean", "Enlarged four times, DDNM (mean of samples) is 1 dB above bicubic",
          "enlarge", "x4", _MEAN, ("bicubic",), "psnr", 1.0),
    Claim("enlarge-ilvr", "Enlarged four times, one sample of DDNM is above one of ILVR, from the "
          "same network", "enlarge", "x4", _SAMPLE, ("ilvr",), "psnr"),
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
            "On under-exposed images, UniMIE is closer to the truth (fitted) than the image as it "
            "was, CLAHE, gamma, Retinex and Zero-DCE",
            "illumination", "under-exposure", "unimie",
            ("input", "clahe", "gamma", "retinex", "zero_dce"), key,
        )
        for key in ("psnr_fitted", "ssim_fitted")
    ),
    Claim("illumination-loe", "It keeps the order of lightness (LOE) better than CLAHE and Retinex",
          "illumination", "under-exposure", "unimie", ("clahe", "retinex"), "loe"),
    *(
        Claim(
            f"{chapter}-{level}-{how}",
            f"{name.format(level)}, DDNM {text} is closer to the truth than {filters}",
            chapter, f"{condition}-{level}", method, rivals, "psnr",
        )
        for chapter, condition, levels, name, filters, rivals in (
            ("inpaint", "missing", ("0.7", "0.9"), "With {} of the pixels missing",
             "biharmonic interpolation and total variation", ("biharmonic", "tv_missing")),
            ("kspace", "kspace", ("4", "8"), "With one line of k-space in {} sampled",
             "total variation and zero-filled k-space", ("tv_missing", "pinv")),
        )
        for level in levels
        for how, method, text in (("refined", _SAMPLE, "with its refined filling"),
                                  ("sampled", "null_space:sampled", "sampled as published"))
    ),
    *(
        Claim(
            f"us-speckle-{key}",
            "On speckled ultrasound, the hybrid is above its pseudo-label, the degraded image, "
            "BM3D and FFDNet",
            "us-speckle", "speckle", _HYBRID, _GUIDE, key, None, (*_BM3D, *_FFDNET),
        )
        for key in ("psnr", "ssim")
    ),
    *(
        Claim(
            f"mr-rician-{key}",
            "On MR with Rician noise, the hybrid is above its pseudo-label, the degraded image, "
            "non-local means, BM3D and FFDNet",
            "mr-rician", "rician", _HYBRID, (*_GUIDE, "nlm:auto"), key, None, ("bm3d", "ffdnet"),
        )
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
    rivals = [line for rival in claim.rivals if (line := _best(here, rival, up)) is not None]
    if own is None or len(rivals) < len(claim.rivals):
        return Finding(claim)
    peers = {peer: _best(here, peer, up) for peer in claim.peers}
    rivals += [line for line in peers.values() if line is not None]
    lacking = [PEERS[peer.partition(":")[0]].label for peer, line in peers.items() if line is None]
    found = [
        Finding(claim, _ahead(own, rival, chapter.comparisons, up), own.mean, rival.mean,
                rival.label, tuple(dict.fromkeys(lacking)))
        for rival in rivals
    ]  # fmt: skip
    return min(found, key=strength)


def strength(found: Finding) -> tuple[bool, float]:
    """Orders rivals from the strongest: those without an interval first, then by its lower end."""
    assert found.ahead is not None
    low = found.ahead.low
    return (low is not None, found.ahead.mean if low is None else low)


def _ahead(
    own: SummaryLine, rival: SummaryLine, comparisons: tuple[Comparison, ...], up: bool
) -> Interval:
    """The advantage of one method over another, from the stored comparison or the means alone."""
    wanted = (own.condition, own.measure, own.candidate, rival.candidate)
    for one in comparisons:
        if (one.condition, one.measure, one.subject, one.rival) == wanted:
            found = one.paired.by_subject
            if up or found.low is None or found.high is None:
                return found if up else Interval(-found.mean, None, None, found.p)
            return Interval(-found.mean, -found.high, -found.low, found.p)
    # The subtraction adds digits that were not stored.
    return Interval(round((own.mean - rival.mean) * (1 if up else -1), 6), None, None, None)


def _best(lines: list[SummaryLine], candidate: str, up: bool) -> SummaryLine | None:
    own = [
        line for line in lines if line.candidate == candidate
        or line.candidate.startswith(f"{candidate}@")
    ]  # fmt: skip
    return (max if up else min)(own, key=lambda line: line.mean) if own else None
