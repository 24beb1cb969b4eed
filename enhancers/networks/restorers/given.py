"""What a restorer is given of an image: its luminance, its modality, and what was measured."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from enhancers.colour import luminance, with_luminance
from enhancers.image import MedicalImage, Pixels
from enhancers.method import ParameterValue
from enhancers.networks.restorers.conditions import MODALITIES, with_modality
from enhancers.networks.tiles import Padding, pad

FROM_IMAGE = "from the image"
LEAST = 128
"""Images are padded to this side by reflection: that of the crops of the training."""
ASSUMED = "CT"
"""What images of other modalities are taken for."""
SIMULATED: Mapping[str, tuple[str, str]] = {
    "CT": ("ct_dose", "CT of low dose, by filtered back-projection"),
    "MR": ("mr_undersample", "MR with few lines of k-space, zero-filled"),
    "US": ("us_snr", "ultrasound with speckle and noise"),
}
"""By modality the degradation on which restorers are trained, and what it is in words."""


@dataclass(frozen=True, eq=False)
class Given:
    """The input of a restorer.

    Parameters
    ----------
    image : MedicalImage
    planes : Tensor, shape (1, 4, H, W)
        The padded image in [-1, 1] with its modality.
    padding : Padding
    notes : tuple of str
        Sentences for the user.
    """

    image: MedicalImage
    planes: Tensor
    padding: Padding
    notes: tuple[str, ...] = ()

    def pixels(self, estimate: Tensor) -> Pixels:
        """The image with the luminance of an estimate, (1, 1, H, W) in [-1, 1]."""
        gray = ((estimate[0, 0].float().clamp(-1, 1) + 1) / 2).cpu().numpy()
        return with_luminance(self.image.pixels, self.padding.crop(gray))


def given(image: MedicalImage, params: Mapping[str, ParameterValue], multiple: int) -> Given:
    """What a restorer is given, with sides that are divisible by ``multiple``.

    Parameters
    ----------
    image : MedicalImage
    params : mapping
        With ``as_modality``, a name of `MODALITIES` or `FROM_IMAGE`.
    multiple : int
    """
    modality, notes = _modality(image, str(params["as_modality"]))
    padded, padding = pad(luminance(image.pixels), multiple=multiple, least=LEAST)
    planes = with_modality(
        torch.from_numpy(padded)[None, None] * 2 - 1, torch.tensor([MODALITIES.index(modality)])
    )
    return Given(image, planes, padding, (*notes, *_hint(image, modality)))


def _modality(image: MedicalImage, wanted: str) -> tuple[str, tuple[str, ...]]:
    if wanted != FROM_IMAGE:
        return wanted, ()
    if image.modality.value in MODALITIES:
        return image.modality.value, ()
    return ASSUMED, (
        f"The network knows {', '.join(MODALITIES)}: this image was taken for {ASSUMED}. Set "
        "as_modality for another.",
    )


def _hint(image: MedicalImage, modality: str) -> tuple[str, ...]:
    """What to do about an image that was not degraded as those of the training."""
    kind, words = SIMULATED[modality]
    done = [text for name, text in image.tags if name == "degraded"]
    if (done and done[-1].partition(",")[0] == kind) or (image.measured and image.measured.any):
        return ()
    return (
        f"The network restores {words}. A clean image has nothing to restore: degrade it first "
        f"({kind}), then the result can be compared with the truth.",
    )
