"""The report: complete, without names before unblinding, and the same file every time."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import replace
from html.parser import HTMLParser

import pytest

from study.analysis import Analysis, Dataset, analyse
from study.analysis.records import CommentRecord, ExclusionRecord
from study.domain.formatting import decimal, p_equals, p_value
from study.domain.inference import Hypothesis, Random
from study.domain.protocol import Protocol
from study.domain.terms import MethodKind
from study.report import render
from study.report.cells import Cell, Row, Table, share_with_interval, undefined, with_interval
from study.report.plots.canvas import Plot
from study.stats.estimate import Estimate
from tests.support.simulated_datasets import SMALL, dataset, single, unblind

NAMES = {"M1": "Median filter", "M2": "Restormer", "M3": "Guided diffusion"}
GROUPS = {"M1": "filter", "M2": "neural network", "M3": "neural network"}
EVIL = '<script>alert("x")</script>&lt;"\'><img src=x onerror=alert(1)>'


@pytest.fixture(scope="module")
def data() -> Dataset:
    plain = dataset(
        cases=5, kinds={"M3": MethodKind.REFERENCE}, read={"R04": 8}, strengths={
            "M1": 2.6, "M2": 3.2, "M3": 4.1}
    )  # fmt: skip
    left_out = ExclusionRecord(
        "case", "C002", "motion", True, "The patient moved.", "ana", "2026-03-08T09:00:00.000000Z"
    )
    withdrawn = replace(plain.readers[3], code="R05", state="withdrawn", read=0, planned=0)
    return replace(
        plain,
        exclusions=(left_out,),
        readers=(*plain.readers, withdrawn),
        protocol=plain.protocol.with_(show_original=True),
    )


@pytest.fixture(scope="module")
def analysis(data: Dataset) -> Analysis:
    return analyse(data, resamples=40)


@pytest.fixture(scope="module")
def masked(data: Dataset, analysis: Analysis) -> str:
    return render(data, analysis)


@pytest.fixture(scope="module")
def page(data: Dataset) -> str:
    """After unblinding."""
    known = unblind(data, NAMES, GROUPS)
    return render(known, analyse(known, resamples=40))


@pytest.fixture
def undrawn(monkeypatch: pytest.MonkeyPatch) -> None:
    """No figures, for what only the text says."""
    monkeypatch.setattr(Plot, "inline", lambda _: "<svg></svg>")


def test_the_unenhanced_image_beside_the_others_is_reported(masked: str) -> None:
    said = " ".join(masked.split())
    assert "unenhanced image of the case was shown beside them, labelled as such, and was" in said
    assert "labelled as such and not rated; no method under test was unprocessed." in said


def test_pairs_of_each_role_are_counted_in_words(masked: str) -> None:
    assert "For each reader: 1 training pair, 1 warm-up pair, 15 main pairs, " in masked
    assert "4 hidden repeats, 2 identical pairs." in masked


class Outline(HTMLParser):
    """Checks that elements are closed in order, and collects what tests look for."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.ids: Counter[str] = Counter()
        self.addresses: list[str] = []
        self.tags: Counter[str] = Counter()
        self.words: list[str] = []
        self.feed(html)
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags[tag] += 1
        for name, value in attrs:
            assert not name.startswith("on"), name
            if name == "id":
                self.ids[str(value)] += 1
            if name in ("href", "src", "xlink:href"):
                self.addresses.append(str(value))
        if tag not in {"meta", "br"}:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        self.open.pop()

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if not self.open or self.open[-1] != "style":
            self.words.append(data)


def words(html: str) -> str:
    return " ".join(" ".join(Outline(html).words).split())


def test_the_file_is_well_formed_with_unique_ids(page: str) -> None:
    outline = Outline(page)
    assert [name for name, count in outline.ids.items() if count > 1] == []
    assert outline.tags["svg"] == 2 * 7 + 3
    assert outline.tags["script"] == 0


def test_the_file_needs_nothing_else(page: str) -> None:
    outline = Outline(page)
    ids = set(outline.ids)
    assert outline.addresses
    for address in outline.addresses:
        assert address.startswith("#")
        assert address[1:] in ids
    assert all(target in ids for target in re.findall(r"url\(#([^)]+)\)", page))
    assert "@import" not in page
    assert not re.search(r"url\((?!#)", page)


def test_the_contents_name_the_headings_of_their_sections(page: str) -> None:
    links = re.findall(r'<li><a href="#([^"]+)">([^<]+)</a>', page)
    headings = re.findall(r'<section id="([^"]+)">\s*<h2>([^<]+)', page)
    assert len(links) == len(headings) == 14
    for (target, link), (section, heading) in zip(links, headings, strict=True):
        assert target == section
        assert heading.startswith(link)


def test_the_same_data_give_the_same_bytes(data: Dataset, analysis: Analysis, masked: str) -> None:
    assert render(data, analysis) == masked
    again = replace(data, observations=tuple(reversed(data.observations)))
    assert render(again, analyse(again, resamples=40)) == masked


def test_no_time_is_in_it_but_the_recorded_ones(masked: str) -> None:
    recorded = {"2026-02-27 16:30", "2026-03-01 07:00", "2026-03-08 18:00", "2026-03-08 09:00"}
    found = set(re.findall(r"\d{4}-\d\d-\d\d \d\d:\d\d", masked))
    assert found <= recorded
    assert "2026-02-27 16:30" in found


def test_masks_before_unblinding_and_names_after(masked: str, page: str) -> None:
    assert not any(name in masked for name in (*NAMES.values(), "neural network of"))
    assert "Methods masked" in masked
    shown = words(page)
    assert all(f"{mask} {name}" in shown for mask, name in NAMES.items())
    assert "Unblinded: methods named" in shown
    assert "Bang’s index" in shown
    assert "computed after unblinding" in words(masked)


@pytest.mark.parametrize(
    "expected",
    [
        "4 readers", "5 cases of 3 patients", "Fleiss’ κ", "SE (Gwet)", "Gwet’s AC1",
        "Krippendorff’s α, ordinal", "ICC(A,1)", "MDC95", "Bonferroni", "Holm",
        "Family: all 3 pairs of 3 methods; divisor 3; α = 0.05",
        "Bonferroni’s limit for one p is 0.0167", "Friedman: χ²(2)", "hidden reference",
        "Missing: cannot judge", "Missing: not read", "Median (quartiles)",
        "Hidden repeats", "Identical pairs", "Change of the score from a reader’s first main pair",
        "Sides in the main pairs that were read", "The patient moved.", "motion",
        "Withdrew consent: R05", "in no analysis and in no export", "1 comment written",
        "Bradley–Terry", "The patient", "seed", "Not a medical device", "GRRAS",
    ],
)  # fmt: skip
def test_everything_that_belongs_in_a_supplement_is_there(masked: str, expected: str) -> None:
    assert expected in words(masked)


def test_hashes_seed_and_versions_are_printed(
    data: Dataset, analysis: Analysis, masked: str
) -> None:
    study = data.study
    for value in (
        study.protocol_sha256, study.plan_sha256, study.seed_sha256, study.key_sha256,
        analysis.data_sha256, f"seed {analysis.options.seed}, 40 samples", "numpy",
    ):  # fmt: skip
        assert value in masked


def test_numbers_of_the_analysis_are_in_the_tables(analysis: Analysis, masked: str) -> None:
    shown = words(masked)
    for result in analysis.criteria:
        for one in result.agreement:
            assert one.fleiss.value is not None
            ends, naive = one.fleiss.bootstrap, one.fleiss
            assert ends is not None
            assert ends.low is not None
            assert ends.low != pytest.approx(naive.low)
            own = f"({decimal(ends.low)} to {decimal(ends.high)})"
            assert f"{decimal(naive.value)} {own}" in shown
            gwet = f"{decimal(naive.se, 3)} {decimal(naive.low)} to {decimal(naive.high)}"
            assert gwet in shown
        for pair in result.comparison.comparisons.pairs if result.comparison.comparisons else ():
            found = pair.inference
            ends = f"({decimal(found.difference.low)} to {decimal(found.difference.high)})"
            expected = f"{decimal(found.difference.value)} {ends} {p_value(found.test.p)}"
            assert f"{found.patients} × {found.readers} {expected}" in shown


@pytest.mark.usefixtures("undrawn")
def test_the_primary_comparison_stands_first(data: Dataset) -> None:
    protocol = data.protocol.with_(
        primary_pair=("M3", "M1"), hypothesis=Hypothesis.NON_INFERIORITY, margin=0.5
    )
    declared = replace(data, protocol=protocol)
    found = analyse(declared, resamples=20)
    html = render(declared, found)
    shown = words(html)
    assert html.index('<section id="primary">') < html.index('<section id="summary">')
    assert "Declared before the first rating: that M3 is not inferior to M1" in shown
    assert found.primary is not None
    verdict = "It is shown." if found.primary.outcome.shown else "It is not shown."
    assert f"the value below is above −0.50. {verdict}" in shown
    value, test = found.primary.estimate, found.primary.outcome.test
    ends = f"{decimal(value.low)} to {decimal(value.high)}"
    assert f"{decimal(value.value)} (95% interval {ends})" in shown
    assert f"p {p_equals(test.p or 0)}, one-sided, compared with 0.025" in shown
    assert "of M3 and M1 in Overall image quality (non-inferiority, margin 0.5 points;" in shown
    assert "M3 − M1, quality: non-inferiority, margin 0.5." in shown
    assert "3 patients are few" in shown
    assert "4 readers are few" in shown


def test_without_a_primary_comparison_everything_is_secondary(masked: str) -> None:
    shown = words(masked)
    assert "No primary comparison was declared before the first rating" in shown
    assert "No primary comparison was declared; all results are secondary." in shown


@pytest.mark.usefixtures("undrawn")
def test_what_is_random_is_in_tables_and_text(data: Dataset) -> None:
    fixed = replace(data, protocol=data.protocol.with_(random=Random.CASES))
    shown = words(render(fixed, analyse(fixed, resamples=20)))
    assert "Results are for random patients and exactly these readers" in shown
    assert "for random patients (Obuchowski–Rockette)" in shown
    assert "readers and patients" not in shown.lower()


def test_readers_and_coordinators_text_is_text(data: Dataset) -> None:
    protocol = data.protocol.with_(
        title=EVIL, instructions=EVIL, consent=EVIL, notes=EVIL,
        questions=tuple(
            replace(question, text=EVIL, anchors=(EVIL, "b", "c", "d", "e"))
            if question.code == "quality" else question
            for question in data.protocol.questions
        ),
    )  # fmt: skip
    evil = replace(
        data,
        protocol=protocol,
        study=replace(data.study, code=EVIL),
        readers=tuple(replace(one, specialty=EVIL) for one in data.readers),
        comments=(CommentRecord("R01", "R01-1-001", EVIL, ""),),
        exclusions=(replace(data.exclusions[0], reason=EVIL, rule=EVIL, decided_by=EVIL),),
    )
    known = unblind(evil, dict.fromkeys(NAMES, EVIL), GROUPS)
    html = render(known, analyse(known, resamples=20))
    outline = Outline(html)
    assert outline.tags["script"] == outline.tags["img"] == 0
    assert EVIL in "".join(outline.words)


def test_control_characters_and_broken_text_do_not_break_the_file(data: Dataset) -> None:
    odd = replace(data, protocol=data.protocol.with_(title="ab\x1b[31m $x^2$ \u202e אב 图像"))
    known = unblind(odd, {**NAMES, "M1": "$\\frac{$ \x07 \x00 \ud800 _"}, GROUPS)
    html = render(known, analyse(known, resamples=20))
    html.encode("utf-8")
    assert "\x00" not in html
    assert "\x1b" not in html
    assert "$x^2$" in html


def test_undefined_values_say_why() -> None:
    constant = single([[4, 4, 4]] * 4)
    shown = words(render(constant, analyse(constant, resamples=20)))
    assert "undefined a" in shown
    assert "No variation: all ratings are in one category." in shown
    assert not re.search(r"\bnan\b", shown.lower())
    assert "None" not in shown


def test_a_study_nobody_read_has_a_report() -> None:
    empty = dataset(cases=3, read={f"R{n:02d}": 0 for n in range(1, 5)})
    shown = words(render(empty, analyse(empty, resamples=20)))
    assert "Undefined: there are no ratings." in shown
    assert "No identical pair was read." in shown


def test_a_bare_study_has_a_report() -> None:
    bare = dataset(
        Protocol(
            readers=1, training=0, dummies=0, repeats=0, nulls=0, ask_blinding=False,
            questions=SMALL.questions[:1],
        ),
        cases=2,
        strengths={"M1": 2.0, "M2": 4.0},
    )  # fmt: skip
    shown = words(render(bare, analyse(bare, resamples=20)))
    assert "Readers were not asked how the images were made." in shown
    assert "No hidden repeat was read." in shown
    assert "Which image do you prefer?" not in shown


@pytest.mark.usefixtures("undrawn")
def test_demonstrations_and_simulated_readers_are_labelled(data: Dataset) -> None:
    demo = replace(
        data,
        protocol=data.protocol.with_(demo=True),
        readers=tuple(replace(one, simulated=place > 0) for place, one in enumerate(data.readers)),
    )
    shown = words(render(demo, analyse(demo, resamples=20)))
    assert "Demonstration, not a study" in shown
    assert "4 of 5 readers simulated" in shown
    assert "R02 (simulated)" in shown


def test_equal_reasons_share_a_footnote() -> None:
    rows: list[Row] = [("x", undefined("one"), undefined("other")), ("y", undefined("one"), "1")]
    table = Table("t", ("a", "b", "c"), rows)
    assert table.notes == [("a", "One."), ("b", "Other.")]
    assert (table.letter("one"), table.letter("other")) == ("a", "b")


def test_a_value_without_an_interval_says_why() -> None:
    bare = Estimate("x", 0.5, "m", 3, reason="no interval is computed")
    assert with_interval(bare) == Cell("0.50", note="no interval is computed")
    full = replace(bare, low=0.25, high=0.75, reason=None)
    assert with_interval(full) == Cell("0.50", "(0.25 to 0.75)")
    assert share_with_interval(full) == Cell("50%", "(25% to 75%)")
    assert with_interval(replace(bare, value=None)) == undefined("no interval is computed")


@pytest.mark.usefixtures("undrawn")
def test_a_long_list_of_exclusions_ends_with_a_pointer_to_the_export(data: Dataset) -> None:
    [one] = data.exclusions
    many = tuple(replace(one, target=f"X{n:04d}") for n in range(1000))
    listed = replace(data, exclusions=many)
    shown = words(render(listed, analyse(listed, resamples=0)))
    assert "X0099" in shown
    assert "X0100" not in shown
    assert "900 more rows are in exclusions.csv of the export." in shown


@pytest.mark.usefixtures("undrawn")
def test_declared_pairs_are_the_family_in_tables_and_text() -> None:
    protocol = SMALL.with_(pairs=(("M1", "M2"), ("M3", "M1")), repeats=1)
    declared = dataset(protocol, cases=3)
    shown = words(render(declared, analyse(declared, resamples=0)))
    assert shown.count("(family for each question: 2 declared pairs of methods; divisor 2;") == 1
    assert "Family: 2 declared pairs of methods; divisor 2; α = 0.05" in shown
    assert "Family: 2 pairs of methods; divisor 2. Secondary" in shown
    assert "M3 − M1" in shown
    assert "The listed pairs: M1 − M2, M3 − M1" in shown
    assert not re.search(r"M2 − M3|M3 − M2|M2 / M3|by Friedman|Friedman:", shown)


def test_pairs_without_data_are_named_and_not_printed(data: Dataset) -> None:
    kept = tuple(
        one._replace(excluded="lost") if "M3" in (one.left, one.right) else one
        for one in data.observations
    )
    without = replace(data, observations=kept)
    shown = words(render(without, analyse(without, resamples=0)))
    assert "M1 − M2" in shown
    assert "M1 − M3" not in shown
    assert "Not shown: 2 planned pairs without a case rated for both methods" in shown


@pytest.mark.parametrize("state", ["withdrawn", "excluded", "never joined"])
def test_a_study_without_a_reader_left_has_a_report(data: Dataset, state: str) -> None:
    readers = tuple(replace(one, state=state, read=0) for one in data.readers)
    gone = state != "excluded"
    kept = () if gone else tuple(one._replace(excluded="rule") for one in data.observations)
    empty = replace(data, readers=readers, observations=kept)
    shown = words(render(empty, analyse(empty, resamples=20)))
    assert "0 readers" in shown
    assert "there are no ratings" in shown
