import numpy as np
import pytest

from enhancers.errors import ParameterError
from enhancers.image import check_pixels
from enhancers.method import Modality
from enhancers.phantoms import KINDS, Phantom, phantom
from enhancers.phantoms.canvas import Canvas, curve

SIZE = 128
COLOUR = {"fundus", "endoscopy"}


@pytest.fixture(scope="module")
def drawn() -> dict[str, list[Phantom]]:
    return {kind: [phantom(kind, size=SIZE, seed=seed) for seed in range(4)] for kind in KINDS}


@pytest.mark.parametrize("kind", KINDS)
def test_pixels_are_what_every_method_takes(kind: str, drawn: dict[str, list[Phantom]]) -> None:
    for image in drawn[kind]:
        check_pixels(image.pixels)
        assert image.pixels.shape == ((SIZE, SIZE, 3) if kind in COLOUR else (SIZE, SIZE))
        assert image.kind == kind


@pytest.mark.parametrize("kind", KINDS)
def test_same_seed_same_bytes_other_seed_other_anatomy(kind: str) -> None:
    first, again, other = (phantom(kind, size=SIZE, seed=seed).pixels for seed in (5, 5, 6))
    assert first.tobytes() == again.tobytes()
    assert np.abs(first - other).mean() > 0.01


@pytest.mark.parametrize("kind", KINDS)
def test_gray_scale_is_used_and_not_crushed(kind: str, drawn: dict[str, list[Phantom]]) -> None:
    for image in drawn[kind]:
        middle = (image.pixels > 0.02) & (image.pixels < 0.98)
        assert image.pixels.max() - image.pixels.min() > 0.6
        assert middle.mean() > 0.25


@pytest.mark.parametrize("kind", KINDS)
def test_texture_is_there_but_no_pixel_noise(kind: str, drawn: dict[str, list[Phantom]]) -> None:
    from scipy.ndimage import laplace

    for image in drawn[kind]:
        gray = image.pixels if image.pixels.ndim == 2 else image.pixels.mean(2)
        flat = np.sort(np.abs(laplace(gray.astype(np.float64)))[gray > 0.1])
        # White noise of σ = 0.05 has a median |Laplacian| of 0.15.
        assert 1e-4 < np.median(flat) < 0.15


@pytest.mark.parametrize(
    ("kind", "modality"),
    [
        ("echo", Modality.US),
        ("cardiac_mr", Modality.MR),
        ("ct", Modality.CT),
        ("chest_xray", Modality.XR),
        ("fundus", Modality.FUNDUS),
        ("endoscopy", Modality.ENDOSCOPY),
    ],
)
def test_modality(kind: str, modality: Modality, drawn: dict[str, list[Phantom]]) -> None:
    assert drawn[kind][0].modality is modality


@pytest.mark.parametrize(
    ("kind", "cavities", "brighter"), [("echo", (1, 3), 2), ("cardiac_mr", (1, 3), None)]
)
def test_labels_mark_the_anatomy(
    kind: str, cavities: tuple[int, ...], brighter: int | None, drawn: dict[str, list[Phantom]]
) -> None:
    for image in drawn[kind]:
        assert image.labels is not None
        assert image.labels.shape == image.pixels.shape
        assert image.labels.dtype == np.uint8
        assert set(np.unique(image.labels)) == {0, 1, 2, 3}
        muscle = image.pixels[image.labels == 2].mean()
        for cavity in cavities:
            blood = image.pixels[image.labels == cavity].mean()
            # Blood is black in ultrasound and bright in this MR sequence.
            assert (muscle > 2 * blood) if brighter == 2 else (blood > 1.5 * muscle)


def test_endocardium_separates_cavity_from_background() -> None:
    from scipy.ndimage import binary_dilation

    labels = phantom("cardiac_mr", size=SIZE, seed=1).labels
    assert labels is not None
    rim = binary_dilation(labels == 1) & (labels != 1)
    assert set(np.unique(labels[rim])) == {2}


def test_outside_the_sector_and_the_aperture_is_black() -> None:
    for kind in ("echo", "fundus", "endoscopy"):
        corners = phantom(kind, size=SIZE, seed=0).pixels[[0, -1]][:, [0, -1]]
        assert corners.max() == 0.0


@pytest.mark.parametrize("kind", KINDS)
def test_the_smallest_size_can_be_drawn(kind: str) -> None:
    small = phantom(kind, size=32, seed=2).pixels
    assert small.shape[:2] == (32, 32)
    assert np.isfinite(small).all()


@pytest.mark.parametrize(
    ("kind", "size", "seed", "named"),
    [("ech", 256, 0, "echo"), ("ct", 8, 0, "size=8"), ("ct", 256, -1, "seed=-1")],
)
def test_wrong_arguments_are_named(kind: str, size: int, seed: int, named: str) -> None:
    with pytest.raises(ParameterError, match=named):
        phantom(kind, size=size, seed=seed)


def test_ellipse_has_its_area() -> None:
    canvas = Canvas(256, np.random.default_rng(0))
    area = canvas.ellipse(0.1, -0.2, 0.5, 0.3, 30.0).sum() * canvas.pixel**2
    assert area == pytest.approx(np.pi * 0.5 * 0.3, rel=0.01)


def test_blob_of_equal_radii_is_a_circle() -> None:
    canvas = Canvas(128, np.random.default_rng(0))
    blob = canvas.blob_distance(0.0, 0.1, [0.4] * 8)
    circle = canvas.ellipse_distance(0.0, 0.1, 0.4, 0.4)
    near = np.abs(circle) < 0.1
    assert np.abs(blob - circle)[near].max() < 1e-3


def test_tube_has_its_width() -> None:
    canvas = Canvas(256, np.random.default_rng(0))
    tube = canvas.tubes([curve(((-0.5, 0.0), (0.0, 0.0), (0.5, 0.0)), 0.05)])
    width = tube[:, 128].sum() * canvas.pixel
    assert width == pytest.approx(0.1, rel=0.05)


def test_texture_stays_in_its_band() -> None:
    plane = Canvas(128, np.random.default_rng(0)).texture(4, 12)
    assert plane.std() == pytest.approx(1.0, abs=1e-3)
    power = np.abs(np.fft.fft2(plane)) ** 2
    radius = np.hypot(*np.meshgrid(np.fft.fftfreq(128, 1 / 128), np.fft.fftfreq(128, 1 / 128)))
    assert power[radius > 40].sum() < 1e-3 * power.sum()
