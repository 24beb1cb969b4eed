"""Where each method fails, as pure data: a sentence, and a phantom that shows it."""

from __future__ import annotations

from dataclasses import dataclass

from enhancers.method import Modality, ParameterValue

DISCS = "discs"
"""A truth other than the phantoms: faint discs."""
NONE, GRAIN = "none", "grain"
"""Degradations other than those of `enhancers.degrade`: none, and correlated noise."""


@dataclass(frozen=True)
class FailureCase:
    """An image on which a method fails.

    Parameters
    ----------
    method : str
        Key in the registry.
    sentence : str
        When it fails, and why.
    caption : str
        What the picture shows.
    truth : str
        A kind of `enhancers.phantoms`, or `DISCS`.
    modality : Modality
        The modality that is given to the method.
    degradation : str
        A key of `enhancers.degrade.KINDS`, `NONE` or `GRAIN`.
    level : float
        Level of the degradation; of `GRAIN`, its standard deviation.
    given : tuple of (name, value)
        Parameters of the method.
    crop : tuple (row, column, side), optional
        The part that is shown.
    white : float
        Gray levels of error that the picture shows as white.
    measures : tuple of str
    """

    method: str
    sentence: str
    caption: str
    truth: str
    modality: Modality
    degradation: str = NONE
    level: float = 0.0
    given: tuple[tuple[str, ParameterValue], ...] = ()
    crop: tuple[int, int, int] | None = None
    white: float = 0.25
    measures: tuple[str, ...] = ("psnr",)


_PLAIN = (("contrast", False),)

# fmt: off
FAILURE_CASES: tuple[FailureCase, ...] = (
    FailureCase(
        "srad",
        "Echo texture is taken for speckle and smoothed away, although it may carry the diagnosis.",
        "A clean echocardiogram, enlarged: nothing was to be removed.",
        "echo", Modality.US, crop=(40, 96, 112),
    ),
    FailureCase(
        "n4",
        "A weak field is no larger than what anatomy looks like: it is taken for anatomy and "
        "stays. And a structure that really is brighter on one side may be taken for a field.",
        "A drawn MR slice with a smooth field of about 10 %: nothing is corrected.",
        "cardiac_mr", Modality.MR, "bias_field", 0.1, white=0.1,
    ),
    FailureCase(
        "nlm",
        "Noise with a grain of its own, as smooth CT kernels leave it, looks like structure, and a "
        "part of it stays. A structure that occurs only once has no partners and fades.",
        "CT with noise of σ 0.08 that is correlated over a few pixels.",
        "ct", Modality.CT, GRAIN, 0.08,
    ),
    FailureCase(
        "tv",
        "Smooth shading turns into steps, which may pass for borders, and thin lines of low "
        "contrast lose it in proportion to their thinness.",
        "A fundus with noise of σ 0.1, enlarged: the fine vessels go with the noise.",
        "fundus", Modality.OTHER, "gaussian", 0.1, crop=(40, 40, 112),
    ),
    FailureCase(
        "tv_recon",
        "Where few photons arrive, noise and streaks turn into flat patches with steps between "
        "them, which look like borders of tissue; thin and faint structures are gone.",
        "A CT scanned with a twentieth of the dose, from its projections.",
        "ct", Modality.CT, "ct_dose", 0.05,
    ),
    FailureCase(
        "clahe",
        "Noise and speckle are amplified with everything else, equal tissue differs afterwards, "
        "and gray values mean nothing any more: denoise first, and do not measure afterwards.",
        "An echocardiogram with speckle of σ 0.2.",
        "echo", Modality.US, "speckle", 0.2,
    ),
    FailureCase(
        "classical",
        "The steps follow the modality: where that is wrong, they fit a noise that is not there. "
        "What the single steps cannot do, the pipeline cannot either.",
        "An MR slice with Rician noise of σ 0.06 that is said to be ultrasound.",
        "cardiac_mr", Modality.US, "rician", 0.06, _PLAIN,
    ),
    FailureCase(
        "denoiser",
        "Noise with a grain of its own, as smooth CT kernels leave it, is no noise that the "
        "network was trained on: it is taken for texture, and a part of it stays.",
        "CT with noise of σ 0.08 that is correlated over a few pixels.",
        "ct", Modality.CT, GRAIN, 0.08,
    ),
    FailureCase(
        "pix2pix",
        "What noise has hidden is replaced by what is plausible. The result looks clean, while "
        "thin vessels, borders of low contrast and the shape of bones are gone or changed.",
        "A CT scanned with a twentieth of the dose.",
        "ct", Modality.CT, "ct_dose", 0.05,
    ),
    FailureCase(
        "restormer",
        "The result is about the median of what the image may have been: where much is missing, "
        "it is smooth, and folds of the undersampling that look like anatomy stay.",
        "A drawn MR slice with one line of k-space in twelve.",
        "cardiac_mr", Modality.MR, "mr_undersample", 12.0,
    ),
    FailureCase(
        "pseudo_label",
        "The guidance copies the errors of the pseudo-label: where the classical pipeline takes "
        "noise for structure, the network is told to keep it.",
        "MR with noise of σ 0.06 that is correlated over a few pixels.",
        "cardiac_mr", Modality.MR, GRAIN, 0.06, _PLAIN,
    ),
    FailureCase(
        "null_space",
        "The likeliest image is a smooth one: what is fainter than the noise goes with it, while "
        "PSNR rises. On speckle, streaks or a blur that is no block mean the model is wrong; and "
        "anatomy unlike the training images may be replaced by what is plausible.",
        "Discs of contrast 0.04 in noise of σ 0.1, which an ideal observer would see.",
        DISCS, Modality.OTHER, "gaussian", 0.1, (("sigma", 0.1),), white=0.1,
        measures=("psnr", "detectability"),
    ),
    FailureCase(
        "diffusion_unet",
        "A sample is one of many images that fit what was measured: where noise hides most, its "
        "detail is drawn, not seen, and another seed draws other detail.",
        "A drawn echocardiogram at -12 dB.",
        "echo", Modality.US, "us_snr", -12.0,
    ),
    FailureCase(
        "morphology",
        "It draws a spine, whatever it is given: of an image without one, of vertebrae that are "
        "missing or fused, or of curves beyond those it has seen, it shows what it expects.",
        "A clean echocardiogram, in which there is no spine.",
        "echo", Modality.US,
    ),
    FailureCase(
        "unimie",
        "An image that is dark because the anatomy is gets brightened all the same, and gray "
        "values such as Hounsfield units lose their meaning.",
        "A clean echocardiogram, which is dark by nature.",
        "echo", Modality.US,
    ),
)
# fmt: on
