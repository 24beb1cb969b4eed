"""What is told about the methods is what was measured: page, README, claims, pictures."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from benchmarks import code_changes
from benchmarks.code_changes import Pairs, code_of
from benchmarks.evidence import chapters, claim_text, claims, page, paths, results, write
from benchmarks.evidence.chapters import CHAPTERS
from benchmarks.evidence.claims import CLAIMS, Claim
from benchmarks.evidence.failure_cases import FAILURE_CASES
from benchmarks.evidence.measure import measured, networks, prepare
from benchmarks.evidence.results import Evidence, ImageCount, MeasuredChapter
from benchmarks.peers import install
from benchmarks.peers.methods import peers
from enhancers import registry
from enhancers.errors import ParameterError, ReadingRoomError
from enhancers.evaluation.cases import DRAWN
from enhancers.evaluation.method_text import chosen, expand, method_under_test
from enhancers.evaluation.protocols import PROTOCOLS, protocol
from enhancers.evaluation.statistics import Interval, Paired
from enhancers.evaluation.store import Measured, ResultRow
from enhancers.evaluation.summary import ALL, Comparison, SummaryLine, summarise

PICTURE = re.compile(r"!\[[^\]]+\]\(([^)]+)\)")
MOST, ALTOGETHER = 300_000, 7_200_000
"""Bytes of one picture of the evidence, and of the whole folder."""


@pytest.fixture(scope="module")
def shipped() -> Evidence:
    return results.read(paths.EVIDENCE)


def line(candidate: str, mean: float, measure: str = "psnr", condition: str = "x4") -> SummaryLine:
    return SummaryLine(
        condition, ALL, candidate, f"The {candidate}", measure, mean, 0.5, None, 8, 8, 0.0, True
    )


def compared(own: SummaryLine, rival: SummaryLine, reach: float | None) -> Comparison:
    """Both methods, whose difference over subjects lies within ``reach`` of that of their means."""
    mean = own.mean - rival.mean
    apart = Interval(mean, None, None, 0.5)
    if reach is not None:
        apart = Interval(mean, mean - reach, mean + reach, 0.5)
    paired = Paired(8, 3, apart, apart, 0.5, 4, 4)
    return Comparison(
        own.condition, own.candidate, rival.candidate, rival.label, own.measure, paired, 0.5, 0.5
    )


def evidence(
    *lines: SummaryLine,
    chapter: str = "enlarge",
    source: str = "images",
    reach: float | None = 0.0,
) -> Evidence:
    comparisons = tuple(
        compared(own, rival, reach)
        for own in lines
        for rival in lines
        if own is not rival and (own.condition, own.measure) == (rival.condition, rival.measure)
    )
    found = MeasuredChapter(
        chapter, CHAPTERS[chapter].protocol, "null_space:mean", source, "python -m x", "today",
        "a machine", (("Python", "3"),), (("pixel", "a" * 64),), (), 1, (ImageCount("mr", 8, 3),),
        lines=lines, comparisons=comparisons,
    )  # fmt: skip
    return Evidence((found,))


def ahead(found: claims.Finding) -> float:
    assert found.ahead is not None
    return found.ahead.mean


def test_the_page_and_the_readme_are_what_is_stored(shipped: Evidence) -> None:
    text = (paths.EVIDENCE / write.PAGE).read_text(encoding="utf-8")
    assert text == page.as_markdown(shipped)
    readme = paths.README.read_text(encoding="utf-8")
    assert readme == write.with_table(readme, shipped)
    assert (paths.EVIDENCE / results.NAME).read_text(encoding="utf-8") == results.as_json(shipped)


def test_every_picture_is_there_and_none_is_left_over(shipped: Evidence) -> None:
    pages = [path.read_text(encoding="utf-8") for path in paths.EVIDENCE.glob("*.md")]
    linked = {name for text in pages for name in PICTURE.findall(text)}
    there = {path.name for path in paths.EVIDENCE.iterdir() if path.suffix in (".png", ".svg")}
    assert linked == there
    assert shipped.files <= linked
    assert all((paths.EVIDENCE / name).stat().st_size <= MOST for name in shipped.files)
    assert sum(path.stat().st_size for path in paths.EVIDENCE.iterdir()) <= ALTOGETHER
    for name in shipped.files:
        with Image.open(paths.EVIDENCE / name) as picture:
            picture.verify()


def test_the_networks_told_of_are_those_that_ship_and_others_are_told(shipped: Evidence) -> None:
    assert shipped.networks == networks()
    now = {network.key: network.digest for network in shipped.networks}
    earlier = [
        chapter.key
        for chapter in shipped.chapters
        if any(now[key] != digest for key, digest in chapter.weights)
    ]
    text = page.as_markdown(shipped)
    assert text.count("**Measured with earlier weights") == len(earlier)
    claimed = [one.claim for one in claims.findings(shipped) if one.claim.chapter in earlier]
    block = claim_text.claims_block(shipped)
    assert block.count(" with earlier weights |") == len({one.sentence for one in claimed})


def test_the_page_says_which_code_is_not_what_was_measured(shipped: Evidence) -> None:
    for one in claims.CLAIMS:
        chapter = shipped.chapter(one.chapter)
        assert chapter is not None
        assert chapter.code, f"run benchmarks evidence --only {one.chapter}"
    own = evidence(line("null_space:mean", 30.0))
    [found] = own.chapters
    now = code_of(
        [
            method_under_test("bicubic"),
            method_under_test("null_space:mean"),
            method_under_test("input"),
        ],
        results.PARTS,
    )
    assert [key for key, _ in now] == [
        "bicubic",
        "null_space",
        "degradations",
        "phantoms",
        "measures",
    ]
    told = "Measured before the last change of"

    def texts(code: Pairs) -> tuple[str, str]:
        aged = Evidence((replace(found, code=code),))
        return page.as_markdown(aged), claim_text.claims_block(aged)

    assert all(told not in text for text in texts(now))
    old = {"null_space", "measures"}
    older = tuple((key, "0" * 12 if key in old else digest) for key, digest in now)
    for text in texts((*older, ("forgotten", "1" * 12))):
        assert f"{told} DDNM (null-space diffusion), the measures and forgotten." in text
    aged, short = texts(tuple((key, "0" * 12) for key, _ in now))
    assert f"{told} Bicubic, DDNM (null-space diffusion), the degradations, the ph" in aged
    assert f"{told} 5 methods and tools; the page has all." in short
    assert "It is not known which code made this." in texts(())[0]


def test_another_default_counts_as_a_change(monkeypatch: pytest.MonkeyPatch) -> None:
    methods = [method_under_test(key) for key in ("classical", "nlm", "unimie", "bicubic")]
    before = code_of(methods, results.PARTS)
    nlm = registry.get("nlm")
    softer = replace(nlm.parameter("beta"), default=1.0)
    own = tuple(softer if one.name == "beta" else one for one in nlm.parameters)
    others = tuple(one for one in registry.METHODS if one.key != "nlm")
    monkeypatch.setattr(code_changes, "METHODS", (*others, replace(nlm, parameters=own)))
    assert code_changes.changed(before, results.PARTS) == ("Classical pipeline", "Non-local means")


def test_the_claims_of_the_page_are_computed_from_the_figures(shipped: Evidence) -> None:
    text = page.as_markdown(shipped)
    block = claim_text.claims_block(shipped)
    assert len(block.splitlines()) <= 32
    for found in claims.findings(shipped):
        assert f"| {found.claim.sentence} |" in text
        assert f"| {found.claim.sentence} |" in block
        chapter = shipped.chapter(found.claim.chapter)
        assert (chapter is None) == (found.verdict == claims.NOT_RUN), found.claim.key


@pytest.mark.parametrize("place", range(len(FAILURE_CASES)))
def test_a_changed_picture_figure_changes_the_page(shipped: Evidence, place: int) -> None:
    one = shipped.failures[place]
    judged = replace(one.judged[0], after=one.judged[0].after + 0.01)
    failures = list(shipped.failures)
    failures[place] = replace(one, judged=(judged, *one.judged[1:]))
    changed = replace(shipped, failures=tuple(failures))
    assert page.as_markdown(changed) != page.as_markdown(shipped)


CHANGES: dict[str, Callable[[MeasuredChapter], MeasuredChapter]] = {
    "a mean": lambda one: replace(
        one, lines=(replace(one.lines[0], mean=one.lines[0].mean + 0.01), *one.lines[1:])
    ),
    "a spread": lambda one: replace(
        one, lines=(replace(one.lines[0], sd=(one.lines[0].sd or 0) + 0.01), *one.lines[1:])
    ),
    "a p value": lambda one: replace(
        one, comparisons=(replace(one.comparisons[0], t_test=0.876), *one.comparisons[1:])
    ),
    "a time": lambda one: replace(
        one, costs=(replace(one.costs[0], median=one.costs[0].median + 1), *one.costs[1:])
    ),
    "a command": lambda one: replace(one, command=one.command + " --limit 3"),
    "the images": lambda one: replace(one, images=(*one.images, ImageCount("ct", 1, 1))),
    "a plot": lambda one: replace(one, plots=one.plots[1:]),
    "what failed": lambda one: replace(one, failed=(*one.failed, "x4, a, b: no")),
}


@pytest.mark.parametrize("change", CHANGES)
def test_whatever_changes_in_a_chapter_changes_the_page(shipped: Evidence, change: str) -> None:
    chapter = next(one for one in shipped.chapters if one.comparisons)
    changed = shipped.with_chapter(CHANGES[change](chapter), tuple(CHAPTERS))
    assert changed != shipped
    assert page.as_markdown(changed) != page.as_markdown(shipped)


def test_a_changed_figure_of_a_claim_changes_the_readme() -> None:
    text = f"Before\n{write.BEGIN}\n{write.END}\nAfter\n"
    first = evidence(line("null_space:mean", 30.0), line("bicubic", 28.5))
    written = write.with_table(text, first)
    assert "PSNR +1.50 (+1.50 to +1.50) over The bicubic | met | 8 MR |" in written
    assert written.startswith("Before\n")
    assert written.endswith("After\n")
    assert write.with_table(written, first) == written
    changed = evidence(line("null_space:mean", 30.0), line("bicubic", 28.49))
    assert write.with_table(written, changed) != written


def test_what_is_stored_is_read_back(shipped: Evidence, tmp_path: Path) -> None:
    (tmp_path / results.NAME).write_text(results.as_json(shipped), encoding="utf-8")
    assert results.read(tmp_path) == shipped
    assert results.read(tmp_path / "nowhere") == Evidence()


@pytest.mark.parametrize(
    "text", ["", "{", "[]", '{"chapters": [{"key": "denoise"}]}', '{"chapters": 3}']
)
def test_something_else_in_its_place_is_refused_in_a_sentence(text: str, tmp_path: Path) -> None:
    (tmp_path / results.NAME).write_text(text, encoding="utf-8")
    with pytest.raises(ReadingRoomError, match=r"does not hold evidence .*; move it away"):
        results.read(tmp_path)


def test_every_protocol_is_a_chapter_and_every_chapter_can_be_run() -> None:
    assert {chapter.protocol for chapter in CHAPTERS.values()} == set(PROTOCOLS)
    for chapter in CHAPTERS.values():
        asked = protocol(chapter.protocol)
        assert chosen(asked, chapter.methods)
        assert set(chapter.compared) <= set(asked.measures)
        assert set(chapter.groups) <= set(asked.groups)
        if chapter.source == "phantoms":
            assert set(chapter.groups or asked.groups) <= {*DRAWN, "discs"}


@pytest.mark.parametrize("claim", CLAIMS, ids=lambda claim: claim.key)
def test_a_claim_is_about_what_its_chapter_measures(claim: Claim) -> None:
    chapter = CHAPTERS[claim.chapter]
    asked = protocol(chapter.protocol)
    condition = next(one for one in asked.conditions if one.key == claim.condition)
    competing = {one.key for one in (*chosen(asked, chapter.methods), *peers(chapter.peers))}
    named = [one.key for one in expand((claim.candidate, *claim.rivals))]
    assert {*named, *(one.key for one in peers(claim.peers))} <= competing
    assert all(method_under_test(key).suits(condition.task) for key in named)
    assert claim.measure in asked.measures


def test_claims_have_keys_of_their_own() -> None:
    assert len({claim.key for claim in CLAIMS}) == len(CLAIMS)


@pytest.mark.parametrize(
    ("own", "rival", "verdict"),
    [(30.0, 28.9, "met"), (30.0, 29.0, "met"), (30.0, 29.01, "MISSED"), (28.0, 29.0, "MISSED")],
)
def test_a_claim_of_a_margin(own: float, rival: float, verdict: str) -> None:
    found = of("enlarge-mean", evidence(line("null_space:mean", own), line("bicubic", rival)))
    assert found.verdict == verdict
    assert ahead(found) == pytest.approx(own - rival)


@pytest.mark.parametrize(
    ("rival", "reach", "verdict"),
    [(29.8, 0.1, "met"), (29.8, 0.3, "MISSED"), (30.2, 0.1, "MISSED"), (29.8, None, "not judged")],
)
def test_a_positive_mean_is_not_enough(rival: float, reach: float | None, verdict: str) -> None:
    lines = [
        line(key, mean, condition="rician")
        for key, mean in (
            ("pseudo_label:plain", 30.0), ("classical:plain", rival), ("input", 20.0),
            ("nlm:auto", 20.0), ("bm3d", 20.0), ("ffdnet", 20.0),
        )
    ]  # fmt: skip
    own = evidence(*lines, chapter="mr-rician", reach=reach)
    found = of("mr-rician-psnr", own)
    assert (found.verdict, found.rival) == (verdict, "The classical:plain")
    text = page.as_markdown(own)
    assert ("no difference shown" in text) == (reach == 0.3)
    block = claim_text.claims_block(own)
    if reach is None:
        assert "is stored" in text
        assert "**Not judged:** On MR with Rician noise" in text
    else:
        span = f"({ahead(found) - reach:+.2f} to {ahead(found) + reach:+.2f})"
        assert f"PSNR {ahead(found):+.2f} {span}" in block


def test_a_margin_must_lie_below_the_interval() -> None:
    lines = line("null_space:mean", 30.0), line("bicubic", 28.8)
    assert of("enlarge-mean", evidence(*lines, reach=0.1)).verdict == claims.MET
    wide = evidence(*lines, reach=0.3)
    assert of("enlarge-mean", wide).verdict == claims.MISSED
    assert "it is only 1.20 better than The bicubic, interval +0.90 to +1.50" in (
        page.as_markdown(wide)
    )


def test_the_rival_with_the_lowest_interval_decides() -> None:
    lines = [
        line(key, mean, "ssim_fitted", "under-exposure")
        for key, mean in (
            ("unimie", 0.9), ("clahe", 0.86), ("gamma", 0.87), ("retinex", 0.7), ("input", 0.8),
                ("zero_dce", 0.6),
        )
    ]  # fmt: skip
    [chapter] = evidence(*lines, chapter="illumination", reach=0.01).chapters
    wide = compared(lines[0], lines[1], 0.05)
    others = tuple(
        one for one in chapter.comparisons if (one.subject, one.rival) != ("unimie", "clahe")
    )
    found = of(
        "illumination-ssim_fitted", Evidence((replace(chapter, comparisons=(wide, *others)),))
    )
    assert (found.rival, found.verdict) == ("The clahe", claims.MISSED)


def test_slow_baselines_run_on_shrunk_images_that_share_no_rows_with_others():
    whole, small = (
        prepare(CHAPTERS[key], "phantoms", limit=1).plan.cases[0]
        for key in ("lowdose-ct", "lowdose-ct-slow")
    )
    assert whole.truth.shape == (256, 256)
    blocks = whole.truth.reshape(128, 2, 128, 2).mean((1, 3))
    assert np.allclose(small.truth, blocks, atol=1e-6)
    assert (small.group, small.subject) == (whole.group, whole.subject)
    assert small.key != whole.key


def test_what_is_claimed_of_another_method_than_the_subject_is_compared_when_measured(
    tmp_path: Path,
) -> None:
    prepared = prepare(CHAPTERS["enlarge"], "phantoms", limit=1)
    rows = [
        ResultRow(
            "x4", f"{group}-{subject}", group, f"{subject}", 0.0, key, key, key, 0,
            measured=Measured({"psnr": value + subject / 10, "ssim": 0.5, "vif": 0.3}),
        )
        for group in ("mr", "us")
        for subject in range(3)
        for key, value in (("bicubic", 28.0), ("null_space", 29.0), ("null_space:mean", 30.0))
    ]  # fmt: skip
    summary = summarise(prepared.plan.protocol, rows)
    stored = measured(prepared, rows, summary)
    found = of("enlarge-one-psnr", Evidence((stored,)))
    assert found.verdict == claims.MET
    assert ahead(found) == pytest.approx(1.0)
    text = page.as_markdown(Evidence((stored,)))
    assert "null_space:mean minus |" in text
    assert "| null_space minus |" not in text


def of(key: str, found: Evidence) -> claims.Finding:
    return next(one for one in claims.findings(found) if one.claim.key == key)


def test_not_below_allows_a_tie_and_above_does_not() -> None:
    level = evidence(
        line("null_space", 30.0), line("bicubic", 30.0), line("null_space", 0.5, "vif"),
        line("bicubic", 0.5, "vif"),
    )  # fmt: skip
    assert of("enlarge-one-psnr", level).verdict == claims.MET
    assert of("enlarge-one-vif", level).verdict == claims.MISSED


def quarter_dose(**means: float) -> Evidence:
    keys = {"nlm_1": "nlm@beta=1", "nlm_2": "nlm@beta=2", "tv": "tv@weight=0.1",
            "bm3d": "bm3d:tuned@strength=2"}  # fmt: skip
    lines = [
        line(keys.get(key, key), mean, condition="quarter-dose") for key, mean in means.items()
    ]
    return evidence(*lines, chapter="lowdose-ct")


def test_the_best_strength_of_every_rival_counts() -> None:
    found = of("lowdose-ct", quarter_dose(null_space=32.0, nlm_1=29.0, nlm_2=30.5, tv=30.0))
    assert found.rival == "The nlm@beta=2"
    assert ahead(found) == pytest.approx(1.5)
    lacking = of("lowdose-ct", quarter_dose(null_space=32.0, nlm_1=29.0))
    assert lacking.verdict == claims.NOT_RUN


def test_the_short_table_shows_each_measure_at_its_lowest_level() -> None:
    keys = ("null_space", "nlm:auto", "tv:auto", "bm3d", "denoiser")
    lines = [
        line(key, 30.0 - lead * (key != "null_space"), condition=f"gaussian-{sigma}")
        for sigma, lead in (("0.05", 2.0), ("0.1", -1.0), ("0.2", 1.5))
        for key in keys
    ]
    own = evidence(*lines, chapter="denoisers", reach=0.1)
    rows = [row for row in claim_text.claims_block(own).splitlines() if "sample of DDNM is" in row]
    [row] = [row for row in rows if "Gaussian noise" in row]
    assert "PSNR -1.00 (-1.10 to -0.90) over " in row
    assert " at σ 0.1 | **MISSED** |" in row
    assert "σ 0.05" not in row
    assert "σ 0.2" not in row
    assert "PSNR (dB) at σ 0.05 |" in page.as_markdown(own)


def test_a_claim_is_not_met_while_a_rival_of_another_package_was_not_measured() -> None:
    without = quarter_dose(null_space=32.0, nlm_1=29.0, tv=30.0)
    found = of("lowdose-ct", without)
    assert (found.verdict, found.lacking) == (claims.NOT_JUDGED, ("BM3D", "FFDNet"))
    text = page.as_markdown(without)
    assert "in PSNR BM3D and FFDNet, which may be stronger, were not measured." in text
    assert "**Not measured here: BM3D and FFDNet**" in text
    assert "`python -m benchmarks peers install` installs them." in text
    block = claim_text.claims_block(without)
    assert "over The tv@weight=0.1 (BM3D and FFDNet not measured) | not judged |" in block
    # What is missed already stays missed.
    worse = of("lowdose-ct", quarter_dose(null_space=28.0, nlm_1=29.0, tv=30.0))
    assert worse.verdict == claims.MISSED


def test_a_claim_falls_to_a_rival_of_another_package() -> None:
    found = quarter_dose(null_space=32.0, nlm_1=29.0, tv=30.0, bm3d=33.0)
    fallen = of("lowdose-ct", found)
    assert (fallen.verdict, fallen.rival) == (claims.MISSED, "The bm3d:tuned@strength=2")
    text = page.as_markdown(found)
    assert "**Not measured here: FFDNet**" in text
    assert "Rivals of other packages, told the same: BM3D, " in text
    assert "https://doi.org/10.1109/TIP.2020.3014721" in text


def test_rival_denoisers_run_where_they_are_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    said: list[str] = []
    for there in (False, True):
        monkeypatch.setattr(install, "installed", lambda there=there: there)
        prepared = prepare(CHAPTERS["denoisers"], "phantoms", limit=1, tell=said.append)
        keys = {one.key for one in prepared.plan.candidates}
        assert ({"bm3d", "bm3d:clipped", "ffdnet", "ffdnet:clipped"} <= keys) == there
        versions = dict(measured(prepared, [], summarise(prepared.plan.protocol, [])).versions)
        assert ({"bm3d", "ffdnet"} <= set(versions)) == there
    [sentence] = said
    assert "python -m benchmarks peers install" in sentence


def test_where_less_is_better_less_is_ahead() -> None:
    names = (("unimie", 90.0), ("clahe", 100.0), ("retinex", 95.0))
    lines = [line(name, mean, "loe", "under-exposure") for name, mean in names]
    found = of("illumination-loe", evidence(*lines, chapter="illumination"))
    assert (ahead(found), found.verdict, found.rival) == (5.0, claims.MET, "The retinex")


def test_a_missed_claim_is_said_plainly() -> None:
    found = evidence(line("null_space:mean", 28.0), line("bicubic", 29.0))
    text = page.as_markdown(found)
    assert "- **Missed:** Enlarged four times" in text
    assert "in PSNR it is 1.00 worse than The bicubic, interval -1.00 to -1.00." in text
    assert "| **MISSED** |" in claim_text.claims_block(found)
    near = page.as_markdown(evidence(line("null_space:mean", 29.5), line("bicubic", 29.0)))
    assert "it is only 0.50 better than The bicubic, interval" in near


def test_what_was_not_run_is_there_with_its_command() -> None:
    text = page.as_markdown(Evidence())
    for chapter in CHAPTERS.values():
        start = text.index(f"## {chapter.title}\n")
        assert "```\npython -m benchmarks evidence --only " + chapter.key in text[start:]
    assert text.count("Not run yet.") == len(CHAPTERS) + len(FAILURE_CASES)


def test_earlier_weights_are_told(shipped: Evidence) -> None:
    told = "**Measured with earlier weights"
    found = evidence(line("bicubic", 28.0), line("null_space:mean", 29.5))
    own = replace(found.chapters[0], weights=(("pixel", shipped.networks[0].digest),))
    assert shipped.networks[0].key == "pixel"
    assert told in page.as_markdown(replace(found, networks=shipped.networks))
    now = Evidence((own,), shipped.networks)
    assert told not in page.as_markdown(now)
    assert "| met |" in claim_text.claims_block(now)
    older = replace(now, chapters=(replace(own, weights=(("pixel", "0" * 64),)),))
    assert "| met with earlier weights |" in claim_text.claims_block(older)


def test_several_seeds_are_told_with_their_spread() -> None:
    several = replace(line("null_space", 29.0), seed_sd=0.25)
    [chapter] = evidence(several, line("bicubic", 28.0)).chapters
    text = page.as_markdown(Evidence((replace(chapter, seeds=3),)))
    assert "; 3 seeds of every method that samples." in text
    assert "\nStandard deviation over seeds: The null_space PSNR 0.25.\n" in text
    assert "over seeds:" not in page.as_markdown(evidence(line("null_space", 29.0)))


def test_phantoms_are_told_from_images() -> None:
    drawn = evidence(line("bicubic", 29.0), source="phantoms")
    assert "\nPhantoms: 8 MR; 1 seed of" in page.as_markdown(drawn)
    assert "| phantoms: 8 MR |" in claim_text.claims_block(drawn)
    assert "\nImages: 8 MR, of 3 subjects; 1 seed" in page.as_markdown(evidence(line("bicubic", 2)))


def test_a_method_below_the_untouched_image_is_listed() -> None:
    means = {"pinv": 29.0, "null_space": 28.0, "null_space:mean": 30.0, "bicubic": 20.0}
    lines = [line(name, mean) for name, mean in means.items()]
    text = page.as_markdown(evidence(*lines))
    listed = text[text.index("## Where each method fails") :]
    assert "| The null_space | " in listed
    assert "| 28.00 | 29.00 |" in listed
    assert "| The null_space:mean | " not in listed
    assert "| The bicubic | " not in listed


def test_every_method_has_its_failure(shipped: Evidence) -> None:
    keys = [method.key for method in registry.METHODS]
    assert sorted(scene.method for scene in FAILURE_CASES) == sorted(keys)
    assert {one.method for one in shipped.failures} == set(keys)


def test_chapters_are_chosen_by_what_there_is() -> None:
    drawn = chapters.chosen((), "")
    assert {chapter.key for chapter in drawn} == {"texture", "spine"}
    assert chapters.chosen((), "somewhere") == tuple(CHAPTERS.values())
    assert [one.key for one in chapters.chosen(("spine", "denoise"), "x")] == ["denoise", "spine"]
    assert chapters.chosen((chapters.FAILURES,), "") == ()
    with pytest.raises(ParameterError, match=r"--only dnoise is no chapter; .*denoise"):
        chapters.chosen(("dnoise",), "x")
    with pytest.raises(ParameterError, match="denoise needs images; give --data"):
        chapters.chosen(("denoise",), "")
