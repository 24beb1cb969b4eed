"""A Markdown file of the evidence as chapters of HTML; nothing in it can be code."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from html import escape
from itertools import pairwise
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

from enhancers.ui.evidence_files import Picture
from enhancers.ui.evidence_tables import dress_tables

if TYPE_CHECKING:
    from markdown_it import MarkdownIt
    from markdown_it.token import Token


@dataclass(frozen=True)
class Section:
    """A heading within a chapter; ``key`` is the id of its element."""

    key: str
    title: str


@dataclass(frozen=True)
class Chapter:
    """A part of the text that is shown by itself.

    Parameters
    ----------
    key : str
        Id of its element, unique over the files.
    title : str
        Short enough for a list.
    sections : tuple of Section
    html : str
        Safe to insert: what was HTML in the file is text here.
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
        Name of the file without its ending; keys begin with it.
    pictures : mapping of str to Picture
        By file name; an image of any other name is told as missing.
    split : bool
        Whether each heading of the second level begins a chapter, the first one together with
        what is above it; else the file is one.
    """
    parser = _parser()
    # An arrow that says which way is better stays with its measure.
    tokens = parser.parse(re.sub(" (?=[↑↓])", "\N{NO-BREAK SPACE}", text))
    keys = _key_headings(tokens, stem)
    dress_tables(tokens)
    _mark_pictures(tokens)
    starts = [i for i, token in enumerate(tokens) if split and _is_heading(token, "h2")]
    edges = [0, *starts[1:], len(tokens)]
    environment = {"pictures": pictures, "stem": stem, "keys": keys}
    parts = [tokens[start:end] for start, end in pairwise(edges)]
    heads = [_first_chapter(parts[0], stem, split), *map(_later_chapter, parts[1:])]
    return tuple(
        replace(head, html=parser.renderer.render(part, parser.options, environment))
        for head, part in zip(heads, parts, strict=True)
        if part
    )


def _first_chapter(tokens: Sequence[Token], stem: str, split: bool) -> Chapter:
    """What begins the file, without its HTML; headings are lowered below that of the page."""
    found = _headings(tokens)
    named = [one for one in found if split and one.tag == "h2"] or found
    inner = [one.section for one in found if one.tag == ("h3" if split else "h2")]
    for token in tokens:
        if token.type in ("heading_open", "heading_close"):
            token.tag = f"h{min(int(token.tag[1]) + 1, 6)}"
    return Chapter(stem, named[0].section.title if named else stem, tuple(inner), "")


def _later_chapter(tokens: Sequence[Token]) -> Chapter:
    """A chapter that begins with its heading, without its HTML."""
    found = _headings(tokens)
    # The chapter's element has this id.
    tokens[0].attrs.pop("id")
    own, inner = found[0].section, [one.section for one in found if one.tag == "h3"]
    return Chapter(own.key, own.title, tuple(inner), "")


@dataclass(frozen=True)
class _Heading:
    tag: str
    section: Section


def _headings(tokens: Sequence[Token]) -> list[_Heading]:
    return [
        _Heading(token.tag, Section(str(token.attrGet("id")), _plain(inline)))
        for token, inline in pairwise(tokens)
        if _is_heading(token)
    ]


def code_html(text: str) -> str:
    """A block of code or a command, with a button that copies it."""
    return (
        f'<div class="evidence-code"><pre><code>{_words(text)}</code></pre>'
        '<button type="button" data-copy>Copy</button></div>\n'
    )


def _words(text: str) -> str:
    """Code that may break between words only: a hyphen of an option is no place for it."""
    return re.sub(r"\S+", lambda word: f'<span class="word">{escape(word[0])}</span>', text)


def _parser() -> MarkdownIt:
    from markdown_it import MarkdownIt

    parser = MarkdownIt("commonmark", {"html": False}).enable("table")
    parser.add_render_rule("image", _image)
    parser.add_render_rule("code_inline", _code)
    parser.add_render_rule("fence", _fence)
    parser.add_render_rule("link_open", _link_open)
    parser.add_render_rule("link_close", _link_close)
    parser.add_render_rule("table_open", _table_open)
    parser.add_render_rule("table_close", _table_close)
    return parser


def _is_heading(token: Token, tag: str = "") -> bool:
    # Those in lists and quotations have a level: they begin nothing.
    return token.type == "heading_open" and token.level == 0 and tag in ("", token.tag)


def _key_headings(tokens: Sequence[Token], stem: str) -> frozenset[str]:
    """Give every heading the id that a link to it has on GitHub, after the file's name."""
    keys: set[str] = set()
    for token, inline in pairwise(tokens):
        if not _is_heading(token):
            continue
        slug = re.sub(r"[^\w\- ]", "", _plain(inline).lower()).replace(" ", "-")
        key, number = f"{stem}--{slug}", 0
        while key in keys:
            number += 1
            key = f"{stem}--{slug}-{number}"
        keys.add(key)
        token.attrSet("id", key)
    return frozenset(keys)


def _plain(inline: Token) -> str:
    children = inline.children or []
    return "".join(
        " " if child.type in ("softbreak", "hardbreak") else child.content for child in children
    ).strip()


def _mark_pictures(tokens: Sequence[Token]) -> None:
    """Paragraphs of pictures alone are laid out side by side where there is room."""
    for opening, inline in pairwise(tokens):
        if opening.type == "paragraph_open" and inline.children:
            kinds = {child.type for child in inline.children}
            if "image" in kinds and kinds <= {"image", "softbreak"}:
                opening.attrJoin("class", "evidence-pictures")


def _image(
    renderer: Any, tokens: Sequence[Token], index: int, options: Any, env: dict[str, Any]
) -> str:
    name = unquote(str(tokens[index].attrGet("src") or ""))
    label = escape(_plain(tokens[index]) or tokens[index].content)
    picture = env["pictures"].get(name)
    if picture is None:
        return f'<span class="evidence-absent">Picture not here: {escape(name)} ({label})</span>'
    # With its size known the text below does not jump when the picture arrives.
    size = f' width="{picture.width}" height="{picture.height}"' if picture.width else ""
    address = escape(picture.address)
    return (
        f'<a class="evidence-picture" href="{address}" target="_blank" rel="noopener" '
        f'title="Open by itself"><img src="{address}" alt="{label}"{size} loading="lazy" '
        'decoding="async"></a>'
    )


def _code(
    renderer: Any, tokens: Sequence[Token], index: int, options: Any, env: dict[str, Any]
) -> str:
    return f"<code>{_words(tokens[index].content)}</code>"


def _fence(
    renderer: Any, tokens: Sequence[Token], index: int, options: Any, env: dict[str, Any]
) -> str:
    return code_html(tokens[index].content)


def _link_open(
    renderer: Any, tokens: Sequence[Token], index: int, options: Any, env: dict[str, Any]
) -> str:
    """Links lead to other chapters or, in a new tab, to the web; any other is text."""
    target = str(tokens[index].attrGet("href") or "")
    closing = next(token for token in tokens[index:] if token.type == "link_close")
    closing.meta["tag"] = "a"
    if re.match(r"https?://", target):
        return f'<a href="{escape(target)}" target="_blank" rel="noopener noreferrer">'
    key = escape(_key_of(unquote(target), env))
    if key:
        return f'<a href="#{key}" data-go="{key}">'
    closing.meta["tag"] = "span"
    return "<span>"


def _link_close(
    renderer: Any, tokens: Sequence[Token], index: int, options: Any, env: dict[str, Any]
) -> str:
    return f"</{tokens[index].meta['tag']}>"


def _key_of(target: str, env: dict[str, Any]) -> str:
    """Id of what a link within the evidence leads to; empty where it leads elsewhere."""
    if target.startswith("#"):
        key = f"{env['stem']}--{target[1:]}"
        return key if key in env["keys"] else ""
    found = re.fullmatch(r"([\w\-]+)\.md(?:#(.+))?", target)
    if not found:
        return ""
    return f"{found[1]}--{found[2]}" if found[2] else found[1]


def _table_open(
    renderer: Any, tokens: Sequence[Token], index: int, options: Any, env: dict[str, Any]
) -> str:
    label = escape(str(tokens[index].meta.get("label", "")))
    name = f"Table: {label}" if label else "Table"
    return f'<div class="evidence-table" tabindex="0" role="group" aria-label="{name}"><table>\n'


def _table_close(
    renderer: Any, tokens: Sequence[Token], index: int, options: Any, env: dict[str, Any]
) -> str:
    return "</table></div>\n"
