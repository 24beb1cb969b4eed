"""The card of a trained network, written from its training record in the format of the Hub."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

UNATTRIBUTED = (
    "Add here where the images come from, under which licence, and whom to attribute: put an "
    "`ATTRIBUTION.md` into the data folder before training."
)

_WHAT = {
    "pixel": (
        "Pixel network",
        "A fully convolutional denoising diffusion network (ε-prediction, 1 channel in [-1, 1], "
        "T = 1000, linear betas 1e-4 to 0.02) for gray medical images, trained on crops, so that "
        "it serves whole images and tiles. Used by `denoiser`, `null_space` and `unimie`.",
    ),
    "latent": (
        "Latent network",
        "A small autoencoder (diffusers AutoencoderKL, 1 channel, factor 4, 8 latent channels) and "
        "a denoising diffusion network on its scaled latents (UNet2DModel, ε-prediction, T = 1000, "
        "linear betas 1e-4 to 0.02), both fully convolutional, for gray medical images. Used by "
        "`pseudo_label`.",
    ),
}

_LIMITS = """\
- Diagnosis. It has seen a few hundred subjects of a handful of acquisitions; what it adds is
  plausible, not measured.
- Anatomy, pathology, devices and vendors that are not in the data: it draws what it knows.
- Generating images: it was trained for restoration at low noise, on crops, and has no idea of a
  whole body.
- Colour: it sees luminance only.
- Images whose pixel size differs much from the training data's (256 pixels across the subject).
"""

_RESTORERS = {
    "restormer": (
        "Restormer",
        "A transformer that attends across channels (Zamir et al. 2022), on folded images, trained "
        "with the absolute error on patches that grow from 64 to 128 pixels. One call restores.",
    ),
    "pix2pix": (
        "Pix2Pix",
        "A U-Net, trained with the absolute error and against a discriminator of 70 x 70 patches "
        "(Isola et al. 2017). One call restores.",
    ),
    "diffusion_unet": (
        "Diffusion-UNet",
        "A conditional diffusion network that samples what has to be added to the degraded image "
        "(velocity prediction, T = 1000, linear betas 1e-4 to 0.02).",
    ),
    "diffusion_unet_published": (
        "Diffusion-UNet, as published",
        "A conditional diffusion network that samples the clean image (ε-prediction, T = 1000, "
        "linear betas 1e-4 to 0.02), as in the reader-study paper.",
    ),
}

_RESTORER_LIMITS = """\
- Diagnosis. It has seen simulated acquisitions of a few hundred subjects; what it adds is
  plausible, not measured.
- Acquisitions that differ from those it was trained on: filtered back-projection of low-dose CT,
  zero-filled Cartesian MR, log-compressed ultrasound with speckle and noise.
- Anatomy, pathology, devices and vendors that are not in the data: it draws what it knows.
- Images whose pixel size differs much from the training data's (256 pixels across the subject).
"""

_OWN = {
    "DenoisingUNet": "enhancers.networks.denoising_unet",
    "Restormer": "enhancers.networks.restorers.restormer",
    "Pix2PixGenerator": "enhancers.networks.restorers.pix2pix",
    "DiffusionUNet": "enhancers.networks.restorers.diffusion_unet",
    "MorphologyUNet": "enhancers.networks.morphology.unet",
    "MorphologyTuner": "enhancers.networks.morphology.tuner",
}
"""Where the classes that are not of diffusers come from."""

_TAGS = ("medical", "image-restoration", "denoising", "diffusion", "not-for-diagnosis")


def front_matter(which: str, facts: Mapping[str, Any]) -> str:
    """What the Hub reads: licence, library, task, and the validation figures as results."""
    from huggingface_hub import EvalResult, ModelCardData

    results = [
        EvalResult(
            task_type="image-to-image",
            task_name=str(stage["stage"]),
            dataset_type=name.split()[0],
            # Results are merged by data set: without this, under the first stage's name.
            dataset_config=str(stage["stage"]),
            dataset_name=f"held-out images of the group {name.split()[0]}",
            metric_type=_metric(name),
            metric_name=name,
            metric_value=value,
        )
        for stage in facts["stages"]
        for name, value in stage["validation"].items()
    ]
    data = ModelCardData(
        license="apache-2.0",
        library_name="diffusers",
        pipeline_tag="image-to-image",
        tags=list(_TAGS),
        model_name=f"reading-room-{which}",
        eval_results=results or None,
    )
    return f"---\n{data.to_yaml()}\n---\n"


def _metric(figure: str) -> str:
    if figure.endswith("dB"):
        return "psnr"
    return "dice" if " Dice " in figure else "mse"


def use(parts: Mapping[str, str], *, scheduler: bool = True) -> list[str]:
    """How the folder is loaded, as code that runs in it: subfolders and their classes."""
    classes: dict[str, set[str]] = {"diffusers": {"DDIMScheduler"}} if scheduler else {}
    for name in parts.values():
        classes.setdefault(_OWN.get(name, "diffusers"), set()).add(name)
    imports = [
        f"from {module} import {', '.join(sorted(names))}" for module, names in classes.items()
    ]
    loads = [
        f'{part} = {name}.from_pretrained(".", subfolder="{part}")' for part, name in parts.items()
    ]
    if scheduler:
        loads.append('scheduler = DDIMScheduler.from_pretrained(".", subfolder="scheduler")')
    return [
        "## Use", "",
        "In this folder, or with its name on the Hub in place of the dot:", "",
        "```python", *imports, "", *loads, "```", "",
    ]  # fmt: skip


def render(which: str, facts: Mapping[str, Any], attribution: str) -> str:
    """The card as Markdown.

    Parameters
    ----------
    which : {"pixel", "latent"}
    facts : mapping
        The content of ``training.json``.
    attribution : str
        Markdown: sources of the training images, licences, names to credit.
    """
    title, summary = _WHAT[which]
    rows = [
        f"| {name} | {images[0]} | {images[1]} | {facts['subjects'][name][0]} "
        f"| {facts['subjects'][name][1]} |"
        for name, images in facts["images"].items()
    ]
    lines = [
        front_matter(which, facts),
        f"# {title}", "", summary, "",
        *use(facts["classes"]),
        "## Split", "",
        "By subject within each group: no subject of a group is on both sides.", "",
        "| group | training images | validation images | training subjects | validation subjects |",
        "|---|---|---|---|---|", *rows, "",
        "## Steps, loss, validation", "",
    ]  # fmt: skip
    for stage in facts["stages"]:
        lines.append(
            f"- **{stage['stage']}**: {stage['steps']} steps in {stage['minutes']:.0f} min "
            f"({facts['recipe']}), moving average of the weights; final training loss "
            f"{stage['loss']:.4f}."
        )
        if stage["validation"]:
            figures = "; ".join(f"{name} {value:g}" for name, value in stage["validation"].items())
            lines.append(f"  Validation: {figures}.")
    lines += ["", "Validation figures are mean PSNR on up to 8 whole held-out images of a group:"]
    lines += [
        "denoising is one call at σ = 0.1 of [0, 1]; the round trip is decode(encode(x)). A noise"
    ]
    lines += ["error is the mean squared error of the predicted noise; a blind guess has 1."]
    lines += ["", "## Not good for", "", _LIMITS.rstrip()]
    lines += ["", "## Licence", "", "The weights: Apache-2.0. The training images:", ""]
    return "\n".join([*lines, attribution.strip(), ""])


def render_restorer(which: str, facts: Mapping[str, Any], attribution: str) -> str:
    """The card of a restorer as Markdown.

    Parameters
    ----------
    which : str
        A key of `enhancers.networks.training.restorers.train.PLANS`.
    facts : mapping
        The content of ``training.json``.
    attribution : str
        Markdown: sources of the training images, licences, names to credit.
    """
    title, summary = _RESTORERS[which]
    (stage,) = facts["stages"]
    lines = [
        front_matter(which.replace("_", "-"), facts),
        f"# {title}", "", summary, "",
        f"Its input is a gray image in [-1, 1] with one plane of 0 or 1 for each of "
        f"{', '.join(facts['images'])}.", "",
        *use({"restorer": facts["class"]}),
        "## Split", "", "By subject within each modality.", "",
        "| modality | images: training, validation, test | subjects: training, validation, test |",
        "|---|---|---|",
        *(f"| {name} | {', '.join(map(str, images))} | "
          f"{', '.join(map(str, facts['subjects'][name]))} |"
          for name, images in facts["images"].items()), "",
        "Phantoms of the modality were added to the training images.", "",
        "## Training", "",
        f"{stage['steps']} steps in {stage['minutes']:.0f} min, {facts['optimizer']} with cosine "
        "decay, moving average of the weights; the network that was best on the validation images. "
        f"Final training loss {stage['loss']:.4f}.", "",
        "Mean PSNR on the middle 128 x 128 pixels of validation images (CT at a quarter of the "
        "dose, MR with one line in six, ultrasound at -6 dB): "
        + "; ".join(f"{name} {value:g}" for name, value in stage["validation"].items()) + ".", "",
        "Learning curve, minutes and mean PSNR in dB: "
        + ", ".join(f"{minutes:g}: {figure:g}" for minutes, figure in facts["curve"]) + ".", "",
        "## Not good for", "", _RESTORER_LIMITS.rstrip(), "",
        "## Licence", "", "The weights: Apache-2.0. The training images:", "",
    ]  # fmt: skip
    return "\n".join([*lines, attribution.strip(), ""])
