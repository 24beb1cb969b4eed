"""The chapters of the evidence as pure data: protocol, number of images, methods."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal

from enhancers.errors import ParameterError
from enhancers.evaluation.protocols import PROTOCOLS
from enhancers.method import nearest

Source = Literal["images", "phantoms"]
"""The user's folder of images, or phantoms."""


@dataclass(frozen=True)
class Chapter:
    """One chapter: a protocol with a number of images.

    Parameters
    ----------
    key : str
        As ``--only`` names it.
    title, question : str
        ``question`` is answered by the tables of the chapter.
    protocol : str
        A key of `enhancers.evaluation.protocols.PROTOCOLS`.
    source : {"images", "phantoms"}
    limit : int
        Number of images of each group.
    seeds : int
        Number of seeds of each method that samples.
    methods, groups : tuple of str
        Where they differ from the protocol's.
    compared : tuple of str
        Measures whose paired differences are on the page; by default the protocol's first three.
    shrink : int
        By how much the images are shrunk first (1, 2, 4 or 8), so that slow methods get the
        iterations that were published.
    peers : tuple of str
        Rival denoisers of other packages, as `benchmarks.peers.methods.peers` reads them; they run
        where they are installed.
    subject : str
        The method with which the others are compared, where it differs from the protocol's.
    """

    key: str
    title: str
    question: str
    protocol: str
    source: Source = "images"
    limit: int = 8
    seeds: int = 1
    methods: tuple[str, ...] = ()
    groups: tuple[str, ...] = ()
    compared: tuple[str, ...] = ()
    shrink: int = 1
    peers: tuple[str, ...] = ()
    subject: str = ""


_BOTH = ("bm3d:clipped", "bm3d", "ffdnet:clipped", "ffdnet")
"""The rival denoisers with and without the step that undoes clipping."""
_TUNED = tuple(f"{key}:tuned" for key in _BOTH)
_RICIAN = ("bm3d:biased", "bm3d", "ffdnet:biased", "ffdnet")
_HYBRIDS = (
    "input", "classical:plain", "pseudo_label:plain", "pseudo_label:paper", "classical",
    "pseudo_label",
)  # fmt: skip
_NOISE_FREE = ("pinv", "bicubic", "nlm@sigma=auto", "tv", "ilvr", "null_space", "null_space:mean")
_FAST = ("pinv", "nlm", "tv", "ilvr", "null_space", "null_space:mean")
_SLOW = ("dip", "dps", "nlm", "ilvr", "null_space", "null_space:mean")
"""With minutes per image, on few and small images."""
_ABLATIONS = PROTOCOLS["illumination"].more

# fmt: off
_ALL = (
    Chapter(
        "denoise", "Gaussian noise on four modalities",
        "Does DDNM with the embedded network take noise away better than the best classical "
        "filter, where everyone is told how much noise there is?",
        "denoise", peers=_BOTH,
    ),
    Chapter(
        "denoisers", "Denoisers side by side",
        "Who comes closest to the truth if everyone is told how much noise there is, and nobody is "
        "tuned to the images?",
        "denoise", limit=3, peers=_BOTH,
        methods=("input", "nlm:auto@unclip=false", "nlm:auto", "tv:auto@unclip=false", "tv:auto",
                 "null_space", "denoiser", "denoiser@flips=true"),
        compared=("psnr", "ssim"), subject="denoiser",
    ),
    Chapter(
        "enlarge", "Enlargement by four on four modalities",
        "Is an image that DDNM enlarges closer to the truth than a bicubic one, for one sample "
        "and for the mean of several?",
        "enlarge",
    ),
    Chapter(
        "illumination", "Under-exposed images",
        "Does UniMIE restore dark, unevenly lit images better than histogram and Retinex "
        "methods, once one gain and one offset are forgiven to everyone?",
        "illumination", groups=("fundus", "mr", "ct", "xr"),
        compared=("psnr_fitted", "ssim_fitted", "loe"),
    ),
    Chapter(
        "us-speckle", "Ultrasound with speckle",
        "Does the hybrid improve on the classical pipeline that guides it, and on the image "
        "as it was given?",
        "us-speckle", methods=_HYBRIDS, peers=_BOTH,
    ),
    Chapter(
        "mr-rician", "MR with Rician noise",
        "Does the hybrid improve on the classical pipeline that guides it, and on the image "
        "as it was given?",
        "mr-rician",
        methods=("nlm:auto", "denoiser", "null_space", "null_space:one-call", *_HYBRIDS),
        peers=_RICIAN,
    ),
    Chapter(
        "inpaint", "Missing pixels",
        "Does DDNM fill in missing pixels better than interpolation and total variation, refined "
        "or sampled as published?",
        "inpaint", limit=2, shrink=2,
    ),
    Chapter(
        "kspace", "MR from part of k-space",
        "Does DDNM fill in the lines that were not sampled better than total variation, refined or "
        "sampled as published?",
        "kspace", limit=4, shrink=2,
    ),
    Chapter(
        "lowdose-ct", "Low-dose CT",
        "At a quarter of the dose, who comes closest to the full-dose slice?",
        "lowdose-ct", limit=4, methods=(*_FAST, "nlm:clipped", "tv:clipped", "denoiser"),
        peers=_TUNED,
    ),
    Chapter(
        "ct-sr4", "Low-dose CT, enlarged four times",
        "At a quarter of the dose and of the side length, who comes closest to the full slice?",
        "ct-sr4", limit=4, methods=("bicubic", *_FAST),
    ),
    Chapter(
        "ct-sr8", "Low-dose CT, enlarged eight times",
        "At a quarter of the dose and an eighth of the side length, what can still be restored?",
        "ct-sr8", limit=4, methods=("bicubic", *_FAST),
    ),
    Chapter(
        "mr-sr4", "MR, enlarged four times",
        "Who comes closest to an MR slice of which every fourth pixel is left?",
        "mr-sr4", limit=4, methods=_NOISE_FREE,
    ),
    Chapter(
        "mr-sr8", "MR, enlarged eight times",
        "Who comes closest to an MR slice of which every eighth pixel is left?",
        "mr-sr8", limit=4, methods=_NOISE_FREE,
    ),
    Chapter(
        "lowdose-ct-slow", "Low-dose CT, with the slow baselines",
        "Do the deep image prior and DPS, with minutes an image, come closer than DDNM?",
        "lowdose-ct", limit=2, methods=_SLOW, shrink=2,
    ),
    Chapter(
        "mr-sr4-slow", "MR, enlarged four times, with the slow baselines",
        "Do the deep image prior and DPS, with minutes an image, come closer than DDNM?",
        "mr-sr4", limit=2, methods=("bicubic", *(m for m in _SLOW if m != "nlm")), shrink=2,
    ),
    Chapter(
        "ablations", "What each part of UniMIE gives",
        "What do exposure level, evenness, guidance and the published code change?",
        "illumination", limit=1, groups=("fundus", "mr", "ct", "xr"),
        methods=("input", "unimie", *_ABLATIONS),
        compared=("psnr_fitted", "ssim_fitted", "loe"),
    ),
    Chapter(
        "steps", "Quality against network calls",
        "How many network calls does each generative method need before more of them stop "
        "helping?",
        "steps", limit=2,
    ),
    Chapter(
        "guidance", "How strongly the hybrid is drawn to its pseudo-label",
        "Is the automatic weight of the pseudo-label better than others, and does it help if the "
        "weight follows the region?",
        "guidance",
    ),
    Chapter(
        "sampler", "What each choice of the sampler gives",
        "What does one sample of DDNM win or lose when one choice is made differently?",
        "sampler", limit=4,
    ),
    Chapter(
        "sampler-sr", "What each choice of the sampler gives an enlargement",
        "What does one enlarged sample of DDNM win or lose when one choice is made differently?",
        "sampler-sr", limit=2,
    ),
    Chapter(
        "slices", "With the slices on either side",
        "Is a slice closer to the truth if DDNM also knows the slices before and after it, as "
        "noisy as the slice itself?",
        "slices", peers=_BOTH,
    ),
    Chapter(
        "texture", "Faint discs in noise",
        "Does a result with a better PSNR also show faint discs better, and does what is left of "
        "the noise still look like noise?",
        "texture", source="phantoms", compared=("detectability", "psnr", "noise_left"),
        peers=_BOTH,
    ),
    Chapter(
        "spine", "Ultrasound with a marked structure",
        "Does a marked dark structure stand out more afterwards, and is its form kept?",
        "spine", source="phantoms",
    ),
)
# fmt: on

CHAPTERS: Mapping[str, Chapter] = MappingProxyType({one.key: one for one in _ALL})
"""Every chapter by its key, in the order of the page."""

FAILURES = "failures"
"""The value of ``--only`` for the pictures of where each method fails."""
PAGE = "page"
"""The value of ``--only`` with which the page is written from the stored results alone."""


def chosen(only: tuple[str, ...], data: str) -> tuple[Chapter, ...]:
    """The chapters to run: those of ``only``, or all that ``data`` has images for.

    Parameters
    ----------
    only : tuple of str
        Keys of chapters, `FAILURES` or `PAGE`; empty for all.
    data : str
        The folder of images; empty for none.

    Raises
    ------
    ParameterError
        A key is unknown, or its chapter needs images and none are given.
    """
    for key in only:
        known = [*CHAPTERS, FAILURES, PAGE]
        if key not in known:
            hint = nearest(key, known).rstrip(".")
            raise ParameterError(f"--only {key} is no chapter; {hint}.")
        if not data and key in CHAPTERS and CHAPTERS[key].source == "images":
            raise ParameterError(
                f"The chapter {key} needs images; give --data DIR, or --data phantoms --out OUT to "
                "try it on drawn ones."
            )
    return tuple(
        chapter
        for chapter in CHAPTERS.values()
        if (chapter.key in only if only else data or chapter.source == "phantoms")
    )
