"""The page of evidence: tables, floors, what was settled, and why the paper's figures differ."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from benchmarks.reconstruction.tables import table
from benchmarks.spine import pictures, tables
from benchmarks.spine.floors import MEASURES, against_rival, floors
from benchmarks.spine.found import Found
from benchmarks.spine.published import label
from benchmarks.spine.settings import SAMPLES, SEEDS, SHIPPED, SIDE, STEPS

SETTLED = """\
- The reference is the artefact-free image of the phantom. The paper's is the optimal depth, with
  its speckle and artefacts, which rewards a result for keeping them; that table is above too. What
  the paper compares in the column of a depth is not said: what a method makes of that depth, or
  one result of all depths with the image at that depth. Both are shown.
- Equations 12 and 13, SNR = 20 log10((1 - μ_s) / σ_b) and CNR = 20 log10(|μ_s - μ_b| /
  sqrt(σ_s² + σ_b²)): the signal s is the dark region of the spine, so that 1 - μ_s is its darkness.
  That needs gray from 0 to 1; with 0 to 255 it is negative. s is every transverse process, rib and
  lump of the true mask, b everything else in the scanned strip, the same for all images. The paper
  does not say how large its regions are, so levels differ; the order can be compared.
- A ratio above that of the artefact-free image is not better: smoothing alone raises both.
- The hybrid has no contrast step here, and DDNM finds the noise by itself; both have one call for
  each volume, on the best depth.
- The variant that ships was tuned on artefact-free images, which phantoms have and patients do not:
  it is as supervised as the U-Net, though its diffusion network is not. The skips as published and
  the residual ones were tuned on optimal depths, as in the paper: they make images with the speckle
  of such depths, which cannot come nearer to the artefact-free image than these do.
- Led by a segmentation: that of the best depth is drawn with the grays of artefact-free images, and
  the features are those of the drawing. The paper trains such a variant; here the tuner is the one
  trained on features of depths.
"""

ANGLES = """\
The mean absolute error, the bias (measured less true, along the true direction, so that a curve on
the wrong side counts as negative) and the limits of agreement by Bland and Altman. Lines are found
by the same program in every image, in the segmentation of that image by the method's own
segmentation network (stage II). That has learned from optimal depths and artefact-free images:
results of SRAD, the hybrid and DDNM are neither. The true mask shows what the measurement itself is
wrong by at best, the artefact-free image what its segmentation adds.
For the mean of several samples it is the median of the angles in each sample.
"Segmentations of all depths, averaged" needs no enhanced image. Intervals are by subject. The paper
has readers instead: a mean difference between two raters of 5.2° (thoracic) and 4.0° (lumbar) on
original images, and of 3.8° and 3.3° on enhanced ones (Table IV).
"""

WHY = """\
Why the figures differ from the paper's:

- The volumes are simulated, not of patients, and the networks were trained on volumes of the same
  simulation. A curve angle that is measured well here says that the chain works, not that it would
  on patients.
- The networks have 128 x 128 pixels and were trained for minutes on a processor core, the paper's
  for 2000 and 1000 epochs on two GPUs at 256 x 256.
- Every image is measured at 256 x 256 pixels; what the networks make is enlarged to that. The
  artefact-free image at the networks' size is what could be reached by that at most.
- A sample of a diffusion network has up to twice the squared error of the mean of all samples,
  which is what a network trained with the truth estimates: so the method averages several, and
  the paper shows one.
"""


def as_markdown(found: Found, command: str, when: str, picture: str = "") -> str:
    """The page; ``picture`` is the name of a file beside it."""
    subjects = {truth.subject for truth in found.truths.values()}
    lines = [
        "# Ultrasound of the spine", "",
        "The tables of the paper on morphology-consistent diffusion (Zhou et al.), on held-out "
        f"volumes of spine phantoms: {len(found.truths)} volumes of {len(subjects)} subjects of "
        f"the cohort's part \"test\" (`python -m enhancers spine-volumes`), {SIDE} x {SIDE} "
        f"pixels, five depths. Where nothing else is said the method gives the mean of {SAMPLES} "
        f"samples of {STEPS} steps, its default. Means ± SD over volumes; slow methods and "
        f"variants are measured on some of the volumes. Written by `{command}`, {when}.", "",
        *_networks(found),
        "## Floors", "", *_floors(found), against_rival(found), "",
        *([pictures.caption(picture), ""] if picture else []),
        "## Similarity to the artefact-free image (Table II)", "",
        *_both(found, tables.to_truth),
        "## Contrast and noise (Table III)", "", *tables.ratios(found),
        "## What leads the sample (Table V)", "", *tables.ablation(found),
        "## Starts", "",
        f"The SD of each volume over {SEEDS} single samples from starts of their own, as a mean "
        "over volumes; and the start by inversion of the weighted mean, which has no noise, minus "
        "one of these samples.", "",
        *tables.starts(found),
        "## Curve angles", "", ANGLES, *tables.angles(found),
        "## Differences", "",
        f"{label(SHIPPED)} minus each other image, with 95 % intervals that take "
        "subjects as independent.", "", *tables.differences(found),
        "## Subjects who are difficult to image", "", *tables.by_level(found),
        "## Similarity to the best depth (Table II as published)", "",
        "The paper gives no figures of the depths themselves. A depth that is the best one itself "
        "has an infinite PSNR, which is left out.", "",
        *_both(found, tables.to_best),
        "## Time", "",
        "On a processor that may have had other work; with the segmentation of the result.", "",
        *tables.times(found),
        "## What was settled", "", SETTLED, WHY,
    ]  # fmt: skip
    return "\n".join(lines)


def _both(found: Found, shown: Any) -> list[str]:
    lines: list[str] = []
    for measure, name, unit, digits in MEASURES:
        lines += [f"### {name}{',' if unit else ''}{unit}", "", *shown(found, measure, digits)]
    return lines


def _networks(found: Found) -> list[str]:
    stages: list[Mapping[str, Any]] = found.networks.get("stages", [])
    lines = [
        [stage["stage"], str(stage["steps"]), f"{stage['minutes']:.0f}",
         "; ".join(f"{name} {value:g}" for name, value in stage["validation"].items())]
        for stage in stages
    ]  # fmt: skip
    heads = ["network", "steps", "minutes", "on validation volumes"]
    return [*(table(heads, lines) if lines else []), found.rival, ""]


def _floors(found: Found) -> list[str]:
    lines = [[one.sentence, one.verdict, one.figures] for one in floors(found)]
    return table(["floor", "", "figures (and the difference with its 95 % interval)"], lines)
