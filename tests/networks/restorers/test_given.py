"""What a restorer is given of an image, and what the user is told about it."""

from __future__ import annotations

import numpy as np
import pytest

from enhancers.degrade import degrade_image
from enhancers.image import MedicalImage, from_array
from enhancers.method import Modality
from enhancers.networks.restorers.given import given


def image(modality: str, shape: tuple[int, ...] = (90, 150)) -> MedicalImage:
    y, x = np.mgrid[: shape[0], : shape[1]] / 150
    gray = (0.5 + 0.3 * np.sin(9 * x) * np.cos(7 * y)).astype(np.float32)
    return from_array(
        gray[..., None].repeat(3, -1) if len(shape) == 3 else gray, Modality(modality)
    )


@pytest.mark.parametrize(
    ("modality", "wanted", "plane"),
    [("MR", "from the image", 1), ("US", "from the image", 2), ("MR", "CT", 0), ("XR", "US", 2)],
)
def test_the_modality_is_that_of_the_image_or_the_given_one(
    modality: str, wanted: str, plane: int
) -> None:
    known = given(image(modality), {"as_modality": wanted}, 64)
    assert known.planes.shape == (1, 4, 128, 192)
    assert known.planes[0, 1:].mean((1, 2)).tolist() == [float(at == plane) for at in range(3)]
    assert not any("was taken for" in note for note in known.notes)


def test_another_modality_is_taken_for_ct_and_the_result_says_so() -> None:
    known = given(image("XR"), {"as_modality": "from the image"}, 16)
    assert known.planes[0, 1:].mean((1, 2)).tolist() == [1.0, 0.0, 0.0]
    assert "this image was taken for CT" in known.notes[0]


@pytest.mark.parametrize("shape", [(90, 150), (90, 150, 3)])
def test_the_input_comes_back_from_its_planes(shape: tuple[int, ...]) -> None:
    whole = image("US", shape)
    known = given(whole, {"as_modality": "from the image"}, 64)
    assert np.allclose(known.pixels(known.planes[:, :1]), whole.pixels, atol=1e-6)


@pytest.mark.parametrize(
    ("modality", "kind", "level"), [("MR", "mr_undersample", 6), ("US", "us_snr", -6)]
)
def test_a_clean_image_gets_a_hint_and_a_degraded_one_does_not(
    modality: str, kind: str, level: float
) -> None:
    clean = image(modality)
    params = {"as_modality": "from the image"}
    for unlike in (clean, degrade_image(clean, "blur", 1.0, seed=0)):
        (note,) = given(unlike, params, 64).notes
        assert f"degrade it first ({kind})" in note
    assert given(degrade_image(clean, kind, level, seed=0), params, 64).notes == ()
