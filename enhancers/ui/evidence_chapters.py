"""Markdown files of the evidence as chapters of HTML; HTML in a file is shown as text."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

from enhancers.ui.evidence_files import Picture
from enhancers.ui.evidence_markup import mark_code, mark_links, mark_pictures, plain_text
from enhancers.ui.evidence_tables import mark_tables

if TYPE_CHECKING:
    from markdown_it.token import Token


@dataclass(frozen=True)
class Section:
    """A heading within a chapter; ``key`` is the id of its element."""

    key: str
    title: str


@dataclass(frozen=True)
class Chapter:
    """A part of a file that is shown by itself.

    Parameters
    ----------
    key : str
        Id of its element, unique over the files.
    title : str
        Short enough for a list.
    sections : tuple of Section
    html : str
        Safe to insert: HTML in the file became text.
    """

    key: str
    title: str
    sections: tuple[Section, ...]
    html: str


def chapters(
    text: str, stem: str, *, pictures: Mapping[str, Picture], split: bool
) -> tuple[Chapter, ...]:
    """The chapters of a file.

    Parameters
    ----------
    text : str
        CommonMark with tables.
    stem : str
        Name of the file without its extension; keys begin with it.
    pictures : mapping of str to Picture
        By file name; an image of any other name is reported as missing.
    split : bool
        Whether each heading of the second level begins a chapter, the first one together with
        what is above it; else the file is one chapter.
    """
    from markdown_it import MarkdownIt

    parser = MarkdownIt("commonmark", {"html": False}).enable("table")
    # An arrow that says which way is better stays with its metric.
    tokens = parser.parse(re.sub(" (?=[↑↓])", "\N{NO-BREAK SPACE}", text))
    keys = _key_headings(tokens, stem)
    mark_links(tokens, stem, keys)
    mark_pictures(tokens, pictures)
    mark_code(tokens)
    mark_tables(tokens)
    starts = [i for i, token in enumerate(tokens) if split and _is_heading(token, "h2")]
    parts = [tokens[start:end] for start, end in pairwise([0, *starts[1:], len(tokens)])]
    found = []
    for number, part in enumerate(parts):
        if not part:
            continue
        titles = _later_chapter(part) if number else _first_chapter(part, stem, split)
        html = parser.renderer.render(part, parser.options, {})
        found.append(Chapter(*titles, html))
    return tuple(found)


def _first_chapter(
    tokens: Sequence[Token], stem: str, split: bool
) -> tuple[str, str, tuple[Section, ...]]:
    """Key, title and sections; lowers the headings below that of the page."""
    found = _headings(tokens)
    named = [heading for heading in found if split and heading.tag == "h2"] or found
    inner = [heading.section for heading in found if heading.tag == ("h3" if split else "h2")]
    for token in tokens:
        if token.type in ("heading_open", "heading_close"):
            token.tag = f"h{min(int(token.tag[1]) + 1, 6)}"
    return stem, named[0].section.title if named else stem, tuple(inner)


def _later_chapter(tokens: Sequence[Token]) -> tuple[str, str, tuple[Section, ...]]:
    """Key, title and sections of a chapter that begins with its heading."""
    found = _headings(tokens)
    # The chapter's element has this id.
    tokens[0].attrs.pop("id")
    own, inner = found[0].section, [one.section for one in found if one.tag == "h3"]
    return own.key, own.title, tuple(inner)


@dataclass(frozen=True)
class _Heading:
    tag: str
    section: Section


def _headings(tokens: Sequence[Token]) -> list[_Heading]:
    return [
        _Heading(token.tag, Section(str(token.attrGet("id")), token.meta["title"]))
        for token in tokens
        if _is_heading(token)
    ]


def _is_heading(token: Token, tag: str = "") -> bool:
    # Headings in lists and quotations have a level: they begin nothing.
    return token.type == "heading_open" and token.level == 0 and tag in ("", token.tag)


def _key_headings(tokens: Sequence[Token], stem: str) -> frozenset[str]:
    """Give every heading its title, and the id that a link to it has on GitHub."""
    keys: set[str] = set()
    for token, inline in pairwise(tokens):
        if not _is_heading(token):
            continue
        title = token.meta["title"] = plain_text(inline)
        slug = re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-")
        key, number = f"{stem}--{slug}", 0
        while key in keys:
            number += 1
            key = f"{stem}--{slug}-{number}"
        keys.add(key)
        token.attrSet("id", key)
    return frozenset(keys)
