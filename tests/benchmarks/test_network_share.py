from __future__ import annotations

from dataclasses import replace

import pytest
from typer.testing import CliRunner

from benchmarks.cli import app
from benchmarks.network_share import SETTINGS, Setting, Share, as_markdown, share
from enhancers.errors import ParameterError
from enhancers.evaluation.cases import PHANTOMS, read_cases

ONE = Share("DDNM", "mr", "mr-1", 12, 4.0, 2.0, 3.0, 0.5)


def test_distances_are_those_of_the_pixels() -> None:
    (case,) = read_cases(PHANTOMS, ("xr",), limit=1, side=64)
    found = share(Setting("nlm", ("xr",)), case, "cpu")
    assert found.calls == 0
    # It draws nothing; an affine map of the input cannot be further from it than the input.
    assert found.to_seed == 0
    assert 1 < found.to_affine <= found.to_input
    # The pipeline of an X-ray ends in its contrast step, which is off, and begins with a filter.
    assert found.to_classical != found.to_input


def test_the_pipeline_is_no_distance_from_itself() -> None:
    (case,) = read_cases(PHANTOMS, ("xr",), limit=1, side=64)
    found = share(Setting("classical", ("xr",), (("contrast", False),)), case, "cpu")
    assert found.to_classical == 0
    assert found.label == "Classical pipeline, contrast = False"


def test_a_row_has_means_and_the_least_and_the_largest() -> None:
    text = as_markdown([ONE, replace(ONE, calls=14, to_input=6.0)])
    assert "| DDNM | mr | 2 | 12 or 14 | 5.00 (4.00 to 6.00) | 2.00 (2.00 to 2.00)" in text
    assert "| DDNM | mr | 1 | 12 | 4.00 | 2.00 | 3.00 | 0.50 |" in as_markdown([ONE])


def test_every_learned_method_has_a_setting() -> None:
    from enhancers.registry import METHODS

    # What is made of several depths cannot be compared with one of them.
    learned = {one.key for one in METHODS if one.family != "classical" and not one.depths}
    assert {setting.method for setting in SETTINGS} == learned


def test_an_unknown_method_is_named() -> None:
    result = CliRunner().invoke(app, ["network-share", "--only", "nlm"])
    assert isinstance(result.exception, ParameterError)
    with pytest.raises(ParameterError, match="--only nlm is unknown; use denoiser"):
        raise result.exception
