"""Every protocol as pure data.

A method is written ``method``, ``method:variant``, or with parameters,
``method@name=value@name=value``: see `enhancers.evaluation.method_text` for the syntax and
`enhancers.evaluation.variants` for the variants.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from enhancers.errors import ParameterError
from enhancers.evaluation.protocol import Condition, Protocol
from enhancers.method import nearest

FOUR = ("mr", "ct", "us", "xr")
"""The groups over which the project's own claims are averaged, unweighted."""

_MA = "Ma et al., Pre-trained diffusion models for plug-and-play enhancement, MICCAI 2023"
_SINGH = "Singh and Singh, Bridging classical and learned priors, 2026, section 2.4"
_FEI = "Fei et al., Lightening anything in medical images (UniMIE), 2024"

_QUARTER = ("a quarter-dose scan is simulated from the full-dose image, and every method is told "
            "the noise")  # fmt: skip
_RESTORERS = ("pinv", "bicubic", "dip", "ilvr", "dps", "null_space", "null_space:mean")
_FIDELITY = ("psnr", "ssim", "vif")
_DILATIONS = ("snr_1", "snr_3", "snr_5", "snr_7", "snr_9")


def _noise(*sigmas: float) -> tuple[Condition, ...]:
    return tuple(
        Condition(f"gaussian-{s:g}", f"Gaussian noise σ {s:g}", "denoise", "gaussian", s, s,
                  noise_known=True)
        for s in sigmas
    )  # fmt: skip


def _missing(*shares: float) -> tuple[Condition, ...]:
    return tuple(
        Condition(f"missing-{s:g}", f"{100 * s:g} % of the pixels missing", "inpaint", "missing",
                  s, s, noise_known=True)
        for s in shares
    )  # fmt: skip


def _lines(*accelerations: float) -> tuple[Condition, ...]:
    return tuple(
        Condition(f"kspace-{a:g}", f"One line in {a:g} sampled", "kspace", "kspace", a, a,
                  noise_known=True)
        for a in accelerations
    )  # fmt: skip


def _steps(method: str, counts: tuple[int, ...]) -> tuple[str, ...]:
    return tuple(f"{method}@steps={count}" for count in counts)


# fmt: off
_ALL = (
    Protocol(
        key="lowdose-ct", title="Low-dose CT",
        source=f"{_MA}, Table 1; {_QUARTER}",
        groups=("ct",),
        conditions=(Condition("quarter-dose", "Quarter dose", "denoise", "low_dose", 0.25, 0.25,
                              noise_known=True),),
        methods=("pinv", "nlm", "nlm:clipped", "tv", "tv:clipped", "dip", "ilvr", "dps",
                 "null_space", "null_space@unclip=false", "null_space:mean",
                 "null_space:one-call", "denoiser"),
        more=("nlm:auto", "tv:auto", "classical:plain", "denoiser@flips=true"),
        subject="null_space", measures=_FIDELITY,
    ),
    *(
        Protocol(
            key=f"ct-sr{r}", title=f"CT at a quarter of the dose, enlarged {r} times",
            source=f"{_MA}, Table 2; {_QUARTER}",
            groups=("ct",),
            conditions=(Condition(f"quarter-dose-x{r}", f"Quarter dose, 1/{r} of the size",
                                  "enlarge", "low_dose", 0.25, 0.25, factor=r, noise_known=True),),
            methods=("pinv", "bicubic", "nlm", "tv", *_RESTORERS[2:]),
            more=(), subject="null_space", measures=_FIDELITY,
        )
        for r in (4, 8)
    ),
    *(
        Protocol(
            key=f"mr-sr{r}", title=f"MR enlarged {r} times",
            source=f"{_MA}, Table 3",
            groups=("mr",),
            conditions=(Condition(f"x{r}", f"1/{r} of the size", "enlarge", factor=r,
                                  noise_known=True),),
            # With a known σ of 0 NLM would do nothing, so it estimates σ.
            methods=("pinv", "bicubic", "nlm@sigma=auto", "tv", *_RESTORERS[2:]),
            more=(), subject="null_space", measures=_FIDELITY,
        )
        for r in (4, 8)
    ),
    Protocol(
        key="us-speckle", title="Ultrasound with speckle",
        source=f"{_SINGH}; PSNR and SSIM without the contrast step, which moves gray values",
        groups=("us",),
        conditions=(Condition("speckle", "Speckle σ 0.1 to 0.3", "despeckle", "speckle",
                              0.1, 0.3),),
        methods=("input", "classical:plain", "pseudo_label:plain", "classical", "pseudo_label"),
        more=("pseudo_label:paper", "srad@preset=paper"),
        subject="pseudo_label:plain", measures=("psnr", "ssim", "niqe", "niqe_open", "piqe"),
    ),
    Protocol(
        key="mr-rician", title="MR with Rician noise",
        source=f"{_SINGH}; PSNR and SSIM without the contrast step, which moves gray values",
        groups=("mr",),
        conditions=(Condition("rician", "Rician noise σ 0.02 to 0.04", "despeckle", "rician",
                              0.02, 0.04),),
        methods=("input", "nlm:auto", "denoiser", "null_space", "null_space:one-call",
                 "classical:plain", "pseudo_label:plain", "classical", "pseudo_label"),
        more=("pseudo_label:paper",),
        subject="pseudo_label:plain", measures=("psnr", "ssim", "niqe", "niqe_open", "piqe"),
    ),
    Protocol(
        key="illumination", title="Under-exposure and low light",
        source=f"{_FEI}, sections 2.2 to 2.6; against the truth after one least-squares gain and "
               "offset, the same for every method",
        groups=("fundus", "endoscopy", "mr", "ct", "xr"),
        conditions=(
            Condition("under-exposure", "Exposure 0.2 to 0.6 with a smooth veil",
                      "lighten", "under_exposure", 0.2, 0.6),
            Condition("low-light", "Exposure 0.2 to 0.6, uneven, with noise σ 0.02",
                      "lighten", "low_light", 0.2, 0.6),
        ),
        methods=("input", "he", "clahe", "gamma", "retinex", "dark_channel", "zero_dce", "unimie"),
        more=("unimie:reference",
              *(f"unimie@exposure={e:g}" for e in (0.2, 0.3, 0.4, 0.5, 0.6)),
              *(f"unimie@evenness={e:g}" for e in (0, 0.25, 0.75, 1)),
              *(f"unimie@guidance={k:g}" for k in (0, 0.25, 1))),
        subject="unimie",
        measures=("psnr_fitted", "ssim_fitted", "psnr", "ssim", "loe", "brisque", "piqe",
                  "entropy", "niqe", "niqe_open", *_DILATIONS),
    ),
    Protocol(
        key="steps", title="Quality against network calls",
        source="Diffusion-UNet with a reader study, Table 7, for every generative method here",
        groups=FOUR,
        conditions=(
            *_noise(0.2),
            Condition("x4", "1/4 of the size", "enlarge", factor=4, noise_known=True),
            Condition("speckle", "Speckle σ 0.2", "despeckle", "speckle", 0.2, 0.2, groups=("us",)),
            Condition("rician", "Rician noise σ 0.04", "despeckle", "rician", 0.04, 0.04,
                      groups=("mr",)),
            Condition("under-exposure", "Exposure 0.3", "lighten", "under_exposure", 0.3, 0.3),
        ),
        methods=(*_steps("null_space", (5, 10, 20, 50, 100)),
                 *_steps("pseudo_label:plain@strength=1", (2, 5, 10, 20, 50)),
                 "pseudo_label:plain", *_steps("unimie", (5, 10, 25, 50, 100))),
        more=("null_space@steps=250", "unimie@steps=250"),
        subject="", measures=("psnr", "ssim", "psnr_fitted"), against_calls=True,
    ),
    Protocol(
        key="texture", title="Faint discs in noise",
        source="this project: a phantom of faint discs at known places, a channelised Hotelling "
               "observer and the noise power spectrum; what PSNR hides and readers reject",
        groups=("discs",),
        conditions=_noise(0.1),
        methods=("pinv", "nlm", "nlm:clipped", "tv", "tv:clipped", "null_space",
                 "null_space:mean", "null_space:one-call", "denoiser"),
        more=("dip", "ilvr", "dps", "nlm:auto", "tv:auto"),
        subject="null_space",
        measures=("detectability", "psnr", "noise_left", "noise_frequency", "ssim"), spectra=True,
    ),
    Protocol(
        key="spine", title="Ultrasound with a marked structure",
        source="Morphology-consistent ultrasound enhancement, section IV, Tables II and III; the "
               "mask is the hypoechoic structure, the background the myocardium of phantoms, and "
               "otherwise all other tissue in the sector",
        groups=("us",),
        conditions=(
            Condition("as-it-is", "As it is", "improve"),
            Condition("speckle", "Speckle σ 0.2", "despeckle", "speckle", 0.2, 0.2),
        ),
        methods=("input", "classical:plain", "pseudo_label:plain", "classical", "pseudo_label"),
        more=("clahe", "pseudo_label:paper"),
        subject="pseudo_label:plain", measures=("ms_ssim", "psnr", "snr", "cnr"), needs_mask=True,
    ),
    Protocol(
        key="denoise", title="Gaussian noise, four modalities",
        source="this project: σ told to all, a filter of several strengths at its best for the set",
        groups=FOUR, conditions=_noise(0.05, 0.1, 0.2),
        methods=("pinv", "nlm", "nlm:clipped", "tv", "tv:clipped", "srad:tuned", "classical:tuned",
                 "null_space", "null_space@unclip=false", "null_space:mean",
                 "null_space:one-call", "denoiser", "denoiser@flips=true"),
        more=("dip", "ilvr", "dps", "nlm:auto", "tv:auto"),
        subject="null_space", measures=_FIDELITY,
    ),
    Protocol(
        key="enlarge", title="Enlargement, four modalities",
        source="this project: block means of 4 x 4 pixels, without noise",
        groups=FOUR,
        conditions=(Condition("x4", "1/4 of the size", "enlarge", factor=4, noise_known=True),),
        methods=("pinv", "bicubic", "ilvr", "null_space", "null_space:mean"),
        more=("dip", "dps"), subject="null_space:mean", measures=_FIDELITY,
    ),
    Protocol(
        key="inpaint", title="Missing pixels",
        source="this project: pixels are missing at random places, the same for every method; the "
               "known ones have no noise and are kept",
        groups=FOUR, conditions=_missing(0.7, 0.9),
        methods=("pinv", "biharmonic", "tv_missing", "null_space", "null_space:sampled"),
        more=("null_space:mean@filling=sampled",), subject="null_space", measures=_FIDELITY,
    ),
    Protocol(
        key="kspace", title="MR from part of k-space",
        source="this project: complete lines are left out, of random frequency but for the centre, "
               "as in the fastMRI challenge; the image is real, without noise, from one coil",
        groups=("mr",), conditions=_lines(4, 8),
        methods=("pinv", "tv_missing", "null_space", "null_space:sampled"),
        more=("null_space:mean@filling=sampled",), subject="null_space", measures=_FIDELITY,
    ),
    Protocol(
        key="guidance", title="How strongly the hybrid is drawn to its pseudo-label",
        source="this project: the automatic weight, 0.2 for ultrasound and the paper's 0.488 for "
               "MR, against others and one that follows the region, the paper's future work",
        groups=("us", "mr"),
        conditions=(
            Condition("speckle", "Speckle σ 0.1 to 0.3", "despeckle", "speckle", 0.1, 0.3,
                      groups=("us",)),
            Condition("rician", "Rician noise σ 0.02 to 0.04", "despeckle", "rician", 0.02, 0.04,
                      groups=("mr",)),
        ),
        methods=("classical:plain", "pseudo_label:plain",
                 *(f"pseudo_label:plain@guidance={w:g}" for w in (0, 0.35, 0.5, 0.7, 0.9)),
                 "pseudo_label:plain@regions=true"),
        more=(), subject="pseudo_label:plain", measures=_FIDELITY,
    ),
    Protocol(
        key="sampler", title="DDNM with one thing changed",
        source="this project: one sample with the defaults against other choices of the sampler",
        groups=FOUR, conditions=_noise(0.1),
        methods=("null_space", "null_space@unclip=false", "null_space@eta=0",
                 "null_space@eta=0.85", "null_space@eta=1", "null_space@respace=true",
                 "null_space@sigma=auto", "null_space:mean", "null_space:one-call",
                 "null_space:one-call@unclip=false", "denoiser", "denoiser@flips=true"),
        more=(), subject="null_space", measures=_FIDELITY,
    ),
    Protocol(
        key="sampler-sr", title="DDNM enlarging, with one thing changed",
        source="this project: one sample with the defaults against other choices of the sampler",
        groups=FOUR,
        conditions=(
            Condition("x4", "1/4 of the size", "enlarge", factor=4, noise_known=True),
            Condition("noisy-x4", "1/4 of the size, with noise σ 0.05", "enlarge", "gaussian",
                      0.2, 0.2, factor=4, noise_known=True),
        ),
        methods=("bicubic", "null_space", "null_space@eta=0", "null_space@eta=0.85",
                 "null_space@steps=10", "second_order", "second_order@steps=10",
                 "null_space:mean"),
        more=(), subject="null_space", measures=_FIDELITY,
    ),
    Protocol(
        key="slices", title="Noise, with the slices on either side known",
        source="this project: both slices are as noisy as the image, each with noise of its own; "
               "drawn ones are the image bent by a pixel or two; mixing the three at every step of "
               "a joint sample was tried, with seven times the calls: no better where slices are "
               "alike, worse where they are not, and dropped",
        groups=("mr",), conditions=_noise(0.1),
        methods=("null_space", "null_space:one-call", "slices"),
        more=(), subject="slices", measures=_FIDELITY, needs_neighbours=True,
    ),
)
# fmt: on

PROTOCOLS: Mapping[str, Protocol] = MappingProxyType({one.key: one for one in _ALL})
"""Every protocol by its key."""


def protocol(key: str) -> Protocol:
    """The protocol with this key, or ParameterError naming the nearest."""
    try:
        return PROTOCOLS[key]
    except KeyError:
        hint = nearest(key, list(PROTOCOLS))
        raise ParameterError(f"No protocol {key}; {hint}") from None
