"""The registry of methods as pure data: key, label, parameters, presets, modalities, citation.

This module imports nothing heavy, so that listing the methods takes no time. The code of a method
is in the module `Method.implementation`, its card in ``assets/cards/<key>.md``. CONTRIBUTING.md
explains how to add a method.
"""

# fmt: off
from __future__ import annotations

from collections.abc import Mapping

from enhancers.added_networks import AddedNetwork, added_network, added_networks
from enhancers.errors import UnknownMethod
from enhancers.method import (
    Citation,
    Method,
    Modality,
    Parameter,
    ParameterValue,
    StatedSource,
    nearest,
)

CT, MR, US, XR = Modality.CT, Modality.MR, Modality.US, Modality.XR
FUNDUS, ENDOSCOPY, MICROSCOPY = Modality.FUNDUS, Modality.ENDOSCOPY, Modality.MICROSCOPY
ALL = tuple(Modality)

RESERVED = ("input", "truth")
"""Names that mean an image and no method, on the page and in evaluations."""

PREVIEW = Parameter(
    "preview_every", "Preview every", "int", 5, 1, 100, 1, unit="steps", advanced=True,
    help="The current estimate is shown after this number of steps.",
)
SIGMA = Parameter(
    "sigma", "Noise σ", "float", None, 0.0, 0.5, 0.005, automatic=True,
    help="The standard deviation of the noise, as a fraction of the window. Automatic: it is "
         "estimated from the image, with noise that neighbouring pixels share.",
)
UNCLIP = Parameter(
    "unclip", "Restore clipped noise", "bool", True, advanced=True,
    help="For Gaussian noise. Pixels at black and white are treated as clipped noise, so that a "
         "noisy black background becomes black.",
)
CLIP = Parameter(
    "clip_limit", "Clip limit", "float", 2.0, 0.1, 20.0, 0.1,
    help="The limit of the contrast gain, relative to a flat histogram. A larger value is "
         "stronger.",
)
CONTRAST = Parameter(
    "contrast", "Contrast step", "bool", True,
    help="The pipeline ends with CLAHE, for the eye. Without it gray values stay comparable with "
         "the input; automatic segmentation of MR is better without it.",
)
PIXEL_PRIOR = Parameter(
    "prior", "Network", "prior", "pixel",
    help="The network that the method samples from. The Networks tab lists the installed ones.",
)
LATENT_PRIOR = Parameter(
    "prior", "Network", "prior", "latent",
    help="The autoencoder and network that the method samples from. The Networks tab lists the "
         "installed ones.",
)

RESTORER_MODALITY = Parameter(
    "as_modality", "Modality", "choice", "from the image",
    choices=("from the image", "CT", "MR", "US"),
    help="What the network takes the image for.",
)
CONSISTENCY = Parameter(
    "consistency", "Data consistency", "bool", True,
    help="For an image with k-space or projections, as after 'degrade': samples of k-space correct "
         "the result, projections correct the estimate, which is then restored once more. "
         "Published: off.",
)


DEPTH_WEIGHTS = (0.109, 0.205, 0.252, 0.259, 0.174)
"""Of depths, from superficial to deep: how often each is the best (Zhou et al., section IV-A)."""


def _depth_weights() -> tuple[Parameter, ...]:
    """Weights of five equally spaced depths; for another number of depths they are interpolated."""
    return tuple(
        Parameter(f"weight_{place}", f"Weight of depth {place}", "float", weight, 0.0, 1.0, 0.001,
                  advanced=True,
                  help="Of five depths over the range, from superficial to deep; interpolated for "
                       "another number. Their sum is made 1.")
        for place, weight in enumerate(DEPTH_WEIGHTS, start=1)
    )


def _restorer(key: str) -> Parameter:
    """The network of a method that has its own."""
    return Parameter("prior", "Network", "choice", key, choices=(key,), advanced=True,
                     help="The network of this method.")


METHODS: tuple[Method, ...] = (
    Method(
        key="srad",
        label="SRAD",
        family="classical",
        summary="Speckle-reducing anisotropic diffusion: smooths speckle, stops at edges.",
        implementation="enhancers.classical.srad",
        parameters=(
            Parameter("preset", "Preset", "choice", "canonical", choices=("canonical", "paper"),
                      help="canonical measures q0 on the image. paper uses q0 = 50 and 25 steps of "
                           "0.02, which amounts to Gaussian smoothing."),
            Parameter("steps", "Steps", "int", None, 1, 500, 1, automatic=True,
                      help="The number of iterations. Automatic: it follows from the measured "
                           "speckle."),
            Parameter("time_step", "Time step", "float", None, 0.005, 0.25, 0.005, automatic=True,
                      advanced=True, help="The step dt of the explicit scheme, which is stable up"
                                          " to 0.25."),
            Parameter("q0", "Speckle scale q0", "float", None, 0.01, 100.0, 0.01, automatic=True,
                      advanced=True,
                      help="The coefficient of variation of the speckle. Automatic: it is measured "
                           "on the image, without the texture of the tissue."),
            PREVIEW,
        ),
        modalities=(US,),
        citation=Citation(
            "Y. Yu, S. T. Acton", "Speckle reducing anisotropic diffusion",
            "IEEE Transactions on Image Processing 11(11)", 2002,
            "https://doi.org/10.1109/TIP.2002.804276"),
    ),
    Method(
        key="n4",
        label="N4 bias correction",
        family="classical",
        summary="Removes the slow intensity drift of MR coils, fitted inside the body mask.",
        implementation="enhancers.classical.n4",
        parameters=(
            Parameter("shrink", "Shrink factor", "int", 4, 1, 8, 1,
                      help="The field is fitted on the image shrunk by this factor."),
            Parameter("levels", "Fitting levels", "int", 3, 1, 6, 1,
                      help="The number of resolutions of the B-spline field, from coarse to fine. "
                           "More than 3 begin to fit anatomy."),
            Parameter("iterations", "Iterations per level", "int", 50, 1, 200, 1),
            Parameter("apply", "Correct", "choice", "where found",
                      choices=("where found", "always"),
                      help="where found leaves an image alone in which the fit finds no more than "
                           "anatomy gives. always divides by whatever was fitted."),
        ),
        modalities=(MR,),
        remaps=True,
        citation=Citation(
            "N. J. Tustison et al.", "N4ITK: improved N3 bias correction",
            "IEEE Transactions on Medical Imaging 29(6)", 2010,
            "https://doi.org/10.1109/TMI.2010.2046908"),
    ),
    Method(
        key="nlm",
        label="Non-local means",
        family="classical",
        summary="Averages pixels with similar neighbourhoods; with Rician correction for MR.",
        implementation="enhancers.classical.nlm",
        parameters=(
            SIGMA,
            Parameter("beta", "Strength β", "float", 1.2, 0.1, 5.0, 0.1,
                      help="It sets the bandwidth h = β σ sqrt(max(1, I/σ)) for Rician noise and "
                           "β σ for Gaussian noise."),
            Parameter("noise", "Noise model", "choice", "gaussian", choices=("gaussian", "rician"),
                      help="rician is the noise of magnitude MR, whose bias is removed."),
            Parameter("distance", "Patch distance", "choice", "corrected",
                      choices=("corrected", "plain"), advanced=True,
                      help="For Rician noise. corrected subtracts the distance that noise alone "
                           "causes, so that dark regions are smoothed too. plain uses the sum "
                           "itself."),
            Parameter("patch", "Patch side", "int", 5, 3, 11, 2, unit="px", advanced=True),
            Parameter("search", "Search window side", "int", 11, 5, 31, 2, unit="px",
                      advanced=True),
            UNCLIP,
        ),
        modalities=(MR, CT, XR),
        presets={MR: {"noise": "rician"}},
        citation=Citation(
            "P. Coupé et al.", "An optimized blockwise nonlocal means denoising filter for 3-D "
            "magnetic resonance images", "IEEE Transactions on Medical Imaging 27(4)", 2008,
            "https://doi.org/10.1109/TMI.2007.906087"),
    ),
    Method(
        key="tv",
        label="Total variation",
        family="classical",
        summary="Keeps edges, flattens the rest (Chambolle's algorithm).",
        implementation="enhancers.classical.tv",
        parameters=(
            SIGMA,
            Parameter("weight", "Weight", "float", None, 0.001, 1.0, 0.005, automatic=True,
                      help="A larger weight removes more. Automatic: it follows from the noise."),
            Parameter("iterations", "Maximum iterations", "int", 200, 10, 1000, 10, advanced=True),
            UNCLIP,
        ),
        modalities=(CT, XR),
        citation=Citation(
            "A. Chambolle", "An algorithm for total variation minimization and applications",
            "Journal of Mathematical Imaging and Vision 20", 2004,
            "https://doi.org/10.1023/B:JMIV.0000011325.36760.1e"),
    ),
    Method(
        key="tv_recon",
        label="TV reconstruction",
        family="classical",
        summary="From the projections of a CT or from k-space, with little total variation.",
        implementation="enhancers.classical.tv_recon",
        parameters=(
            Parameter("weight", "Weight", "float", None, 1e-5, 1.0, 0.001, automatic=True,
                      help="A larger weight removes more. Automatic: from the noise of projections "
                           "or image, 0.002 for k-space. Published: 0.01."),
            Parameter("phase", "Phase of an MR scan", "choice", "free", choices=("free", "smooth"),
                      help="smooth takes it from a first reconstruction: opposite frequencies then "
                           "tell of each other. Takes twice the time, and loses where there is "
                           "noise or the phase changes within a few pixels. Published: free."),
            Parameter("iterations", "Maximum iterations", "int", 150, 10, 2000, 10, advanced=True),
        ),
        modalities=(CT, MR, US),
        citation=Citation(
            "E. Y. Sidky, X. Pan", "Image reconstruction in circular cone-beam computed tomography "
            "by constrained, total-variation minimization", "Physics in Medicine and Biology 53",
            2008, "https://doi.org/10.1088/0031-9155/53/17/021"),
    ),
    Method(
        key="clahe",
        label="CLAHE",
        family="classical",
        summary="Contrast-limited adaptive histogram equalisation, at 16 bits.",
        implementation="enhancers.classical.clahe",
        parameters=(
            CLIP,
            Parameter("tiles", "Tiles per side", "int", 8, 1, 32, 1),
        ),
        modalities=ALL,
        presets={CT: {"clip_limit": 1.0}, XR: {"clip_limit": 1.0}},
        colour="L of Lab is equalised, hue is kept",
        remaps=True,
        citation=Citation(
            "K. Zuiderveld", "Contrast limited adaptive histogram equalization",
            "Graphics Gems IV", 1994, "https://doi.org/10.1016/B978-0-12-336156-1.50061-6"),
    ),
    Method(
        key="classical",
        label="Classical pipeline",
        family="classical",
        summary="The pipeline for the modality: SRAD or N4 and non-local means, then CLAHE.",
        implementation="enhancers.classical.pipelines",
        parameters=(CONTRAST, SIGMA, CLIP),
        modalities=ALL,
        presets={CT: {"clip_limit": 1.0}, XR: {"clip_limit": 1.0}},
        remaps="contrast",
        citation=Citation(
            "P. K. Singh, S. Singh", "Bridging classical and learned priors: a hybrid framework "
            "for medical image enhancement", "under review for MIDL, sections 2.2 and 2.4", 2026,
            "https://openreview.net"),
    ),
    Method(
        key="denoiser",
        label="Network denoiser",
        family="trained",
        summary="Removes noise with one call of the embedded network; nothing is sampled.",
        implementation="enhancers.trained.denoiser",
        prior="pixel",
        parameters=(
            PIXEL_PRIOR,
            SIGMA,
            Parameter("flips", "Average eight orientations", "bool", False,
                      help="The image is also denoised turned and mirrored, and the results are "
                           "averaged: closer to the truth, in eight times the time."),
            Parameter("noise", "Noise model", "choice", "gaussian", choices=("gaussian", "rician"),
                      advanced=True,
                      help="rician is the noise of magnitude MR, whose bias is removed."),
            UNCLIP,
        ),
        modalities=(CT, MR, XR, US),
        presets={MR: {"noise": "rician"}},
        citation=Citation(
            "J. Ho, A. Jain, P. Abbeel", "Denoising diffusion probabilistic models",
            "NeurIPS", 2020, "https://arxiv.org/abs/2006.11239"),
    ),
    Method(
        key="pix2pix",
        label="Pix2Pix",
        family="trained",
        summary="Restores low-dose CT, undersampled MR and weak ultrasound with a U-Net that was "
                "trained against a discriminator.",
        implementation="enhancers.trained.pix2pix",
        prior="restorer",
        parameters=(RESTORER_MODALITY, CONSISTENCY, _restorer("pix2pix")),
        modalities=(CT, MR, US),
        citation=Citation(
            "P. Isola, J.-Y. Zhu, T. Zhou, A. A. Efros",
            "Image-to-image translation with conditional adversarial networks",
            "CVPR", 2017, "https://arxiv.org/abs/1611.07004"),
    ),
    Method(
        key="restormer",
        label="Restormer",
        family="trained",
        summary="Restores low-dose CT, undersampled MR and weak ultrasound with a transformer.",
        implementation="enhancers.trained.restormer",
        prior="restorer",
        parameters=(RESTORER_MODALITY, CONSISTENCY, _restorer("restormer")),
        modalities=(CT, MR, US),
        citation=Citation(
            "S. W. Zamir, A. Arora, S. Khan, M. Hayat, F. S. Khan, M.-H. Yang",
            "Restormer: efficient transformer for high-resolution image restoration",
            "CVPR", 2022, "https://arxiv.org/abs/2111.09881"),
    ),
    Method(
        key="pseudo_label",
        label="Hybrid (pseudo-label guided)",
        family="diffusion",
        summary="Latent diffusion, guided toward the classical pipeline's output at every step.",
        implementation="enhancers.diffusion.pseudo_label",
        prior="latent",
        parameters=(
            LATENT_PRIOR,
            Parameter("preset", "Preset", "choice", "from the image",
                      choices=("from the image", "two-call denoiser", "published"),
                      help="From the image: sampling starts from the image, with noise drawn for "
                           "the channels of its latent that have less than the others, and takes "
                           "at least five steps. Two-call denoiser: no noise is drawn, and the "
                           "network is called twice, which changes the classical result little. "
                           "Published: pure noise, ten steps, the decoded sample."),
            Parameter("guidance", "Guidance w", "float", None, 0.0, 1.0, 0.001, automatic=True,
                      help="The share of the pseudo-label in each clean estimate; w = 2λ/4096 in "
                           "the paper's λ (1200: 0.586, 1000: 0.488). Automatic: the paper's "
                           "value, 0.5 for other modalities; from the image, what leaves the "
                           "network 45 % of the result (0.15 with five steps); and 0.2 for "
                           "ultrasound in the two-call denoiser."),
            Parameter("regions", "Guidance by region", "bool", False, advanced=True,
                      help="With automatic guidance and start, w is 0.4 where the image has "
                           "structure, and up to 0.9 where it has only noise (for two calls; "
                           "less in each of more calls)."),
            Parameter("steps", "Steps", "int", None, 2, 100, 1, automatic=True,
                      help="Automatic: 10 from pure noise or with a start strength, 5 from the "
                           "image. No effect on the two-call denoiser."),
            Parameter("strength", "Start strength", "float", None, 0.05, 1.0, 0.05,
                      automatic=True,
                      help="1 starts from pure noise, as in the paper; a smaller value starts "
                           "from the input with noise added. Automatic: the preset decides."),
            CONTRAST,
            Parameter("output", "Return", "choice", "automatic",
                      choices=("automatic", "full", "residual", "fine residual"), advanced=True,
                      help="full is the decoded sample, as in the paper. residual is the pseudo-"
                           "label plus the change by the diffusion, without the autoencoder's "
                           "error. fine residual adds only the fine detail of that change. "
                           "automatic is full for the published preset, else residual."),
            SIGMA,
            CLIP,
            PREVIEW,
        ),
        modalities=(US, MR),
        presets={
            CT: {"clip_limit": 1.0},
            XR: {"clip_limit": 1.0},
        },
        remaps="contrast",
        added={
            "preset": "This record is of a version without presets. Where it has no start "
                      "strength, the method worked as preset=two-call denoiser does now, except "
                      "that the noise of the latent was assumed and not measured."
        },
        citation=Citation(
            "P. K. Singh, S. Singh", "Bridging classical and learned priors: a hybrid framework "
            "for medical image enhancement", "under review for MIDL", 2026,
            "https://openreview.net"),
    ),
    Method(
        key="null_space",
        label="DDNM (null-space diffusion)",
        family="diffusion",
        summary="Denoises, enlarges, or fills in missing pixels or lines of k-space: the "
                "measurement is kept, and the network adds the rest.",
        implementation="enhancers.diffusion.null_space",
        prior="pixel",
        parameters=(
            PIXEL_PRIOR,
            Parameter("task", "Task", "choice", "denoise",
                      choices=("denoise", "sr2", "sr4", "sr8", "inpaint", "kspace"),
                      help="denoise removes noise. sr2, sr4 and sr8 enlarge a small image 2, 4 or"
                           " 8 times. inpaint fills in missing pixels, and kspace what an "
                           "undersampled MR scan left out."),
            Parameter("missing", "Missing pixels", "choice", "mask",
                      choices=("mask", "white", "black", "both"),
                      help="For inpaint. mask takes them from a mask, which is a file or painted "
                           "on the page. white and black are the pixels at the ends of the window, "
                           "which are saturated; they are missing in addition to a mask."),
            Parameter("filling", "Filling in", "choice", "refined", choices=("refined", "sampled"),
                      help="For inpaint and kspace. refined begins with an interpolation, from "
                           "which the network takes what is unlikely, and draws nothing: it is "
                           "closer to the truth. sampled draws images from pure noise, as "
                           "published: they have natural texture, and differ with the seed."),
            Parameter("sigma", "Noise σ", "float", None, 0.0, 0.5, 0.005, automatic=True,
                      help="The noise level as a fraction of the window; a given value is that of "
                           "white noise. Automatic: it is estimated for denoising, by frequency, "
                           "and 0 (noise-free) for the other tasks, which then keep what was "
                           "measured exactly; set it for a noisy image."),
            Parameter("steps", "Steps of the schedule", "int", None, 5, 250, 1, automatic=True,
                      help="The published schedule has 100 steps. Automatic: 100 for denoising, "
                           "of which those that cannot change the result are skipped, 20 for "
                           "enlarging, and 20 (refined) or 40 (sampled) for inpaint and kspace."),
            Parameter("output", "Return", "choice", "sample",
                      choices=("sample", "mean of samples", "one call"),
                      help="A single sample is smoother than tissue is, with less than half of the "
                           "finest detail. The mean of several is closer to the truth for "
                           "enlarging. one call is the network's direct estimate, for denoising "
                           "only."),
            Parameter("samples", "Samples to average", "int", 4, 2, 16, 1, advanced=True,
                      help="The number of samples for 'mean of samples'."),
            Parameter("eta", "η", "float", None, 0.0, 1.0, 0.05, automatic=True, advanced=True,
                      help="The share of fresh noise in each step; the published value is 0.85. "
                           "Automatic: 0.3 for denoising and with noise, otherwise 1."),
            Parameter("respace", "Respace below the noise level", "bool", False, advanced=True,
                      help="For denoising. All steps are spread below the noise level instead of "
                           "following the published schedule, which needs more calls and gives "
                           "another distribution."),
            Parameter("noise", "Noise model", "choice", "gaussian", choices=("gaussian", "rician"),
                      advanced=True,
                      help="For denoising. rician is the noise of magnitude MR, whose bias is "
                           "removed."),
            UNCLIP,
            Parameter("degrade_first", "Degrade the input first", "bool", False, advanced=True,
                      help="For a comparison with a known truth. Before it is enlarged, the image "
                           "is shrunk by block means; for inpaint, pixels are hidden at random; "
                           "for kspace, lines of its Fourier transform are left out."),
            Parameter("hidden", "Hidden pixels", "float", 0.7, 0.0, 0.99, 0.01, advanced=True,
                      help="The share of the pixels that 'Degrade the input first' hides for "
                           "inpaint."),
            Parameter("acceleration", "Acceleration", "float", 4.0, 1.0, 16.0, 0.5, advanced=True,
                      help="For kspace, 'Degrade the input first' keeps one line in this many."),
            PREVIEW,
        ),
        modalities=(CT, MR, XR, US),
        presets={MR: {"noise": "rician"}},
        citation=Citation(
            "J. Ma, Y. Zhu, C. You, B. Wang",
            "Pre-trained diffusion models for plug-and-play medical image enhancement",
            "MICCAI", 2023, "https://github.com/bowang-lab/DPM-MedImgEnhance"),
    ),
    Method(
        key="unimie",
        label="UniMIE (degradation mask)",
        family="diffusion",
        summary="Brightens and evens out the lighting by fitting y = f x + M while sampling.",
        implementation="enhancers.diffusion.unimie",
        prior="pixel",
        parameters=(
            PIXEL_PRIOR,
            Parameter("exposure", "Exposure", "float", None, 0.1, 0.9, 0.01, automatic=True,
                      help="The desired mean brightness of the foreground. Automatic: the usual "
                           "one of the modality, or less where highlights would saturate."),
            Parameter("evenness", "Even out the lighting", "float", None, 0.0, 1.0, 0.05,
                      automatic=True,
                      help="The share of the slow change of brightness over the image that counts "
                           "as lighting and is removed. 0 for a single gain. Automatic: what "
                           "exceeds the usual change in images of the modality."),
            SIGMA,
            Parameter("variant", "Variant", "choice", "paper", choices=("paper", "reference"),
                      help="paper guides the clean estimate. reference computes what the published "
                           "code computes."),
            Parameter("steps", "Most steps", "int", 4, 2, 250, 1,
                      help="The largest number of sampling steps. They lie below the noise of the "
                           "brightened image. More than 4 add texture and cost 0.2 dB."),
            Parameter("guidance", "Guidance κ", "float", None, 0.0, 2.0, 0.001, automatic=True,
                      advanced=True,
                      help="The weight of the measurement. For paper it is relative to what the "
                           "noise after brightening allows, and automatically 0.5; for reference "
                           "it is automatically 0.509."),
            Parameter("exposure_weight", "Exposure weight", "float", None, 0.0, 0.2, 0.001,
                      automatic=True, advanced=True,
                      help="For reference: the weight of the exposure loss. Automatic: 0.001."),
            PREVIEW,
        ),
        modalities=(FUNDUS, ENDOSCOPY, MICROSCOPY, MR, CT),
        remaps=True,
        removed={
            "smoothness": "it was removed in version 0.2.0, in which the mask follows a smooth "
                          "field without such a weight. Leave it out, or give evenness (0 to 1) "
                          "for how much of the lighting is removed."
        },
        citation=Citation(
            "B. Fei, Y. Li, W. Yang, H. Gao, J. Xu, L. Ma, Y. Yang, P. Zhou",
            "Lightening anything in medical images", "arXiv 2407.10236", 2024,
            "https://arxiv.org/abs/2407.10236"),
    ),
    Method(
        key="diffusion_unet",
        label="Diffusion-UNet",
        family="diffusion",
        summary="Samples restorations of low-dose CT, undersampled MR and weak ultrasound, with "
                "the degraded image beside the state.",
        implementation="enhancers.diffusion.diffusion_unet",
        prior="restorer",
        parameters=(
            RESTORER_MODALITY,
            Parameter("steps", "Steps", "int", 10, 10, 1000, 1,
                      help="More give a sample more texture and cost its PSNR a little. Published: "
                           "1000."),
            Parameter("guidance", "Guidance weight", "float", 1.0, 0.0, 5.0, 0.1,
                      help="1 follows the degraded image as it was learned, a larger weight "
                           "exaggerates what it tells and takes a second network call in each "
                           "step. Published: 2."),
            Parameter("sampler", "Sampler", "choice", "ddim", choices=("ddim", "ancestral"),
                      help="ddim draws noise at the start, ancestral in each step."),
            Parameter("samples", "Samples to average", "int", 1, 1, 16, 1,
                      help="A single sample has the texture of an image; the mean of several is "
                           "closer to the truth, and smoother."),
            Parameter("consistency", "Data consistency", "float", 0.0, 0.0, 1.0, 0.05,
                      advanced=True,
                      help="For an image with projections or k-space, as after 'degrade': how far "
                           "each step goes toward what was measured. Published: 0."),
            _restorer("diffusion_unet"),
            PREVIEW,
        ),
        modalities=(CT, MR, US),
        citation=Citation(
            "A. O. Amadi, E. M. Amaechi, A. I. Andrew, O. N. Ann",
            "Diffusion models for high-resolution medical image reconstruction and denoising "
            "using artificial intelligence",
            "International Journal of Digital Health & Patient Care 2(2)", 2025,
            "https://doi.org/10.5281/zenodo.18044754"),
    ),
    Method(
        key="morphology",
        label="Morphology diffusion (spine)",
        family="diffusion",
        summary="Makes one clear coronal image of a spine from ultrasound at 2 to 9 depths (all "
                "slices of the file) and measures its curve angles.",
        implementation="enhancers.diffusion.morphology",
        prior="morphology",
        parameters=(
            Parameter("steps", "Steps", "int", 20, 1, 1000, 1,
                      help="Deterministic steps (DDIM) from the start to the image."),
            Parameter("samples", "Samples to average", "int", 8, 1, 16, 1,
                      help="The mean of several starts is nearer to the truth than one, and takes "
                           "so many times as long. Published: 1."),
            Parameter("start", "Start", "choice", "noise", choices=("noise", "inversion"),
                      help="noise is drawn from the seed: different seeds show what is not "
                           "determined by the depths. inversion starts from the weighted mean of "
                           "the depths, once, and takes as long as two samples."),
            Parameter("variant", "Skip connections", "choice", "tuned",
                      choices=("tuned", "residual", "published"),
                      help="published replaces the features of the diffusion network by those of "
                           "the depths, residual adds these to them, tuned adds what a tuner makes "
                           "of them and was trained on artefact-free images."),
            Parameter("order", "Order of slices", "choice", "superficial first",
                      choices=("superficial first", "deep first"),
                      help="Which end of the volume is nearest to the skin of the back."),
            *_depth_weights(),
            _restorer("morphology"),
            PREVIEW,
        ),
        modalities=(US,),
        remaps=True,
        depths=True,
        citation=Citation(
            "Y. Zhou et al.",
            "Morphological-consistent diffusion network for ultrasound coronal image enhancement",
            "arXiv 2409.16661", 2024, "https://arxiv.org/abs/2409.16661"),
    ),
)
# fmt: on

_BY_KEY = {method.key: method for method in METHODS}


def methods() -> tuple[Method, ...]:
    """Every method of now: `METHODS`, then one for each network that a user added to restore."""
    return (*METHODS, *(_added(network) for network in added_networks() if _is_free(network.key)))


def get(key: str) -> Method:
    """The method with this key, or UnknownMethod naming the nearest."""
    if key in _BY_KEY:
        return _BY_KEY[key]
    network = added_network(key)
    if network is not None and _is_free(key):
        return _added(network)
    raise UnknownMethod(f"No method {key}; {nearest(key, [each.key for each in methods()])}.")


def _is_free(key: str) -> bool:
    return key not in _BY_KEY and key not in RESERVED


def _added(network: AddedNetwork) -> Method:
    """The method of an added network."""
    what = f"enlarges {network.scale} times" if network.scale > 1 else "restores"
    prior = Parameter(
        "prior", "Network", "choice", network.key, choices=(network.key,), advanced=True,
        help="The network of this method.",
    )  # fmt: skip
    return Method(
        key=network.key,
        label=network.label,
        family="trained",
        summary=f"A network that was added here ({network.architecture}); it {what} in one call. "
        f"Licence: {network.licence}.",
        implementation="enhancers.trained.restoration",
        parameters=(prior, SIGMA, UNCLIP) if network.noise_level else (prior,),
        modalities=ALL,
        citation=StatedSource(
            f"{network.file}, SHA-256 {network.sha256}. Source: {network.source}. "
            f"Licence: {network.licence}."
        ),
        prior="restoration",
        colour="as the network was trained: in colour, or luminance with chroma kept",
        scale=network.scale,
    )


def resolve(
    key: str, modality: Modality, given: Mapping[str, ParameterValue] | None = None
) -> dict[str, ParameterValue]:
    """Complete and check parameters: defaults, then the modality's preset, then given values.

    Raises
    ------
    UnknownMethod, ParameterError
    """
    method = get(key)
    values = {parameter.name: parameter.default for parameter in method.parameters}
    values.update(method.presets.get(modality, {}))
    for name, value in (given or {}).items():
        values[name] = method.parameter(name).check(value)
    return values
