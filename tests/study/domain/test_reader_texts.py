"""Texts of the readers' pages: complete in every language, used, and checked when changed."""

from __future__ import annotations

import re

import pytest

from enhancers.asset_files import ASSETS
from study.domain.errors import ProtocolError
from study.domain.protocol import Protocol
from study.domain.protocol_json import from_json
from study.domain.reader_texts import ENGLISH, languages, reader_texts, shipped_texts

FIELD = re.compile(r"\{\w+\}")
PLURAL = re.compile(r"\.(one|few|other)$")


def used() -> tuple[set[str], set[str]]:
    """Names of texts in the scripts, templates and modules of the pages, and the variable ones."""
    root = ASSETS.parent
    files = [
        *ASSETS.glob("reader*.js"),
        *(root / "study" / "web" / "templates").glob("*.html"),
        *(root / "study").rglob("*.py"),
    ]
    code = "\n".join(path.read_text(encoding="utf-8") for path in files)
    literal = set(re.findall(r"""["`]([a-z_]+\.[a-z_.]+)["`]""", code))
    variable = set(re.findall(r"""[`"]([a-z]+\.)[${]""", code))
    return literal, variable


def test_english_and_german_are_shipped():
    assert languages()[:2] == (ENGLISH, "de")


@pytest.mark.parametrize("language", languages())
def test_every_language_has_the_texts_of_the_english_pages(language):
    english, texts = shipped_texts(ENGLISH), shipped_texts(language)
    assert set(texts) == set(english)
    for name, text in texts.items():
        assert sorted(FIELD.findall(text)) == sorted(FIELD.findall(english[name])), name
        assert text.strip()


def test_every_text_of_the_pages_exists_and_none_is_left_over():
    literal, variable = used()
    every = set(shipped_texts(ENGLISH))
    shown = ("single.", "ranking.")
    names = {name for name in every if not name.startswith(shown)}
    for prefix in shown:
        own = {name.removeprefix(prefix) for name in every if name.startswith(prefix)}
        assert own
        assert own < names
    rooms = {name.partition(".")[0] for name in names}
    bases = {PLURAL.sub("", name) for name in names}
    literal = {PLURAL.sub("", name) for name in literal if not name.endswith(".html")}
    asked = {name for name in literal if name.partition(".")[0] in rooms}
    assert {"ready.pairs", "consent.agree", "login.used"} <= asked
    assert asked - names - bases == set()
    free = {
        PLURAL.sub("", name)
        for name in names
        if not name.startswith(tuple(variable)) and ".title" not in name
    }
    assert free - asked == set()


def test_every_error_of_the_reader_endpoints_has_a_text():
    route = ASSETS.parent / "study" / "web" / "error_route.py"
    codes = set(re.findall(r"""\d{3}, "([a-z_]+)\"""", route.read_text(encoding="utf-8")))
    assert "image_lost" in codes
    # A reader who is signed out gets the sign-in page instead.
    assert {f"error.{code}" for code in codes - {"signed_out"}} <= set(shipped_texts(ENGLISH))


def test_a_study_may_be_in_a_third_language():
    own = {"consent.agree": "J'accepte", "ready.pairs.many": "{n} paires"}
    texts = Protocol(language="fr", texts=own).reader_texts
    assert texts["consent.agree"] == "J'accepte"
    assert texts["consent.title"] == shipped_texts(ENGLISH)["consent.title"]
    assert reader_texts("de", {})["consent.agree"] == "Ich stimme zu"


@pytest.mark.parametrize(
    ("language", "texts", "problem"),
    [
        ("Deutsch", {}, "is not a code such as en"),
        ("de", {"consent.agre": "Ja"}, "'consent.agre', which no page shows"),
        ("de", {"consent.agree": " "}, "needs 1 to 1000 characters"),
        ("de", {"page.progress": "{number} von {totals}"}, "has the fields totals"),
        ("de", {"ready.pairs.several": "{n} Paare"}, "which no page shows"),
    ],
)
def test_texts_that_cannot_be_shown_are_refused(language, texts, problem):
    with pytest.raises(ProtocolError, match=problem):
        Protocol(language=language, texts=texts)


@pytest.mark.parametrize(
    ("width", "height"), [(1366, 768), (1920 / 1.5, 1080 / 1.5)], ids=["laptop", "150 %"]
)
def test_the_smallest_window_fits_a_maximised_browser(width, height):
    # Task bar 48, tabs and address bar about 130 CSS pixels.
    assert Protocol().least_width <= width
    assert Protocol().least_height <= height - 48 - 130


def test_protocols_from_before_the_texts_keep_their_digest():
    old = Protocol(title="T", least_height=600)
    assert old.digest == "bc0770e9341cc3e74c7711dcdfed48279fbb77782330f3bf733d0341989b7d47"
    german = old.with_(language="de", texts={"consent.agree": "Ja"})
    assert from_json(german.to_json()) == german
    assert german.digest != old.digest


def test_single_images_have_texts_of_their_own_in_every_language():
    assert reader_texts("en", {})["reading.next_pair"] == "Next pair"
    assert reader_texts("en", {}, "single")["reading.next_pair"] == "Next image"
    assert reader_texts("de", {}, "single")["reading.next_pair"] == "Nächstes Bild"
    french = {"reading.next_pair": "Image suivante"}
    assert reader_texts("fr", french, "single")["reading.next_pair"] == "Image suivante"
    shown = reader_texts("en", {}, "single")
    assert not any(name.startswith("single.") for name in shown)
    pages = [text for name, text in shown.items() if not name.startswith(("display.", "login."))]
    assert not any("pair" in text.split() for text in pages)
