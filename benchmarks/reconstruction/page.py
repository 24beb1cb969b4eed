"""The page of evidence: tables, floors, and why the paper's figures are others."""

from __future__ import annotations

import json
from collections.abc import Iterator

from benchmarks.reconstruction import tables
from benchmarks.reconstruction.floors import closest_rival, floors
from benchmarks.reconstruction.settings import label, published_name
from benchmarks.reconstruction.tables import Found
from enhancers.networks.entry import NetworkEntry
from enhancers.networks.load import identity_of
from enhancers.networks.lookup import entries
from enhancers.networks.restorers.conditions import MODALITIES

ORDER = ("TV-Recon", "Pix2Pix", "Restormer", "Diffusion-UNet")
"""The order of the paper in PSNR, the lowest first."""

WHY = """\
Why the figures differ from the paper's:

- The data are others: 256 x 256 pixels in 8 bits, of a few dozen subjects, degraded by the
  simulated scanners of `degrade`. A PSNR belongs to its data, window and degradation; the paper's
  42.5 dB are those of its own.
- The networks have 3.5 to 4.2 million parameters and were trained for less than an hour on a
  processor core, on crops of up to 128 pixels; the paper's for 200 epochs on A100 GPUs.
- Diffusion-UNet predicts the velocity of the residual here, the paper's the noise of the image.
- The paper's networks see the degraded image alone. Here Pix2Pix and Restormer use the samples of
  k-space or the projections too, as TV-Recon does, and Diffusion-UNet does where that is said.
- TV-Recon starts from projections and k-space, and its weight follows from the noise; the paper's
  λ = 0.01 stands beside it.
- A sample of the posterior has up to twice the squared error of its mean, so that a network that
  estimates the mean or median is expected to have the higher PSNR. The paper has the opposite
  order.
- The truth of ultrasound is the image without added speckle.
- 800 to 1000 network calls in 120 ms (the paper's Tables 6 and 7) are 0.12 ms for a call. Our
  times and numbers of calls stand in the table.
"""


def as_markdown(found: Found, command: str, when: str) -> str:
    """The page."""
    images = {(row.group, row.case) for row in found.rows}
    subjects = {(row.group, row.subject) for row in found.rows}
    lines = [
        "# Reconstruction", "",
        "The tables of the reader-study paper, measured on test subjects that no network was "
        "trained on: CT at a quarter of the dose, MR with one line in six, ultrasound at -6 dB. "
        f"{len(images)} images of {len(subjects)} subjects. Written by `{command}`, {when}.", "",
        *_networks(found),
        "## Quality over all modalities (Table 3)", "",
        "Means are unweighted over the modalities, ± SD over all images.", "",
        *tables.overall(found),
        *_about_distances(found),
        "## By modality (Table 4)", "", *tables.by_modality(found),
        "## Differences", "",
        "The paper adjusts paired t tests by Bonferroni and takes images as independent. The "
        "interval takes subjects as independent; it is not adjusted.", "",
        *tables.differences(found),
        "## Time (Table 6)", "", *tables.latency(found),
        "## Steps (Table 7)", "", *tables.steps(found),
        "## FID and scores of readers", "", tables.reader_regression(), "",
        "## Floors", "", *_floors(found), closest_rival(found), "",
        "## The paper's order", "", _order(found), "", WHY,
    ]  # fmt: skip
    return "\n".join(lines)


def _networks(found: Found) -> list[str]:
    used = {key.split("@")[0] for key in found.candidates}
    lines = [
        [one.label, f"{one.size / 2**20:.1f} MiB", *_training(one), identity_of(one)[-64:][:12]]
        for one in entries()
        if one.key in used and one.kind == "restorer"
    ]
    heads = ["network", "size", "training", "PSNR on validation crops, dB", "SHA-256"]
    return tables.table(heads, lines) if lines else []


def _training(entry: NetworkEntry) -> tuple[str, str]:
    path = entry.folder / "training.json"
    if not path.is_file():
        return "not stated", ""
    facts = json.loads(path.read_text(encoding="utf-8"))
    (stage,) = facts["stages"]
    known = stage["validation"]
    figures = [
        f"{modality} {known[f'{modality} degraded, dB']:.1f} → {value:.1f}"
        for modality in MODALITIES
        if (value := known.get(f"{modality} restored, dB")) is not None
    ]
    return f"{stage['steps']} steps, {stage['minutes']:.0f} min", ", ".join(figures)


def _about_distances(found: Found) -> list[str]:
    halves = [f"{label(key)} {found.distance(key, 'half'):.3f}" for key in found.compared]
    return [
        f"FID and KID are of the features of a small classifier of modalities, trained here on the "
        f"training subjects (accuracy on validation subjects {found.accuracy:.0%}); they are not "
        "those of Inception and not comparable with the paper's. Patches of 64 x 64 pixels at the "
        f"same places of results and truths, {found.patches} of each modality. FID is biased "
        f"upward in small samples: with half of the patches it is {'; '.join(halves)}. KID is not "
        "biased. The spectrum is the mean difference of the radial spectrum from that of the "
        "truth, above 0.1 cycles per pixel.", "",
    ]  # fmt: skip


def _floors(found: Found) -> list[str]:
    lines = [[one.sentence, one.verdict, one.figures] for one in floors(found)]
    return tables.table(["floor", "", "figures"], lines)


def _order(found: Found) -> str:
    ours = sorted(
        (found.mean(key, "psnr"), name) for key in found.candidates if (name := published_name(key))
    )
    names = [name for _, name in ours]
    theirs = [name for name in ORDER if name in names]
    text = f"In PSNR, lowest first: {', '.join(names)}. The paper's: {', '.join(theirs)}."
    return f"{text} " + (
        "The order is the same." if names == theirs else "The paper's order does not hold here."
    )


def failures(found: Found) -> Iterator[str]:
    """The sentences of the floors that were missed."""
    return (one.sentence for one in floors(found) if one.margin is not None and one.margin <= 0)
