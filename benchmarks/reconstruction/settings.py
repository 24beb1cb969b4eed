"""What is measured: images of test subjects, acquisitions, methods; the paper's figures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from enhancers.errors import ImagesAbsent
from enhancers.evaluation.method_text import method_under_test
from enhancers.evaluation.methods_under_test import INPUT, MethodUnderTest
from enhancers.evaluation.problem import TestImage, seed_of
from enhancers.evaluation.protocol import Condition, Protocol
from enhancers.image_folders import archives, read_archive
from enhancers.method import Modality
from enhancers.networks.restorers.conditions import MODALITIES
from enhancers.networks.training.restorers.pairs import ACQUISITIONS, gray_images, parts_of
from enhancers.registry import METHODS

TEST = 2
"""The part of the test subjects in `parts_of`."""

GROUPS = {modality.lower(): modality for modality in MODALITIES}

CANDIDATES: Mapping[str, str] = {
    INPUT: "Degraded image",
    "tv_recon": "TV-Recon",
    "tv_recon@weight=0.01": "TV-Recon, λ = 0.01",
    "pix2pix": "Pix2Pix",
    "pix2pix@consistency=no": "Pix2Pix, without data consistency",
    "restormer": "Restormer",
    "restormer@consistency=no": "Restormer, without data consistency",
    "diffusion_unet": "Diffusion-UNet, one sample",
    "diffusion_unet@samples=8": "Diffusion-UNet, mean of 8",
    "diffusion_unet@guidance=2": "Diffusion-UNet, w = 2",
}
"""The methods and their names."""
OF_SCANS: Mapping[str, str] = {
    "tv_recon@phase=smooth": "TV-Recon, smooth phase",
    "diffusion_unet@consistency=1": "Diffusion-UNet, one sample, data consistency",
    "diffusion_unet@consistency=1@samples=8": "Diffusion-UNet, mean of 8, data consistency",
}
"""Methods for MR alone, and their names."""
TRAINED = ("pix2pix", "restormer", "diffusion_unet", "diffusion_unet@samples=8")
"""What has to be better than the degraded image and TV-Recon."""
CONSISTENT = {
    "diffusion_unet": "diffusion_unet@consistency=1",
    "diffusion_unet@samples=8": "diffusion_unet@consistency=1@samples=8",
}
"""What stands for a method on MR: the form that uses the samples of k-space, as TV-Recon does."""
REGRESSION = ("pix2pix", "restormer")
SAMPLE = "diffusion_unet"
SCANS = "mr"
"""The group of `OF_SCANS`."""

SHORT_STEPS = (10, 20, 50, 100)
PUBLISHED_STEPS = (200, 400, 600, 800, 1000)

MEASURES = ("psnr", "ssim", "nmse")

PUBLISHED: Mapping[str, tuple[float, float, float, float]] = {
    "TV-Recon": (34.7, 0.842, 6.1e-3, 158.4),
    "Pix2Pix": (37.2, 0.883, 4.3e-3, 94.7),
    "Restormer": (38.1, 0.896, 3.9e-3, 81.3),
    "Diffusion-UNet": (42.5, 0.931, 2.1e-3, 48.6),
}
"""Table 3 of the paper: PSNR in dB, SSIM, NMSE, FID-Med."""
PUBLISHED_PSNR: Mapping[str, tuple[float, float, float]] = {
    "TV-Recon": (35.9, 33.8, 34.2),
    "Pix2Pix": (38.0, 36.5, 36.9),
    "Restormer": (39.3, 37.4, 37.7),
    "Diffusion-UNet": (43.8, 41.2, 42.5),
}
"""Table 4: PSNR in dB of CT, MR and ultrasound."""
PUBLISHED_SCORES = {"TV-Recon": 2.8, "Pix2Pix": 3.6, "Restormer": 3.9, "Diffusion-UNet": 4.6}
"""Table 5: mean score of the readers."""
PUBLISHED_MS = {"TV-Recon": 410, "Pix2Pix": 48, "Restormer": 65, "Diffusion-UNet": 120}
"""Table 6: milliseconds for a slice of 512 x 512 pixels on a GPU."""
PUBLISHED_BY_STEPS = {200: 39.2, 400: 40.6, 600: 41.4, 800: 42.0, 1000: 42.5}
"""Table 7: PSNR in dB by the number of steps."""


def published_name(key: str) -> str:
    """The paper's name of a method in the published form; empty where the paper has none."""
    names = {"tv_recon": "TV-Recon", "pix2pix@consistency=no": "Pix2Pix",
             "restormer@consistency=no": "Restormer", SAMPLE: "Diffusion-UNet"}  # fmt: skip
    return names.get(key, "")


def protocol() -> Protocol:
    """Every modality degraded as in the paper."""
    conditions = tuple(
        Condition(
            group, f"{modality}, {ACQUISITIONS[modality].kind}",
            "despeckle" if modality == "US" else "denoise",
            ACQUISITIONS[modality].kind, ACQUISITIONS[modality].published,
            ACQUISITIONS[modality].published, groups=(group,),
        )
        for group, modality in GROUPS.items()
    )  # fmt: skip
    return Protocol(
        "reconstruction", "Reconstruction", "the reader-study paper, Tables 3, 4, 6 and 7",
        tuple(GROUPS), conditions, tuple(CANDIDATES), (), SAMPLE, MEASURES,
    )  # fmt: skip


def label(key: str) -> str:
    """The name of a method."""
    return {**CANDIDATES, **OF_SCANS}.get(key, key)


def form(key: str, group: str) -> str:
    """The form of a method that the floors of a group are about."""
    return CONSISTENT.get(key, key) if group == SCANS else key


def candidates(texts: Sequence[str] = tuple(CANDIDATES)) -> list[MethodUnderTest]:
    """The methods to run: those of ``texts`` that are in the registry."""
    known = {INPUT, *(method.key for method in METHODS)}
    return [
        replace(method_under_test(text), label=label(text), once=True)
        for text in texts
        if text.split("@")[0] in known
    ]


def read_cases(data: Path, limit: int | None = None) -> list[TestImage]:
    """The images of test subjects of ``ct.npz``, ``mr.npz`` and ``us.npz``.

    Parameters
    ----------
    data : Path
    limit : int, optional
        Largest number of images of each modality; they are evenly spread over the subjects.

    Raises
    ------
    ImagesAbsent
        The folder has none of the archives.
    """
    found: list[TestImage] = []
    there = archives(data)
    for group, modality in GROUPS.items():
        if (path := there.get(group)) is None:
            continue
        archive = read_archive(path)
        at = [i for i, part in enumerate(parts_of(archive.subjects)) if part == TEST]
        if limit is not None and limit < len(at):
            at = [at[i] for i in np.linspace(0, len(at) - 1, limit).round().astype(int)]
        for place, pixels in zip(at, gray_images(archive.images[at]), strict=True):
            key = f"{group}-{place:04d}"
            truth = pixels.astype(np.float32) / np.float32(255)
            found.append(
                TestImage(
                    key, Modality(modality), truth, None, seed_of(key), group,
                    f"{group}:{archive.subjects[place]}",
                )
            )  # fmt: skip
    if not found:
        names = ", ".join(f"{group}.npz" for group in GROUPS)
        raise ImagesAbsent(f"{data} has none of {names}; give the folder of the training.")
    return found
