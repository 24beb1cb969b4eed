"""Figures: the right numbers, complete files, legible with many methods and readers."""

from __future__ import annotations

import io
import re
import zipfile
from dataclasses import replace
from xml.etree import ElementTree

import numpy as np
import pytest
from PIL import Image

from study.analysis import Analysis, Dataset, analyse
from study.domain.formatting import decimal
from study.domain.inference import Hypothesis
from study.report import document, export, plots, render
from study.report.cells import limits
from study.report.figure_files import CAPTIONS, figure_files
from study.report.plots.canvas import WIDTH
from study.report.plots.differences import MOST, merged
from study.report.plots.readers import DOTS, block_means
from tests.support.simulated_datasets import SMALL, dataset, unblind

MANY = {f"M{n}": 2.6 + 0.1 * n for n in range(1, 9)}
NAMES = {mask: f"Method with a long name {mask}" for mask in MANY}


@pytest.fixture(scope="module")
def many() -> Dataset:
    """Eight methods against a control, twelve readers."""
    protocol = SMALL.with_(
        readers=12, control="M1", questions=SMALL.questions[:1] + SMALL.questions[-1:],
        primary_pair=("M8", "M1"), hypothesis=Hypothesis.NON_INFERIORITY, margin=0.5,
    )  # fmt: skip
    made = dataset(protocol, cases=6, strengths=MANY)
    return unblind(made, NAMES, dict.fromkeys(MANY, "filter"))


@pytest.fixture(scope="module")
def analysis(many: Dataset) -> Analysis:
    return analyse(many, resamples=60)


@pytest.fixture(scope="module")
def drawn(many: Dataset, analysis: Analysis) -> dict[str, str]:
    """The text of the SVG of each figure, without markup."""
    return {one.plot.name: text(one.plot.svg()) for one in document(many, analysis).figures}


def text(svg: str) -> str:
    words = ElementTree.fromstring(svg).iter("{http://www.w3.org/2000/svg}text")
    return " | ".join("".join(one.itertext()) for one in words)


def test_every_kind_of_figure_is_there(drawn: dict[str, str]) -> None:
    assert set(drawn) == {
        "primary", "likert-quality", "pairs-quality", "kappas-quality", "slopes-quality",
        "means-quality", "forest-quality", "vgc-quality", "preferences", "strengths",
        "repeats-quality", "drift-quality",
    }  # fmt: skip


def test_forests_show_the_estimates_of_the_analysis(
    analysis: Analysis, drawn: dict[str, str]
) -> None:
    compared = analysis.criteria[0].comparison.comparisons
    assert compared is not None
    assert len(compared.pairs) == 7
    for pair in compared.pairs:
        one = pair.inference.difference
        assert f"{pair.first} − {pair.second}" in drawn["forest-quality"]
        assert f"{decimal(one.value)} ({limits(one)})" in drawn["forest-quality"]
    assert analysis.preferences is not None
    assert analysis.preferences.strengths is not None
    for strength in analysis.preferences.strengths.strengths:
        if strength.name != analysis.preferences.strengths.reference:
            assert strength.value is not None
            ends = limits(strength.bootstrap or strength)
            assert ends
            assert f"{decimal(strength.value)} ({ends})" in drawn["strengths"]
    assert analysis.primary is not None
    assert decimal(analysis.primary.estimate.value) in drawn["primary"]


def test_vgc_areas_are_in_the_legend(analysis: Analysis, drawn: dict[str, str]) -> None:
    found = analysis.criteria[0].vgc
    assert found is not None
    assert found.reference == "M1"
    assert len(found.areas) == 7
    for one in found.areas:
        assert f"{decimal(one.area.value)} ({limits(one.area)})" in drawn["vgc-quality"]


def test_every_cell_of_the_heat_maps_has_its_number(
    many: Dataset, analysis: Analysis, drawn: dict[str, str]
) -> None:
    pairwise = analysis.criteria[0].agreement[-1].pairwise
    assert pairwise is not None
    shown = drawn["pairs-quality"].split(" | ")
    for pair in pairwise.pairs:
        assert shown.count(decimal(pair.kappa.value)) >= 2
    assert sum(bool(re.fullmatch(r"−?\d\.\d\d|–", one)) for one in shown) == 12 * 11
    kappas = drawn["kappas-quality"].split(" | ")
    assert sum(bool(re.fullmatch(r"−?\d\.\d\d|–", one)) for one in kappas) == 12 * 9
    of_first = [
        one.value for one in many.observations
        if (one.reader, one.method, one.question) == ("R01", "M1", "quality")
        and one.role == "main" and one.value is not None
    ]  # fmt: skip
    means = drawn["means-quality"].split(" | ")
    assert sum(bool(re.fullmatch(r"\d\.\d\d|–", one)) for one in means) == 12 * 8
    assert of_first


def test_many_methods_are_pairs_of_codes_with_their_names_below(
    many: Dataset, analysis: Analysis
) -> None:
    html = render(many, analysis)
    assert "M2 − M1" in html
    assert "M1: Method with a long name M1; M2: Method with a long name M2" in html


def test_each_figure_is_an_svg_file_and_a_png_of_300_dots_per_inch() -> None:
    # One question has a figure of every kind.
    small = dataset(SMALL.with_(questions=SMALL.questions[:1] + SMALL.questions[-1:]), cases=2)
    found = analyse(small, resamples=0)
    figures = document(small, found).figures
    files = {one.name: one.content for one in figure_files(figures)}
    names = {one.plot.name for one in figures}
    assert set(files) == {CAPTIONS} | {f"{one}.{form}" for one in names for form in ("svg", "png")}
    for name in names:
        svg = files[f"{name}.svg"].decode()
        assert ElementTree.fromstring(svg).attrib["width"] == f"{WIDTH * 72:g}pt"
        assert "var(" not in svg
        with Image.open(io.BytesIO(files[f"{name}.png"])) as picture:
            assert picture.width == round(WIDTH * 300)
            assert picture.info["dpi"] == pytest.approx((300, 300), abs=0.1)
            assert picture.convert("RGB").getpixel((0, 0)) == (255, 255, 255)
        assert f", {name}: " in files[CAPTIONS].decode()
    bundle = export.zipped(figure_files(figures[:2]))
    assert bundle == export.zipped(figure_files(document(small, found).figures[:2]))
    assert set(zipfile.ZipFile(io.BytesIO(bundle)).namelist()) == {
        CAPTIONS, *(f"{one.plot.name}.{form}" for one in figures[:2] for form in ("svg", "png"))
    }  # fmt: skip


def test_names_of_figures_differ_whatever_the_questions_are_called(many: Dataset) -> None:
    odd = replace(many.protocol.questions[0], code="strengths")
    seen = tuple(
        one._replace(question="strengths") if one.question == "quality" else one
        for one in many.observations
    )
    changed = replace(
        many, protocol=many.protocol.with_(questions=(odd, many.protocol.questions[1])),
        observations=seen,
    )  # fmt: skip
    found = document(changed, analyse(changed, resamples=0))
    names = [one.plot.name for one in found.figures]
    assert len(set(names)) == len(names)


def test_dots_are_merged_only_where_there_are_many() -> None:
    rng = np.random.default_rng(1)
    few = rng.integers(5, size=(60, 2)).astype(float)
    x, y, counts = merged(few[:, 0], few[:, 1])
    assert counts.sum() == 60
    assert {*zip(x.tolist(), y.tolist(), strict=True)} == {*map(tuple, few.tolist())}
    many_dots = rng.normal(size=(5000, 2))
    x, y, counts = merged(many_dots[:, 0], many_dots[:, 1])
    assert len(x) <= MOST
    assert counts.sum() == 5000
    assert np.average(y, weights=counts) == pytest.approx(many_dots[:, 1].mean(), abs=0.05)


def test_drift_has_at_most_so_many_dots_with_the_mean_of_all() -> None:
    places = np.arange(3000.0)
    at, scores = block_means(places, np.sin(places))
    assert len(at) <= DOTS
    assert scores.mean() == pytest.approx(np.sin(places).mean(), abs=1e-9)
    few = block_means(places[:7], places[:7])
    assert few[1].tolist() == places[:7].tolist()


def test_a_curve_of_many_corners_is_drawn_with_few() -> None:
    at = np.linspace(0, 1, 50_000)
    curve = plots.AreaCurve("M1", at, np.sqrt(at), "0.67")
    svg = plots.area_curves([curve], ("x", "y"), "roc", "Area").svg()
    assert len(svg) < 40_000
    assert "0.67" in text(svg)


def test_an_interval_far_out_does_not_hide_the_others() -> None:
    rows = [
        plots.ForestRow("a", 0.5, 0.2, 0.8, "a"), plots.ForestRow("b", 0.1, -40.0, 40.0, "b"),
        plots.ForestRow("c", None, None, None, "–"),
    ]  # fmt: skip
    svg = plots.forest(rows, "Difference", "x").svg()
    shown = text(svg).replace("−", "-").split(" | ")
    ticks = [float(one) for one in shown if re.fullmatch(r"-?\d+\.?\d*", one)]
    assert max(map(abs, ticks)) <= 2
    assert " undefined" in text(svg)
