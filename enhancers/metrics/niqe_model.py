"""Fits the parameters of NIQE to clean images.

The recipe is that of Mittal, Soundararajan and Bovik, "Making a completely blind image quality
analyzer", IEEE Signal Processing Letters 20(3), 2013, section II: 36 features of the blocks that
are sharp, and a Gaussian of them. The features are those with which pyiqa computes the metric.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from enhancers.colour import luminance
from enhancers.errors import ReadingRoomError
from enhancers.image import Pixels
from enhancers.image_folders import archives, held_out, read_archive, read_images

Array = NDArray[np.float64]

BLOCK = 96
"""Side of a block in pixels, as in NIQE."""
SHARP = 0.75
"""Blocks count whose sharpness is above this share of the sharpest one's, as in the paper."""
FEATURES = 36
LEAST_BLOCKS = 2 * FEATURES
"""Blocks without which a covariance of 36 features says nothing."""


@dataclass(frozen=True, eq=False)
class NiqeModel:
    """The parameters.

    Parameters
    ----------
    mean : ndarray, float64, shape (36,)
    covariance : ndarray, float64, shape (36, 36)
    blocks, images : int
        From which they were computed.
    material : mapping of group to (images, subjects)
    """

    mean: Array
    covariance: Array
    blocks: int
    images: int
    material: Mapping[str, tuple[int, int]]


def block_features(pixels: Pixels) -> tuple[Array, Array]:
    """The features of every complete block of an image, and its sharpness.

    Parameters
    ----------
    pixels : ndarray, float32, shape (H, W) or (H, W, 3), in [0, 1]
        At least 96 pixels a side.

    Returns
    -------
    features : ndarray, shape (N, 36)
    sharpness : ndarray, shape (N,)
        The mean of the local standard deviation, in gray levels of 0 to 255.
    """
    import torch
    from pyiqa.archs.func_util import normalize_img_with_gauss
    from pyiqa.archs.niqe_arch import compute_feature
    from pyiqa.matlab_utils import blockproc, imresize
    from scipy.ndimage import gaussian_filter

    rows, columns = (side // BLOCK for side in pixels.shape[:2])
    levels = np.rint(luminance(pixels)[: rows * BLOCK, : columns * BLOCK] * 255).astype(np.float64)
    mean = gaussian_filter(levels, 7 / 6, truncate=2.6, mode="nearest")
    square = gaussian_filter(levels**2, 7 / 6, truncate=2.6, mode="nearest")
    deviation = np.sqrt(np.maximum(square - mean**2, 0))
    sharpness = deviation.reshape(rows, BLOCK, columns, BLOCK).mean((1, 3)).T.ravel()
    image: Any = torch.from_numpy(levels)[None, None]
    parts = []
    for scale in (1, 2):
        even = normalize_img_with_gauss(image, padding="replicate")
        parts.append(blockproc(even, [BLOCK // scale] * 2, fun=compute_feature))
        image = imresize(image / 255.0, scale=0.5, antialiasing=True) * 255.0
    return torch.cat(parts, dim=-1)[0].numpy(), sharpness


def fit(images: Iterable[Pixels]) -> tuple[Array, Array, int]:
    """Mean and covariance of the features of all sharp blocks, and the number of the blocks.

    Raises
    ------
    ReadingRoomError
        There are too few blocks.
    """
    kept = [np.zeros((0, FEATURES))]
    for pixels in images:
        if min(pixels.shape[:2]) < BLOCK:
            continue
        features, sharpness = block_features(pixels)
        sharp = (sharpness > SHARP * sharpness.max()) & np.isfinite(features).all(1)
        kept.append(features[sharp])
    features = np.concatenate(kept)
    if len(features) < LEAST_BLOCKS:
        raise ReadingRoomError(
            f"The images have {len(features)} usable blocks of {BLOCK}x{BLOCK} pixels, NIQE needs "
            f"{LEAST_BLOCKS}; give more or larger images."
        )
    return features.mean(0), np.cov(features, rowvar=False), len(features)


def fit_folder(folder: Path) -> NiqeModel:
    """Fit the parameters to a folder, as `enhancers.image_folders` reads it.

    The subjects that training holds out are left out, so that methods can be evaluated on them.

    Raises
    ------
    ReadingRoomError
        The folder does not exist, or has too few images.
    """
    groups: dict[str, tuple[list[Pixels], list[str]]] = {}
    for group, path in archives(folder).items():
        archive = read_archive(path)
        unit = [image.astype(np.float32) / np.float32(255) for image in archive.images]
        groups[group] = unit, list(archive.subjects)
    if not groups:
        files = list(read_images(folder))
        groups["images"] = [one.image.pixels for one in files], [one.subject for one in files]
    images: list[Pixels] = []
    material = {}
    for group, (members, subjects) in groups.items():
        held = held_out(subjects) if subjects else set()
        chosen = [place for place, subject in enumerate(subjects) if subject not in held]
        images += [members[place] for place in chosen]
        material[group] = len(chosen), len({subjects[place] for place in chosen})
    mean, covariance, blocks = fit(images)
    return NiqeModel(mean, covariance, blocks, len(images), material)


def write(model: NiqeModel, path: Path) -> None:
    """Write the file that pyiqa reads, with its material."""
    import scipy.io

    material = [f"{group}: {n} images of {s} subjects" for group, (n, s) in model.material.items()]
    path.parent.mkdir(parents=True, exist_ok=True)
    scipy.io.savemat(
        path,
        {"mu_prisparam": model.mean[None], "cov_prisparam": model.covariance,
         "blocks": model.blocks, "material": "; ".join(material)},
    )  # fmt: skip
