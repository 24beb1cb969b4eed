"""Links, pictures and code of the evidence: parsed Markdown is marked before it is rendered."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from itertools import pairwise
from typing import TYPE_CHECKING
from urllib.parse import unquote

from markupsafe import Markup

from enhancers.ui.evidence_files import Picture
from enhancers.ui.html import piece

if TYPE_CHECKING:
    from markdown_it.token import Token

_PIECES = "evidence_pieces.html"


def plain_text(inline: Token) -> str:
    """The text of a token's children, without their markup."""
    children = inline.children or []
    return "".join(
        " " if child.type in ("softbreak", "hardbreak") else child.content for child in children
    ).strip()


def code_html(text: str) -> Markup:
    """A block of code or a command, with a button that copies it."""
    return piece("code_block", _words(text), template=_PIECES)


def missing_html(title: str, sentence: str, command: str) -> Markup:
    """A chapter in place of a text that is not there: the command that writes it."""
    return piece("missing_text", title, sentence, _words(command), template=_PIECES)


def mark_links(tokens: Sequence[Token], stem: str, keys: Collection[str]) -> None:
    """Links lead to other chapters or, in a new tab, to the web; any other becomes text.

    Parameters
    ----------
    tokens : sequence of markdown_it Token
        Of a whole file; changed in place.
    stem : str
        Name of the file without its extension.
    keys : collection of str
        Ids of the file's headings.
    """
    opening: Token | None = None
    for token in _children(tokens):
        if token.type == "link_open":
            opening = token
            target = str(token.attrGet("href") or "")
            key = _key_of(unquote(target), stem, keys)
            if re.match(r"https?://", target):
                token.attrs = {"href": target, "target": "_blank", "rel": "noopener noreferrer"}
            elif key:
                token.attrs = {"href": f"#{key}", "data-go": key}
            else:
                token.tag, token.attrs = "span", {}
        elif token.type == "link_close" and opening is not None:
            token.tag = opening.tag


def mark_pictures(tokens: Sequence[Token], pictures: Mapping[str, Picture]) -> None:
    """Show the known pictures; paragraphs of pictures alone are laid out side by side.

    Parameters
    ----------
    tokens : sequence of markdown_it Token
        Changed in place.
    pictures : mapping of str to Picture
        By file name.
    """
    for opening, inline in pairwise(tokens):
        kinds = {child.type for child in inline.children or ()}
        if (
            opening.type == "paragraph_open"
            and "image" in kinds
            and kinds <= {"image", "softbreak"}
        ):
            opening.attrJoin("class", "evidence-pictures")
    for token in _children(tokens):
        if token.type != "image":
            continue
        name = unquote(str(token.attrGet("src") or ""))
        label = plain_text(token) or token.content
        picture = pictures.get(name)
        if picture is None:
            html = piece("missing_picture", name, label, template=_PIECES)
        else:
            # With its size known the text below does not jump when the picture arrives.
            size = (picture.width, picture.height)
            html = piece("picture", picture.address, label, *size, template=_PIECES)
        token.type, token.content = "html_inline", str(html)


def mark_code(tokens: Sequence[Token]) -> None:
    """Code in a line, and blocks of code with a button that copies them."""
    for token in tokens:
        if token.type == "fence":
            token.type, token.content = "html_block", str(code_html(token.content))
    for token in _children(tokens):
        if token.type == "code_inline":
            html = piece("inline_code", _words(token.content), template=_PIECES)
            token.type, token.content = "html_inline", str(html)


def _children(tokens: Sequence[Token]) -> Iterator[Token]:
    for token in tokens:
        yield from token.children or ()


def _words(text: str) -> list[str]:
    """Words and the spaces between them."""
    return re.split(r"(\s+)", text)


def _key_of(target: str, stem: str, keys: Collection[str]) -> str:
    """Id of what a link within the evidence leads to; empty where it leads elsewhere."""
    if target.startswith("#"):
        key = f"{stem}--{target[1:]}"
        return key if key in keys else ""
    found = re.fullmatch(r"([\w\-]+)\.md(?:#(.+))?", target)
    if not found:
        return ""
    return f"{found[1]}--{found[2]}" if found[2] else found[1]
