"""HTML by functions: every text is escaped unless it is markup already."""

from __future__ import annotations

import html
from collections.abc import Iterable


class Html(str):
    """Markup; any other string is text and is escaped."""

    __slots__ = ()


Content = Html | str | int | None
_EMPTY = ("br", "meta")
_CONTROLS = dict.fromkeys(c for c in range(0x20) if chr(c) not in "\t\n") | {0x7F: None}


def text(content: Content) -> Html:
    """Content as markup: text is escaped, None is nothing."""
    if isinstance(content, Html):
        return content
    if content is None:
        return Html("")
    # Control characters and lone surrogates have no place in an HTML file.
    clean = str(content).translate(_CONTROLS).encode("utf-8", "replace").decode("utf-8")
    return Html(html.escape(clean))


def tag(name: str, *children: Content, **attributes: str | int | None) -> Html:
    """An element; an attribute `class_` is written `class`, and one that is None is left out."""
    written = "".join(
        f' {key.rstrip("_").replace("_", "-")}="{text(value)}"'
        for key, value in attributes.items()
        if value is not None
    )
    end = "" if name in _EMPTY else f"{join(children)}</{name}>"
    return Html(f"<{name}{written}>{end}")


def join(parts: Iterable[Content], between: str = "") -> Html:
    """Contents one after the other."""
    return Html(str.join(text(between), (text(part) for part in parts)))
