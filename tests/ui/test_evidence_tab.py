"""The tab "How good is it?" without a browser: its texts, its pictures and their route."""

import json
import os
import re
import shlex
from html.parser import HTMLParser

import gradio as gr
import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient
from typer.testing import CliRunner

from benchmarks.cli import app as command_line
from enhancers.settings import read_settings
from enhancers.ui import build
from enhancers.ui.evidence_chapters import chapters
from enhancers.ui.evidence_files import (
    FOLDER,
    ROUTE,
    SOURCES,
    Picture,
    file_state,
    picture_path,
    picture_size,
    pictures,
)
from enhancers.ui.evidence_page import page_html
from enhancers.ui.evidence_tab import EvidencePage, router
from enhancers.ui.evidence_tables import is_number
from tests.support.evidence_folder import EVIDENCE, SVG, write_folder

KNOWN = {"plot.svg": Picture("route/plot.svg?v=1", 120, 80)}


class Elements(HTMLParser):
    """Every element of a page: its name and attributes, and all text."""

    def __init__(self, html):
        super().__init__()
        self.found, self.text = [], ""
        self.feed(html)

    def handle_starttag(self, tag, attrs):
        self.found.append((tag, dict(attrs)))

    def handle_data(self, data):
        self.text += data

    def all(self, tag):
        return [attributes for found, attributes in self.found if found == tag]


@pytest.fixture
def folder(tmp_path):
    return write_folder(tmp_path / "evidence")


def one(text):
    """A text as one chapter of the file benchmarks.md."""
    (found,) = chapters(text, "benchmarks", pictures=KNOWN, split=False)
    return found


def cells(markdown):
    """Name and class of every cell of a table."""
    found = Elements(one(markdown).html).found
    return [(tag, attributes.get("class")) for tag, attributes in found if tag in ("th", "td")]


def test_the_second_headings_are_chapters_and_the_first_has_what_is_above_it():
    found = chapters(EVIDENCE, "evidence", pictures={}, split=True)
    assert [chapter.key for chapter in found] == [
        "evidence", "evidence--denoising", "evidence--where-each-method-fails",
    ]  # fmt: skip
    assert [chapter.title for chapter in found] == [
        "What is claimed", "Denoising", "Where each method fails",
    ]  # fmt: skip
    assert '<h2 id="evidence--how-good-is-it">How good is it?</h2>' in found[0].html
    assert '<h3 id="evidence--what-is-claimed">What is claimed</h3>' in found[0].html
    assert "<h2>Denoising</h2>" in found[1].html
    assert [section.title for section in found[1].sections] == ["σ = 0.1"]
    assert f'<h3 id="{found[1].sections[0].key}">' in found[1].html


def test_another_file_is_one_chapter_with_its_second_headings_as_sections():
    found = one("# Speed\n\n## On the CPU\n\n### Small\n\n## On the `GPU`\n")
    assert (found.key, found.title) == ("benchmarks", "Speed")
    assert [section.title for section in found.sections] == ["On the CPU", "On the GPU"]
    tags = [tag for tag, _ in Elements(found.html).found if tag.startswith("h")]
    assert tags == ["h2", "h3", "h4", "h3"]


def test_headings_of_the_same_name_have_different_keys():
    sections = one("# A\n\n## Same\n\n## Same\n\n## Same 1\n").sections
    assert len({section.key for section in sections}) == 3


def test_html_of_a_file_is_text():
    found = Elements(one('<script>alert(1)</script>\n\na <img src=x onerror="b"> c').html)
    assert {tag for tag, _ in found.found} == {"p"}
    assert "<script>alert(1)</script>" in found.text
    assert 'onerror="b"' in found.text


@pytest.mark.parametrize(
    "target",
    ["javascript:alert(1)", "data:text/html,x", "vbscript:x", "../cards/n4.md", "#nowhere",
     "file:///etc/passwd", "evidence.json", "//evil.example/x", "/config"],
)  # fmt: skip
def test_links_to_anywhere_else_are_text(target):
    found = Elements(one(f"# T\n\n[words]({target})").html)
    assert found.all("a") == []
    assert "words" in found.text


@pytest.mark.parametrize(
    ("target", "key"),
    [("#on-the-cpu", "benchmarks--on-the-cpu"), ("evidence.md", "evidence"),
     ("segmentation.md#pictures", "segmentation--pictures")],
)  # fmt: skip
def test_links_within_the_evidence_lead_to_chapters(target, key):
    (link,) = Elements(one(f"# T\n\n## On the CPU\n\n[words]({target})").html).all("a")
    assert link["data-go"] == key


def test_links_to_the_web_open_apart_and_do_not_tell_where_from():
    (link,) = Elements(one("[paper](https://example.org/?a=1&b=2)").html).all("a")
    assert link == {
        "href": "https://example.org/?a=1&b=2", "target": "_blank", "rel": "noopener noreferrer",
    }  # fmt: skip


def test_a_known_picture_is_shown_lazily_at_its_size():
    found = Elements(one('![a "quoted" `plot`](plot.svg)').html)
    (image,) = found.all("img")
    assert image["src"] == "route/plot.svg?v=1"
    assert image["alt"] == 'a "quoted" plot'
    assert (image["width"], image["height"], image["loading"]) == ("120", "80", "lazy")
    assert found.all("p") == [{"class": "evidence-pictures"}]


@pytest.mark.parametrize(
    "name",
    ["absent.png", "../plot.svg", "/plot.svg", "%2e%2e/plot.svg", "https://evil.example/plot.svg",
     "data:image/png;base64,AAAA", "plot.svg?x=1", "sub/plot.svg"],
)  # fmt: skip
def test_any_other_picture_is_told_and_not_asked_for(name):
    found = Elements(one(f"![a plot]({name})").html)
    assert found.all("img") == []
    assert "a plot" in found.text


@pytest.mark.parametrize(
    "text",
    ["0", "0.906 ± 0.022", "+0.009 (-0.007 to +0.025)", "7, 1", "< 0.001", "1e-05", "0.0041 MB",
     "−0.3", "27.1 dB", "8 of 8", "1,024", "12 / 13", "50 %", "+1.21 to +1.82"],
)  # fmt: skip
def test_figures_are_numbers(text):
    assert is_number(text)


@pytest.mark.parametrize(
    "text",
    ["", "CLAHE", "DDNM 256x256", "n/a", "to", "8 MR, 8 CT", "+1.3 (33.0 against 31.7, NLM)"],
)
def test_words_are_not_numbers(text):
    assert not is_number(text)


def test_columns_of_numbers_names_of_rows_and_verdicts_are_marked():
    table = (
        "| claim | measured | verdict |\n|---|---|---|\n"
        "| one | **1.5** ± 0.1 | met |\n| two | | **MISSED** |\n| 3 | n/a | not run |\n"
    )
    assert cells(table) == [
        ("th", "short"), ("th", "number"), ("th", "short"),
        ("th", "short"), ("td", "number"), ("td", "short verdict met"),
        ("th", "short"), ("td", "number"), ("td", "short verdict missed"),
        ("th", "short"), ("td", "number"), ("td", "short verdict not-run"),
    ]  # fmt: skip


def test_one_word_makes_a_column_of_words():
    assert ("td", "number") not in cells("| a | b |\n|---|--:|\n| x | 1 |\n| y | many |\n")


def test_a_column_of_long_texts_gets_room():
    table = "| method | n |\n|---|---|\n| Hybrid (pseudo-label guided) | 8 |\n"
    assert cells(table)[0] == ("th", "words")


def test_an_arrow_stays_with_its_measure():
    html = one("| | PSNR (dB) ↑ |\n|---|---|\n| a | 1 |\n").html
    assert "PSNR (dB)\N{NO-BREAK SPACE}↑</th>" in html


def test_a_table_is_named_by_its_heading_and_can_be_scrolled_by_keyboard():
    found = Elements(one("# T\n\n## Speed & memory\n\n| a |\n|---|\n| 1 |\n").html)
    (box,) = [item for item in found.all("div") if item.get("class") == "evidence-table"]
    assert (box["aria-label"], box["tabindex"]) == ("Table: Speed & memory", "0")


def test_the_page_lists_every_chapter_and_shows_the_first(folder):
    found = Elements(page_html(folder))
    articles = found.all("article")
    keys = [item["id"] for item in articles]
    assert keys == [
        "evidence", "evidence--denoising", "evidence--where-each-method-fails", "segmentation",
        "ingredients", "reconstruction", "spine", "benchmarks",
    ]  # fmt: skip
    assert [item.get("hidden") for item in articles] == [None] + ["until-found"] * 7
    assert [item["value"] for item in found.all("option")] == keys
    assert [item["data-chapter"] for item in found.all("li") if "data-chapter" in item] == keys
    ids = [attributes["id"] for _, attributes in found.found if "id" in attributes]
    assert len(ids) == len(set(ids))
    led = {attributes["data-go"] for _, attributes in found.found if "data-go" in attributes}
    assert led <= set(ids)


def test_what_is_missing_says_which_command_writes_it(tmp_path):
    text = Elements(page_html(tmp_path / "nowhere")).text
    for source in SOURCES:
        assert source.command in text
    assert text.count("This has not been measured on this machine yet.") == len(SOURCES)


@pytest.mark.parametrize("source", SOURCES, ids=lambda source: source.name)
def test_the_commands_that_are_told_exist(source):
    words = shlex.split(source.command.removeprefix("python -m benchmarks "))
    options = [word for word in words if word.startswith("--")]
    name = words[: words.index(options[0])]
    told = CliRunner().invoke(command_line, [*name, "--help"])
    assert told.exit_code == 0, told.output
    for option in options:
        assert option in told.output


def test_a_file_that_cannot_be_read_or_is_empty_is_told(folder):
    (folder / "evidence.md").write_bytes(b"\xff\xfe\x00")
    (folder / "benchmarks.md").write_text("")
    text = Elements(page_html(folder)).text
    assert "evidence.md cannot be read (UnicodeDecodeError)" in text
    assert "benchmarks.md is empty" in text


def test_the_projects_own_evidence_is_whole():
    html = page_html(FOLDER)
    assert "evidence-absent" not in html
    sources = [item["src"] for item in Elements(html).all("img")]
    shown = {source.removeprefix(ROUTE).partition("?")[0] for source in sources}
    assert shown
    assert all(picture_path(FOLDER, name) for name in shown)


def test_the_content_comes_when_the_tab_is_opened_and_again_when_files_change(folder):
    evidence = EvidencePage(folder)
    html, state = evidence.show("")
    assert "Does it help against noise?" in html
    assert evidence.show(state) == (gr.skip(), gr.skip())
    text = (folder / "evidence.md").read_text()
    (folder / "evidence.md").write_text(text.replace("Does it help", "Did it ever help"))
    changed, later = evidence.show(state)
    assert later != state
    assert "Did it ever help" in changed


def test_an_empty_folder_is_shown_too(tmp_path):
    html, state = EvidencePage(tmp_path).show("")
    assert "benchmarks evidence" in Elements(html).text
    assert state != ""


def test_the_first_page_carries_none_of_it(folder, tmp_path, monkeypatch):
    monkeypatch.setenv("READINGROOM_CACHE_DIR", str(tmp_path))
    page = build(read_settings(), evidence=folder)
    config = json.dumps(page.blocks.get_config_file(), default=str)
    assert "Loading the evidence" in config
    assert "Does it help against noise?" not in config
    assert isinstance(page.blocks, gr.Blocks)


@pytest.fixture
def client(folder):
    app = FastAPI()
    app.include_router(router(folder))
    return TestClient(app)


@pytest.mark.parametrize(
    ("name", "kind"), [("differences.svg", "image/svg+xml"), ("worst.png", "image/png")]
)
def test_a_picture_is_served_with_its_type_and_may_do_nothing(client, folder, name, kind):
    answer = client.get(f"/{ROUTE}{name}")
    assert answer.content == (folder / name).read_bytes()
    assert answer.headers["content-type"] == kind
    assert answer.headers["x-content-type-options"] == "nosniff"
    policy = answer.headers["content-security-policy"].split("; ")
    assert {"default-src 'none'", "sandbox"} <= set(policy)
    assert not any(part.startswith("script-src") for part in policy)


def test_a_browser_keeps_a_picture_as_long_as_its_file_is_the_same(client, folder):
    (source,) = re.findall(rf'img src="({ROUTE}worst\.png[^"]*)"', page_html(folder))
    assert "immutable" in client.get("/" + source).headers["cache-control"]
    os.utime(folder / "worst.png", ns=(1, 1))
    assert client.get("/" + source).headers["cache-control"] == "no-cache"
    assert source not in page_html(folder)
    assert client.get(f"/{ROUTE}worst.png").headers["cache-control"] == "no-cache"


@pytest.mark.parametrize(
    "name",
    ["evidence.md", "evidence.json", "absent.png", ".hidden.png", "..", "../secret.png",
     "..%2fsecret.png", "%2e%2e%2fsecret.png", "..\\secret.png", "sub/inner.png", "sub%2finner.png",
     "worst.png%00", "worst.png%0a", "worst.png/", "worst.png.", "WORST.PNG", "link.png",
     "folder.png", "%2fetc%2fpasswd", "-x.png", "a b.png"],
)  # fmt: skip
def test_no_other_file_is_served(client, folder, name):
    secret = folder.parent / "secret.png"
    (folder / "sub").mkdir()
    (folder / "folder.png").mkdir()
    for path in (secret, folder / "sub" / "inner.png", folder / ".hidden.png", folder / "a b.png"):
        path.write_bytes(b"secret")
    (folder / "-x.png").write_bytes(b"secret")
    (folder / "link.png").symlink_to(secret)
    answer = client.get(f"/{ROUTE}{name}", follow_redirects=False)
    assert answer.status_code in (404, 307)
    assert b"secret" not in answer.content
    assert picture_path(folder, name) is None
    assert set(pictures(folder)) == {"differences.svg", "worst.png"}


def test_sizes_are_read_from_the_heads_of_pictures(folder, tmp_path):
    assert picture_size(folder / "worst.png") == (56, 40)
    assert picture_size(folder / "differences.svg") == (120, 80)
    bare = tmp_path / "bare.svg"
    bare.write_text(SVG.replace('width="90pt" height="60pt" ', ""))
    assert picture_size(bare) == (0, 0)
    bare.write_bytes(b"\x89PNG")
    assert picture_size(bare) == (0, 0)
    assert picture_size(tmp_path / "absent.png") == (0, 0)
    assert file_state(tmp_path / "absent.png") == "gone"
