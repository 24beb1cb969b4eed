"""The card of the networks of the morphology-consistent diffusion."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from enhancers.networks.training.card import front_matter, use

_LIMITS = """\
- Diagnosis, and real patients: it has seen simulated spines only. What it adds is plausible, not
  measured.
- Spines, depths and artefacts that the simulation does not know: vertebrae that are missing or
  fused, implants, curves above 50 degrees.
- Images of another scale: the spine from T2 to L5 fills the height of the image.
"""


def render_morphology(facts: Mapping[str, Any]) -> str:
    """The card as Markdown, from the content of ``training.json``."""
    stages = []
    for stage in facts["stages"]:
        figures = "; ".join(f"{name} {value:g}" for name, value in stage["validation"].items())
        stages.append(
            f"- **{stage['stage']}**: {stage['steps']} steps in {stage['minutes']:.0f} min, Muon "
            f"with cosine decay, moving average of the weights; final training loss "
            f"{stage['loss']:.4f}. Validation: {figures}."
        )
    weights = ", ".join(f"{weight:.3f}" for weight in facts["depth_weights"])
    cohorts = f"; both are of {facts['cohorts']} cohorts" if facts.get("cohorts", 1) > 1 else ""
    lines = [
        front_matter("morphology", facts),
        "# Morphology-consistent diffusion", "",
        f"One artefact-free coronal image of a spine from ultrasound projections at several depths "
        f"(Zhou et al.), {facts['side']} pixels each way, gray in [-1, 1]. A diffusion network "
        f"(velocity, {facts['schedule']}) knows artefact-free images, a segmentation network "
        f"of the same shape has four classes (background, transverse process, rib, lumbar lump), "
        f"and a tuner in each skip connection brings the features of the second into the first, "
        f"fused over depths with the weights {weights}. `tuner_published` replaces the skip "
        f"connections as in equation 8 of the paper; `tuner_residual` adds these features to them, "
        f"and `tuner_tuned` what a tuner makes of them. The first two were trained on optimal "
        f"depths, the last on artefact-free images.", "",
        *use(facts["classes"], scheduler=False),
        "## Split", "", "By subject; the spines are phantoms (`enhancers.phantoms.spine`).", "",
        "| part | volumes | subjects |", "|---|---|---|",
        *(f"| {name} | {count} | {facts['subjects'][name]} |"
          for name, count in facts["images"].items()), "",
        "The diffusion network has the clean part, segmentation and tuners have the tuning part, "
        f"which includes it{cohorts}.", "",
        "## Training", "", *stages, *facts.get("remarks", ()), "",
        "The error of the velocity √ābar ε - √(1 - ābar) x is the sum of both terms of equation 9, "
        "those of the noise ε and of the image x; the tuners have the same error. Half of the "
        "images that are segmented are optimal depths, as in the paper, and half artefact-free "
        "(clean), as results are. PSNR is to the artefact-free truth, of samples with ten steps, "
        "of the optimal depths, and of the weighted mean of depths.", "",
        "## Not good for", "", _LIMITS.rstrip(), "",
        "## Licence", "", "The weights and the phantoms: Apache-2.0.", "",
    ]  # fmt: skip
    return "\n".join(lines)
