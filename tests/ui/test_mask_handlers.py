"""The mask of missing pixels on the page: from a file, painted, removed."""

from __future__ import annotations

import numpy as np
import pytest

from enhancers.errors import ImageReadError
from enhancers.load import DEFAULT_CAPS
from enhancers.ui.mask_handlers import MaskHandlers, painted_pixels
from tests.support.compare_page import IMAGE
from tests.support.image_files import png

MISSING = np.zeros(IMAGE.shape, np.bool_)
MISSING[4:9, 10:20] = True
LAYER = np.zeros((*IMAGE.shape, 4), np.uint8)
LAYER[MISSING, 3] = 255


@pytest.fixture
def masks(handlers):
    return MaskHandlers(handlers.updates, handlers.sessions, DEFAULT_CAPS)


@pytest.fixture
def session(masks, handlers):
    found = masks.session(handlers.request)
    found.open(IMAGE, "image.png", None)
    return found


def _file(tmp_path, pixels):
    path = tmp_path / "mask.png"
    path.write_bytes(png(pixels))
    return str(path)


def test_a_file_gives_the_mask_and_clearing_removes_it(masks, session, handlers, tmp_path):
    changed = masks.upload(_file(tmp_path, (MISSING * 7).astype(np.uint8)), handlers.request)
    np.testing.assert_array_equal(session.known, ~MISSING)
    assert "3.91 % of the pixels missing" in changed[handlers.layout.facts]
    assert "task inpaint" in changed[handlers.layout.notice]
    masks.upload(None, handlers.request)
    assert session.known is None
    assert session.image.measured is None


def test_what_is_painted_is_missing(masks, session, handlers):
    shown = masks.paint(handlers.request)[handlers.layout.painting]["value"]
    np.testing.assert_array_equal(shown["background"][..., 0], np.rint(IMAGE.pixels * 255))
    changed = masks.use({"layers": [LAYER]}, handlers.request)
    np.testing.assert_array_equal(session.known, ~MISSING)
    assert changed[handlers.layout.mask] is None


def test_a_mask_of_a_file_is_painted_already_when_painting_begins(
    masks, session, handlers, tmp_path
):
    masks.upload(_file(tmp_path, (MISSING * 7).astype(np.uint8)), handlers.request)
    (layer,) = masks.paint(handlers.request)[handlers.layout.painting]["value"]["layers"]
    np.testing.assert_array_equal(layer[..., 3] > 0, MISSING)
    more = layer.copy()
    more[0, 0] = 255
    masks.use({"layers": [more]}, handlers.request)
    expected = ~MISSING
    expected[0, 0] = False
    np.testing.assert_array_equal(session.known, expected)


@pytest.mark.parametrize(
    ("layers", "said"),
    [([], "Nothing is painted"), ([np.full_like(LAYER, 255)], "Everything is painted")],
)
def test_a_painting_must_mark_some_pixels(masks, session, handlers, layers, said):
    masks.paint(handlers.request)
    with pytest.raises(ImageReadError, match=said):
        masks.use({"layers": layers}, handlers.request)


def test_a_painting_of_another_image_is_refused(masks, session, handlers):
    masks.paint(handlers.request)
    session.open(IMAGE, "other.png", None)
    with pytest.raises(ImageReadError, match="another image"):
        masks.use({"layers": [LAYER]}, handlers.request)
    with pytest.raises(ImageReadError, match="40 x 32"):
        painted_pixels([LAYER[1:]], IMAGE.shape)


@pytest.mark.parametrize(
    ("pixels", "said"),
    [
        (np.zeros((32, 40), np.uint8), "same value everywhere"),
        (np.eye(30, dtype=np.uint8), "30 x 30 pixels and the image 40 x 32"),
        (np.arange(1, 1281, dtype=np.uint16).reshape(32, 40), "every pixel as missing"),
    ],
)
def test_a_mask_that_does_not_fit_is_refused(masks, session, handlers, tmp_path, pixels, said):
    with pytest.raises(ImageReadError, match=said):
        masks.upload(_file(tmp_path, pixels), handlers.request)
    assert session.known is None


def test_a_mask_needs_an_image(masks, handlers):
    with pytest.raises(ImageReadError, match="Open an image first"):
        masks.paint(handlers.request)


def test_the_mask_belongs_to_its_slice(session):
    session.set_known(~MISSING)
    from dataclasses import replace

    session.move_to(replace(IMAGE, slice_index=1))
    assert session.known is None
    session.move_to(session.kept_image(("", 0, 0)))
    np.testing.assert_array_equal(session.known, ~MISSING)
