"""The table of baselines: reference methods of the papers, and variations of DDNM.

The modules of methods do not import it, so that a new entry does not change their digests.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from enhancers.errors import ParameterError
from enhancers.evaluation.baselines.baseline import Baseline
from enhancers.method import Citation, nearest

_HERE = "enhancers.evaluation.baselines."

_ALL = (
    Baseline(
        "pinv", "H⁺y", "The measurement itself, its pixels replicated where it is smaller.",
        ("denoise", "enlarge", "despeckle", "lighten", "improve", "inpaint", "kspace"),
        _HERE + "pinv",
        Citation("E. H. Moore", "On the reciprocal of the general algebraic matrix",
                 "Bulletin of the American Mathematical Society 26", 1920,
                 "https://doi.org/10.1090/S0002-9904-1920-03322-7"),
    ),
    Baseline(
        "bicubic", "Bicubic", "Interpolation by cubic splines.",
        ("enlarge",), _HERE + "bicubic",
        Citation("R. Keys", "Cubic convolution interpolation for digital image processing",
                 "IEEE Transactions on Acoustics, Speech, and Signal Processing 29(6)", 1981,
                 "https://doi.org/10.1109/TASSP.1981.1163711"),
    ),
    Baseline(
        "biharmonic", "Biharmonic interpolation", "The smoothest surface through the known pixels.",
        ("inpaint",), _HERE + "biharmonic",
        Citation("S. B. Damelin, N. S. Hoang", "On surface completion and image inpainting by "
                 "biharmonic functions: numerical aspects",
                 "International Journal of Mathematics and Mathematical Sciences", 2018,
                 "https://doi.org/10.1155/2018/3950312"),
    ),
    Baseline(
        "tv_missing", "Total variation, measured part kept",
        "The image of least total variation that agrees with the measurement.",
        ("inpaint", "kspace"), _HERE + "tv_missing",
        Citation("A. Chambolle, T. Pock", "A first-order primal-dual algorithm for convex problems "
                 "with applications to imaging", "Journal of Mathematical Imaging and Vision 40",
                 2011, "https://doi.org/10.1007/s10851-010-0251-1"),
    ),
    Baseline(
        "dip", "Deep image prior", "A network fitted to the one image, stopped at its noise.",
        ("denoise", "enlarge"), _HERE + "dip",
        Citation("D. Ulyanov, A. Vedaldi, V. Lempitsky", "Deep image prior", "CVPR", 2018,
                 "https://doi.org/10.1109/CVPR.2018.00984"),
        steps=2000, seeded=True,
    ),
    Baseline(
        "ilvr", "ILVR", "Samples whose low frequencies are those of the measurement.",
        ("denoise", "enlarge"), _HERE + "ilvr",
        Citation("J. Choi et al.", "ILVR: conditioning method for denoising diffusion "
                 "probabilistic models", "ICCV", 2021, "https://arxiv.org/abs/2108.02938"),
        steps=100, sampled=True,
    ),
    Baseline(
        "dps", "DPS", "Samples pulled toward the measurement by a gradient through the network.",
        ("denoise", "enlarge"), _HERE + "dps",
        Citation("H. Chung et al.", "Diffusion posterior sampling for general noisy inverse "
                 "problems", "ICLR", 2023, "https://arxiv.org/abs/2209.14687"),
        steps=1000, sampled=True,
    ),
    Baseline(
        "slices", "DDNM, one call, three slices", "One call a slice, mixed where they agree.",
        ("denoise",), _HERE + "slices",
        Citation("A. Buades, B. Coll, J.-M. Morel", "Nonlocal image and movie denoising",
                 "International Journal of Computer Vision 76", 2008,
                 "https://doi.org/10.1007/s11263-007-0052-1"),
        sampled=True,
    ),
    Baseline(
        "second_order", "DDNM, second order", "DDNM's projections under DPM-Solver++ (2M).",
        ("enlarge",), _HERE + "second_order",
        Citation("C. Lu et al.", "DPM-Solver++: fast solver for guided sampling of diffusion "
                 "probabilistic models", "arXiv", 2022, "https://arxiv.org/abs/2211.01095"),
        steps=20, sampled=True,
    ),
    Baseline(
        "he", "Histogram equalisation", "Gray levels spread evenly over the whole image.",
        ("lighten",), _HERE + "histogram",
        Citation("E. L. Hall", "Almost uniform distributions for computer image enhancement",
                 "IEEE Transactions on Computers C-23(2)", 1974,
                 "https://doi.org/10.1109/T-C.1974.223891"),
        function="equalise",
    ),
    Baseline(
        "gamma", "Gamma", "The power curve that exposes the foreground well.",
        ("lighten",), _HERE + "histogram",
        Citation("C. Poynton", "Gamma and its disguises", "SMPTE Journal 102(12)", 1993,
                 "https://doi.org/10.5594/J01651"),
        function="gamma",
    ),
    Baseline(
        "retinex", "Multi-scale Retinex", "The image relative to its surround, at three scales.",
        ("lighten",), _HERE + "retinex",
        Citation("D. J. Jobson, Z. Rahman, G. A. Woodell", "A multiscale retinex for bridging the "
                 "gap between color images and the human observation of scenes",
                 "IEEE Transactions on Image Processing 6(7)", 1997,
                 "https://doi.org/10.1109/83.597272"),
    ),
    Baseline(
        "dark_channel", "Dark channel", "Darkness removed as if it were haze.",
        ("lighten",), _HERE + "dark_channel",
        Citation("X. Dong et al.", "Fast efficient algorithm for enhancement of low lighting video",
                 "ICME", 2011, "https://doi.org/10.1109/ICME.2011.6012107"),
    ),
    Baseline(
        "zero_dce", "Zero-DCE", "Curves from a small network trained without references.",
        ("lighten",), _HERE + "zero_dce",
        Citation("C. Guo et al.", "Zero-reference deep curve estimation for low-light image "
                 "enhancement", "CVPR", 2020, "https://arxiv.org/abs/2001.06826"),
    ),
)  # fmt: skip

BASELINES: Mapping[str, Baseline] = MappingProxyType({one.key: one for one in _ALL})
"""Every baseline by its key; none has the key of a method."""


def baseline(key: str) -> Baseline:
    """The baseline with this key.

    Raises
    ------
    ParameterError
        There is none; the message names the nearest.
    """
    try:
        return BASELINES[key]
    except KeyError:
        raise ParameterError(f"No baseline {key}; {nearest(key, list(BASELINES))}.") from None
