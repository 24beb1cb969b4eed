"""The names of the methods, and the paper's figures."""

from __future__ import annotations

from collections.abc import Mapping

from benchmarks.spine.settings import CLEAN, FUSED, MASK, MEAN, ONE, RIVAL, SHRUNK
from enhancers.phantoms.spine import DEPTHS

_VARIANT = {
    "tuned": "Morphology", "residual": "Morphology, residual skips",
    "published": "Morphology, skips as published",
}  # fmt: skip
NAMES: Mapping[str, str] = {
    "input": "Degraded depth",
    "srad": "SRAD",
    "pseudo_label": "Hybrid",
    "null_space": "DDNM",
    MEAN: "Weighted mean of depths",
    RIVAL: "Supervised U-Net",
    **_VARIANT,
    ONE: "Morphology, one sample",
    CLEAN: "Artefact-free image",
    SHRUNK: "Artefact-free image at the networks' size",
    MASK: "True mask",
    FUSED: "Segmentations of all depths, averaged",
}
PLACES = {
    "best": "best depth",
    "segmentation": "best depth's segmentation",
    "inversion": "start by inversion",
    **{str(number): f"depth {number}" for number in range(1, DEPTHS + 1)},
}


def label(key: str) -> str:
    """The name of a method, such as ``residual@best``: a method and what it is given."""
    name, _, place = key.partition("@")
    return f"{NAMES[name]}, {PLACES[place]}" if place else NAMES[name]


Figures = Mapping[str, tuple[float, ...]]

PUBLISHED_MS_SSIM: Figures = {
    "StillGAN": (0.68, 0.67, 0.66, 0.67, 0.70, 0.68),
    "HQG-Net": (0.63, 0.71, 0.76, 0.75, 0.69, 0.71),
    "Arc-Net": (0.66, 0.75, 0.81, 0.79, 0.71, 0.74),
    "GFE-Net": (0.69, 0.77, 0.83, 0.80, 0.73, 0.76),
    "SCR-Net": (0.68, 0.77, 0.82, 0.80, 0.73, 0.76),
    "PCE-Net": (0.68, 0.76, 0.82, 0.79, 0.72, 0.75),
    "Morphology": (0.71, 0.83, 0.90, 0.86, 0.77, 0.81),
}
"""Table II of the paper: MS-SSIM at depths 1 to 5 and their mean."""
PUBLISHED_PSNR: Figures = {
    "StillGAN": (14.02, 14.15, 14.07, 13.95, 14.00, 14.04),
    "HQG-Net": (14.35, 15.38, 15.92, 15.58, 14.67, 15.18),
    "Arc-Net": (14.56, 15.87, 16.66, 16.12, 14.90, 15.62),
    "GFE-Net": (15.38, 16.78, 17.56, 16.92, 15.60, 16.45),
    "SCR-Net": (15.24, 16.55, 17.26, 16.72, 15.48, 16.25),
    "PCE-Net": (15.14, 16.59, 17.38, 16.79, 15.50, 16.28),
    "Morphology": (15.30, 17.59, 19.69, 18.65, 16.48, 17.54),
}
"""Table II: PSNR in dB."""
PUBLISHED_RATIOS: Figures = {
    "Original": (9.17, 2.54, 26.78, 1.72),
    "StillGAN": (7.82, 2.1, 24.05, 1.91),
    "HQG-Net": (6.25, 3.22, 24.48, 2.13),
    "Arc-Net": (9.93, 2.67, 26.15, 2.08),
    "GFE-Net": (9.55, 2.96, 27.75, 1.83),
    "SCR-Net": (9.59, 2.77, 27.2, 1.76),
    "PCE-Net": (9.87, 2.52, 27.15, 2.00),
    "Morphology": (16.87, 0.65, 33.96, 1.72),
}
"""Table III: CNR and its SD, SNR and its SD, in dB."""
PUBLISHED_ABLATION: Figures = {
    "Original": (9.17, 2.54, 26.78, 1.72),
    "best depth's segmentation": (9.13, 3.66, 30.92, 3.02),
    "best depth's features": (12.29, 1.63, 30.87, 1.11),
    "features of all depths": (16.87, 0.65, 33.96, 1.72),
}
"""Table V: CNR and its SD, SNR and its SD, in dB."""
