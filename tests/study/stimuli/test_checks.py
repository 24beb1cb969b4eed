"""Checks of images: what is refused, and what is measured and reported."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from pydicom.uid import SecondaryCaptureImageStorage, UltrasoundImageStorage

from enhancers.load import coded_values
from study.domain.errors import BuildError
from study.stimuli import checks, deidentification
from study.stimuli.checks import BuildReport
from study.stimuli.image_similarity import ComparedImage, Similarity, measure
from study.stimuli.marks import find_mark
from tests.support import image_files

Pixels = NDArray[np.float32]


def picture(rows: int = 64, columns: int = 64, seed: int = 0) -> Pixels:
    """Smooth structure without symmetry, from 0.1 to 0.9."""
    from scipy.ndimage import gaussian_filter

    field = gaussian_filter(np.random.default_rng(seed).standard_normal((rows, columns)), 1.5)
    field = (field - field.min()) / np.ptp(field)
    return np.asarray(0.1 + 0.8 * field, np.float32)


def noisy(pixels: Pixels, sigma: float = 0.05) -> Pixels:
    noise = np.random.default_rng(9).standard_normal(pixels.shape)
    return np.clip(pixels + sigma * noise, 0, 1).astype(np.float32)


BASE = ComparedImage("original", picture())


@pytest.mark.parametrize(
    ("other", "says"),
    [
        (ComparedImage("x", picture(64, 60)), "original is 64 x 64 and x 60 x 64 pixels"),
        (ComparedImage("x", np.dstack([picture()] * 3)), "x is in colour and original is gray"),
        (ComparedImage("x", picture(), bits=8), "x has 8 bits and original 16"),
    ],
)
def test_images_of_a_case_are_alike(other: ComparedImage, says: str) -> None:
    for images in ([BASE, other], [other, BASE]):
        with pytest.raises(BuildError, match="Case c1: "):
            checks.check_alike("c1", images)
    with pytest.raises(BuildError, match=says):
        checks.check_alike("c1", [BASE, ComparedImage("y", picture(), 12), other])
    checks.check_alike("c1", [BASE, ComparedImage("y", picture(seed=1), 32)])


def with_value(value: float) -> Pixels:
    pixels = picture()
    pixels[3, 4] = value
    return pixels


@pytest.mark.parametrize(
    ("pixels", "says"),
    [
        (with_value(np.nan), "1 undefined pixels"),
        (with_value(np.inf), "1 undefined pixels"),
        (with_value(1.5), "reaches from 0.1.* to 1.5"),
        (np.full((64, 64), 0.4, np.float32), "is constant under the window"),
        (np.zeros((64, 64), np.float32), "is constant under the window"),
        ((picture() > 0.5).astype(np.float32), "100.0% of the image of x is black or white"),
    ],
)
def test_images_that_show_nothing_are_refused(pixels: Pixels, says: str) -> None:
    with pytest.raises(BuildError, match=says):
        checks.check_content("c1", ComparedImage("x", pixels))
    checks.check_content("c1", BASE)


@pytest.mark.parametrize("shift", [(1, 0), (0, -2), (5, 3), (-4, 7)])
def test_a_shift_is_measured(shift: tuple[int, int]) -> None:
    whole = picture(96, 96)
    moved = np.roll(whole, shift, (0, 1))[12:-12, 12:-12]
    found = measure(
        "c1", ComparedImage("x", noisy(moved)), ComparedImage("o", whole[12:-12, 12:-12])
    )
    assert found.shift == pytest.approx(np.hypot(*shift), rel=0.08)
    assert any(text.startswith("shifted by") for text in found.findings)


def test_half_a_pixel_of_resampling_is_measured() -> None:
    from scipy.ndimage import shift

    moved = np.clip(shift(picture(), (0.5, 0.5), order=3, mode="nearest"), 0, 1).astype(np.float32)
    assert measure("c", ComparedImage("x", moved), BASE).shift == pytest.approx(0.71, abs=0.15)


@pytest.mark.parametrize("turn", ["ud", "lr", "both"])
def test_a_mirrored_image_is_told(turn: str) -> None:
    pixels = picture()
    turned = {"ud": pixels[::-1], "lr": pixels[:, ::-1], "both": pixels[::-1, ::-1]}[turn]
    found = measure("c1", ComparedImage("x", np.ascontiguousarray(turned)), BASE)
    assert found.findings[0] == "mirrored or turned over"


def test_brightness_contrast_and_frame_are_measured() -> None:
    pixels = picture()
    brighter = measure("c", ComparedImage("x", pixels + np.float32(0.08)), BASE)
    assert brighter.brightness == pytest.approx(0.08, abs=1e-6)
    assert brighter.findings == ("brighter by 8% of the window",)
    mean = float(pixels.mean())
    flatter = measure("c", ComparedImage("x", mean + (pixels - mean) * np.float32(0.6)), BASE)
    assert flatter.contrast == pytest.approx(0.6, abs=1e-5)
    assert flatter.findings == ("contrast 0.60 times",)
    framed = np.zeros_like(pixels)
    framed[:, 5:] = pixels[:, 5:]
    assert measure("c", ComparedImage("x", framed), BASE).frame == 5
    assert measure("c", BASE, ComparedImage("x", framed)).frame == -5


def test_an_ordinary_method_is_not_reported() -> None:
    assert measure("c", ComparedImage("x", noisy(picture(), 0.03)), BASE).findings == ()
    assert measure("c", ComparedImage("x", picture()), BASE).findings == ("the same pixels",)


@pytest.mark.parametrize("value", [0.0, 1.0])
@pytest.mark.parametrize("corner", [(58, 4), (2, 40), (22, 53)])
def test_a_mark_at_the_edge_is_refused(corner: tuple[int, int], value: float) -> None:
    marked = picture()
    # Strokes two pixels apart, as letters have them.
    marked[corner[0] : corner[0] + 5, corner[1] : corner[1] + 10 : 2] = value
    original = ComparedImage(
        "original", np.full((64, 64), 0.5, np.float32) + 0.3 * (picture() - 0.5)
    )
    for image, base in ((ComparedImage("x", marked), BASE), (BASE, ComparedImage("x", marked))):
        assert find_mark(image, base).endswith("edge")
    assert not find_mark(original, BASE)


def test_noise_and_lighting_are_no_marks() -> None:
    pixels = picture()
    slope = np.linspace(0, 0.3, 64, dtype=np.float32)[:, None]
    assert not find_mark(ComparedImage("x", noisy(pixels, 0.2)), BASE)
    for other in (np.clip(pixels + slope, 0, 1), pixels**3, 1 - pixels):
        image = np.array(other, np.float32)
        assert not find_mark(ComparedImage("x", image), BASE)
        image[58:63, 4:20:2] = 1 - np.round(image[58:63, 4:20:2].mean())
        assert "bottom" in find_mark(ComparedImage("x", image), BASE)


def bright_border(seed: int, side: int) -> Pixels:
    """Structure with a bright frame, edge, disc outline or band at the border."""
    rng = np.random.default_rng(seed)
    pixels = 0.4 * picture(side, side, seed) + 0.05
    wide, value = int(rng.integers(3, 9)), rng.uniform(0.75, 1.0)
    y, x = np.mgrid[:side, :side]
    depth = np.minimum.reduce([y, x, side - 1 - y, side - 1 - x])
    radius = np.hypot(y - side / 2, x - side / 2)
    shape = (
        depth < wide, y >= side - wide, (radius > 0.44 * side) & (radius < 0.44 * side + wide),
        (x < wide) | ((x >= side - 3 * wide) & (y > side / 3) & (y < side / 2)),
        np.abs(y - (side - 2 * wide) - 4 * np.sin(x / 9)) < wide,
    )  # fmt: skip
    pixels[shape[seed % 5]] = value
    return noisy(pixels.astype(np.float32), 0.03)


@pytest.mark.parametrize("side", [64, pytest.param(128, marks=pytest.mark.exhaustive)])
def test_bright_borders_under_a_filter_are_no_marks(side: int) -> None:
    from scipy.ndimage import gaussian_filter, median_filter

    for seed in range(40):
        base = bright_border(seed, side)
        for other in (
            gaussian_filter(base, 1.0), gaussian_filter(base, 2.0), median_filter(base, 5),
            gaussian_filter(base, 1.5, mode="constant"), noisy(base, 0.12), np.roll(base, 1, 1),
        ):  # fmt: skip
            assert not find_mark(ComparedImage("x", other), ComparedImage("o", base))


def test_a_thin_line_that_a_filter_wipes_out_is_no_mark() -> None:
    """As of a table or a frame; whichever of the images is the base."""
    from scipy.ndimage import median_filter

    for seed in range(40):
        wide = 1 + seed % 3
        pixels = 0.4 * picture(128, 128, seed) + 0.05
        y, x = np.mgrid[:128, :128]
        depth = np.minimum.reduce([y, x, 127 - y, 127 - x])
        place = seed % 7
        lines = (
            (depth >= place) & (depth < place + wide), (y >= 124 - wide) & (y < 124),
            np.abs(y - 117 - 4 * np.sin(x / 9)) < wide / 2,
            (x >= place) & (x < place + wide) & (y > 32) & (y < 96),
        )  # fmt: skip
        pixels[lines[seed % 4]] = 0.75 + 0.25 * seed / 40
        base = noisy(pixels.astype(np.float32), 0.03)
        one, two = ComparedImage("x", median_filter(base, 5)), ComparedImage("o", base)
        assert not find_mark(one, two)
        assert not find_mark(two, one)


@pytest.mark.parametrize("side", [16, 24, 32])
@pytest.mark.parametrize("sigma", [0.05, 0.1, 0.2])
def test_a_small_noisy_image_has_no_marks(side: int, sigma: float) -> None:
    for seed in range(40):
        clean = picture(side, side, seed)
        noise = np.random.default_rng(seed).standard_normal(clean.shape) * sigma
        image = np.clip(clean + noise, 0, 1).astype(np.float32)
        assert not find_mark(ComparedImage("x", image), ComparedImage("o", clean))


@pytest.mark.parametrize("place", [(120, 4), (2, 90), (60, 2)])
def test_a_block_and_a_mark_next_to_a_bright_border_are_found(place: tuple[int, int]) -> None:
    from scipy.ndimage import gaussian_filter

    row, column = place
    for step in (1, 2):
        marked = gaussian_filter(picture(128, 128), 1.0)
        marked[row : row + 6, column : column + 16 : step] = 1.0
        assert find_mark(ComparedImage("x", marked), ComparedImage("o", picture(128, 128)))


def test_a_mark_that_all_images_carry_is_no_difference() -> None:
    marked = picture()
    marked[58:62, 4:20:2] = 1.0
    assert not find_mark(ComparedImage("x", noisy(marked)), ComparedImage("o", marked))
    assert find_mark(ComparedImage("x", noisy(marked)), BASE).endswith("edge")


def test_colour_is_measured_too() -> None:
    colour = np.dstack([picture(seed=n) for n in range(3)])
    found = measure("c", ComparedImage("x", np.roll(colour, 3, 0)), ComparedImage("o", colour))
    assert found.shift == pytest.approx(3, abs=0.4)


def test_the_report_is_a_table_with_the_findings() -> None:
    measured = tuple(Similarity(f"c{n}", "nlm", 0.1, 0.2, 1.0) for n in range(30))
    report = BuildReport(30, 2, ("nlm", "original"), 50, 10, measured, ("A note.",))
    text = report.as_text()
    assert "30 cases (2 for training) x 2 methods: 50 stimuli rendered, 10 kept" in text
    assert "+20.0%" in text
    assert "the base of comparison" in text
    assert "Case c0, nlm: brighter by 20% of the window." in text
    assert "... and 10 more." in text
    assert text.endswith("A note.")


def dicom(tmp_path: Path, **elements: object) -> Path:
    path = tmp_path / "x"
    path.write_bytes(image_files.dicom(image_files.ramp().astype(np.uint16), **elements))
    return path


def declared(path: Path) -> deidentification.Declared:
    return deidentification.declared(coded_values(path.read_bytes(), deidentification.ELEMENTS))


@pytest.mark.filterwarnings("ignore:Invalid value for VR")
@pytest.mark.parametrize(
    ("elements", "says"),
    [
        ({"BurnedInAnnotation": "YES"}, "Burned In Annotation, YES"),
        ({"BurnedInAnnotation": " yes "}, "Burned In Annotation, YES"),
        ({"SOPClassUID": SecondaryCaptureImageStorage}, "does not say whether text"),
        ({"SOPClassUID": UltrasoundImageStorage, "Modality": "US"}, "does not say whether text"),
        ({"Modality": "US", "BurnedInAnnotation": "maybe"}, "does not say whether text"),
    ],
)
def test_text_in_the_pixels_needs_a_person_who_looked(
    tmp_path: Path, elements: dict[str, object], says: str
) -> None:
    facts = declared(dicom(tmp_path, **elements))
    with pytest.raises(BuildError, match=f"Case c1: .*for nlm.*{says}.*--attest-deidentified"):
        deidentification.check("c1", "nlm", facts, attested=False)
    assert deidentification.check("c1", "nlm", facts, attested=True) == ()


def test_other_files_pass_and_heads_are_noted(tmp_path: Path) -> None:
    for elements in (
        {},
        {"BurnedInAnnotation": "NO"},
        {"Modality": "US", "BurnedInAnnotation": "NO"},
    ):
        facts = declared(dicom(tmp_path, **elements))
        assert deidentification.check("c1", "nlm", facts, attested=False) == ()
    facts = declared(dicom(tmp_path, Modality="MR", BodyPartExamined="HEAD"))
    assert "a face" in deidentification.check("c1", "nlm", facts, attested=False)[0]


def test_a_header_that_cannot_be_read_says_nothing(tmp_path: Path) -> None:
    path = tmp_path / "bare"
    levels = image_files.ramp().astype(np.uint16)
    dataset = image_files.dicom_dataset(levels, {"BurnedInAnnotation": "YES"})
    path.write_bytes(image_files.to_bytes(dataset, bare=True))
    assert declared(path).burned_in == "YES"
