"""Degrading the image on the page: it becomes the input, and what it was the ground truth."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from enhancers.degrade import KINDS, degrade_image
from enhancers.errors import ImageReadError, ParameterError
from enhancers.ui.degrade_handlers import DegradeHandlers
from tests.support.compare_page import IMAGE


@pytest.fixture
def degrading(handlers):
    return DegradeHandlers(handlers.updates, handlers.sessions)


@pytest.fixture
def session(degrading, handlers):
    found = degrading.session(handlers.request)
    found.open(IMAGE, "image.png", None)
    return found


def test_the_degraded_image_is_the_input_and_the_original_the_truth(degrading, session, handlers):
    changed = degrading.apply("gaussian", 0.1, 7, handlers.request)
    expected = degrade_image(IMAGE, "gaussian", 0.1, seed=7)
    np.testing.assert_array_equal(session.image.pixels, expected.pixels)
    np.testing.assert_array_equal(session.truth, IMAGE.pixels)
    assert session.truth_origin == "the image before it was degraded"
    assert "gaussian, σ 0.1, seed 7" in changed[handlers.layout.facts]
    assert "ground truth" in changed[handlers.layout.notice]
    assert changed[handlers.layout.undo_degrade]["visible"]


def test_a_second_degradation_starts_from_the_original(degrading, session, handlers):
    degrading.apply("gaussian", 0.3, 0, handlers.request)
    degrading.apply("blur", 2, 0, handlers.request)
    expected = degrade_image(IMAGE, "blur", 2, seed=0)
    np.testing.assert_array_equal(session.image.pixels, expected.pixels)
    np.testing.assert_array_equal(session.truth, IMAGE.pixels)


def test_undoing_gives_the_original_back(degrading, session, handlers):
    degrading.apply("ct_dose", 0.5, 0, handlers.request)
    assert session.image.measured.projections is not None
    changed = degrading.undo(handlers.request)
    assert session.image is IMAGE
    assert session.truth is None
    assert not changed[handlers.layout.undo_degrade]["visible"]
    assert degrading.undo(handlers.request) == handlers.updates.unchanged()


def test_what_is_degraded_is_remembered_with_its_slice(degrading, session, handlers):
    degrading.apply("gaussian", 0.1, 0, handlers.request)
    left = session.image
    session.move_to(replace(IMAGE, slice_index=1, slice_count=2))
    assert session.original is None
    session.move_to(left)
    assert session.original is IMAGE
    session.open(IMAGE, "other.png", None)
    assert session.original is None


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_offers_its_level_and_degrades(kind, degrading, session, handlers):
    page = handlers.layout
    offered = degrading.kind(kind)[page.degrade_level]
    assert offered["value"] == KINDS[kind].default
    assert offered["info"].startswith(f"{KINDS[kind].level}: ")
    degrading.apply(kind, offered["value"], 0, handlers.request)
    assert session.original is IMAGE


def test_mistakes_change_nothing(degrading, session, handlers):
    for level, seed, said in (
        (None, 0, "Give the level, σ: 0 to 0.5"),
        (9, 0, "σ=9"),
        (0.1, -1, "seed is -1"),
    ):
        with pytest.raises(ParameterError, match=said):
            degrading.apply("gaussian", level, seed, handlers.request)
    assert session.image is IMAGE
    assert session.truth is None


def test_without_an_image_it_says_to_open_one(degrading, handlers):
    with pytest.raises(ImageReadError, match="Open an image first"):
        degrading.apply("gaussian", 0.1, 0, handlers.request)
